//! Posting what payments lack that a release without the ledger has taken or paid back.
//!
//! What is posted is what would have been, dated to when it happened, so that the reconciliation looks for it in the
//! files of that time. It may be stopped at any point, repeated, and run by several at once and beside the service: each
//! payment is locked, and the kind and the source of a posting make it happen once.

use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use sqlx::PgPool;
use staymesh_domain::PaymentId;
use staymesh_store::{StoreError, bounded};
use uuid::Uuid;

use super::{Posting, Sold, post::post_at, postings};
use crate::{
    model::Payment,
    store::{
        payments,
        unposted::{self, Unposted},
    },
};

/// Payments that are read at once.
const PAGE: i64 = 1_000;
/// Payments that are posted at once, each in a transaction of its own.
const AT_ONCE: usize = 4;
/// Longest time for one payment; the database's own limits speak first.
const LONGEST: Duration = Duration::from_mins(1);

/// What came of a payment that lacked something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// So much was posted for it, or would be.
    Posted {
        /// The payment.
        payment_id: PaymentId,
        /// How many postings.
        postings: usize,
    },
    /// It cannot be posted; somebody must look. The others go on.
    Refused {
        /// The payment.
        payment_id: PaymentId,
        /// The constraint that it would break.
        constraint: String,
    },
}

/// How far the job is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Payments that are done.
    pub done: u64,
    /// All of them.
    pub all: u64,
    /// What came of one that lacked something.
    pub found: Option<&'a Found>,
}

/// Goes through all payments. What has been done stays done when it fails.
///
/// # Errors
/// When the database is away or too slow; what it refuses of one payment is [`Found::Refused`].
pub async fn run(pool: &PgPool, dry_run: bool, mut on: impl FnMut(Progress<'_>)) -> Result<(), StoreError> {
    let all = unposted::count(pool).await?;
    let (mut after, mut done) = (Uuid::nil(), 0);
    loop {
        let page = unposted::page(pool, after, PAGE).await?;
        let (Some((last, _)), rows) = (page.last(), page.len() as u64) else { return Ok(()) };
        after = last.as_uuid();
        let lacking: Vec<PaymentId> = page.into_iter().filter_map(|(id, lacking)| lacking.then_some(id)).collect();
        let posted = lacking.into_iter().map(|id| bounded(LONGEST, make_up_for(pool, id, dry_run)));
        let mut posted = stream::iter(posted).buffer_unordered(AT_ONCE);
        while let Some(found) = posted.next().await {
            on(Progress { done, all, found: found?.as_ref() });
        }
        done += rows;
        // More may come into being meanwhile.
        on(Progress { done, all: all.max(done), found: None });
    }
}

/// None when somebody else was quicker.
async fn make_up_for(pool: &PgPool, id: PaymentId, dry_run: bool) -> Result<Option<Found>, StoreError> {
    match make_up_in_one(pool, id, dry_run).await {
        Err(StoreError::Constraint { name, .. }) => {
            tracing::error!(payment_id = %id, constraint = name, "what a payment lacks was refused by the database");
            Ok(Some(Found::Refused { payment_id: id, constraint: name }))
        }
        other => other,
    }
}

async fn make_up_in_one(pool: &PgPool, payment_id: PaymentId, dry_run: bool) -> Result<Option<Found>, StoreError> {
    let mut transaction = pool.begin().await?;
    let payment = payments::lock(&mut transaction, payment_id).await?;
    let Some(payment) = payment.filter(|payment| payment.status.has_money()) else { return Ok(None) };
    let lack = unposted::of(&mut transaction, payment_id).await?;
    let Some(missing) = missing(&payment, &lack) else {
        // As the database would say, had it not been gone around.
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
        tracing::info!(%payment_id, postings = missing.len(), "the postings of a payment are made up for");
    }
    Ok(Some(Found::Posted { payment_id, postings: missing.len() }))
}

/// The postings that a payment lacks, in the order in which it happened, each with its time. Refunds take what is missing
/// to the parts of all that goes back, so that in sum they are right whichever of them are posted. None when more goes
/// back than was paid.
fn missing(payment: &Payment, lack: &Unposted) -> Option<Vec<(Posting, Timestamp)>> {
    let (id, sold) = (payment.payment_id, payment.sold());
    let mut missing = Vec::new();
    if lack.sale {
        missing.push((sold.sale(id), lack.paid_at));
    }
    if lack.charge {
        missing.push((sold.charge(id), lack.paid_at));
    }
    let mut back = lack.back;
    for refund in &lack.refunds {
        if let Some(at) = refund.owed {
            let parts = sold.parts.refund_after(back, refund.amount_minor)?;
            missing.push((Sold { parts, ..sold }.refund_owed(refund.refund_id), at));
            back = back.plus(parts);
        }
        if let Some(at) = refund.paid {
            let (booking, currency) = (sold.reservation_id, sold.currency);
            missing.push((postings::refund_paid(refund.refund_id, booking, currency, refund.amount_minor), at));
        }
    }
    Some(missing)
}
