//! The invariants at the end of the storm test, when no event or payment is in progress.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use sqlx::{PgPool, Row as _};
use staymesh_devenv::wait::wait_until;
use staymesh_load::mesh;
use staymesh_localmesh::LocalMesh;
use tokio::time::sleep;
use uuid::Uuid;

/// The comparison of all records. Everything but the first two fields must be zero or empty, and `check` true.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// Number of charges and refunds at the provider, and their sum in minor units.
    provider: usize,
    provider_minor: i64,
    /// Errors of guests that no correct service causes, by text.
    complaints: BTreeMap<String, u64>,
    /// Charges and refunds that differ between provider and ledger.
    provider_against_ledger: usize,
    /// Sum of all ledger entries in minor units.
    ledger_sum_minor: i64,
    /// Reservations that are neither paid nor released, or that contradict their payment.
    bookings_against_payments: usize,
    /// Dead letters of the outboxes.
    parked: i64,
    /// Provider events that match no payment.
    mismatched: i64,
    /// Whether `staymesh check` found no violation in reservations and money.
    check: bool,
}

impl Verdict {
    pub(super) fn passed(&self) -> bool {
        self.complaints.is_empty()
            && self.provider_against_ledger == 0
            && self.ledger_sum_minor == 0
            && self.bookings_against_payments == 0
            && self.parked == 0
            && self.mismatched == 0
            && self.check
    }

    pub(super) fn print(&self) {
        println!("provider: {} charges and refunds, {} in minor units", self.provider, self.provider_minor);
        println!("charges and refunds that differ between provider and ledger: {}", self.provider_against_ledger);
        println!("sum of all ledger entries: {}", self.ledger_sum_minor);
        println!("reservations that contradict their payment: {}", self.bookings_against_payments);
        println!("dead letters: {}, provider events without a payment: {}", self.parked, self.mismatched);
        println!("`staymesh check`: {}", if self.check { "clean" } else { "NOT CLEAN" });
        for (what, count) in &self.complaints {
            println!("GUEST ERROR, {count} times: {what}");
        }
    }
}

/// Waits until nothing is in progress, compares the records, and stops the mesh.
///
/// # Errors
/// When something is still in progress after `limit`, or a record cannot be read.
pub(super) async fn verify(
    local: LocalMesh,
    dir: &Path,
    limit: Duration,
    complaints: &BTreeMap<String, u64>,
) -> Result<Verdict> {
    let reservations = mesh::connect(local.database_url("reservation")?)?;
    let payments = mesh::connect(local.database_url("payment")?)?;
    await_idle(&reservations, &payments, limit).await?;
    let provider = settlement(&local).await?;
    let verdict = Verdict {
        provider: provider.len(),
        provider_minor: provider.values().sum(),
        complaints: complaints.clone(),
        provider_against_ledger: differences(&provider, &posted(&payments).await?),
        ledger_sum_minor: scalar(&payments, "select coalesce(sum(amount_minor), 0)::bigint from ledger_entry").await?,
        bookings_against_payments: contradictions(&reservations, &payments).await?,
        parked: scalar(&reservations, DEAD_LETTERS).await? + scalar(&payments, DEAD_LETTERS).await?,
        mismatched: scalar(&payments, "select count(*) from psp_event where outcome = 'MISMATCHED'").await?,
        check: false,
    };
    let report = dir.join("check.json");
    tokio::task::spawn_blocking(move || {
        let mut check = local.verify(&report)?.spawn()?;
        let status = wait_until("the end of the check", Duration::from_mins(5), || check.exit_status())?;
        local.stop()?;
        Ok(Verdict { check: status.success(), ..verdict })
    })
    .await?
}

const DEAD_LETTERS: &str = "select count(*) from outbox where parked_at is not null";

/// Waits until no reservation is pending payment, no payment or refund is in progress, and every event is delivered.
async fn await_idle(reservations: &PgPool, payments: &PgPool, limit: Duration) -> Result<()> {
    const UNDELIVERED: &str = "select count(*) from outbox where delivered_at is null and parked_at is null";
    let began = Instant::now();
    loop {
        let waiting = [
            scalar(reservations, "select count(*) from reservation where status = 'pending_payment'").await?,
            scalar(reservations, UNDELIVERED).await?,
            scalar(payments, UNDELIVERED).await?,
            scalar(payments, "select count(*) from payment_order where status in ('PENDING', 'REFUNDING')").await?,
        ];
        if waiting == [0; 4] {
            return Ok(());
        }
        ensure!(
            began.elapsed() < limit,
            "after {} s there are still {} pending reservations, {} and {} undelivered events, {} open payments",
            limit.as_secs(),
            waiting[0],
            waiting[1],
            waiting[2],
            waiting[3]
        );
        sleep(Duration::from_millis(500)).await;
    }
}

