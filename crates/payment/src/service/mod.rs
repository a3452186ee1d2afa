//! The rules of payments, against the provider, the reservation service and the database.
//!
//! Each step is written down before the next begins, and each may be done again: the order, then the provider, then its
//! answer; and for everything that another service or the provider must learn, the outbox.

mod create;
mod deliver;
mod partner;
mod payouts;
mod refund;
mod settle;
mod sweep;
mod webhook;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use staymesh_domain::{HotelId, Page, PaymentId};
use staymesh_ledger::{self as ledger};
use staymesh_mesh::{Caller, telemetry};
use staymesh_psp::{Checkout, CheckoutStatus, Psp};
use staymesh_store::{
    StoreError,
    outbox::{self, Wake},
};
use uuid::Uuid;

pub use deliver::{Messenger, PAY_OUTS_AT_ONCE, REFUNDS_AT_ONCE};
pub use partner::InvoicePlace;
pub use payouts::Statement;

use crate::{
    error::PaymentError,
    fault_points,
    hotels::Hotels,
    model::{Payment, Status},
    reservations::Reservations,
    status_page::StatusLinks,
    store::payments,
};

/// The kinds of events in the outbox. The aggregate is the payment.
mod kind {
    /// The money has arrived.
    pub(super) const PAID: &str = "payment.paid";
    /// It will not come.
    pub(super) const FAILED: &str = "payment.failed";
    /// The provider is to pay back.
    pub(super) const REFUND: &str = "refund.requested";
    /// The provider has paid back, or did so before the reservation ended.
    pub(super) const REFUNDED: &str = "payment.refunded";
}

/// What the event of a refund that is asked for carries. The others need no more than their payment.
#[derive(Serialize, Deserialize)]
struct RefundPayload {
    refund_id: Uuid,
}

/// Payments.
pub struct Payments<R, P> {
    /// The database.
    pub pool: PgPool,
    /// The reservation service.
    pub reservations: R,
    /// The hotel service.
    pub hotels: Box<dyn Hotels>,
    /// The payment provider.
    pub psp: P,
    /// The addresses of status pages.
    pub links: StatusLinks,
    /// Rings the relay.
    pub wake: Wake,
    /// How long a payment may be open before the provider is asked for it.
    pub check_after: Duration,
    /// How long before the hold ends the page closes.
    pub page_margin: Duration,
    /// What is earned with a booking, in hundredths of a percent of its price before taxes.
    pub commission_basis_points: u16,
}

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// A payment, for those who may see it.
    pub async fn get(&self, caller: &Caller, id: PaymentId) -> Result<Payment, PaymentError> {
        payments::find(&self.pool, id)
            .await?
            .filter(|payment| payment.owner == caller.subject || caller.works_for(payment.hotel_id()))
            .ok_or(PaymentError::NotFound)
    }

    /// A page of the payments of a hotel, newest first, and the token of the next.
    pub async fn list(
        &self,
        hotel_id: HotelId,
        status: Option<Status>,
        page: &Page<Uuid>,
    ) -> Result<(Vec<Payment>, String), PaymentError> {
        let rows = payments::of_hotel(&self.pool, hotel_id, status, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |payment| payment.payment_id.as_uuid()))
    }

    /// Takes in how the provider says a checkout stands, outside of any event.
    pub(crate) async fn learn(&self, id: PaymentId, checkout: &Checkout) -> Result<Payment, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let payment = payments::lock(&mut transaction, id).await?.ok_or(PaymentError::NotFound)?;
        if checkout.status == CheckoutStatus::Paid && checkout.amount != payment.amount {
            tracing::error!(payment_id = %id, "the provider took another amount than was asked for; nothing is done");
            return Ok(payment);
        }
        if !apply(&mut transaction, &payment, checkout.status).await? {
            return Ok(payment);
        }
        let payment = payments::find(&mut *transaction, id).await?.ok_or(PaymentError::NotFound)?;
        fault_points::STATUS_LEARNED.before();
        transaction.commit().await?;
        fault_points::STATUS_LEARNED.after();
        self.wake.wake();
        Ok(payment)
    }
}

/// What the provider says of the checkout of a payment that is locked; whether it was news.
async fn apply(connection: &mut PgConnection, payment: &Payment, word: CheckoutStatus) -> Result<bool, StoreError> {
    if word == CheckoutStatus::InReview && payment.status == Status::Pending {
        return payments::note_review(connection, payment.payment_id).await;
    }
    let Some(next) = payment.status.after_checkout(word) else {
        return Ok(false);
    };
    payments::set_status(connection, payment.payment_id, next).await?;
    if next == Status::Paid {
        let sold = payment.sold();
        ledger::post_all(connection, &[sold.sale(payment.payment_id), sold.charge(payment.payment_id)]).await?;
    }
    // That nobody paid needs no telling: the reservation's hold ends by itself.
    let told = match next {
        Status::Paid => Some(kind::PAID),
        Status::Failed => Some(kind::FAILED),
        _ => None,
    };
    if let Some(told) = told {
        outbox::enqueue(
            connection,
            payment.payment_id.as_uuid(),
            told,
            &serde_json::json!({}),
            telemetry::trace_parent().as_deref(),
        )
        .await?;
    }
    tracing::info!(payment_id = %payment.payment_id, from = payment.status.as_str(), to = next.as_str(), "payment changed");
    Ok(true)
}
