//! The handle on the database, and transactions on it.

use sqlx::{PgPool, Postgres};
use staymesh_store::StoreConfig;

use crate::error::ReservationError;

/// The reservation database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) pool: PgPool,
}

/// An open transaction. Rolled back when dropped without [`Self::commit`].
pub(crate) struct Transaction(pub(super) sqlx::Transaction<'static, Postgres>);

impl Store {
    /// The database that `pool` connects to.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The connections, for the audit records.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The connection settings this service needs on top of `config`: generic plans.
    ///
    /// The inventory has a partition per month, over which a custom plan costs several times what the statement does;
    /// every statement here runs well with one plan for any values.
    pub fn connections(config: &StoreConfig) -> StoreConfig {
        StoreConfig { database_plan_once: true, ..config.clone() }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn begin(&self) -> Result<Transaction, ReservationError> {
        Ok(Transaction(self.pool.begin().await?))
    }
}

impl Transaction {
    /// Commits.
    ///
    /// # Errors
    /// When the database fails; then it is unknown whether it committed.
    pub(crate) async fn commit(self) -> Result<(), ReservationError> {
        Ok(self.0.commit().await?)
    }

    /// Rolls back, and waits until the locks are released.
    ///
    /// # Errors
    /// When the database fails; the server then rolls back by itself.
    pub(crate) async fn rollback(self) -> Result<(), ReservationError> {
        Ok(self.0.rollback().await?)
    }
}
