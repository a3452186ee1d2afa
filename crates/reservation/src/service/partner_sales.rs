//! Sales whose money a partner collects: the payment service decides by the partner's credit whether they stand.
//!
//! Such a reservation is created `PENDING_PAYMENT`, with a hold and the outbox event of its sale in one transaction. Then the
//! payment service records the sale, and the reservation becomes `PAID`; or it refuses it, and the reservation becomes
//! `REJECTED` and releases its rooms. Both answers are final for the reservation. The request itself asks, so that the partner
//! learns the decision; the relay asks again when it delivers the event, so that a reservation is decided even if this
//! process dies or the payment service is unavailable. If the hold expires first, the reservation ends, and a sale that was
//! recorded meanwhile is credited in full.

use jiff::Timestamp;
use staymesh_mesh::{Problem, Reason};
use tonic::Status;

use super::BookingService;
use crate::{error::ReservationError, events::SoldByPartner, fault_points, lifecycle::Command, model::Reservation};

/// The decision of the payment service.
#[derive(Debug)]
pub(crate) enum SaleDecision {
    /// The sale is recorded. With the reservation as it is now.
    Recorded(Box<Reservation>),
    /// The partner would owe more than its credit limit: `PARTNER_CREDIT_EXCEEDED`.
    Refused(Problem),
}

impl BookingService {
    /// The reservation after the decision on its sale, if a partner collects and it awaits one. While the payment service
    /// is unavailable it stays `PENDING_PAYMENT`, and the relay completes it.
    ///
    /// # Errors
    /// `PARTNER_CREDIT_EXCEEDED` if the sale is or was refused; and when the database fails.
    pub(super) async fn decided(&self, booking: Reservation, now: Timestamp) -> Result<Reservation, ReservationError> {
        let Some(sale) = SoldByPartner::undecided(&booking)? else { return Ok(booking) };
        match self.decide_sale(sale, now).await {
            Ok(SaleDecision::Recorded(reservation)) => Ok(*reservation),
            Ok(SaleDecision::Refused(problem)) => Err(problem.into()),
            Err(status) => {
                tracing::warn!(reservation_id = %booking.id, rpc.code = ?status.code(), "sale of a partner not decided yet");
                Ok(booking)
            }
        }
    }

    /// Has the payment service decide a sale, and applies its decision. Idempotent.
    ///
    /// # Errors
    /// The status of the call or of the change, which says whether a retry can help.
    pub(crate) async fn decide_sale(&self, sale: SoldByPartner, now: Timestamp) -> Result<SaleDecision, Status> {
        let id = sale.reservation_id;
        match fault_points::SALE_PUBLISHED.around(self.payments.record_partner_sale(sale)).await {
            Ok(()) => {
                let applied = self.change(id, Command::ConfirmSale, now).await?;
                Ok(SaleDecision::Recorded(Box::new(applied.reservation)))
            }
            Err(status) if Problem::reason_of(&status) == Some(Reason::PartnerCreditExceeded) => {
                self.change(id, Command::RefuseSale, now).await?;
                tracing::info!(reservation_id = %id, "partner sale refused");
                Ok(SaleDecision::Refused(Problem::from_dependency("payment", &status)))
            }
            Err(status) => Err(status),
        }
    }
}

#[cfg(test)]
mod tests;
