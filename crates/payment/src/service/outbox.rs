//! Delivery of the outbox: notifies the reservation service, and orders refunds and transfers at the provider.

use std::sync::Arc;

use staymesh_domain::PaymentId;
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{Psp, PspError, RefundOrder};
use staymesh_store::{
    StoreError,
    outbox::{Deliver, Delivery, OutboxEvent},
};
use tokio::sync::Semaphore;
use tonic::Code;

use super::{
    Payments, cancellation,
    events::{self, RefundPayload},
    refunds,
};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, Refund, refunds_to_report},
    payouts::TRANSFER_REQUESTED,
    store::{cancellations, payments, refunds as refund_rows},
};

/// Concurrent refunds at the provider per replica. The relay has room for more deliveries than these, so that slow
/// refunds never delay notifications of the reservation service.
pub const REFUND_CONCURRENCY: usize = 8;

/// Concurrent transfers at the provider per replica. Transfers come in thousands, and no guest waits for them.
pub const PAYOUT_CONCURRENCY: usize = 4;

/// Receiver of the outbox relay: delivers each event, within the limits of its kind.
pub struct OutboxDispatcher<P> {
    payments: Arc<Payments<P>>,
    refunds: Semaphore,
    payouts: Semaphore,
}

impl<P> OutboxDispatcher<P> {
    /// A dispatcher of the events of `payments`.
    pub fn new(payments: Arc<Payments<P>>) -> Self {
        Self { payments, refunds: Semaphore::new(REFUND_CONCURRENCY), payouts: Semaphore::new(PAYOUT_CONCURRENCY) }
    }
}

/// Why an event was not delivered.
pub(super) enum Failure {
    /// The receiver is unavailable: retry without counting the attempt.
    Unavailable(String),
    /// Temporary: retry with backoff, up to the relay's limit of attempts.
    Retry(String),
    /// Permanent: dead letter.
    Permanent(String),
}

impl<P: Psp> Deliver for OutboxDispatcher<P> {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        let limit = match event.kind.as_str() {
            events::REFUND => Some(&self.refunds),
            TRANSFER_REQUESTED => Some(&self.payouts),
            _ => None,
        };
        let Ok(_permit) = limit.map(Semaphore::try_acquire).transpose() else {
            return Delivery::Unavailable("the concurrency limit of its kind is reached".to_owned());
        };
        match self.payments.dispatch(event).await {
            Ok(()) => Delivery::Done,
            Err(Failure::Unavailable(reason)) => Delivery::Unavailable(reason),
            Err(Failure::Retry(reason)) => Delivery::Retry(reason),
            Err(Failure::Permanent(reason)) => Delivery::DeadLetter(reason),
        }
    }
}

impl<P: Psp> Payments<P> {
    async fn dispatch(&self, event: &OutboxEvent) -> Result<(), Failure> {
        if event.kind == TRANSFER_REQUESTED {
            return self.pay_hotel(event).await;
        }
        let id = PaymentId::from(event.aggregate_id);
        let payment = payments::find(&self.pool, id).await?.ok_or_else(no_such_payment)?;
        match event.kind.as_str() {
            events::PAID => self.report_paid(&payment).await,
            events::FAILED => self.report_failed(&payment).await,
            events::REFUND => self.refund_at_provider(&payment, &self.refund_of(event).await?).await,
            events::REFUNDED => self.report_refunded(&payment).await,
            other => Err(Failure::Permanent(format!("unknown event kind {other}"))),
        }
    }

    async fn refund_of(&self, event: &OutboxEvent) -> Result<Refund, Failure> {
        let payload: RefundPayload = event.payload().map_err(|error| Failure::Permanent(error.to_string()))?;
        let refund = refund_rows::find(&self.pool, payload.refund_id).await?;
        refund.ok_or_else(|| Failure::Permanent("there is no such refund".to_owned()))
    }

