//! Moving the money of pay-outs, and showing them.

use sqlx::PgConnection;
use staymesh_domain::{HotelId, Page};
use staymesh_ledger::{self as ledger, postings};
use staymesh_psp::{Psp, PspError, TransferOrder, TransferOutcome, event::TransferData};
use staymesh_store::outbox::OutboxEvent;
use uuid::Uuid;

use super::{Payments, outbox::Failure};
use crate::{
    error::PaymentError,
    fault_points,
    payouts::{Destination, PayOut, Shares, StatementLine, Transfer, TransferPayload, TransferStatus},
    store::{events::Outcome, payouts, statements, transfers},
};

/// A pay-out with a page of its statement.
pub struct Statement {
    /// What was paid.
    pub pay_out: PayOut,
    /// The lines of this page.
    pub lines: Vec<StatementLine>,
    /// The sum of all lines.
    pub totals: Shares,
    /// Empty at the end.
    pub next_page_token: String,
}

impl<P: Psp> Payments<P> {
    /// A page of the pay-outs of a hotel, newest first, and the token of the next.
    pub async fn pay_outs(&self, hotel_id: HotelId, page: &Page<Uuid>) -> Result<(Vec<PayOut>, String), PaymentError> {
        let rows = payouts::of_hotel(&self.pool, hotel_id, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |pay_out| pay_out.payout_id))
    }

    /// A pay-out of this hotel, with a page of its lines.
    pub async fn statement(
        &self,
        hotel_id: HotelId,
        payout_id: Uuid,
        page: &Page<i32>,
    ) -> Result<Statement, PaymentError> {
        let pay_out = payouts::find(&self.pool, payout_id).await?;
        let pay_out = pay_out.filter(|pay_out| pay_out.hotel_id == hotel_id).ok_or(PaymentError::PayOutNotFound)?;
        let rows = statements::lines(&self.pool, payout_id, page.after.unwrap_or_default(), page.size.limit()).await?;
        let totals = statements::totals(&self.pool, payout_id).await?;
        let (lines, next_page_token) = page.cut(rows, |line| line.number);
        Ok(Statement { pay_out, lines, totals, next_page_token })
    }

    /// Sets where a hotel's money goes from the next transfer on.
    ///
    /// There must be such a hotel, or its money would go to whoever was named before it came into being. One that is
    /// deleted, before this or in a race with it, may still be owed money, and whoever was ever owed something was there:
    /// the ledger knows without asking.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, and what fails at the hotel service.
    pub async fn set_pay_out_destination(
        &self,
        hotel_id: HotelId,
        destination: &str,
        by: &str,
    ) -> Result<Destination, PaymentError> {
        if !payouts::may_have_destination(&self.pool, hotel_id, destination).await? {
            self.hotels.require_hotel(hotel_id).await?;
        }
        let set = payouts::set_destination(&self.pool, hotel_id, destination, by).await?;
        tracing::info!(hotel_id = hotel_id.get(), "the destination of pay-outs is set");
        Ok(set)
    }

    /// Asks the provider for the transfer of this event. Whoever hears first how it ended, this or the provider's own
    /// event, writes it down.
    pub(super) async fn pay_hotel(&self, event: &OutboxEvent) -> Result<(), Failure> {
        let payload: TransferPayload = event.payload().map_err(|error| Failure::Permanent(error.to_string()))?;
        let transfer = transfers::find(&self.pool, payload.transfer_id).await?;
        let transfer = transfer.ok_or_else(|| Failure::Permanent("there is no such transfer".to_owned()))?;
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
                match self.transfer_ended(transfer.transfer_id, &end).await? {
                    Outcome::Mismatched => Err(Failure::Permanent("the provider contradicts itself".to_owned())),
                    _ => Ok(()),
                }
            }
            // Nothing has moved there: it may be asked for again, once its cause is gone.
            Err(error @ (PspError::Refused(_) | PspError::ReturnUrl | PspError::UnsupportedAmount(_))) => {
                let why = error.to_string();
                let end = End { psp_transfer: None, outcome: TransferOutcome::Failed, failure: &why };
                self.transfer_ended(transfer.transfer_id, &end).await?;
                Err(Failure::Permanent(why))
            }
            Err(error @ (PspError::Unavailable(_) | PspError::NoResponse(_) | PspError::Pending(_))) => {
                Err(Failure::Unavailable(error.to_string()))
            }
            Err(error @ PspError::Unknown(_)) => Err(Failure::Retry(error.to_string())),
        }
    }

    /// Asks the provider again for a transfer that has not ended here, with the key that it knows it by.
    pub(crate) async fn ask_for_transfer(&self, transfer_id: Uuid) -> Result<(), PaymentError> {
        let transfer = transfers::find(&self.pool, transfer_id).await?.ok_or(PaymentError::PayOutNotFound)?;
        if transfer.status != TransferStatus::Requested {
            return Ok(());
        }
        let order = TransferOrder { transfer_id, destination: transfer.destination, amount: transfer.amount };
        let made = self.psp.transfer(order).await?;
        let end = End { psp_transfer: Some(&made.psp_transfer), outcome: made.outcome, failure: NOT_DELIVERED };
        self.transfer_ended(transfer_id, &end).await.map(drop)
    }

    async fn transfer_ended(&self, transfer_id: Uuid, end: &End<'_>) -> Result<Outcome, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let transfer = transfers::lock(&mut transaction, transfer_id).await?.ok_or(PaymentError::PayOutNotFound)?;
        let outcome = ended(&mut transaction, &transfer, end).await?;
        fault_points::TRANSFER_SAVED.around(transaction.commit()).await?;
        Ok(outcome)
    }
}

