//! Tells the payment service that a booking has ended, so that its page closes and money goes back.

use serde::{Deserialize, Serialize};
use staymesh_api::{
    payment::v1::{SettleCancellationRequest, payment_flow_service_client::PaymentFlowServiceClient},
    r#type::v1::Money as ProtoMoney,
};
use staymesh_domain::{Money, ReservationId};
use staymesh_mesh::client::MeshChannel;
use staymesh_store::outbox::{Deliver, Delivery, OutboxEvent};
use tonic::{Code, Status};

use crate::fault_points;

/// The kind of the event.
pub(crate) const CANCELLED: &str = "reservation.cancelled";

/// A booking has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cancelled {
    reservation_id: ReservationId,
    refund_currency: String,
    refund_amount: String,
}

impl Cancelled {
    pub(crate) fn new(reservation_id: ReservationId, refund: Money) -> Self {
        Self { reservation_id, refund_currency: refund.currency().code().to_owned(), refund_amount: refund.amount() }
    }
}

/// Carries the event to the payment service.
pub(crate) struct Settlement {
    payments: PaymentFlowServiceClient<MeshChannel>,
}

impl Settlement {
    pub(crate) fn new(payments: PaymentFlowServiceClient<MeshChannel>) -> Self {
        Self { payments }
    }
}

impl Deliver for Settlement {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        if event.kind != CANCELLED {
            return Delivery::Park(format!("nobody takes events of kind {}", event.kind));
        }
        let cancelled: Cancelled = match event.payload() {
            Ok(cancelled) => cancelled,
            Err(error) => return Delivery::Park(format!("the payload cannot be read: {error}")),
        };
        let request = SettleCancellationRequest {
            reservation_id: cancelled.reservation_id.to_string(),
            refund: Some(ProtoMoney { currency_code: cancelled.refund_currency, amount: cancelled.refund_amount }),
        };
        fault_points::SETTLE_TOLD.before();
        let told = self.payments.clone().settle_cancellation(request).await;
        fault_points::SETTLE_TOLD.after();
        match told {
            Ok(_) => Delivery::Done,
            Err(status) => verdict(&status),
        }
    }
}

/// A refusal of what we say is for people to look at; everything else passes.
fn verdict(status: &Status) -> Delivery {
    let reason = format!("payment: {:?}", status.code());
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::Unimplemented => {
            Delivery::Park(reason)
        }
        // However long the payment service is away, money waits for it.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated => Delivery::Away(reason),
        _ => Delivery::Retry(reason),
    }
}
