//! Payouts: transfers at the provider, and what hoteliers read.

use sqlx::PgConnection;
use staymesh_domain::{Currency, HotelId, Page};
use staymesh_ledger::{self as ledger, postings};
use staymesh_mesh::{Caller, Problem};
use staymesh_psp::{Psp, PspError, TransferOrder, TransferOutcome, event::TransferData};
use staymesh_store::outbox::OutboxEvent;
use uuid::Uuid;

use super::{Payments, outbox::Failure};
use crate::{
    error::PaymentError,
    fault_points,
    payouts::{Destination, Payout, Shares, StatementLine, Transfer, TransferPayload, TransferStatus},
    store::{audit, events::Outcome, payouts, statements, transfers},
};

/// A page of the statement of a payout.
pub struct Statement {
    /// The currency of the payout.
    pub currency: Currency,
    /// The lines of this page.
    pub lines: Vec<StatementLine>,
    /// The sum of all lines.
    pub totals: Shares,
    /// The token of the next page; empty at the end.
    pub next_page_token: String,
}

impl<P: Psp> Payments<P> {
    /// A page of the payouts of a hotel, newest first, and the token of the next page.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn payouts(&self, hotel_id: HotelId, page: &Page<Uuid>) -> Result<(Vec<Payout>, String), PaymentError> {
        let rows = payouts::of_hotel(&self.pool, hotel_id, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |payout| payout.payout_id))
    }

    /// A payout of a hotel that the caller works for.
    ///
    /// # Errors
    /// [`PaymentError::PayoutNotFound`] when the caller may see no such payout, and failures of the database.
    pub async fn payout(&self, caller: &Caller, payout_id: Uuid) -> Result<Payout, PaymentError> {
        let payout = payouts::find(&self.pool, payout_id).await?;
        payout.filter(|payout| caller.works_for(payout.hotel_id)).ok_or(PaymentError::PayoutNotFound)
    }

    /// A page of the lines of a payout, with the totals of all of them.
    ///
    /// # Errors
    /// As [`Self::payout`].
    pub async fn payout_lines(
        &self,
        caller: &Caller,
        payout_id: Uuid,
        page: &Page<i32>,
    ) -> Result<Statement, PaymentError> {
        let currency = self.payout(caller, payout_id).await?.amount.currency();
        let rows =
            statements::lines(&self.pool, payout_id, page.after.unwrap_or(FIRST_LINE - 1), page.size.limit()).await?;
        let totals = statements::totals(&self.pool, payout_id).await?;
        let (lines, next_page_token) = page.cut(rows, |line| line.number);
        Ok(Statement { currency, lines, totals, next_page_token })
    }

    /// Sets the destination of a hotel's payouts, for transfers that are requested from now on.
    ///
    /// The hotel must exist: otherwise a destination could be set in advance for a hotel id that is assigned later. A
    /// hotel with a payable account in the ledger has existed, and may be deleted by now while it is still owed money; then
    /// the hotel service is not asked.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, and failures of the hotel service.
    pub async fn set_payout_destination(
        &self,
        hotel_id: HotelId,
        destination: &str,
        by: &str,
    ) -> Result<Destination, PaymentError> {
        if !payouts::may_have_destination(&self.pool, hotel_id, destination).await? {
            self.hotels.require_hotel(hotel_id).await?;
        }
        let mut transaction = self.pool.begin().await?;
        let watched = audit::PAYOUT_DESTINATION.before(&mut transaction, &hotel_id).await?;
        let set = payouts::set_destination(&mut *transaction, hotel_id, destination, by).await?;
        watched.record(&mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(hotel_id = hotel_id.get(), "payout destination set");
        Ok(set)
    }

    /// Delivers an outbox event: requests its transfer at the provider. The result is recorded once, from the response or
    /// from the provider's event, whichever is first.
    pub(super) async fn pay_hotel(&self, event: &OutboxEvent) -> Result<(), Failure> {
        let payload: TransferPayload = event.payload().map_err(|error| Failure::Permanent(error.to_string()))?;
        let transfer = transfers::find(&self.pool, payload.transfer_id).await?;
        let transfer = transfer.ok_or_else(|| Failure::Permanent("the transfer does not exist".to_owned()))?;
        if transfer.status != TransferStatus::Requested {
            return Ok(());
        }
        let order = TransferOrder {
            transfer_id: transfer.transfer_id,
            destination: transfer.destination,
            amount: transfer.amount,
        };
        match fault_points::MONEY_TRANSFERRED.around(self.psp.transfer(order)).await {
            Ok(made) => {
                let end = End { psp_transfer: Some(&made.psp_transfer), outcome: made.outcome, failure: NOT_DELIVERED };
                match self.record_outcome(transfer.transfer_id, &end).await? {
                    Outcome::Mismatched => {
                        Err(Failure::Permanent("the provider reports contradictory results".to_owned()))
                    }
                    _ => Ok(()),
                }
            }
            // No money has moved: another transfer may be requested once the cause is fixed.
            Err(error @ (PspError::Refused(_) | PspError::ReturnUrl | PspError::UnsupportedAmount(_))) => {
                let why = error.to_string();
                let end = End { psp_transfer: None, outcome: TransferOutcome::Failed, failure: &why };
                self.record_outcome(transfer.transfer_id, &end).await?;
                Err(Failure::Permanent(why))
            }
            Err(error @ (PspError::Unavailable(_) | PspError::NoResponse(_) | PspError::Pending(_))) => {
                Err(Failure::Unavailable(error.to_string()))
            }
            Err(error @ PspError::Unknown(_)) => Err(Failure::Retry(error.to_string())),
        }
    }

    /// Requests a transfer again that is open here, with the same idempotency key.
    pub(crate) async fn retry_transfer(&self, transfer_id: Uuid) -> Result<(), PaymentError> {
        let transfer = transfers::find(&self.pool, transfer_id).await?.ok_or(PaymentError::PayoutNotFound)?;
        if transfer.status != TransferStatus::Requested {
            return Ok(());
        }
        let order = TransferOrder { transfer_id, destination: transfer.destination, amount: transfer.amount };
        let made = self.psp.transfer(order).await?;
        let end = End { psp_transfer: Some(&made.psp_transfer), outcome: made.outcome, failure: NOT_DELIVERED };
        self.record_outcome(transfer_id, &end).await.map(drop)
    }

    async fn record_outcome(&self, transfer_id: Uuid, end: &End<'_>) -> Result<Outcome, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let transfer = transfers::lock(&mut transaction, transfer_id).await?.ok_or(PaymentError::PayoutNotFound)?;
        let outcome = record(&mut transaction, &transfer, end).await?;
        fault_points::TRANSFER_SAVED.around(transaction.commit()).await?;
        Ok(outcome)
    }
}

