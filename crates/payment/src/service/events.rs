//! The events in the outbox of this service: their kinds and payloads.
//!
//! The aggregate of an event is the payment, so that the events of one payment are delivered in order.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use staymesh_domain::PaymentId;
use staymesh_mesh::telemetry;
use staymesh_store::{StoreError, outbox};
use uuid::Uuid;

use crate::model::Notice;

/// To the reservation service: the payment has been paid.
pub(super) const PAID: &str = "payment.paid";
/// To the reservation service: the payment failed for good.
pub(super) const FAILED: &str = "payment.failed";
/// To the provider: make this refund.
pub(super) const REFUND: &str = "refund.requested";
/// To the reservation service: every requested refund has succeeded.
pub(super) const REFUNDED: &str = "payment.refunded";

/// The kind of the event that tells a notice.
pub(super) const fn kind_of(notice: Notice) -> &'static str {
    match notice {
        Notice::Paid => PAID,
        Notice::Failed => FAILED,
        Notice::Refunded => REFUNDED,
    }
}

/// Payload of [`REFUND`]. The other kinds have an empty one: the payment itself says the rest.
#[derive(Serialize, Deserialize)]
pub(super) struct RefundPayload {
    pub(super) refund_id: Uuid,
}

/// Payload of events that need none.
#[derive(Serialize)]
pub(super) struct Empty {}

/// Writes an event of a payment, in the transaction of the change that it reports.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    id: PaymentId,
    kind: &str,
    payload: &impl Serialize,
) -> Result<(), StoreError> {
    outbox::enqueue(connection, id.as_uuid(), kind, payload, telemetry::trace_parent().as_deref()).await.map(drop)
}
