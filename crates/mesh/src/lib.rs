//! The foundation that every Staymesh service shares.
//!
//! | question | module |
//! |---|---|
//! | how is it configured? | [`config`] |
//! | who calls, and may they? | [`auth`] |
//! | by which gateway did a request enter? | [`gateway`] |
//! | how does an error leave the service? | [`errors`] |
//! | who changed what? | [`audit`] |
//! | which layers does a request pass before its handler? | [`server`] |
//! | how does one service call another? | [`client`] |
//! | how are small writes combined? | [`coalesce`] |
//! | how do shared messages convert to domain types? | [`proto_types`], [`cancellation_types`] |
//! | what do operators see? | [`telemetry`], [`ops`], [`health`] |
//! | how does it stop? | [`shutdown`] |
//! | how do tests crash it between two steps? | [`fault`] |
//! | how does a whole service start and end? | [`node`] |

pub mod audit;
pub mod auth;
pub mod cancellation_types;
pub mod client;
pub mod coalesce;
pub mod config;
pub mod context;
pub mod errors;
pub mod fault;
pub mod gateway;
pub mod health;
pub mod node;
pub mod ops;
mod outbox;
pub mod proto_types;
pub mod redis;
pub mod server;
pub mod shutdown;
pub mod telemetry;

pub use auth::Caller;
pub use errors::{Problem, Reason};
pub use node::Node;
