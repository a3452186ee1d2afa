//! SQL, and nothing but SQL.
//!
//! Locks are always taken in the same order, so nobody waits in a circle: a reservation that exists first, then nights in
//! the order of their keys, then new reservations in the order of their ids.

mod admit;
mod availability;
mod change;
mod holds;
mod inventory;
mod nights;
mod read;
mod rows;
mod write;

use sqlx::PgPool;
use staymesh_store::StoreConfig;

pub use admit::Created;
pub use availability::NightLeft;
pub use change::{Applied, ChangeOrder};
pub use holds::{EndedHolds, HoldPlace};
pub use inventory::{InventoryChange, InventoryNight, PlanKey};
pub use read::ListFilter;

/// The reservation database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// The database behind this pool.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// How to reach the database. Its inventory has a partition for each month, over which planning a statement for the
    /// values at hand costs several times what running it does; every statement here runs well with one plan for any.
    pub fn connections(config: &StoreConfig) -> StoreConfig {
        StoreConfig { database_plan_once: true, ..config.clone() }
    }
}

#[cfg(test)]
mod tests;
