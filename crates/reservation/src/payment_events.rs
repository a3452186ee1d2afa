//! Publishes reservation events to the payment service: the outbox relay's delivery target.
//!
//! Delivery is at-least-once and in order per reservation; the payment service dedupes. The answer to a partner's sale is
//! applied to its reservation before the event counts as delivered.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_mesh::{Problem, Reason};
use staymesh_store::outbox::{Deliver, Delivery, OutboxEvent};
use tonic::{Code, Status};

use crate::{
    clients::PaymentClient,
    events::{
        CANCELLED, CHANGE_APPLIED, CHANGE_DROPPED, CHANGE_SOLD_BY_PARTNER, Cancelled, ChangeSettled,
        ChangeSoldByPartner, SOLD_BY_PARTNER, SoldByPartner,
    },
    fault_points,
    service::BookingService,
};

/// Delivers outbox events to the payment service.
pub(crate) struct PaymentEventPublisher {
    payments: Arc<dyn PaymentClient>,
    bookings: Arc<BookingService>,
}

impl PaymentEventPublisher {
    /// A publisher that applies decisions on sales through `bookings`.
    pub(crate) fn new(payments: Arc<dyn PaymentClient>, bookings: Arc<BookingService>) -> Self {
        Self { payments, bookings }
    }

    /// Has a sale decided. A refusal is a decision: the event is delivered.
    async fn publish_sale(&self, sale: SoldByPartner) -> Result<(), Status> {
        self.bookings.decide_sale(sale, Timestamp::now()).await.map(drop)
    }

    async fn publish_cancellation(&self, cancelled: Cancelled) -> Result<(), Status> {
        let partner = cancelled.partner_sale.is_some();
        let step =
            if partner { fault_points::PARTNER_CANCELLATION_PUBLISHED } else { fault_points::CANCELLATION_PUBLISHED };
        step.around(self.payments.settle_cancellation(cancelled)).await
    }
}

impl PaymentEventPublisher {
    /// Has a partner's change decided. A refusal is a decision: the event is delivered.
    async fn publish_change_sale(&self, sale: ChangeSoldByPartner) -> Result<(), Status> {
        self.bookings.decide_change(sale, Timestamp::now()).await
    }

    async fn publish_change(&self, change: ChangeSettled) -> Result<(), Status> {
        fault_points::CHANGE_PUBLISHED.around(self.payments.settle_change(change)).await
    }
}

impl Deliver for PaymentEventPublisher {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        let delivered = match event.kind.as_str() {
            SOLD_BY_PARTNER => match event.read() {
                Ok(sale) => self.publish_sale(sale).await,
                Err(unreadable) => return unreadable,
            },
            CANCELLED => match event.read() {
                Ok(cancelled) => self.publish_cancellation(cancelled).await,
                Err(unreadable) => return unreadable,
            },
            CHANGE_SOLD_BY_PARTNER => match event.read() {
                Ok(sale) => self.publish_change_sale(sale).await,
                Err(unreadable) => return unreadable,
            },
            CHANGE_APPLIED | CHANGE_DROPPED => match event.read() {
                Ok(change) => self.publish_change(change).await,
                Err(unreadable) => return unreadable,
            },
            other => return Delivery::DeadLetter(format!("unknown event kind {other}")),
        };
        delivered.map_or_else(|status| delivery_of(&status), |()| Delivery::Done)
    }
}

/// What the relay does after a failed call. A request that the payment service refuses becomes a dead letter for an
/// operator; an outage is waited out for as long as it lasts; everything else is retried with backoff.
fn delivery_of(status: &Status) -> Delivery {
    let reason = Problem::reason_of(status).map_or("no reason", Reason::as_str);
    let reason = format!("payment: {:?}, {reason}", status.code());
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound => Delivery::DeadLetter(reason),
        // Unimplemented: the service is of the release before.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated | Code::Unimplemented => {
            Delivery::Unavailable(reason)
        }
        _ => Delivery::Retry(reason),
    }
}
