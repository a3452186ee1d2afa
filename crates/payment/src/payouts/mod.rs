//! Payouts: money for hotels, after their guests have left.
//!
//! A payout settles the ledger entries of a hotel for stays that are over: one line for each entry. It never changes. A
//! transfer is an attempt to move its money, and at most one transfer of a payout may be open or paid at any time: the
//! database guarantees both. A refund after a payout reduces the next one.
//!
//! [`crate::jobs::payouts`] makes payouts and requests their transfers through the outbox; `service` delivers the request
//! to the provider and records the result; the hotelier reads the [`statement`].

mod model;
pub mod statement;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use model::{Destination, LineKind, Payout, Shares, StatementLine, Transfer, TransferStatus};

/// The kind of the outbox event that requests a transfer. Its aggregate is the payout.
pub(crate) const TRANSFER_REQUESTED: &str = "payout.requested";

/// The payload of that event.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransferPayload {
    /// The transfer to make.
    pub(crate) transfer_id: Uuid,
}
