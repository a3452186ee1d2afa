//! Matching settlement lines, postings, wallets and reservations.

use sqlx::PgPool;
use staymesh_ledger::wallets;
use uuid::Uuid;

use super::*;
use crate::{
    reconcile::model::{Resolution, State},
    testing::{complete_refund, request_refund},
};

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// The settlement line of a refund of this amount.
fn back(payment: &Payment, refund_id: Uuid, minor: i64) -> SettlementLine {
    SettlementLine {
        psp_id: format!("re_{refund_id}"),
        kind: MovementKind::Refund,
        reference: refund_id.to_string(),
        amount_minor: minor,
        ..charge(payment)
    }
}

#[tokio::test]
async fn each_difference_opens_one_case_which_closes_when_it_is_gone() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let [good, missing, amount, currency, twice, cancelled] =
        [paid(pool).await, paid(pool).await, paid(pool).await, paid(pool).await, paid(pool).await, paid(pool).await];
    let unpaid = testing::open(pool).await;
    let refund_id = request_refund(pool, &good, 4000).await;
    complete_refund(pool, &good, refund_id).await;
    all_delivered(pool, &cancelled).await;
    let right = [
        charge(&good),
        back(&good, refund_id, 4000),
        charge(&missing),
        charge(&amount),
        charge(&currency),
        charge(&twice),
        charge(&cancelled),
    ];
    let extra = SettlementLine {
        psp_id: "cs_extra".into(),
        session: "cs_extra".into(),
        reference: Uuid::now_v7().to_string(),
        ..charge(&good)
    };
    let wrong = [
        charge(&good),
        back(&good, refund_id, 4000),
        SettlementLine { amount_minor: 10_001, ..charge(&amount) },
        SettlementLine { currency: "USD".into(), ..charge(&currency) },
        charge(&twice),
        charge(&twice),
        charge(&unpaid),
        charge(&cancelled),
        extra,
    ];
    files.set(today(), &wrong);
    wallets::fold(pool).await.unwrap();
    sqlx::query("insert into wallet select min(account_id), 1, '4' from ledger_account on conflict (account_id) do update set balance_minor = wallet.balance_minor + 1")
        .execute(pool).await.unwrap();
    let account = count(pool, "select min(account_id) from ledger_account").await.to_string();

    let reservations = || {
        let mut reservations = MockReservationClient::new();
        let ended = cancelled.reservation_id;
        reservations.expect_get().returning(move |id| {
            let status = if id == ended { ReservationStatus::Cancelled } else { ReservationStatus::Paid };
            let booking = Booking { status, update_time: Timestamp::UNIX_EPOCH, ..booking() };
            Ok(Some(booking))
        });
        reservations
    };
    let first = run(pool, &files, &reservations(), options(), |_| {}).await.unwrap();
    let id = |payment: &Payment| payment.payment_id.to_string();
    let expected = [
        (CaseKind::MissingAtPsp, Subject::Charge, id(&missing)),
        (CaseKind::MissingHere, Subject::Charge, "cs_extra".to_owned()),
        (CaseKind::Amount, Subject::Charge, id(&amount)),
        (CaseKind::Currency, Subject::Charge, id(&currency)),
        (CaseKind::Duplicate, Subject::Charge, id(&twice)),
        (CaseKind::Status, Subject::Charge, id(&unpaid)),
        (CaseKind::Wallet, Subject::Wallet, account),
        (CaseKind::Reservation, Subject::Payment, id(&cancelled)),
    ];
    assert_eq!(open_cases(pool).await, expected);
    assert_eq!((first.counts.lines, first.counts.found, first.counts.opened, first.counts.closed), (9, 8, 8, 0));
    assert_eq!(first.unresolved.iter().map(|(_, count)| count).sum::<i64>(), 8);
    let cases = listed(pool).await;
    assert!(cases.iter().all(|case| case.state == State::Open && case.finding.day == today()));
    assert_eq!(cases[2].finding.expected, Some((10_000, "EUR".into())));
    assert_eq!(cases[2].finding.found, Some((10_001, "EUR".into())));

    let again = run(pool, &files, &reservations(), options(), |_| {}).await.unwrap();
    assert_eq!((again.counts.found, again.counts.opened, again.counts.closed), (8, 0, 0));
    let same = listed(pool).await;
    assert!(same.iter().zip(&cases).all(|(now, then)| now.case_id == then.case_id && now.find_time > then.find_time));

    files.set(today(), &right);
    sqlx::query("delete from wallet").execute(pool).await.unwrap();
    let last = run_today(pool, &files).await;
    assert_eq!((last.counts.found, last.counts.opened, last.counts.closed), (0, 0, 8));
    assert_eq!(last.unresolved, []);
    assert!(listed(pool).await.iter().all(|case| case.resolution == Some(Resolution::Gone)));

    files.set(today(), &wrong);
    let back_again = run_today(pool, &files).await;
    assert_eq!((back_again.counts.found, back_again.counts.opened), (6, 6), "the same cases are open again");
    assert_eq!(listed(pool).await.len(), 8);
    assert_eq!(
        count(pool, "select count(*) from reconciliation_run where status = 'DONE' and ended_at >= started_at").await,
        4
    );
}

