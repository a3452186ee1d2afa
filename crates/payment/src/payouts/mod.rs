//! Paying hotels, after their guests have left.
//!
//! The [`job`] settles what a hotel is owed for stays that are over: it writes a pay-out with the ledger entries that it
//! is for, and asks the relay to move the money. What goes back to a guest after that makes the next pay-out smaller.
//! The hotelier reads the [`statement`].
//!
//! A pay-out never changes. The attempts to move its money are its transfers, and there is no second one while the first
//! may succeed: the database sees to both.

pub mod job;
mod model;
pub mod statement;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use staymesh_mesh::telemetry;
use staymesh_store::{StoreError, outbox};
use uuid::Uuid;

pub use model::{Destination, LineKind, PayOut, Shares, StatementLine, Transfer, TransferStatus};

/// The kind of the event in the outbox that asks for a transfer. The aggregate is the pay-out.
pub(crate) const REQUESTED: &str = "payout.requested";

/// What that event carries.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransferPayload {
    /// The transfer that is to be made.
    pub(crate) transfer_id: Uuid,
}

/// Asks the relay for a transfer, in the transaction that writes it.
async fn ask(connection: &mut PgConnection, payout_id: Uuid, transfer_id: Uuid) -> Result<(), StoreError> {
    let payload = TransferPayload { transfer_id };
    outbox::enqueue(connection, payout_id, REQUESTED, &payload, telemetry::trace_parent().as_deref()).await?;
    Ok(())
}
