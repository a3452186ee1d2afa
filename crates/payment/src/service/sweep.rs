//! The sweep of open payments: queries the provider for each pending payment whose event may be lost.
//!
//! Polling with exponential backoff per payment; rows are claimed with `skip locked`, so any number of replicas may sweep.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use staymesh_psp::{CheckoutStatus, Psp};
use staymesh_store::bounded;
use tokio_util::sync::CancellationToken;

use super::{Payments, checkout};
use crate::{error::PaymentError, fault_points, model::Payment, store::payments};

/// Longest interval between two sweeps.
const MAX_INTERVAL: Duration = Duration::from_secs(5);
/// Deadline for one payment, and for the claim of a batch. The calls inside have shorter deadlines of their own; this
/// one bounds a database connection that hangs.
const DEADLINE: Duration = Duration::from_secs(30);
/// Payments claimed by one statement.
const BATCH: u16 = 50;
/// Payments queried concurrently by one replica.
const CONCURRENCY: usize = 8;

impl<P: Psp> Payments<P> {
    /// Sweeps until `stop`. A failed sweep is logged and repeated at the next tick.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.check_after.min(MAX_INTERVAL));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // Each call inside is bounded; what a stop interrupts is due again later.
            let swept = stop.run_until_cancelled(self.check_due(Timestamp::now())).await;
            if let Some(Err(error)) = swept {
                tracing::warn!(error.cause = %error, "cannot sweep open payments");
            }
        }
    }

    /// One sweep: checks every payment that is due, and returns how many there were.
    pub(super) async fn check_due(&self, now: Timestamp) -> Result<usize, PaymentError> {
        let mut count = 0;
        loop {
            let claim = payments::claim_checks(&self.pool, now, self.check_after, i64::from(BATCH));
            let due = bounded(DEADLINE, claim).await?;
            let full = due.len() == usize::from(BATCH);
            count += due.len();
            let check = |payment: Payment| async move {
                let id = payment.payment_id;
                if let Err(error) = bounded(DEADLINE, self.check(payment, now)).await {
                    tracing::warn!(payment_id = %id, error.cause = %error, "cannot query the provider for an open payment");
                }
            };
            stream::iter(due).for_each_concurrent(CONCURRENCY, check).await;
            if !full {
                return Ok(count);
            }
        }
    }

    async fn check(&self, payment: Payment, now: Timestamp) -> Result<(), PaymentError> {
        let overdue = payment.expire_time <= now;
        let Some(session) = payment.psp_session else {
            return if overdue { self.expire_without_page(&payment).await } else { Ok(()) };
        };
        let mut checkout = self.psp.fetch_checkout(session.clone()).await?;
        if checkout.status == CheckoutStatus::Open && overdue {
            // The provider's clock is behind: expire the checkout. The response also says whether it was paid.
            checkout = fault_points::OVERDUE_CLOSED.around(self.psp.expire_checkout(session)).await?;
        }
        self.apply_checkout(payment.payment_id, &checkout).await.map(drop)
    }

    /// Expires a payment whose checkout page was never returned to a caller.
    async fn expire_without_page(&self, payment: &Payment) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, payment.payment_id).await?.ok_or(PaymentError::NotFound)?;
        if locked.psp_session.is_none() {
            checkout::apply(&mut transaction, &locked, CheckoutStatus::Expired).await?;
        }
        Ok(transaction.commit().await?)
    }
}
