//! The rules of payments, against the provider, the reservation service and the database.
//!
//! Every step is persisted before the next one begins, and every step is idempotent: the order, the provider's answer, and
//! an outbox event for whatever another service or the provider must do. Every change of money is one transaction with
//! its ledger postings: [`checkout`] (paid), `refunds::request` and `refunds::succeed`, [`partner_sales`],
//! [`partner_credit`], [`payouts`].

mod amendments;
mod cancellation;
mod changes;
pub(crate) mod checkout;
mod create;
mod desk;
mod events;
mod outbox;
mod partner_credit;
mod partner_sales;
mod payouts;
mod refunds;
mod replay;
mod sweep;
mod webhook;

#[cfg(test)]
pub(crate) mod tests;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use staymesh_domain::{HotelId, Page, PaymentId};
use staymesh_mesh::Caller;
use staymesh_psp::Psp;
use staymesh_store::outbox::Wake;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use outbox::{OutboxDispatcher, PAYOUT_CONCURRENCY, REFUND_CONCURRENCY};
pub use partner_sales::InvoiceCursor;
pub use payouts::Statement;

use crate::{
    clients::{hotels::HotelClient, reservations::ReservationClient},
    error::PaymentError,
    model::{DefaultCredit, Payment, Refund, StatusFilter},
    status_links::StatusLinks,
    store::{payments, refunds as refund_rows},
};

/// Partner sales that a replica decides at once. The sales of one partner wait for each other; without a limit, a burst of
/// them would wait with all of the database connections, and payments of guests for those.
pub const PARTNER_SALES_AT_ONCE: usize = 4;

/// The payment rules with everything they depend on.
pub struct Payments<P> {
    /// The database.
    pub pool: PgPool,
    /// The reservation service.
    pub reservations: Arc<dyn ReservationClient>,
    /// The hotel service.
    pub hotels: Arc<dyn HotelClient>,
    /// The payment provider.
    pub psp: P,
    /// Links to status pages.
    pub links: StatusLinks,
    /// Wakes the outbox relay after a commit.
    pub wake: Wake,
    /// How long a payment stays pending before the sweep queries the provider for it.
    pub check_after: Duration,
    /// How long before the hold expires the checkout page closes.
    pub page_margin: Duration,
    /// Commission in basis points of the price before taxes; 0 to 10,000.
    pub commission_basis_points: u16,
    /// The credit limit of partners for whom no administrator has set one.
    pub default_credit: DefaultCredit,
    /// Partner sales that are decided at once; see [`PARTNER_SALES_AT_ONCE`].
    pub partner_sales: Arc<Semaphore>,
}

impl<P: Psp> Payments<P> {
    /// A payment, for its owner and for staff of its hotel.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`] if it does not exist or the caller may not see it; [`PaymentError::Store`] if the
    /// database fails.
    pub async fn get(&self, caller: &Caller, id: PaymentId) -> Result<Payment, PaymentError> {
        payments::find(&self.pool, id)
            .await?
            .filter(|payment| payment.owner == caller.subject || caller.works_for(payment.hotel_id()))
            .ok_or(PaymentError::NotFound)
    }

    /// A page of a hotel's payments, newest first, and the token of the next page, which is empty on the last.
    ///
    /// # Errors
    /// [`PaymentError::Store`] if the database fails.
    pub async fn list(
        &self,
        hotel_id: HotelId,
        status: Option<StatusFilter>,
        page: &Page<Uuid>,
    ) -> Result<(Vec<Payment>, String), PaymentError> {
        let rows = payments::of_hotel(&self.pool, hotel_id, status, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |payment| payment.payment_id.as_uuid()))
    }

    /// The refunds of these payments, newest first for each payment; at most 100 of each.
    ///
    /// # Errors
    /// [`PaymentError::Store`] if the database fails.
    pub async fn refunds_of(&self, payments: &[Payment]) -> Result<Vec<Refund>, PaymentError> {
        let refunded: Vec<PaymentId> =
            payments.iter().filter(|payment| payment.refund_requested.minor() > 0).map(|one| one.payment_id).collect();
        if refunded.is_empty() {
            return Ok(Vec::new());
        }
        Ok(refund_rows::of_payments(&self.pool, &refunded).await?)
    }
}