    /// Reports a payment to the reservation service. If the rooms are no longer available, requests a refund of all that
    /// is refundable.
    async fn report_paid(&self, payment: &Payment) -> Result<(), Failure> {
        let id = payment.payment_id;
        let confirm = self.reservations.confirm_payment(payment.reservation_id, id, payment.amount, payment.revision);
        let refund_required = fault_points::PAYMENT_TOLD.around(confirm).await.map_err(|status| rejected(&status))?;
        if !refund_required {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        let standings = refunds::standings(&mut transaction, payment.reservation_id).await?;
        let refused =
            standings.iter().find(|standing| standing.payment.payment_id == id).ok_or_else(no_such_payment)?;
        refunds::refuse(&mut transaction, &refused.payment).await?;
        if let Some(due) = cancellations::refund(&mut transaction, payment.reservation_id).await? {
            // The end of the reservation may have taken its refund from this payment, which does not count any more.
            let standings = refunds::standings(&mut transaction, payment.reservation_id).await?;
            cancellation::give_back(&mut transaction, &standings, due).await?;
        }
        fault_points::MONEY_SENT_BACK.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(())
    }

    async fn report_failed(&self, payment: &Payment) -> Result<(), Failure> {
        let reject = self.reservations.reject_payment(payment.reservation_id, payment.payment_id, payment.revision);
        match fault_points::FAILURE_TOLD.around(reject).await {
            // The reservation has ended otherwise, and no longer holds rooms for this payment.
            Err(status) if Problem::reason_of(&status) == Some(Reason::IllegalTransition) => Ok(()),
            outcome => outcome.map_err(|status| rejected(&status)),
        }
    }

    async fn refund_at_provider(&self, payment: &Payment, refund: &Refund) -> Result<(), Failure> {
        if refund.succeeded() {
            return Ok(());
        }
        let session = payment.psp_session.clone();
        let session =
            session.ok_or_else(|| Failure::Permanent("the payment has no session at the provider".to_owned()))?;
        let order = RefundOrder { refund_id: refund.refund_id, session, amount: refund.amount };
        let psp_refund =
            fault_points::REFUND_PAID_BACK.around(self.psp.refund(order)).await.map_err(|error| match error {
                PspError::Refused(_) | PspError::ReturnUrl | PspError::UnsupportedAmount(_) => {
                    Failure::Permanent(error.to_string())
                }
                // A bank may take days for a refund: no reason to give up.
                PspError::Unavailable(_) | PspError::NoResponse(_) | PspError::Pending(_) => {
                    Failure::Unavailable(error.to_string())
                }
                PspError::Unknown(_) => Failure::Retry(error.to_string()),
            })?;
        Ok(self.refund_succeeded(refund, &psp_refund).await?)
    }

    /// Reports the refunds of a payment to the reservation service, see [`refunds_to_report`].
    async fn report_refunded(&self, payment: &Payment) -> Result<(), Failure> {
        let mut transaction = self.pool.begin().await?;
        let standings = refunds::standings(&mut transaction, payment.reservation_id).await?;
        transaction.commit().await?;
        let own = standings.iter().find(|standing| standing.payment.payment_id == payment.payment_id);
        let own = own.ok_or_else(no_such_payment)?;
        let reported = refunds_to_report(&standings, own).map_err(PaymentError::from)?;
        let Some((id, amount)) = reported else { return Ok(()) };
        let confirm = self.reservations.confirm_refund(payment.reservation_id, id, amount);
        fault_points::REFUND_TOLD.around(confirm).await.map_err(|status| rejected(&status))
    }
}

fn no_such_payment() -> Failure {
    Failure::Permanent("there is no such payment".to_owned())
}

/// Classifies an error of the reservation service: an error about its own state is temporary, one about the event is
/// permanent.
fn rejected(status: &tonic::Status) -> Failure {
    let reason = Problem::reason_of(status).map_or("no reason", Reason::as_str);
    let reason = format!("reservation: {:?}, {reason}", status.code());
    match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists | Code::OutOfRange => {
            Failure::Permanent(reason)
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated => {
            Failure::Unavailable(reason)
        }
        _ => Failure::Retry(reason),
    }
}

impl From<PaymentError> for Failure {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::Store(_) | PaymentError::PspUnavailable => Self::Retry(error.to_string()),
            other => Self::Permanent(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}
