//! Load generators and mesh setup, shared by the benchmarks (`staymesh-bench`), the fault tests (`staymesh-faults`) and the
//! tests across services.
//!
//! | to change | look in |
//! |---|---|
//! | clients that wait for each answer (closed loop) | [`closed`] |
//! | requests at a fixed rate (open loop) | [`open`] |
//! | what is counted and timed | [`Tally`], [`Outcome`] |
//! | how a durable mesh is started for a run, and its partner tokens | [`mesh`] |
//! | the hotels and nights that a run sells | [`inventory`] |
//! | the booking requests that are sent, with signed offers | [`booking`] |
//! | the gRPC clients of guests who book and pay | [`guest_clients`] |
//! | requests that one address holds open while others call | [`attack`] |

pub mod attack;
pub mod booking;
mod caller;
mod closed;
pub mod guest_clients;
pub mod inventory;
pub mod mesh;
mod open;
mod progress;
mod tally;

pub use caller::{Caller, REQUEST_TIMEOUT};
pub use closed::closed;
pub use open::open;
pub use progress::progress;
pub use tally::{Outcome, Tally};
