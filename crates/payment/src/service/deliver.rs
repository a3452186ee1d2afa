//! Carries events from the outbox to the reservation service and the provider.

use std::sync::Arc;

use staymesh_domain::{Money, PaymentId};
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{Psp, PspError, RefundOrder};
use staymesh_store::outbox::{Deliver, Delivery, OutboxEvent};
use tokio::sync::Semaphore;
use tonic::Code;

use super::{Payments, RefundPayload, kind, refund};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, Refund, RefundReason, Status},
    payouts::REQUESTED,
    reservations::Reservations,
    store::{payments, refunds},
};

/// Refunds at the provider at once from one replica. A provider that is slow to pay back must not keep the word of
/// money that has come from the reservation service, so the relay has room for more than these.
pub const REFUNDS_AT_ONCE: usize = 8;

/// Transfers at the provider at once from one replica. They come by thousands, and guests do not wait for them.
pub const PAY_OUTS_AT_ONCE: usize = 4;

/// Delivers the outbox of payments.
pub struct Messenger<R, P> {
    payments: Arc<Payments<R, P>>,
    refunds: Semaphore,
    pay_outs: Semaphore,
}

impl<R, P> Messenger<R, P> {
    /// Delivers the outbox of these payments.
    pub fn new(payments: Arc<Payments<R, P>>) -> Self {
        Self { payments, refunds: Semaphore::new(REFUNDS_AT_ONCE), pay_outs: Semaphore::new(PAY_OUTS_AT_ONCE) }
    }
}

/// Why an event was not delivered.
pub(super) enum Failure {
    /// Whoever is to have it is not there.
    Away(String),
    /// It may be, later.
    Later(String),
    /// It never will be, until somebody has looked.
    Never(String),
}

impl<R: Reservations, P: Psp> Deliver for Messenger<R, P> {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        let places = match event.kind.as_str() {
            kind::REFUND => Some(&self.refunds),
            REQUESTED => Some(&self.pay_outs),
            _ => None,
        };
        let Ok(_place) = places.map(Semaphore::try_acquire).transpose() else {
            return Delivery::Unavailable("others of its kind are in progress".to_owned());
        };
        match self.payments.carry(event).await {
            Ok(()) => Delivery::Done,
            Err(Failure::Away(why)) => Delivery::Unavailable(why),
            Err(Failure::Later(why)) => Delivery::Retry(why),
            Err(Failure::Never(why)) => Delivery::DeadLetter(why),
        }
    }
}

impl<R: Reservations, P: Psp> Payments<R, P> {
    async fn carry(&self, event: &OutboxEvent) -> Result<(), Failure> {
        if event.kind == REQUESTED {
            return self.pay_hotel(event).await;
        }
        let id = PaymentId::from(event.aggregate_id);
        let missing = || Failure::Never("there is no such payment".to_owned());
        let payment = payments::find(&self.pool, id).await?.ok_or_else(missing)?;
        match event.kind.as_str() {
            kind::PAID => self.tell_paid(&payment).await,
            kind::FAILED => self.tell_failed(&payment).await,
            kind::REFUND => self.pay_back_at_provider(&payment, &self.refund_of(event).await?).await,
            kind::REFUNDED => self.tell_refunded(&payment).await,
            other => Err(Failure::Never(format!("nobody knows the kind {other}"))),
        }
    }

    async fn refund_of(&self, event: &OutboxEvent) -> Result<Refund, Failure> {
        let payload: RefundPayload = event.payload().map_err(|error| Failure::Never(error.to_string()))?;
        let refund = refunds::find(&self.pool, payload.refund_id).await?;
        refund.ok_or_else(|| Failure::Never("there is no such refund".to_owned()))
    }