/// The number of the first line of a statement.
const FIRST_LINE: i32 = 1;

/// The failure of a transfer for which the provider gives no reason.
const NOT_DELIVERED: &str = "the payment provider could not pay to the destination";

/// The final state of a transfer.
struct End<'a> {
    psp_transfer: Option<&'a str>,
    outcome: TransferOutcome,
    /// The reason, if it failed.
    failure: &'a str,
}

/// Applies a transfer event. An unknown transfer is an error, so that the provider redelivers the event.
pub(super) async fn on_transfer_event(
    connection: &mut PgConnection,
    data: &TransferData,
    outcome: TransferOutcome,
) -> Result<Outcome, PaymentError> {
    let transfer = transfers::lock(connection, data.reference).await?.ok_or(PaymentError::PayoutNotFound)?;
    if (data.amount_minor, data.currency.as_str()) != (transfer.amount.minor(), transfer.amount.currency().code()) {
        return Ok(Outcome::Mismatched);
    }
    record(connection, &transfer, &End { psp_transfer: Some(&data.transfer), outcome, failure: NOT_DELIVERED }).await
}

/// Records the final state of a locked transfer once, and posts the payout in the same transaction if it was paid.
async fn record(connection: &mut PgConnection, transfer: &Transfer, end: &End<'_>) -> Result<Outcome, PaymentError> {
    let (id, hotel_id) = (transfer.transfer_id, transfer.hotel_id.get());
    match (transfer.status, end.outcome) {
        (TransferStatus::Requested, TransferOutcome::Paid) => {
            let psp_transfer = end.psp_transfer.ok_or_else(|| Problem::internal(&"a paid transfer without its id"))?;
            transfers::paid(connection, id, psp_transfer).await?;
            let posting = postings::payout(transfer.payout_id, transfer.hotel_id, transfer.amount);
            ledger::post(connection, &posting).await?;
            tracing::info!(payout_id = %transfer.payout_id, hotel_id, "hotel paid");
        }
        (TransferStatus::Requested, TransferOutcome::Failed) => {
            transfers::failed(connection, id, end.psp_transfer, end.failure).await?;
            tracing::error!(payout_id = %transfer.payout_id, hotel_id, reason = end.failure, "transfer to a hotel failed");
        }
        (TransferStatus::Paid, TransferOutcome::Paid) | (TransferStatus::Failed, TransferOutcome::Failed) => {
            return Ok(Outcome::Unchanged);
        }
        // A contradiction: another transfer may be open by now. For finance to examine.
        _ => return Ok(Outcome::Mismatched),
    }
    Ok(Outcome::Applied)
}