/// Amounts in minor units by kind (`charge`, `refund`) and our reference.
type Movements = BTreeMap<(String, Uuid), i64>;

/// The provider's settlement files of yesterday and today: a run may pass midnight UTC.
async fn settlement(local: &LocalMesh) -> Result<Movements> {
    let (url, key) = (local.service_url("psp-simulator")?, local.secret("psp-api-key")?);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?;
    let mut moves = Movements::new();
    for day in [today.yesterday()?, today] {
        let file = format!("{url}/v1/settlements/{day}.csv?partial=true");
        let mut lines = Err(anyhow::anyhow!("not read"));
        // Reading the file fails as often as every other call.
        for _ in 0..20 {
            lines = read(&http, &file, &key).await;
            if lines.is_ok() {
                break;
            }
        }
        moves.extend(lines.with_context(|| format!("the settlement of {day}"))?);
    }
    Ok(moves)
}

async fn read(http: &reqwest::Client, file: &str, key: &str) -> Result<Movements> {
    let text = http.get(file).bearer_auth(key).send().await?.error_for_status()?.text().await?;
    let mut moves = Movements::new();
    let mut lines = 0;
    for line in text.lines().skip(1).filter(|line| !line.starts_with('#')) {
        let field = |at| line.split(',').nth(at).with_context(|| format!("a short line: {line}"));
        moves.insert((field(1)?.to_owned(), field(2)?.parse()?), field(4)?.parse()?);
        lines += 1;
    }
    ensure!(text.lines().last() == Some(&*format!("# lines={lines}")), "the file is truncated");
    ensure!(moves.len() == lines, "the file has a line twice");
    Ok(moves)
}

/// Charges and refunds in the ledger.
async fn posted(payments: &PgPool) -> Result<Movements> {
    let rows = sqlx::query(
        "select case ledger_transaction.kind when 'CHARGE' then 'charge' else 'refund' end, source_id, abs(e.amount_minor)
         from ledger_transaction join ledger_entry e using (transaction_id)
             join ledger_account a on a.account_id = e.account_id and a.kind = 'PSP_CLEARING'
         where ledger_transaction.kind in ('CHARGE', 'REFUND_PAID')",
    )
    .fetch_all(payments)
    .await?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

fn differences(one: &Movements, other: &Movements) -> usize {
    let missing =
        |from: &Movements, of: &Movements| from.iter().filter(|(key, minor)| of.get(*key) != Some(*minor)).count();
    missing(one, other).max(missing(other, one))
}

/// Reservations that contradict their payment. A paid reservation has a paid payment without a refund; of any other nothing
/// is kept, because every cancellation in this test is free.
async fn contradictions(reservations: &PgPool, payments: &PgPool) -> Result<usize> {
    let bookings: BTreeMap<Uuid, bool> = sqlx::query_as("select reservation_id, status = 'paid' from reservation")
        .fetch_all(reservations)
        .await?
        .into_iter()
        .collect();
    let kept: BTreeMap<Uuid, i64> = sqlx::query_as(
        "select reservation_id,
             sum(case when status in ('PAID', 'REFUNDED') then amount_minor - refunded_minor else 0 end)::bigint
         from payment_order group by reservation_id",
    )
    .fetch_all(payments)
    .await?
    .into_iter()
    .collect();
    let of_bookings =
        bookings.iter().filter(|(id, paid)| (kept.get(*id).is_some_and(|minor| *minor > 0)) != **paid).count();
    Ok(of_bookings + kept.keys().filter(|id| !bookings.contains_key(*id)).count())
}

async fn scalar(pool: &PgPool, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_counts_missing_and_changed_movements() {
        let [same, other, more] = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
        let moves =
            |list: &[(Uuid, i64)]| list.iter().map(|(id, minor)| (("charge".to_owned(), *id), *minor)).collect();
        let one: Movements = moves(&[(same, 5), (other, 5)]);
        assert_eq!(differences(&one, &one), 0);
        assert_eq!(differences(&one, &moves(&[(same, 5), (other, 6)])), 1);
        assert_eq!(differences(&one, &moves(&[(same, 5), (other, 5), (more, 1)])), 1);
        assert_eq!(differences(&one, &moves(&[(same, 5)])), 1);
    }
}
