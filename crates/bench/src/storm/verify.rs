//! What must be true when nothing is on its way any more.

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
use staymesh_localmesh::LocalMesh;
use tokio::time::sleep;
use uuid::Uuid;

use crate::processes;

/// How the books stand. Everything but the first two must be zero, and `check` true.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// Charges and refunds of the provider, and what they come to.
    provider: usize,
    provider_minor: i64,
    /// Guests who saw what must not be, by what it was.
    complaints: BTreeMap<String, u64>,
    /// Charges and refunds that the provider and the ledger do not have alike.
    provider_against_ledger: usize,
    /// What the ledger's entries sum to.
    ledger_sum_minor: i64,
    /// Bookings that are neither paid nor released, or whose payment says something else.
    bookings_against_payments: usize,
    /// Events that were set aside, and money that nobody knows the reason of.
    parked: i64,
    mismatched: i64,
    /// Whether `staymesh check` found nothing, in bookings and in money.
    check: bool,
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.complaints.is_empty()
            && self.provider_against_ledger == 0
            && self.ledger_sum_minor == 0
            && self.bookings_against_payments == 0
            && self.parked == 0
            && self.mismatched == 0
            && self.check
    }

    pub(super) fn show(&self) {
        println!("provider: {} charges and refunds, {} in minor units", self.provider, self.provider_minor);
        println!("provider and ledger differ in {}", self.provider_against_ledger);
        println!("the ledger sums to {}", self.ledger_sum_minor);
        println!("bookings and payments that do not fit: {}", self.bookings_against_payments);
        println!("events set aside: {}, events that do not fit: {}", self.parked, self.mismatched);
        println!("`staymesh check`: {}", if self.check { "clean" } else { "NOT CLEAN" });
        for (what, count) in &self.complaints {
            println!("COMPLAINT, {count} times: {what}");
        }
    }
}

/// Waits until all is quiet, stops the services, and compares.
pub(super) async fn verify(
    mesh: LocalMesh,
    dir: &Path,
    calm: Duration,
    complaints: &BTreeMap<String, u64>,
) -> Result<Verdict> {
    let reservations = processes::connect(mesh.database_url("reservation")?)?;
    let payments = processes::connect(mesh.database_url("payment")?)?;
    await_calm(&reservations, &payments, calm).await?;
    let provider = settlement(&mesh).await?;
    let verdict = Verdict {
        provider: provider.len(),
        provider_minor: provider.values().sum(),
        complaints: complaints.clone(),
        provider_against_ledger: differences(&provider, &posted(&payments).await?),
        ledger_sum_minor: scalar(&payments, "select coalesce(sum(amount_minor), 0)::bigint from ledger_entry").await?,
        bookings_against_payments: misfits(&reservations, &payments).await?,
        parked: scalar(&reservations, PARKED).await? + scalar(&payments, PARKED).await?,
        mismatched: scalar(&payments, "select count(*) from psp_event where outcome = 'MISMATCHED'").await?,
        check: false,
    };
    let report = dir.join("check.json");
    tokio::task::spawn_blocking(move || {
        let mut check = mesh.verify(&report)?.spawn()?;
        let status = wait_until("the end of the check", Duration::from_mins(5), || check.exit_status())?;
        mesh.stop()?;
        Ok(Verdict { check: status.success(), ..verdict })
    })
    .await?
}

const PARKED: &str = "select count(*) from outbox where parked_at is not null";

/// Until no booking waits, no refund is on its way, and nobody is to be told anything.
async fn await_calm(reservations: &PgPool, payments: &PgPool, calm: Duration) -> Result<()> {
    const TO_TELL: &str = "select count(*) from outbox where delivered_at is null and parked_at is null";
    let began = Instant::now();
    loop {
        let waiting = [
            scalar(reservations, "select count(*) from reservation where status = 'pending_payment'").await?,
            scalar(reservations, TO_TELL).await?,
            scalar(payments, TO_TELL).await?,
            scalar(payments, "select count(*) from payment_order where status in ('PENDING', 'REFUNDING')").await?,
        ];
        if waiting == [0; 4] {
            return Ok(());
        }
        ensure!(
            began.elapsed() < calm,
            "after {} s there are still {} unpaid bookings, {} and {} events, {} open payments",
            calm.as_secs(),
            waiting[0],
            waiting[1],
            waiting[2],
            waiting[3]
        );
        sleep(Duration::from_millis(500)).await;
    }
}

/// What moved money, by kind and our reference.
type Moves = BTreeMap<(String, Uuid), i64>;

/// The provider's own record of the days since the run began.
async fn settlement(mesh: &LocalMesh) -> Result<Moves> {
    let (url, key) = (mesh.service_url("psp-simulator")?, mesh.secret("psp-api-key")?);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?;
    let mut moves = Moves::new();
    for day in [today.yesterday()?, today] {
        let file = format!("{url}/v1/settlements/{day}.csv?partial=true");
        let mut lines = Err(anyhow::anyhow!("never asked"));
        // The file suffers the same faults as every call.
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

async fn read(http: &reqwest::Client, file: &str, key: &str) -> Result<Moves> {
    let text = http.get(file).bearer_auth(key).send().await?.error_for_status()?.text().await?;
    let mut moves = Moves::new();
    let mut lines = 0;
    for line in text.lines().skip(1).filter(|line| !line.starts_with('#')) {
        let field = |at| line.split(',').nth(at).with_context(|| format!("a short line: {line}"));
        moves.insert((field(1)?.to_owned(), field(2)?.parse()?), field(4)?.parse()?);
        lines += 1;
    }
    ensure!(text.lines().last() == Some(&*format!("# lines={lines}")), "the file is not whole");
    ensure!(moves.len() == lines, "the file has something twice");
    Ok(moves)
}

/// The same by the ledger.
async fn posted(payments: &PgPool) -> Result<Moves> {
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

fn differences(one: &Moves, other: &Moves) -> usize {
    let missing = |from: &Moves, of: &Moves| from.iter().filter(|(key, minor)| of.get(*key) != Some(*minor)).count();
    missing(one, other).max(missing(other, one))
}

/// A booking that is paid has a payment that is, of which nothing went back. Of any other nothing is kept beyond what its
/// policy says, which is nothing here: all could be cancelled for free.
async fn misfits(reservations: &PgPool, payments: &PgPool) -> Result<usize> {
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
    let of_bookings = bookings.iter().filter(|(id, paid)| (kept.get(*id).copied().unwrap_or(0) > 0) != **paid).count();
    Ok(of_bookings + kept.keys().filter(|id| !bookings.contains_key(*id)).count())
}

async fn scalar(pool: &PgPool, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_has_and_the_other_not_or_otherwise_is_a_difference() {
        let [same, other, more] = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
        let moves =
            |list: &[(Uuid, i64)]| list.iter().map(|(id, minor)| (("charge".to_owned(), *id), *minor)).collect();
        let one: Moves = moves(&[(same, 5), (other, 5)]);
        assert_eq!(differences(&one, &one), 0);
        assert_eq!(differences(&one, &moves(&[(same, 5), (other, 6)])), 1);
        assert_eq!(differences(&one, &moves(&[(same, 5), (other, 5), (more, 1)])), 1);
        assert_eq!(differences(&one, &moves(&[(same, 5)])), 1);
    }
}
