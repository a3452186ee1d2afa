//! The checker finds no violation in valid data, also under concurrent writes, and exactly the violations of damaged data.

mod changes;
mod payments;
mod payouts;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use sqlx::PgPool;
use staymesh_ledger::wallets;
use staymesh_testkit::TestDatabase;
use tokio::time::Instant;

use super::*;
use crate::{
    model::Status,
    testing::{
        complete_refund, database, in_status, new_payment, open, opened, receive_event, request_refund, reservation_id,
    },
};

/// A pending, a failed and an expired payment; a paid one; one with a refund in progress; and one with a completed refund
/// and another in progress.
async fn world() -> TestDatabase {
    let database = database().await;
    let pool = database.pool();
    for status in [Status::Pending, Status::Failed, Status::Expired] {
        in_status(pool, status).await;
    }
    let paid = [open(pool).await, open(pool).await, open(pool).await];
    for payment in &paid {
        receive_event(pool, payment, "checkout.paid").await;
    }
    // A third of the second is being refunded; of the last a third was refunded, and the rest is being refunded.
    request_refund(pool, &paid[1], 3_333).await;
    let first = request_refund(pool, &paid[2], 3_333).await;
    complete_refund(pool, &paid[2], first).await;
    request_refund(pool, &paid[2], 6_667).await;
    database
}

async fn check(pool: &PgPool) -> Report {
    run(pool, &Options::default(), |_| {}).await.unwrap()
}

/// Folds until all entries are in the wallets, which needs older transactions of the server's other databases to end.
async fn folded(pool: &PgPool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        wallets::fold(pool).await.unwrap();
        let left: i64 = sqlx::query_scalar(
            "select count(*) from ledger_entry left join wallet using (account_id)
             where counted_before is null or written_by >= counted_before",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        if left == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{left} entries are not folded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Executes SQL with triggers and foreign keys disabled.
async fn tamper(pool: &PgPool, sql: &str) {
    let mut connection = pool.acquire().await.unwrap();
    let sql = format!("set session_replication_role = replica; {sql}; set session_replication_role = default");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
}

/// Asserts the number of violations of each kind, and the beginning of the first detail.
async fn only_found(pool: &PgPool, kinds: &[(Kind, u64)], detail: &str) {
    let report = check(pool).await;
    assert_eq!(report.counts, kinds.iter().copied().collect(), "{:?}", report.listed);
    assert_eq!(report.listed.len() as u64, report.violations());
    assert!(report.listed[0].detail.starts_with(detail), "{}", report.listed[0]);
}

#[tokio::test]
async fn valid_payments_have_no_violations() {
    let empty = database().await;
    assert_eq!(check(empty.pool()).await, Report::default());
    let database = world().await;
    let report = check(database.pool()).await;
    // Three sales and charges, three refunds owed and one paid.
    assert_eq!(report, Report { transactions: 10, payments: 6, accounts: 6, ..Report::default() });
    folded(database.pool()).await;
    assert!(check(database.pool()).await.is_clean());
}

#[tokio::test]
async fn run_counts_violations_of_all_pages_and_limits_the_list() {
    let database = database().await;
    let pool = database.pool();
    for _ in 0..25 {
        let payment = open(pool).await;
        receive_event(pool, &payment, "checkout.paid").await;
    }
    tamper(pool, "update ledger_entry set amount_minor = amount_minor + 1 where line = 1").await;
    let mut report = Report::default();
    let (mut from, mut pages) = (Some(Uuid::nil()), 0);
    while let Some(first) = from {
        let page = Part::Transactions.page(pool, first, 7, 4).await.unwrap();
        report.transactions += page.rows;
        report.add(page.found, 4);
        (from, pages) = (page.next.and_then(after), pages + 1);
    }
    assert_eq!((report.transactions, pages, report.listed.len()), (50, 8, 4));
    assert_eq!(report.counts, [(Kind::TransactionUnbalanced, 50)].into());

    let mut seen = Vec::new();
    let whole = run(pool, &Options { listed: 0 }, |at| seen.push(at)).await.unwrap();
    assert_eq!(
        whole.counts,
        [(Kind::TransactionUnbalanced, 50), (Kind::PaymentDiffers, 25), (Kind::ReservationMoneyDiffers, 25)].into()
    );
    assert!(whole.listed.is_empty());
    assert_eq!(seen[0], Progress { done: 0, all: 80, violations: 0 });
    assert_eq!(seen[seen.len() - 1], Progress { done: 80, all: 80, violations: 100 });
}

#[tokio::test]
async fn run_beside_concurrent_payments_finds_no_violation() {
    let database = Arc::new(database().await);
    let stop = Arc::new(AtomicBool::new(false));
    let guests = (0..4).map(|n| {
        let (database, stop) = (database.clone(), stop.clone());
        tokio::spawn(async move {
            let mut paid = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let pool = database.pool();
                if n == 0 {
                    wallets::fold(pool).await.unwrap();
                }
                let payment = opened(pool, &new_payment(reservation_id())).await;
                receive_event(pool, &payment, "checkout.paid").await;
                for part in [3_333, 3_333, 3_334] {
                    let refund = request_refund(pool, &payment, part).await;
                    complete_refund(pool, &payment, refund).await;
                }
                paid += 1;
            }
            paid
        })
    });
    let guests: Vec<_> = guests.collect();
    let mut seen = 0;
    for round in 0.. {
        let report = check(database.pool()).await;
        assert!(report.is_clean(), "{:?}", report.listed);
        seen = seen.max(report.payments);
        if round >= 20 && seen >= 60 {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let made: u64 = join_all(guests).await.into_iter().map(|made| made.unwrap()).sum();
    let report = check(database.pool()).await;
    assert_eq!((report.is_clean(), report.payments, report.transactions), (true, made, 8 * made));
}
