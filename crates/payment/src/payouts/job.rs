//! The job that pays hotels: one transaction for each hotel and currency. It may be stopped at any point, repeated, and
//! run by several at once: of two that come to the same hotel the second waits, and finds that all is settled.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sqlx::PgPool;
use staymesh_domain::{HotelId, Money};
use staymesh_store::{StoreError, bounded};
use uuid::Uuid;

use super::ask;
use crate::{
    fault_points,
    store::{
        payouts::{self, Payable},
        transfers,
    },
};

/// Accounts and pay-outs that are read at once.
const PAGE: i64 = 200;
/// Longest time for one hotel; the database's own limits speak first.
const LONGEST: Duration = Duration::from_mins(20);

/// What to pay.
#[derive(Debug, Clone)]
pub struct Options {
    /// Stays whose day of leaving is before this.
    pub until: Date,
    /// Of this hotel alone.
    pub hotel: Option<HotelId>,
    /// Only say what would be paid.
    pub dry_run: bool,
    /// Ask again for pay-outs that have failed, at the hotel's destination of today.
    pub retry_failed: bool,
}

/// What came of a hotel and currency. Those to which nothing is owed are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is paid, in so many lines; in a dry run it would be, and has no id.
    Paid {
        /// The pay-out.
        payout_id: Option<Uuid>,
        /// Whose.
        hotel_id: i32,
        /// How much.
        amount: Money,
        /// How many entries that settles.
        lines: i64,
    },
    /// So much is due, and nobody has said where to.
    Waiting {
        /// Whose.
        hotel_id: i32,
        /// How much.
        amount: Money,
    },
    /// More went back to guests than has come since; it is taken from what is due later.
    Carried {
        /// Whose.
        hotel_id: i32,
        /// How much, below zero.
        amount: Money,
    },
    /// A pay-out that had failed is asked for again; in a dry run it would be.
    Retried {
        /// The pay-out.
        payout_id: Uuid,
    },
    /// The database refused it, by this name. The others go on.
    Refused {
        /// Whose.
        hotel_id: i32,
        /// The constraint.
        constraint: String,
    },
}

/// How far the job is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Hotels and currencies that are done.
    pub done: u64,
    /// All of them.
    pub all: u64,
    /// What came of the last, if anything.
    pub found: Option<&'a Found>,
}

/// The day before today, UTC: stays that ended before it are paid when nobody says otherwise. A day is left for guests
/// and hotels to object.
pub fn usual_cutoff(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date().saturating_sub(1.day())
}

/// Pays. What has been done stays done when it fails.
///
/// # Errors
/// When the database is away or too slow; what it refuses for one hotel is [`Found::Refused`].
pub async fn run(pool: &PgPool, options: &Options, mut on: impl FnMut(Progress<'_>)) -> Result<(), StoreError> {
    let all = payouts::count_payables(pool, options.hotel).await?;
    let all = u64::try_from(all).unwrap_or_default();
    if options.retry_failed {
        retry_failed(pool, options, |found| on(Progress { done: 0, all, found: Some(found) })).await?;
    }
    let (mut after, mut done) = (i64::MIN, 0);
    loop {
        let page = payouts::payables(pool, options.hotel, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.account_id;
        for account in &page {
            let found = bounded(LONGEST, settle(pool, account, options)).await?;
            done += 1;
            // More may come into being meanwhile.
            on(Progress { done, all: all.max(done), found: found.as_ref() });
        }
    }
}

async fn settle(pool: &PgPool, account: &Payable, options: &Options) -> Result<Option<Found>, StoreError> {
    match settle_in_one(pool, account, options).await {
        Err(StoreError::Constraint { name, .. }) => {
            tracing::error!(hotel_id = account.hotel_id, constraint = name, "a pay-out was refused by the database");
            Ok(Some(Found::Refused { hotel_id: account.hotel_id, constraint: name }))
        }
        other => other,
    }
}

async fn settle_in_one(pool: &PgPool, account: &Payable, options: &Options) -> Result<Option<Found>, StoreError> {
    let hotel_id = account.hotel_id;
    let broken = |_| StoreError::from(sqlx::Error::Decode("amount".into()));
    let currency = account.currency.parse().map_err(broken)?;
    let mut transaction = pool.begin().await?;
    payouts::lock_payable(&mut transaction, account.account_id).await?;
    let (minor, lines) = payouts::due(&mut transaction, account.account_id, options.until).await?;
    if minor == 0 {
        return Ok(None);
    }
    let Ok(amount) = Money::from_minor(minor, currency) else {
        // As the database would say.
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
    // A refund may have come since: what is written is reckoned again, in one statement with its lines.
    let Some((minor, lines)) = payouts::make(&mut transaction, payout_id, account, options.until).await? else {
        return Ok(None);
    };
    // The first transfer has the pay-out's own id.
    if !transfers::insert(&mut transaction, payout_id, payout_id).await? {
        return Ok(None);
    }
    ask(&mut transaction, payout_id, payout_id).await?;
    fault_points::PAY_OUT_REQUESTED.around(transaction.commit()).await?;
    let amount = Money::from_minor(minor, currency).map_err(broken)?;
    tracing::info!(%payout_id, hotel_id, lines, "pay-out asked for");
    Ok(Some(Found::Paid { payout_id: Some(payout_id), hotel_id, amount, lines: lines.into() }))
}

async fn retry_failed(pool: &PgPool, options: &Options, mut on: impl FnMut(&Found)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = transfers::failed_pay_outs(pool, options.hotel, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        for payout_id in page {
            if options.dry_run || bounded(LONGEST, retry(pool, payout_id)).await? {
                on(&Found::Retried { payout_id });
            }
        }
    }
}

/// False when somebody else was quicker.
async fn retry(pool: &PgPool, payout_id: Uuid) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let transfer_id = Uuid::now_v7();
    if !transfers::insert(&mut transaction, transfer_id, payout_id).await? {
        return Ok(false);
    }
    ask(&mut transaction, payout_id, transfer_id).await?;
    transaction.commit().await?;
    tracing::info!(%payout_id, %transfer_id, "pay-out asked for again");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_is_left_to_object() {
        let cutoff = |time: &str| usual_cutoff(time.parse().unwrap());
        assert_eq!(cutoff("2030-03-01T00:00:00Z"), date(2030, 2, 28));
        assert_eq!(cutoff("2030-03-01T23:59:59Z"), date(2030, 2, 28));
        assert_eq!(cutoff("2030-03-02T03:00:00+04:00"), date(2030, 2, 28), "it is UTC that counts");
    }
}
