//! A model of the protocol between the reservation and the payment service, explored exhaustively within bounds.
//!
//! One booking of one room goes through every order of events: its guest pays, pays late, or cancels; the provider
//! charges, declines, reviews, closes the page and refunds; the hold expires; the guest does not come; another guest
//! takes the room. Messages are lost, repeated, late and in another order, and a service stops between a commit and the
//! acknowledgement of a delivery. In every state that can be reached the properties of [`Protocol`] hold.
//!
//! The rules are those of production: [`staymesh_reservation::protocol`] carries out commands on the booking, and the
//! decisions of [`staymesh_payment::model`] say what messages do to a payment. What is modelled is what surrounds them:
//! clock, people, provider, outboxes, network. A database transaction is one step.
//!
//! Not part of it: changes of a booking (`SettleChange`, revisions), partners who collect, refunds by administrators.

mod booking;
mod clock;
mod faults;
mod payment;
mod properties;
mod protocol;
mod provider;
mod report;
mod state;
mod surroundings;
#[cfg(test)]
mod tests;

pub use faults::Fault;
pub use protocol::{Bounds, Protocol, Step};
pub use report::{Report, explore};
pub use state::State;
