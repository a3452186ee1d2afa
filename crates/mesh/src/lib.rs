//! What every Staymesh service stands on, written once.
//!
//! | a question | its module |
//! |---|---|
//! | how is it configured? | [`config`] |
//! | who calls, and may they? | [`auth`] |
//! | how does an error leave the service? | [`errors`] |
//! | what happens to a request before a handler sees it? | [`server`] |
//! | how does one service call another? | [`client`] |
//! | how do bytes get onto the wire? | [`coalesce`] |
//! | what can an operator see? | [`telemetry`], [`ops`], [`health`] |
//! | how does it stop? | [`shutdown`] |
//! | how do tests make it die between two steps? | [`fault`] |
//! | all of it together? | [`node`] |

pub mod auth;
pub mod client;
pub mod coalesce;
pub mod config;
pub mod context;
pub mod errors;
pub mod fault;
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
#[doc(hidden)]
pub use proto_types as values;