    /// The reservation service says whether the rooms can still be given; if not, all that is left goes back.
    async fn tell_paid(&self, payment: &Payment) -> Result<(), Failure> {
        let id = payment.payment_id;
        fault_points::PAYMENT_TOLD.before();
        let told = self.reservations.confirm_payment(payment.reservation_id, id, payment.amount).await;
        fault_points::PAYMENT_TOLD.after();
        if !told.map_err(|status| not_taken(&status))? {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, id).await?;
        let locked = locked.ok_or_else(|| Failure::Never("there is no such payment".to_owned()))?;
        // Nothing is left when this was done before, or when an administrator was quicker.
        if locked.left_minor() > 0 {
            refund::request(&mut transaction, &locked, RefundReason::RoomsGone, id.as_uuid(), None).await?;
        }
        refund::reservation_ended(&mut transaction, id).await?;
        fault_points::MONEY_SENT_BACK.before();
        transaction.commit().await?;
        fault_points::MONEY_SENT_BACK.after();
        self.wake.wake();
        Ok(())
    }

    async fn tell_failed(&self, payment: &Payment) -> Result<(), Failure> {
        fault_points::FAILURE_TOLD.before();
        let told = self.reservations.reject_payment(payment.reservation_id, payment.payment_id).await;
        fault_points::FAILURE_TOLD.after();
        match told {
            // It has ended in another way, and holds no rooms for this payment any more.
            Err(status) if Problem::reason_of(&status) == Some(Reason::IllegalTransition) => Ok(()),
            told => told.map_err(|status| not_taken(&status)),
        }
    }

    async fn pay_back_at_provider(&self, payment: &Payment, refund: &Refund) -> Result<(), Failure> {
        if refund.succeeded {
            return Ok(());
        }
        let session = payment.psp_session.clone();
        let session = session.ok_or_else(|| Failure::Never("the payment has no session at the provider".to_owned()))?;
        let order = RefundOrder { refund_id: refund.refund_id, session, amount: amount_of(refund, payment)? };
        fault_points::REFUND_PAID_BACK.before();
        let psp_refund = self.psp.refund(order).await.map_err(|error| match error {
            PspError::Refused(_) | PspError::ReturnUrl | PspError::UnsupportedAmount(_) => {
                Failure::Never(error.to_string())
            }
            // A bank may take days over a refund; that says nothing against it.
            PspError::Unavailable(_) | PspError::NoResponse(_) | PspError::Pending(_) => {
                Failure::Away(error.to_string())
            }
            PspError::Unknown(_) => Failure::Later(error.to_string()),
        })?;
        fault_points::REFUND_PAID_BACK.after();
        Ok(self.refund_succeeded(refund, &psp_refund).await?)
    }

    /// All that has gone back. When more is on its way by now, there will be another event.
    async fn tell_refunded(&self, payment: &Payment) -> Result<(), Failure> {
        if payment.status != Status::Refunded {
            return Ok(());
        }
        let told = self.reservations.confirm_refund(payment.reservation_id, payment.payment_id, payment.refunded);
        fault_points::REFUND_TOLD.before();
        told.await.map_err(|status| not_taken(&status))?;
        fault_points::REFUND_TOLD.after();
        Ok(())
    }
}

fn amount_of(refund: &Refund, payment: &Payment) -> Result<Money, Failure> {
    Money::from_minor(refund.amount_minor, payment.amount.currency()).map_err(|error| Failure::Never(error.to_string()))
}

/// What another service says of itself passes; what it says of the event stays.
fn not_taken(status: &tonic::Status) -> Failure {
    let reason = Problem::reason_of(status).map_or("no reason", Reason::as_str);
    let why = format!("reservation: {:?}, {reason}", status.code());
    match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists | Code::OutOfRange => {
            Failure::Never(why)
        }
        // However long it is away, the money waits for it.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated => Failure::Away(why),
        _ => Failure::Later(why),
    }
}

impl From<PaymentError> for Failure {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::Store(_) | PaymentError::PspUnavailable => Self::Later(error.to_string()),
            other => Self::Never(other.to_string()),
        }
    }
}

impl From<staymesh_store::StoreError> for Failure {
    fn from(error: staymesh_store::StoreError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        staymesh_store::StoreError::from(error).into()
    }
}
