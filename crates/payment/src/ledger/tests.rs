//! Posting and adding up, on a real database and at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use sqlx::PgPool;
use staymesh_domain::{Currency, HotelId, PaymentId, ReservationId};
use staymesh_store::StoreError;
use staymesh_testkit::TestDatabase;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Account, Parts, Posting, Sold, post, post_all, postings, wallets};
use crate::testing::{database, eur, reservation_id};

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn sold(reservation_id: ReservationId) -> Sold {
    Sold { reservation_id, currency: currency("EUR"), parts: Parts::new(10_000, 700, 1395).unwrap() }
}

fn hotel(number: i32) -> HotelId {
    HotelId::try_from(number).unwrap()
}

/// Posts and commits.
async fn posted(pool: &PgPool, posting: &Posting) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let done = post(&mut transaction, posting).await?;
    transaction.commit().await?;
    Ok(done)
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    let sql = format!("select count(*) from {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap()
}

async fn balance(pool: &PgPool, account: &Account, code: &str) -> i128 {
    wallets::balance(pool, account, currency(code)).await.unwrap()
}

#[tokio::test]
async fn what_is_posted_is_written_as_it_is_and_once() {
    let database = database().await;
    let pool = database.pool();
    let (sold, payment) = (sold(reservation_id()), PaymentId::new());
    assert!(posted(pool, &sold.sale(payment)).await.unwrap());
    assert!(!posted(pool, &sold.sale(payment)).await.unwrap(), "the same again");
    assert!(posted(pool, &sold.charge(payment)).await.unwrap(), "another kind from the same source");
    let written: Vec<(String, i16, String, Option<i32>, i64, bool)> = sqlx::query_as(
        "select transaction.kind, line, account.kind, hotel_id, amount_minor,
             transaction.reservation_id = $1 and entry.currency = 'EUR' and account.currency = 'EUR'
         from ledger_transaction transaction join ledger_entry entry using (transaction_id)
         join ledger_account account using (account_id) order by transaction_id, line",
    )
    .bind(sold.reservation_id.as_uuid())
    .fetch_all(pool)
    .await
    .unwrap();
    let row =
        |kind: &str, line, account: &str, hotel, minor| (kind.to_owned(), line, account.to_owned(), hotel, minor, true);
    assert_eq!(
        written,
        [
            row("SALE", 1, "GUEST_RECEIVABLE", None, 10_000),
            row("SALE", 2, "HOTEL_PAYABLE", Some(7), -7905),
            row("SALE", 3, "COMMISSION_REVENUE", None, -1395),
            row("SALE", 4, "TAX_PAYABLE", Some(7), -700),
            row("CHARGE", 1, "PSP_CLEARING", None, 10_000),
            row("CHARGE", 2, "GUEST_RECEIVABLE", None, -10_000),
        ]
    );
}

