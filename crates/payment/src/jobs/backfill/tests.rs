//! The job on a real database from which postings were deleted.

use futures::future::join3;
use sqlx::PgPool;

use super::{Found, run};
use crate::{
    check::{self, Kind},
    model::{Payment, Status},
    testing::{complete_refund, database, in_status, now, open, receive_event, request_refund, unposted},
};

/// The results of a run.
async fn backfill(pool: &PgPool, dry_run: bool) -> Vec<Found> {
    let mut all = Vec::new();
    run(pool, dry_run, |at| all.extend(at.found.cloned())).await.unwrap();
    all
}

/// The number of results, and of postings in them.
fn sum(found: &[Found]) -> (usize, usize) {
    let posted = found.iter().map(|found| match found {
        Found::Posted { postings, .. } => *postings,
        Found::Refused { .. } => 0,
    });
    (found.len(), posted.sum())
}

/// Every entry with its time, without its id.
async fn books(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select row (t.kind, source_id, reservation_id, t.lines, posted_at, line, a.kind, hotel_id, amount_minor, e.currency)::text
         from ledger_transaction t join ledger_entry e using (transaction_id) join ledger_account a using (account_id)
         order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn paid(pool: &PgPool) -> Payment {
    let payment = open(pool).await;
    receive_event(pool, &payment, "checkout.paid").await;
    now(pool, payment.payment_id).await
}

/// Three payments. A third of the second is being refunded; of the last a third was refunded and the rest is being.
async fn made(pool: &PgPool) -> [Payment; 3] {
    for status in [Status::Pending, Status::Failed, Status::Expired] {
        in_status(pool, status).await;
    }
    let made = [paid(pool).await, paid(pool).await, paid(pool).await];
    request_refund(pool, &made[1], 3_333).await;
    let first = request_refund(pool, &made[2], 3_333).await;
    complete_refund(pool, &made[2], first).await;
    request_refund(pool, &made[2], 6_667).await;
    made
}

#[tokio::test]
async fn run_restores_missing_postings_exactly_once() {
    let database = database().await;
    let pool = database.pool();
    assert_eq!(backfill(pool, false).await, []);
    made(pool).await;
    let right = books(pool).await;
    assert_eq!(backfill(pool, false).await, [], "nothing is missing");
    for (which, payments, postings) in [
        ("true", 3, 10),
        ("kind = 'SALE'", 3, 3),
        ("kind = 'CHARGE'", 3, 3),
        ("kind in ('SALE', 'CHARGE')", 3, 6),
        ("kind = 'REFUND_PAID'", 1, 1),
        ("kind = 'REFUND_OWED' and source_id = (select refund_id from refund where amount_minor = 6667)", 1, 1),
        ("kind = 'REFUND_OWED'", 2, 3),
    ] {
        unposted(pool, which).await;
        assert_eq!(sum(&backfill(pool, true).await), (payments, postings), "dry run, {which}");
        assert!(books(pool).await.len() < right.len(), "nothing is done in a dry run");
        assert_eq!(sum(&backfill(pool, false).await), (payments, postings), "{which}");
        assert_eq!(books(pool).await, right, "{which}");
        assert_eq!(backfill(pool, false).await, [], "{which}, again");
    }
    let report = check::run(pool, &check::Options::default(), |_| {}).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.listed);
}

#[tokio::test]
async fn run_after_out_of_order_refunds_posts_the_right_sum() {
    let database = database().await;
    let pool = database.pool();
    made(pool).await;
    unposted(pool, "kind = 'REFUND_OWED' and source_id = (select min(refund_id::text)::uuid from refund where amount_minor = 3333)").await;
    unposted(pool, "kind = 'REFUND_OWED' and source_id = (select max(refund_id::text)::uuid from refund where amount_minor = 3333)").await;
    let seen = check::run(pool, &check::Options::default(), |_| {}).await.unwrap();
    assert_eq!(seen.counts, [(Kind::RefundDiffers, 2)].into());
    assert_eq!(sum(&backfill(pool, false).await), (2, 2));
    assert!(check::run(pool, &check::Options::default(), |_| {}).await.unwrap().is_clean());
}

#[tokio::test]
async fn run_dates_postings_to_their_events() {
    let database = database().await;
    let pool = database.pool();
    let payments = made(pool).await;
    let sql = format!(
        "set session_replication_role = replica;
         update payment_order set status_changed_at = status_changed_at - interval '100 days', created_at = created_at - interval '100 days';
         update psp_event set received_at = received_at - interval '100 days';
         update refund set created_at = created_at - interval '90 days', succeeded_at = succeeded_at - interval '80 days';
         -- Its event was lost, and its state was fetched.
         delete from psp_event where payment_id = '{}';
         set session_replication_role = default",
        payments[1].payment_id.as_uuid()
    );
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
    unposted(pool, "true").await;
    backfill(pool, false).await;
    let ages: Vec<(String, i64, i64)> = sqlx::query_as(
        "select kind, extract(day from now() - posted_at)::bigint, count(*) from ledger_transaction group by 1, 2 order by 1, 2",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let expected = [
        ("CHARGE", 90, 1),
        ("CHARGE", 100, 2),
        ("REFUND_OWED", 90, 3),
        ("REFUND_PAID", 80, 1),
        ("SALE", 90, 1),
        ("SALE", 100, 2),
    ];
    assert_eq!(ages, expected.map(|(kind, days, count)| (kind.to_owned(), days, count)));
}

#[tokio::test]
async fn concurrent_runs_beside_refunds_post_everything_once() {
    let database = database().await;
    let pool = database.pool();
    let mut payments = Vec::new();
    for _ in 0..40 {
        payments.push(paid(pool).await);
    }
    unposted(pool, "true").await;
    let service = async {
        for payment in &payments {
            let refund_id = request_refund(pool, payment, 5_000).await;
            complete_refund(pool, payment, refund_id).await;
        }
    };
    let (first, second, ()) = join3(backfill(pool, false), backfill(pool, false), service).await;
    let found = [first, second].concat();
    assert_eq!(sum(&found), (40, 80));
    let report = check::run(pool, &check::Options::default(), |_| {}).await.unwrap();
    assert!(report.is_clean() && report.transactions == 160, "{report:?}");
}

#[tokio::test]
async fn run_reports_rejected_payment_and_continues() {
    let database = database().await;
    let pool = database.pool();
    let [_, bad, _] = made(pool).await;
    unposted(pool, "kind in ('SALE', 'REFUND_OWED')").await;
    let sql = "set session_replication_role = replica; update refund set amount_minor = 10001 where payment_id = ";
    let sql = format!("{sql}'{}'; set session_replication_role = default", bad.payment_id.as_uuid());
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
    let found = backfill(pool, false).await;
    let constraint = "payment_order_refunds_within_payment".to_owned();
    assert!(found.contains(&Found::Refused { payment_id: bad.payment_id, constraint }), "{found:?}");
    assert_eq!(sum(&found), (3, 4), "two sales and the refunds of the last");
}

#[tokio::test]
async fn run_reports_progress() {
    let database = database().await;
    let pool = database.pool();
    made(pool).await;
    unposted(pool, "true").await;
    let mut seen = Vec::new();
    run(pool, false, |at| seen.push((at.done, at.all, at.found.is_some()))).await.unwrap();
    assert_eq!(seen, [(0, 6, true), (0, 6, true), (0, 6, true), (6, 6, false)]);
}