#[tokio::test]
async fn refund_lines_are_matched_by_refund_id() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    let (done, asked, lost) = (
        request_refund(pool, &payment, 1000).await,
        request_refund(pool, &payment, 2000).await,
        request_refund(pool, &payment, 3000).await,
    );
    complete_refund(pool, &payment, done).await;
    complete_refund(pool, &payment, lost).await;
    let by_hand = SettlementLine { psp_id: "re_by_hand".into(), reference: String::new(), ..back(&payment, done, 5) };
    files.set(today(), &[charge(&payment), back(&payment, done, 1001), back(&payment, asked, 2000), by_hand]);
    run_today(pool, &files).await;
    let expected = [
        (CaseKind::MissingAtPsp, Subject::Refund, lost.to_string()),
        (CaseKind::MissingHere, Subject::Refund, "re_by_hand".to_owned()),
        (CaseKind::Amount, Subject::Refund, done.to_string()),
        (CaseKind::Status, Subject::Refund, asked.to_string()),
    ];
    assert_eq!(open_cases(pool).await, expected);
    let cases = listed(pool).await;
    assert!(cases[3].can_replay() && !cases[0].can_replay());
    assert_eq!(cases[3].finding.payment_id, Some(payment.payment_id.as_uuid()));
}

#[tokio::test]
async fn line_of_the_previous_day_matches_posting() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let [late, lost] = [paid(pool).await, paid(pool).await];
    files.set(yesterday(), &[of_yesterday(charge(&late))]);
    run_today(pool, &files).await;
    let missing = [(CaseKind::MissingAtPsp, Subject::Charge, lost.payment_id.to_string())];
    assert_eq!(open_cases(pool).await, missing, "the previous day is read, too, once");
    // The file of a completed day is not read again; its stored lines still match.
    files.set(yesterday(), &[]);
    run_today(pool, &files).await;
    assert_eq!(open_cases(pool).await, missing);
    // A run of any day closes cases that are gone.
    files.set(yesterday(), &[of_yesterday(charge(&late)), of_yesterday(charge(&lost))]);
    let day = Options { day: yesterday(), partial: false, ..options() };
    assert_eq!(run_with(pool, &files, day).await.unwrap().counts.closed, 1);
    assert_eq!(open_cases(pool).await, []);
}

