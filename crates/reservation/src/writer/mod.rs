//! The booking writer: creates and changes many reservations in one transaction.
//!
//! Natural batching (group commit, as databases do it for log writes): requests that arrive while a commit is in flight
//! are batched into the next transaction. An idle writer adds no delay, and a busy one divides the cost of a commit by
//! the number of waiting requests. Without it, bookings of the same nights queue behind each other's commits whatever
//! the locking.
//!
//! A *lane* is one task that writes the bookings of a subset of hotels, one transaction at a time. Bookings are assigned
//! to lanes by hotel, so within a replica one lane writes a hotel's rows and no transaction spans two shards. Any number
//! of replicas may write at once: rows are locked in key order, and the database's CHECK has the final decision.
//! Correctness never depends on the writer.

mod admission;
mod book;
mod change;
mod change_plan;
mod hold_limits;
mod lane;
mod metrics;
mod outcome;
mod pick_up;
mod queue;
mod revise;
mod revision_plan;

#[cfg(test)]
pub(crate) use book::{book_all, book_each};
#[cfg(test)]
pub(crate) use change::apply_all;

pub(crate) use change::apply;
pub use change_plan::{Applied, ChangeOrder};
pub(crate) use change_plan::{ChangePlan, cancelled_event};
pub use outcome::{Created, booked};
pub(crate) use pick_up::pick_up;
pub use queue::Writer;
pub use revise::{Revised, RevisionOrder};
pub(crate) use revise::{RevisionCommand, give_up_at_arrival, revise};
pub(crate) use revision_plan::{RevisionOutcome, RevisionPlan};

#[cfg(test)]
mod tests;
