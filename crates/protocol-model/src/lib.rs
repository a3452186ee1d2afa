//! Models of the protocol between the reservation and the payment service, explored exhaustively within bounds.
//!
//! | model | explores |
//! |---|---|
//! | [`Protocol`] | one booking of one room: its guest pays, pays late, or cancels; the hold expires; the guest does not come |
//! | [`change`] | a paid booking of two rooms: changes with a charge and with a refund, a cancelled room, refunds of an administrator |
//! | [`partner`] | a booking of a partner who collects: its sale and its changes, which its credit refuses or records |
//!
//! Where guests pay, the provider charges, declines, reviews, closes the page and refunds. Another guest takes free rooms.
//! Messages are lost, repeated, late and in another order, and a service stops between a commit and the acknowledgement of a
//! delivery. In every state that can be reached the model's properties hold.
//!
//! The rules are those of production: [`staymesh_reservation::protocol`] carries out commands on the booking, and the
//! decisions of [`staymesh_payment::model`] say what messages do to a payment. What is modelled is what surrounds them:
//! clock, people, provider, outboxes, network. A database transaction is one step.

mod booking;
pub mod change;
mod clock;
mod delivery;
mod faults;
mod orders;
pub mod partner;
mod payments;
mod properties;
mod protocol;
mod provider;
mod report;
mod state;
mod surroundings;
#[cfg(test)]
mod tests;

pub use delivery::{Delivery, Opening};
pub use faults::Fault;
pub use protocol::{Bounds, Protocol, Step};
pub use report::{Report, explore};
pub use state::State;
