//! Reconciliation runs against a real database, with settlement files and reservations that each test defines.

mod cases;
mod matching;
mod replays;
mod stripe;
mod unposted;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sqlx::PgPool;
use staymesh_psp::settlement::{
    FileError, MovementKind, SettlementError, SettlementLine, SettlementLines, Settlements,
};
use staymesh_testkit::{TestDatabase, clear_of_midnight};

use super::{
    Options, ReconcileError, Summary,
    model::{Case, CaseFilter, CaseKind, Subject},
    run, store,
};
use crate::{
    clients::reservations::MockReservationClient,
    model::Booking,
    model::{Payment, ReservationStatus},
    testing::{self, booking, receive_event, session_of},
};

/// A database for a test in which the day does not change.
async fn database() -> TestDatabase {
    clear_of_midnight(LONGEST_TEST).await;
    testing::database().await
}

/// Longer than any test of this module takes, also on a slow machine.
const LONGEST_TEST: Duration = Duration::from_mins(2);

/// The provider's settlement files by day. A day without a file has an empty one.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<HashMap<Date, Vec<SettlementLine>>>>);

/// A file with this number of lines ends with [`FileError`].
const BROKEN: usize = 13;

impl Settlements for Files {
    async fn settlement(&self, day: Date, _partial: bool) -> Result<SettlementLines, SettlementError> {
        let lines = self.0.lock().unwrap().get(&day).cloned().unwrap_or_default();
        let end = (lines.len() == BROKEN).then_some(FileError { line: 9, problem: "is cut off" });
        let pieces: Vec<_> = lines.chunks(3).map(|piece| Ok(piece.to_vec())).collect();
        Ok(stream::iter(pieces).chain(stream::iter(end.map(|error| Err(error.into())))).boxed())
    }
}

impl Files {
    fn set(&self, day: Date, lines: &[SettlementLine]) {
        self.0.lock().unwrap().insert(day, lines.to_vec());
    }
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

fn yesterday() -> Date {
    super::yesterday(Timestamp::now())
}

/// Reconciles the current day so far, without a grace period.
fn options() -> Options {
    Options { day: today(), partial: true, grace: SignedDuration::ZERO }
}

/// A reservation service in which all reservations have been in this status for longer than any grace period.
fn all(status: ReservationStatus) -> MockReservationClient {
    let mut reservations = MockReservationClient::new();
    let booking = Booking { status, update_time: Timestamp::UNIX_EPOCH, ..booking() };
    reservations.expect_get().returning(move |_| {
        let booking = booking.clone();
        Ok(Some(booking))
    });
    reservations
}

async fn run_with(pool: &PgPool, files: &Files, options: Options) -> Result<Summary, ReconcileError> {
    run(pool, files, &all(ReservationStatus::Paid), options, |_| {}).await
}

async fn run_today(pool: &PgPool, files: &Files) -> Summary {
    run_with(pool, files, options()).await.unwrap()
}

async fn listed(pool: &PgPool) -> Vec<Case> {
    let mut cases = store::cases::list(pool, CaseFilter::default(), None, 100).await.unwrap();
    cases.sort_by_key(|case| (case.finding.kind, case.finding.subject_id.clone()));
    cases
}

/// Kind and subject of the unresolved cases, in that order.
async fn open_cases(pool: &PgPool) -> Vec<(CaseKind, Subject, String)> {
    let open = listed(pool).await.into_iter().filter(|case| case.resolution.is_none());
    open.map(|case| (case.finding.kind, case.finding.subject, case.finding.subject_id)).collect()
}

/// A paid payment of EUR 100.00.
async fn paid(pool: &PgPool) -> Payment {
    let payment = testing::open(pool).await;
    receive_event(pool, &payment, "checkout.paid").await;
    testing::now(pool, payment.payment_id).await
}

/// The settlement line that matches the charge of a payment.
fn charge(payment: &Payment) -> SettlementLine {
    let session = session_of(payment.payment_id);
    SettlementLine {
        psp_id: session.clone(),
        kind: MovementKind::Charge,
        reference: payment.payment_id.to_string(),
        session,
        amount_minor: payment.amount.minor(),
        currency: "EUR".into(),
        created: Timestamp::from_second(Timestamp::now().as_second()).unwrap(),
        note: String::new(),
    }
}

/// The same line in the last second of the day before.
fn of_yesterday(line: SettlementLine) -> SettlementLine {
    let midnight = today().to_zoned(TimeZone::UTC).unwrap().timestamp();
    SettlementLine { created: midnight - 1.second(), ..line }
}

/// Marks the outbox events of a payment as delivered.
async fn all_delivered(pool: &PgPool, payment: &Payment) {
    sqlx::query("update outbox set delivered_at = now() where aggregate_id = $1 and parked_at is null")
        .bind(payment.payment_id.as_uuid())
        .execute(pool)
        .await
        .unwrap();
}
