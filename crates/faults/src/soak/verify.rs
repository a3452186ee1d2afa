//! The invariants at the end of a run: the database agrees with the answers that clients received.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use futures::TryStreamExt;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use sqlx::PgPool;
use staymesh_load::booking::StayRequest;
use staymesh_reservation::check;
use uuid::Uuid;

use super::{
    acknowledgements::{Acknowledgement, Acknowledgements},
    cluster::Cluster,
};

/// Numbers of contradictions. Only `unanswered_but_booked` may be above zero: their answers were lost.
#[derive(Debug, Default, Serialize)]
pub(super) struct Verdict {
    /// Acknowledged bookings that do not exist.
    pub(super) lost: u64,
    /// Bookings in another state than acknowledged.
    pub(super) in_another_state: u64,
    /// Refused bookings that exist.
    pub(super) refused_but_booked: u64,
    /// Bookings that no client requested.
    pub(super) unasked: u64,
    /// Bookings that exist although the last request was refused or not answered.
    pub(super) unanswered_but_booked: u64,
    /// Nights whose reserved rooms differ from the acknowledged bookings.
    pub(super) nights_that_differ: u64,
    /// Nights sold beyond the overbooking limit.
    pub(super) oversold: u64,
    /// Violations that `staymesh check` finds.
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

/// Compares the database with the acknowledgements.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn verify(cluster: &Cluster, acknowledgements: &Acknowledgements) -> Result<Verdict> {
    let pool = cluster.connect()?;
    let mut verdict = Verdict::default();
    let mut existing = HashSet::new();
    let mut holding: HashMap<Date, i64> = HashMap::new();
    let sql = "select reservation_id, status, check_in from reservation";
    let mut rows = sqlx::query_as::<_, (Uuid, String, jiff_sqlx::Date)>(sql).fetch(&pool);
    while let Some((id, status, check_in)) = rows.try_next().await? {
        existing.insert(id);
        match acknowledgements.get(id) {
            None => verdict.unasked += 1,
            Some(Acknowledgement::Refused) => verdict.refused_but_booked += 1,
            Some(known) if !known.allows(Some(&status)) => verdict.in_another_state += 1,
            Some(Acknowledgement::RefusedAfterRetry | Acknowledgement::Unanswered) => {
                verdict.unanswered_but_booked += 1;
            }
            Some(_) => {}
        }
        // By acknowledgement; where it leaves the state open, by the database.
        let held = match acknowledgements.get(id) {
            Some(Acknowledgement::Held) => true,
            Some(Acknowledgement::Cancelled) => false,
            _ => status == "pending_payment",
        };
        *holding.entry(check_in.to_jiff()).or_default() += i64::from(held);
    }
    drop(rows);
    verdict.lost =
        acknowledgements.iter().filter(|(id, known)| !existing.contains(id) && !known.allows(None)).count() as u64;

    for wave in &cluster.waves {
        // A wave without any booking has no entry.
        let held = holding.get(&wave.stay.check_in()).map_or(0, |rooms| *rooms);
        compare_nights(&pool, cluster.limit, wave, held, &mut verdict).await?;
    }

    let report = check::run(&pool, &check::Options::default(), |_| ()).await?;
    for violation in report.listed.iter().take(20) {
        eprintln!("check: {violation}");
    }
    verdict.check_violations = report.violations();
    pool.close().await;
    Ok(verdict)
}

/// Compares every night of a wave with the number of rooms that its bookings hold, and with the limit.
async fn compare_nights(pool: &PgPool, limit: i64, wave: &StayRequest, held: i64, verdict: &mut Verdict) -> Result<()> {
    let nights: Vec<i32> = sqlx::query_scalar(
        "select total_reserved from room_type_inventory
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4",
    )
    .bind(wave.hotel_id)
    .bind(wave.room_type_id)
    .bind(wave.stay.check_in().to_sqlx())
    .bind(wave.stay.check_out().to_sqlx())
    .fetch_all(pool)
    .await?;
    let count =
        |wrong: &dyn Fn(i64) -> bool| nights.iter().filter(|reserved| wrong(i64::from(**reserved))).count() as u64;
    let missing = u64::try_from(wave.stay.night_count())?.saturating_sub(nights.len() as u64);
    verdict.nights_that_differ += missing + count(&|reserved| reserved != held);
    verdict.oversold += count(&|reserved| reserved > limit);
    Ok(())
}
