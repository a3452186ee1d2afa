//! Transfers: payouts to a destination account.

use super::{Outcome, Store};
use crate::{
    error::Refusal,
    event::Event,
    journal::Record,
    model::{Transfer, TransferOrder, TransferStatus, id_for},
};

/// The destination of transfers that fail.
const FAILING_DESTINATION: &str = "fail";

impl Store {
    /// Transfers money. Idempotent by key.
    pub(crate) fn transfer(&mut self, key: &str, order: TransferOrder, now: i64) -> Result<Outcome<Transfer>, Refusal> {
        let id = id_for("tr", key);
        if let Some(transfer) = self.transfers.get(&id) {
            let value = if transfer.order == order { transfer.clone() } else { return Err(Refusal::KeyReused) };
            return Ok(Outcome { value, event: None });
        }
        if self.transfers.len() >= self.max_sessions {
            return Err(Refusal::TransfersFull);
        }
        let status =
            if order.destination == FAILING_DESTINATION { TransferStatus::Failed } else { TransferStatus::Paid };
        let transfer = Transfer { id, status, order, idempotency_key: key.to_owned(), created: now };
        self.save(Record::Transfer { transfer: transfer.clone() })?;
        let event = Some(Event::of_transfer(&transfer, now));
        Ok(Outcome { value: transfer, event })
    }

    pub(crate) fn get_transfer(&self, id: &str) -> Result<Transfer, Refusal> {
        self.transfers.get(id).cloned().ok_or(Refusal::NotFound("transfer"))
    }
}
