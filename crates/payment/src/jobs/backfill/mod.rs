//! The job that makes up for missing postings of payments that were taken or refunded by a release without the ledger.
//!
//! Postings are dated to the time of the event, so that the reconciliation looks for them in the settlement files of that
//! time. The job is idempotent, may be stopped at any point, and may run concurrently with itself and with the service:
//! each payment is locked, and the kind and source of a posting make it unique.

use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use sqlx::PgPool;
use staymesh_domain::PaymentId;
use staymesh_store::{StoreError, bounded};
use uuid::Uuid;

use staymesh_ledger::{Posting, Sold, post_at};

use crate::{
    model::Payment,
    store::{
        payments,
        unposted::{self, Unposted},
    },
};

/// Payments in a page.
const PAGE: i64 = 1_000;
/// Payments that are posted concurrently, each in a transaction of its own.
const CONCURRENCY: usize = 4;
/// Deadline of a payment. Longer than the database's own timeouts.
const PAYMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// The result for a payment that lacked postings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The missing postings were written; in a dry run, would be.
    Posted {
        /// The payment.
        payment_id: PaymentId,
        /// The number of postings.
        postings: usize,
    },
    /// The database rejected them. The job continues with other payments.
    Refused {
        /// The payment.
        payment_id: PaymentId,
        /// The violated constraint.
        constraint: String,
    },
}

/// The progress of the job.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Payments processed.
    pub done: u64,
    /// Payments in total.
    pub all: u64,
    /// The result for one that lacked postings.
    pub found: Option<&'a Found>,
}

/// Processes all payments. Each is committed on its own: an error does not undo earlier ones.
///
/// # Errors
/// When the database is unavailable or too slow. A constraint violation is [`Found::Refused`].
pub async fn run(pool: &PgPool, dry_run: bool, mut on: impl FnMut(Progress<'_>)) -> Result<(), StoreError> {
    let all = unposted::count(pool).await?;
    let (mut after, mut done) = (Uuid::nil(), 0);
    loop {
        let page = unposted::page(pool, after, PAGE).await?;
        let (Some((last, _)), rows) = (page.last(), page.len() as u64) else { return Ok(()) };
        after = last.as_uuid();
        let lacking: Vec<PaymentId> = page.into_iter().filter_map(|(id, lacking)| lacking.then_some(id)).collect();
        let posted = lacking.into_iter().map(|id| bounded(PAYMENT_TIMEOUT, post_missing(pool, id, dry_run)));
        let mut posted = stream::iter(posted).buffer_unordered(CONCURRENCY);
        while let Some(found) = posted.next().await {
            on(Progress { done, all, found: found?.as_ref() });
        }
        done += rows;
        // Payments may be created meanwhile.
        on(Progress { done, all: all.max(done), found: None });
    }
}

/// `None` if nothing is missing any more, because another run posted it.
async fn post_missing(pool: &PgPool, id: PaymentId, dry_run: bool) -> Result<Option<Found>, StoreError> {
    match post_missing_in_transaction(pool, id, dry_run).await {
        Err(StoreError::Constraint { name, .. }) => {
            tracing::error!(payment_id = %id, constraint = name, "missing postings of a payment were rejected by the database");
            Ok(Some(Found::Refused { payment_id: id, constraint: name }))
        }
        other => other,
    }
}

async fn post_missing_in_transaction(
    pool: &PgPool,
    payment_id: PaymentId,
    dry_run: bool,
) -> Result<Option<Found>, StoreError> {
    let mut transaction = pool.begin().await?;
    let payment = payments::lock(&mut transaction, payment_id).await?;
    let Some(payment) = payment.filter(|payment| payment.status.has_money()) else { return Ok(None) };
    let unposted = unposted::of(&mut transaction, payment_id).await?;
    let Some(missing) = missing(&payment, &unposted) else {
        // The constraint that rejects such refunds, unless its triggers were disabled.
        let constraint = "payment_order_refunds_within_payment".to_owned();
        return Ok(Some(Found::Refused { payment_id, constraint }));
    };
    if missing.is_empty() {
        return Ok(None);
    }
    if !dry_run {
        for (posting, at) in &missing {
            post_at(&mut transaction, posting, *at).await?;
        }
        transaction.commit().await?;
        tracing::info!(%payment_id, postings = missing.len(), "missing postings of a payment were written");
    }
    Ok(Some(Found::Posted { payment_id, postings: missing.len() }))
}

/// The postings that a payment lacks, in the order of events, each with its time. A refund reverses what the posted refunds
/// have not reversed yet of the total, so that the sum is right whichever of them were posted. `None` if the refunds exceed
/// the payment.
fn missing(payment: &Payment, unposted: &Unposted) -> Option<Vec<(Posting, Timestamp)>> {
    let (id, sold) = (payment.payment_id, payment.sold());
    let mut missing = Vec::new();
    if unposted.sale {
        missing.push((sold.sale(id), unposted.paid_at));
    }
    if unposted.charge {
        missing.push((sold.charge(id), unposted.paid_at));
    }
    let mut reversed = unposted.reversed;
    for refund in &unposted.refunds {
        if let Some(at) = refund.owed {
            let split = sold.split.refund_after(&reversed, refund.amount)?;
            missing.push((Sold { split, ..sold }.refund_owed(refund.refund_id), at));
            reversed = reversed.checked_add(&split)?;
        }
        if let Some(at) = refund.paid {
            missing.push((sold.refund_paid(refund.refund_id, refund.amount), at));
        }
    }
    Some(missing)
}

#[cfg(test)]
mod tests;