/// Why a transfer failed when the provider does not say.
const NOT_DELIVERED: &str = "the payment provider could not pay to the destination";

/// How a transfer ended.
struct End<'a> {
    psp_transfer: Option<&'a str>,
    outcome: TransferOutcome,
    /// Why, if it failed.
    failure: &'a str,
}

/// What an event says of a transfer; an error when there is no such, so that the provider sends it again.
pub(super) async fn on_transfer_event(
    connection: &mut PgConnection,
    data: &TransferData,
    outcome: TransferOutcome,
) -> Result<Outcome, PaymentError> {
    let transfer = transfers::lock(connection, data.reference).await?.ok_or(PaymentError::PayOutNotFound)?;
    if (data.amount_minor, data.currency.as_str()) != (transfer.amount.minor(), transfer.amount.currency().code()) {
        return Ok(Outcome::Mismatched);
    }
    ended(connection, &transfer, &End { psp_transfer: Some(&data.transfer), outcome, failure: NOT_DELIVERED }).await
}

/// Writes down how a transfer that is locked has ended, once. Money that has moved is posted in the same transaction.
async fn ended(connection: &mut PgConnection, transfer: &Transfer, end: &End<'_>) -> Result<Outcome, PaymentError> {
    let (id, hotel_id) = (transfer.transfer_id, transfer.hotel_id.get());
    match (transfer.status, end.outcome) {
        (TransferStatus::Requested, TransferOutcome::Paid) => {
            transfers::paid(connection, id, end.psp_transfer.unwrap_or_default()).await?;
            let posting = postings::payout(transfer.payout_id, transfer.hotel_id, transfer.amount);
            ledger::post(connection, &posting).await?;
            tracing::info!(payout_id = %transfer.payout_id, hotel_id, "hotel paid");
        }
        (TransferStatus::Requested, TransferOutcome::Failed) => {
            transfers::failed(connection, id, end.psp_transfer, end.failure).await?;
            tracing::error!(payout_id = %transfer.payout_id, hotel_id, reason = end.failure, "a hotel could not be paid");
        }
        (TransferStatus::Paid, TransferOutcome::Paid) | (TransferStatus::Failed, TransferOutcome::Failed) => {
            return Ok(Outcome::Unchanged);
        }
        // Another transfer may be under way by now: people must look.
        _ => return Ok(Outcome::Mismatched),
    }
    Ok(Outcome::Applied)
}
