//! SQL, and nothing but SQL: the reservation database.
//!
//! Locks are always taken in one order, so that transactions cannot deadlock: existing reservations in the order of
//! their keys, then nights in the order of their keys, then holders of unpaid rooms in the order of their keys, then new
//! reservations in the order of their ids.

mod audit;
mod availability;
mod change;
mod create;
mod forgotten;
mod hold_limits;
mod holds;
mod inventory;
mod inventory_change;
mod inventory_version;
mod lines;
mod nights;
mod pool;
mod prices;
mod read;
mod room_guests;
mod rows;

pub use availability::NightLeft;
pub(crate) use change::Delta;
pub(crate) use create::{ClientReferences, CreateTimes};
pub(crate) use hold_limits::{Held, Holder, NightShare, holders, share};
pub use holds::HoldCursor;
pub(crate) use holds::LockedHold;
pub use inventory::{InventoryNight, InventorySet, PlanKey};
pub use inventory_change::InventoryChange;
pub use pool::Store;
pub(crate) use pool::Transaction;
pub use read::{ListFilter, ListPosition};

#[cfg(test)]
mod tests;
