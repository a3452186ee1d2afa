//! The job that makes payouts: one database transaction for each hotel and currency.
//!
//! It is idempotent, may be stopped at any point, and may run concurrently: of two runs the second waits for the lock on
//! the hotel's account, and then finds no entries left to settle.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sqlx::{PgConnection, PgPool};
use staymesh_domain::{HotelId, Money};
use staymesh_mesh::telemetry;
use staymesh_store::{StoreError, bounded, outbox};
use uuid::Uuid;

use crate::{
    fault_points,
    payouts::{TRANSFER_REQUESTED, TransferPayload},
    store::{
        payouts::{self, Payable},
        transfers,
    },
};

/// Accounts or payouts in a page.
const PAGE: i64 = 200;
/// Deadline of a hotel. Longer than the database's own timeouts.
const HOTEL_TIMEOUT: Duration = Duration::from_mins(20);

/// What to settle.
#[derive(Debug, Clone)]
pub struct Options {
    /// Settle stays with a check-out before this date.
    pub until: Date,
    /// Only this hotel.
    pub hotel: Option<HotelId>,
    /// Report what would be paid, and change nothing.
    pub dry_run: bool,
    /// Also request another transfer for payouts whose transfers have all failed, to the hotel's current destination.
    pub retry_failed: bool,
}

/// The result for a hotel and currency. One without a balance has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A payout was made; in a dry run it would be, and has no id.
    Paid {
        /// The payout.
        payout_id: Option<Uuid>,
        /// The hotel.
        hotel_id: HotelId,
        /// The amount.
        amount: Money,
        /// The number of ledger entries that it settles.
        lines: i64,
    },
    /// An amount is due, but the hotel has no destination.
    Waiting {
        /// The hotel.
        hotel_id: HotelId,
        /// The amount.
        amount: Money,
    },
    /// Refunds exceed sales; the negative balance is carried over to a later payout.
    Carried {
        /// The hotel.
        hotel_id: HotelId,
        /// The balance, negative.
        amount: Money,
    },
    /// Another transfer was requested for a failed payout; in a dry run it would be.
    Retried {
        /// The payout.
        payout_id: Uuid,
    },
    /// The database rejected the payout. The job continues with other hotels.
    Refused {
        /// The hotel.
        hotel_id: HotelId,
        /// The violated constraint.
        constraint: String,
    },
}

/// The progress of the job.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Accounts (a hotel and a currency) processed.
    pub done: u64,
    /// Accounts in total.
    pub all: u64,
    /// The result for the last one, if it has one.
    pub found: Option<&'a Found>,
}

/// The default of [`Options::until`]: two days ago, UTC. A no-show can be reported until 48 hours after 00:00 of the
/// check-out date at the hotel, which is noon (UTC) of the second day after it at the latest; the payout of the third day is
/// then at least half a day later.
pub fn default_cutoff(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date().saturating_sub(2.days())
}

/// Makes payouts. Each hotel is committed on its own: an error does not undo earlier ones.
///
/// # Errors
/// When the database is unavailable or too slow. A constraint violation is [`Found::Refused`].
pub async fn run(pool: &PgPool, options: &Options, mut on: impl FnMut(Progress<'_>)) -> Result<(), StoreError> {
    let all = payouts::count_payables(pool, options.hotel).await?;
    if options.retry_failed {
        retry_failed(pool, options, |found| on(Progress { done: 0, all, found: Some(found) })).await?;
    }
    let (mut after, mut done) = (i64::MIN, 0);
    loop {
        let page = payouts::payables(pool, options.hotel, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.account_id;
        for account in &page {
            let found = bounded(HOTEL_TIMEOUT, settle(pool, account, options)).await?;
            done += 1;
            // Accounts may be created meanwhile.
            on(Progress { done, all: all.max(done), found: found.as_ref() });
        }
    }
}

async fn settle(pool: &PgPool, account: &Payable, options: &Options) -> Result<Option<Found>, StoreError> {
    match settle_in_one(pool, account, options).await {
        Err(StoreError::Constraint { name, .. }) => {
            tracing::error!(
                hotel_id = account.hotel_id.get(),
                constraint = name,
                "a payout was rejected by the database"
            );
            Ok(Some(Found::Refused { hotel_id: account.hotel_id, constraint: name }))
        }
        other => other,
    }
}

async fn settle_in_one(pool: &PgPool, account: &Payable, options: &Options) -> Result<Option<Found>, StoreError> {
    let hotel_id = account.hotel_id;
    let mut transaction = pool.begin().await?;
    payouts::lock_payable(&mut transaction, account.account_id).await?;
    let (minor, lines) = payouts::due(&mut transaction, account.account_id, options.until).await?;
    if minor == 0 {
        return Ok(None);
    }
    let Ok(amount) = Money::from_minor(minor, account.currency) else {
        // The constraint that would reject it.
        return Ok(Some(Found::Refused { hotel_id, constraint: "pay_out_amount_in_range".to_owned() }));
    };
    if minor < 0 {
        return Ok(Some(Found::Carried { hotel_id, amount }));
    }
    if payouts::destination(&mut *transaction, hotel_id).await?.is_none() {
        return Ok(Some(Found::Waiting { hotel_id, amount }));
    }
    if options.dry_run {
        return Ok(Some(Found::Paid { payout_id: None, hotel_id, amount, lines }));
    }
    let payout_id = Uuid::now_v7();
    // A refund may have been posted since: the amount is computed again in the statement that writes the lines.
    let Some((amount, lines)) = payouts::insert(&mut transaction, payout_id, account, options.until).await? else {
        return Ok(None);
    };
    // The first transfer has the id of the payout.
    if !transfers::insert(&mut transaction, payout_id, payout_id).await? {
        return Ok(None);
    }
    enqueue(&mut transaction, payout_id, payout_id).await?;
    fault_points::PAYOUT_REQUESTED.around(transaction.commit()).await?;
    tracing::info!(%payout_id, hotel_id = hotel_id.get(), lines, "payout requested");
    Ok(Some(Found::Paid { payout_id: Some(payout_id), hotel_id, amount, lines: lines.into() }))
}

async fn retry_failed(pool: &PgPool, options: &Options, mut on: impl FnMut(&Found)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = transfers::failed_payouts(pool, options.hotel, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        for payout_id in page {
            if options.dry_run || bounded(HOTEL_TIMEOUT, retry(pool, payout_id)).await? {
                on(&Found::Retried { payout_id });
            }
        }
    }
}

/// False if another run has requested a transfer, or the hotel has no destination any more.
async fn retry(pool: &PgPool, payout_id: Uuid) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let transfer_id = Uuid::now_v7();
    if !transfers::insert(&mut transaction, transfer_id, payout_id).await? {
        return Ok(false);
    }
    enqueue(&mut transaction, payout_id, transfer_id).await?;
    transaction.commit().await?;
    tracing::info!(%payout_id, %transfer_id, "payout requested again");
    Ok(true)
}

/// Requests a transfer through the outbox, in the transaction that inserts it.
async fn enqueue(connection: &mut PgConnection, payout_id: Uuid, transfer_id: Uuid) -> Result<(), StoreError> {
    let payload = TransferPayload { transfer_id };
    let trace_parent = telemetry::trace_parent();
    outbox::enqueue(connection, payout_id, TRANSFER_REQUESTED, &payload, trace_parent.as_deref()).await?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