#[tokio::test]
async fn differences_within_grace_period_are_left_to_the_next_run() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let (unpaid, contradicted) = (testing::open(pool).await, paid(pool).await);
    all_delivered(pool, &contradicted).await;
    files.set(today(), &[charge(&unpaid)]);
    let patient = Options { grace: SignedDuration::from_hours(1), ..options() };
    let seen = run(pool, &files, &all(ReservationStatus::Cancelled), patient, |_| {}).await.unwrap();
    assert_eq!((seen.counts.lines, seen.counts.found), (1, 0));
    let seen = run(pool, &files, &all(ReservationStatus::Cancelled), options(), |_| {}).await.unwrap();
    assert_eq!((seen.counts.found, seen.counts.payments), (3, 1));
    // Existing cases are examined regardless of the grace period.
    files.set(today(), &[charge(&contradicted)]);
    let seen = run(pool, &files, &all(ReservationStatus::Paid), patient, |_| {}).await.unwrap();
    assert_eq!((seen.counts.found, seen.counts.closed), (0, 3));
}

#[tokio::test]
async fn second_paid_session_of_a_payment_is_a_duplicate() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    let second = SettlementLine { psp_id: "cs_2".into(), session: "cs_2".into(), ..charge(&payment) };
    // The line of the payment's own session matches although it comes later in the file.
    files.set(today(), &[second, charge(&payment)]);
    run_today(pool, &files).await;
    assert_eq!(open_cases(pool).await, [(CaseKind::Duplicate, Subject::Charge, "cs_2".to_owned())]);
    // Also if the two lines are in the files of different days.
    files.set(today(), &[charge(&payment)]);
    files.set(yesterday(), &[of_yesterday(charge(&payment))]);
    run_with(pool, &files, Options { day: yesterday(), partial: false, ..options() }).await.unwrap();
    run_today(pool, &files).await;
    assert_eq!(open_cases(pool).await, [(CaseKind::Duplicate, Subject::Charge, payment.payment_id.to_string())]);
}

#[tokio::test]
async fn failed_run_changes_nothing_and_records_the_failure() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    files.set(today(), &[SettlementLine { amount_minor: 1, ..charge(&payment) }]);
    run_today(pool, &files).await;
    let before = (open_cases(pool).await, count(pool, "select count(*) from settlement_line").await);
    assert_eq!((before.0.len(), before.1), (1, 1));

    files.set(today(), &vec![charge(&payment); BROKEN]);
    let broken = run_with(pool, &files, options()).await;
    assert!(matches!(broken, Err(ReconcileError::Settlement(SettlementError::File(_)))), "{broken:?}");
    files.set(today(), &[of_yesterday(charge(&payment))]);
    assert!(matches!(run_with(pool, &files, options()).await, Err(ReconcileError::OtherDay)));
    assert_eq!((open_cases(pool).await, count(pool, "select count(*) from settlement_line").await), before);

    // A valid file, but the reservation service fails.
    files.set(today(), &[charge(&payment)]);
    all_delivered(pool, &payment).await;
    let mut failing = MockReservationClient::new();
    failing.expect_get().returning(|_| Err(staymesh_mesh::Problem::internal(&"unavailable")));
    let failed = run(pool, &files, &failing, options(), |_| {}).await;
    assert!(matches!(failed, Err(ReconcileError::Reservations(_))), "{failed:?}");
    assert_eq!(open_cases(pool).await, before.0);
    let failures: Vec<String> =
        sqlx::query_scalar("select failure from reconciliation_run where status = 'FAILED' order by started_at")
            .fetch_all(pool)
            .await
            .unwrap();
    assert!(failures.len() == 3 && failures[0].contains("cut off"), "{failures:?}");
}

#[tokio::test]
async fn concurrent_runs_open_each_case_once() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    let lines: Vec<_> = (0..20)
        .map(|n| SettlementLine {
            psp_id: format!("cs_x{n}"),
            session: String::new(),
            reference: String::new(),
            ..charge(&payment)
        })
        .collect();
    files.set(today(), &lines);
    let runs = futures::future::join_all((0..4).map(|_| run_today(pool, &files))).await;
    assert_eq!(runs.iter().map(|run| run.counts.opened).sum::<i64>(), 21);
    assert!(runs.iter().all(|run| run.counts.found == 21 && run.counts.closed == 0));
    assert_eq!((open_cases(pool).await.len(), count(pool, "select count(*) from settlement_line").await), (21, 20));
}