#[tokio::test]
async fn several_are_posted_in_one_and_what_was_posted_before_is_passed_over() {
    let database = database().await;
    let pool = database.pool();
    let (first, second, payment) = (sold(reservation_id()), sold(reservation_id()), PaymentId::new());
    let other = Sold { currency: currency("JPY"), ..second };
    let paid = postings::pay_out(Uuid::now_v7(), hotel(8), eur(500));
    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(post_all(&mut transaction, &[]).await.unwrap(), 0);
    assert!(post(&mut transaction, &first.sale(payment)).await.unwrap());
    let all = [first.sale(payment), first.charge(payment), other.partner_sale("client:a"), paid];
    assert_eq!(post_all(&mut transaction, &all).await.unwrap(), 3, "the sale is there");
    assert_eq!(post_all(&mut transaction, &all).await.unwrap(), 0);
    transaction.commit().await.unwrap();
    let written: Vec<(String, Option<Uuid>, i64, String, i64)> = sqlx::query_as(
        "select kind, reservation_id, count(*), min(currency), sum(abs(amount_minor))::bigint
         from ledger_transaction join ledger_entry using (transaction_id) group by transaction_id order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let row = |kind: &str, of: Option<ReservationId>, lines, code: &str, minor| {
        (kind.to_owned(), of.map(ReservationId::as_uuid), lines, code.to_owned(), minor)
    };
    assert_eq!(
        written,
        [
            row("CHARGE", Some(first.reservation_id), 2, "EUR", 20_000),
            row("PARTNER_SALE", Some(other.reservation_id), 4, "JPY", 20_000),
            row("PAY_OUT", None, 2, "EUR", 1_000),
            row("SALE", Some(first.reservation_id), 4, "EUR", 20_000),
        ]
    );
}

#[tokio::test]
async fn every_owner_and_currency_has_an_account_of_its_own() {
    let database = database().await;
    let pool = database.pool();
    for (code, total) in [("EUR", 100), ("JPY", 200), ("KWD", 300)] {
        for partner in ["client:a", "client:b"] {
            let parts = Parts::new(total, 10, 5).unwrap();
            let sold = Sold { reservation_id: reservation_id(), currency: currency(code), parts };
            assert!(posted(pool, &sold.partner_sale(partner)).await.unwrap());
        }
        let owed = Account::PartnerReceivable("client:a".into());
        assert_eq!(balance(pool, &owed, code).await, i128::from(total));
        assert_eq!(balance(pool, &Account::HotelPayable(hotel(7)), code).await, i128::from(-2 * (total - 15)));
    }
    assert_eq!(balance(pool, &Account::HotelPayable(hotel(8)), "EUR").await, 0, "nobody has posted to it");
    // For each currency two partners, the hotel, its taxes and the commission.
    assert_eq!(count(pool, "ledger_account").await, 15);
}

#[tokio::test]
async fn what_does_not_balance_is_refused_as_a_whole() {
    let database = database().await;
    let pool = database.pool();
    let whole = sold(reservation_id()).sale(PaymentId::new());
    let changed = |change: fn(&mut Posting)| {
        let mut posting = whole.clone();
        change(&mut posting);
        posting
    };
    for (posting, name) in [
        (changed(|p| p.lines[0].minor += 1), "ledger_transaction_balances"),
        (changed(|p| drop(p.lines.pop())), "ledger_transaction_balances"),
        (changed(|p| p.lines[0].minor = 0), "ledger_entry_amount_in_range"),
        (changed(|p| p.lines[0].minor = 1_000_000_000_000_000), "ledger_entry_amount_in_range"),
        (changed(|p| p.lines.truncate(1)), "ledger_transaction_has_lines"),
        (changed(|p| p.lines.clear()), "ledger_transaction_has_lines"),
        (changed(|p| p.lines = vec![p.lines[0].clone(); 101]), "ledger_transaction_has_lines"),
    ] {
        let error = posted(pool, &posting).await.unwrap_err();
        assert_eq!(error.constraint(), Some(name), "{posting:?}");
    }
    assert_eq!((count(pool, "ledger_transaction").await, count(pool, "ledger_entry").await), (0, 0));
    assert!(posted(pool, &whole).await.unwrap());
}

#[tokio::test]
async fn racing_postings_open_each_account_once_and_each_source_posts_once() {
    let database = database().await;
    let pool = database.pool();
    let sources: Vec<_> = (0..8).map(|_| (sold(reservation_id()), PaymentId::new())).collect();
    // Four times each, from the beginning, when there is no account.
    let racing = (0..32).map(|n| {
        let (sold, payment) = sources[n % 8];
        async move { posted(pool, &sold.sale(payment)).await.unwrap() }
    });
    let done = join_all(racing).await;
    for source in 0..8 {
        assert_eq!((0..32).filter(|n| n % 8 == source && done[*n]).count(), 1);
    }
    assert_eq!((count(pool, "ledger_account").await, count(pool, "ledger_entry").await), (4, 32));
    assert_eq!(balance(pool, &Account::GuestReceivable, "EUR").await, 80_000);
}

/// Every account's sum, and what a wallet and the entries since make of it, in one snapshot.
async fn differing(pool: &PgPool) -> Result<(i64, Vec<String>), StoreError> {
    let mut snapshot = pool.begin_with("begin isolation level repeatable read read only").await?;
    let entries: i64 = sqlx::query_scalar("select count(*) from ledger_entry").fetch_one(&mut *snapshot).await?;
    let sums: Vec<(String, Option<i32>, i64)> = sqlx::query_as(
        "select kind, hotel_id, coalesce(sum(amount_minor), 0)::bigint
         from ledger_account left join ledger_entry using (account_id) group by kind, hotel_id",
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut wrong = Vec::new();
    for (kind, hotel_id, sum) in sums {
        let owner = hotel_id.map(hotel);
        let accounts = [
            Some(Account::GuestReceivable),
            Some(Account::PspClearing),
            Some(Account::CommissionRevenue),
            owner.map(Account::HotelPayable),
            owner.map(Account::TaxPayable),
        ];
        let account = accounts.into_iter().flatten().find(|account| account.kind() == kind).unwrap();
        let balance = wallets::balance(&mut *snapshot, &account, currency("EUR")).await?;
        if balance != i128::from(sum) {
            wrong.push(format!("{account:?} has {balance} for {sum}"));
        }
    }
    Ok((entries, wrong))
}

/// Posts to the same few accounts until `stop`, one transaction in three left open for a while and one in five rolled
/// back; yields how many were committed.
async fn post_on(pool: PgPool, stop: Arc<AtomicBool>, writer: i32) -> u64 {
    let mut committed = 0;
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = ReservationId::generate(hotel(1 + n % 3), jiff::Timestamp::now());
        let mut transaction = pool.begin().await.unwrap();
        let (sold, payment) = (sold(id), PaymentId::new());
        post(&mut transaction, &sold.sale(payment)).await.unwrap();
        if (n + writer) % 3 == 0 {
            // Younger transactions come and go meanwhile.
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        post(&mut transaction, &sold.charge(payment)).await.unwrap();
        if n % 5 == 4 {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
            committed += 1;
        }
    }
    committed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folding_beside_postings_counts_every_entry_once() {
    let database = database().await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(16).connect(database.url()).await.unwrap();
    let (stop, folded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..5).map(|n| tokio::spawn(post_on(pool.clone(), stop.clone(), n))).collect();
    // Three replicas, at the same wallets all the time.
    let folders: Vec<_> = (0..3)
        .map(|_| {
            let (pool, stop, folded) = (pool.clone(), stop.clone(), folded.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    folded.fetch_add(wallets::fold(&pool).await.unwrap(), Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (mut looks, mut entries) = (0, 0);
    while entries < 3000 || looks < 30 || folded.load(Ordering::Relaxed) < 200 {
        let (seen, wrong) = differing(&pool).await.unwrap();
        assert_eq!(wrong, Vec::<String>::new(), "after {seen} entries");
        (looks, entries) = (looks + 1, seen);
    }
    stop.store(true, Ordering::Relaxed);
    let committed: u64 = try_join_all(writers).await.unwrap().into_iter().sum();
    try_join_all(folders).await.unwrap();
    assert_eq!(differing(&pool).await.unwrap().1, Vec::<String>::new());
    // With nobody at work, all that was posted is in the wallets themselves, as soon as no transaction of the server's
    // other databases is older.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        wallets::fold(&pool).await.unwrap();
        let [clearing, guests] = ["PSP_CLEARING", "GUEST_RECEIVABLE"].map(|kind| {
            let sql = "select balance_minor::bigint from wallet join ledger_account using (account_id) where kind = $1";
            sqlx::query_scalar::<_, i64>(sql).bind(kind).fetch_one(&pool)
        });
        let counted = (clearing.await.unwrap(), guests.await.unwrap());
        if counted == (i64::try_from(committed).unwrap() * 10_000, 0) {
            break;
        }
        assert!(Instant::now() < deadline, "{counted:?} after {committed} payments");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_wallet_may_be_thrown_away_and_one_from_another_database_is_not_believed() {
    let database: TestDatabase = database().await;
    let pool = database.pool();
    let clearing = Account::PspClearing;
    let owed = sold(reservation_id());
    posted(pool, &owed.charge(PaymentId::new())).await.unwrap();
    wallets::fold(pool).await.unwrap();
    posted(pool, &postings::pay_out(Uuid::now_v7(), hotel(7), eur(2500))).await.unwrap();
    assert_eq!(balance(pool, &clearing, "EUR").await, 7500);
    sqlx::query("delete from wallet").execute(pool).await.unwrap();
    assert_eq!(balance(pool, &clearing, "EUR").await, 7500);
    wallets::fold(pool).await.unwrap();
    // As a dump of a database that had come further would leave it.
    sqlx::query("update wallet set counted_before = '9000000000000'::xid8, balance_minor = 1")
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(balance(pool, &clearing, "EUR").await, 7500);
    wallets::fold(pool).await.unwrap();
    assert_eq!(balance(pool, &clearing, "EUR").await, 7500);
    let ahead: i64 = sqlx::query_scalar("select count(*) from wallet where balance_minor = 1 or counted_before > pg_snapshot_xmin(pg_current_snapshot())")
        .fetch_one(pool).await.unwrap();
    assert_eq!(ahead, 0);
}
