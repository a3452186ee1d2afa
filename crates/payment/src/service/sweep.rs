//! Asks the provider for payments it has not spoken of: an event that is lost must not lose money.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use staymesh_psp::{CheckoutStatus, Psp};
use staymesh_store::bounded;
use tokio_util::sync::CancellationToken;

use super::{Payments, apply};
use crate::{error::PaymentError, fault_points, model::Payment, reservations::Reservations, store::payments};

/// How often to look for payments whose turn it is, at most.
const LONGEST_TICK: Duration = Duration::from_secs(5);
/// Longest time for one payment: the calls to the provider and the database have limits of their own, which speak first
/// unless the database hangs.
const LONGEST_CHECK: Duration = Duration::from_secs(30);
/// Payments taken at once.
const BATCH: i64 = 50;
/// Payments asked for at once.
const AT_ONCE: usize = 8;

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// Asks for open payments in their turn, until `stop`. Any number of replicas may do
    /// this at once.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.check_after.min(LONGEST_TICK));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // Each call in it is bounded; a turn that is cut off is taken up by the next.
            let turn = stop.run_until_cancelled(self.check_due(Timestamp::now())).await;
            if let Some(Err(error)) = turn {
                tracing::warn!(error.cause = %error, "open payments cannot be looked after just now");
            }
        }
    }

    /// One turn: asks for each payment that is due, a few at once. Yields how many there were.
    pub(super) async fn check_due(&self, now: Timestamp) -> Result<usize, PaymentError> {
        let mut count = 0;
        loop {
            let take = payments::claim_checks(&self.pool, now, self.check_after, BATCH);
            let due = bounded(LONGEST_CHECK, take).await?;
            let full = i64::try_from(due.len()) == Ok(BATCH);
            count += due.len();
            let ask = |payment: Payment| async move {
                let id = payment.payment_id;
                if let Err(error) = bounded(LONGEST_CHECK, self.check(payment, now)).await {
                    tracing::warn!(payment_id = %id, error.cause = %error, "an open payment could not be asked for");
                }
            };
            stream::iter(due).for_each_concurrent(AT_ONCE, ask).await;
            if !full {
                return Ok(count);
            }
        }
    }

    async fn check(&self, payment: Payment, now: Timestamp) -> Result<(), PaymentError> {
        let overdue = payment.expire_time <= now;
        let Some(session) = payment.psp_session else {
            return if overdue { self.give_up(&payment).await } else { Ok(()) };
        };
        let mut checkout = self.psp.fetch_checkout(session.clone()).await?;
        if checkout.status == CheckoutStatus::Open && overdue {
            // The provider's clock is behind ours; after this it takes nothing, or has taken it.
            fault_points::OVERDUE_CLOSED.before();
            checkout = self.psp.expire_checkout(session).await?;
            fault_points::OVERDUE_CLOSED.after();
        }
        self.learn(payment.payment_id, &checkout).await.map(drop)
    }

    /// Ends a payment whose page nobody has ever got.
    async fn give_up(&self, payment: &Payment) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, payment.payment_id).await?.ok_or(PaymentError::NotFound)?;
        if locked.psp_session.is_none() {
            apply(&mut transaction, &locked, CheckoutStatus::Expired).await?;
        }
        Ok(transaction.commit().await?)
    }
}
