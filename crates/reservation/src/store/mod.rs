//! SQL, and nothing but SQL: the reservation database.
//!
//! Locks are always taken in one order, so that transactions cannot deadlock: changes of a hotel's inventory, assignments of
//! its rooms, existing reservations in the order of their keys, then a group block, then nights in the order of their keys,
//! then holders of unpaid rooms in the order of their keys, then new reservations in the order of their ids.

mod assignments;
mod audit;
mod availability;
mod blocked_rooms;
mod by_hotel;
mod change;
mod changed;
mod create;
mod desk;
mod find;
mod forgotten;
mod group_block_changes;
mod group_block_pick_ups;
mod group_blocks;
mod hold_limits;
mod holds;
mod inventory;
mod inventory_change;
mod inventory_version;
mod lines;
mod nights;
mod no_shows;
mod notes;
mod out_of_order;
mod pending;
mod pool;
mod prices;
mod read;
mod relocations;
mod revise;
mod revisions;
mod room_guests;
mod room_status;
mod rows;
mod stop_sell;

pub use assignments::Assignment;
pub(crate) use audit::Waived;
pub use availability::NightLeft;
pub(crate) use change::Delta;
pub use changed::{ChangeHorizon, ChangePosition, ChangeScope};
pub(crate) use create::{ClientReferences, CreateTimes};
pub use desk::{DeskList, DeskPosition, DeskRoom};
pub use find::FindFilter;
pub(crate) use group_block_changes::BlockChange;
pub(crate) use group_blocks::BlockPosition;
pub(crate) use hold_limits::{Held, Holder, NightShare, holders, holders_of, share};
pub use holds::HoldCursor;
pub(crate) use holds::LockedHold;
pub use inventory::{InventoryNight, InventorySet, PlanKey};
pub use inventory_change::InventoryChange;
pub use notes::{Note, NotePosition};
pub use out_of_order::{NewOutOfOrder, OutOfOrder, OutOfOrderFilter, OutOfOrderKind};
pub use pool::Store;
pub(crate) use pool::Transaction;
pub use read::{ListFilter, ListPosition, StayFilter};
pub use relocations::RelocationsDue;
pub(crate) use revise::{ChangeState, KnownRequest, NewChange, Pending, RevisedRooms};
pub use revisions::Revision;
pub(crate) use room_status::SYSTEM;
pub use stop_sell::StopSellChange;

#[cfg(test)]
mod tests;
