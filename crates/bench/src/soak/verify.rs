//! What must be true in the end.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use futures::TryStreamExt;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use sqlx::PgPool;
use staymesh_reservation::check;
use uuid::Uuid;

use super::{
    ledger::{Fate, Ledger},
    place::Place,
};
use crate::world::Want;

/// What was found. Only `unanswered_but_booked` may be other than zero: nobody was told of them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Verdict {
    /// Bookings that were acknowledged and are not there.
    pub(super) lost: u64,
    /// Bookings in another state than was acknowledged.
    pub(super) in_another_state: u64,
    /// Bookings that were refused and are there.
    pub(super) refused_but_booked: u64,
    /// Bookings that nobody has asked for.
    pub(super) unasked: u64,
    /// Bookings that are there, though their last answer was another one or none.
    pub(super) unanswered_but_booked: u64,
    /// Nights whose rooms are not those of the bookings that hold them by what clients were told.
    pub(super) nights_that_differ: u64,
    /// Nights with more rooms sold than may be.
    pub(super) oversold: u64,
    /// What `staymesh check` finds.
    pub(super) check_violations: u64,
}

impl Verdict {
    pub(super) fn violations(&self) -> u64 {
        self.lost
            + self.in_another_state
            + self.refused_but_booked
            + self.unasked
            + self.nights_that_differ
            + self.oversold
            + self.check_violations
    }
}

/// Compares the database with what clients were told.
pub(super) async fn verify(place: &Place, ledger: &Ledger) -> Result<Verdict> {
    let pool = place.connect()?;
    let mut verdict = Verdict::default();
    let mut there = HashSet::new();
    let mut holding: HashMap<Date, i64> = HashMap::new();
    let sql = "select reservation_id, status, check_in from reservation";
    let mut rows = sqlx::query_as::<_, (Uuid, String, jiff_sqlx::Date)>(sql).fetch(&pool);
    while let Some((id, status, check_in)) = rows.try_next().await? {
        there.insert(id);
        match ledger.fate(id) {
            None => verdict.unasked += 1,
            Some(Fate::Refused) => verdict.refused_but_booked += 1,
            Some(fate) if !fate.allows(Some(&status)) => verdict.in_another_state += 1,
            Some(Fate::RefusedAfterSilence | Fate::Unknown) => verdict.unanswered_but_booked += 1,
            Some(_) => {}
        }
        // As far as clients know; of the others the database must be believed.
        let held = match ledger.fate(id) {
            Some(Fate::Held) => true,
            Some(Fate::Cancelled) => false,
            _ => status == "pending_payment",
        };
        *holding.entry(check_in.to_jiff()).or_default() += i64::from(held);
    }
    drop(rows);
    verdict.lost = ledger.all().filter(|(id, fate)| !there.contains(id) && !fate.allows(None)).count() as u64;

    for want in &place.wants {
        compare_nights(
            &pool,
            place.limit,
            want,
            holding.get(&want.stay.check_in()).copied().unwrap_or(0),
            &mut verdict,
        )
        .await?;
    }

    let report = check::run(&pool, &check::Options::default(), |_| ()).await?;
    for violation in report.listed.iter().take(20) {
        eprintln!("check: {violation}");
    }
    verdict.check_violations = report.violations();
    pool.close().await;
    Ok(verdict)
}

/// Every night of what was wanted together has as many rooms reserved as bookings hold.
async fn compare_nights(pool: &PgPool, limit: i64, want: &Want, holding: i64, verdict: &mut Verdict) -> Result<()> {
    let nights: Vec<i32> = sqlx::query_scalar(
        "select total_reserved from room_type_inventory
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4",
    )
    .bind(want.hotel_id)
    .bind(want.room_type_id)
    .bind(want.stay.check_in().to_sqlx())
    .bind(want.stay.check_out().to_sqlx())
    .fetch_all(pool)
    .await?;
    let count =
        |wrong: &dyn Fn(i64) -> bool| nights.iter().filter(|reserved| wrong(i64::from(**reserved))).count() as u64;
    let missing = u64::try_from(want.stay.night_count())?.saturating_sub(nights.len() as u64);
    verdict.nights_that_differ += missing + count(&|reserved| reserved != holding);
    verdict.oversold += count(&|reserved| reserved > limit);
    Ok(())
}
