//! Posting and folding, concurrently.

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

use crate::{
    Account, Holder, Posting, Sold, Split, post, post_all, postings,
    testing::{database, eur, money, reservation_id},
    wallets,
};

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn sold(reservation_id: ReservationId) -> Sold {
    Sold { reservation_id, split: split(10_000, 700, 1395, "EUR"), holder: Holder::Chain }
}

fn split(total: i64, tax: i64, commission: i64, code: &str) -> Split {
    let money = |minor| money(minor, code);
    Split::new(money(total), money(tax), money(commission)).unwrap()
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
async fn post_writes_each_kind_and_source_once() {
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
async fn post_all_skips_postings_that_exist() {
    let database = database().await;
    let pool = database.pool();
    let (first, second, payment) = (sold(reservation_id()), sold(reservation_id()), PaymentId::new());
    let other = Sold { split: split(10_000, 700, 1395, "JPY"), ..second };
    let paid = postings::payout(Uuid::now_v7(), hotel(8), eur(500));
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
async fn accounts_are_separate_by_owner_and_currency() {
    let database = database().await;
    let pool = database.pool();
    for (code, total) in [("EUR", 100), ("JPY", 200), ("KWD", 300)] {
        for partner in ["client:a", "client:b"] {
            let sold = Sold { split: split(total, 10, 5, code), ..sold(reservation_id()) };
            assert!(posted(pool, &sold.partner_sale(partner)).await.unwrap());
        }
        let owed = Account::PartnerReceivable("client:a".into());
        assert_eq!(balance(pool, &owed, code).await, i128::from(total));
        assert_eq!(balance(pool, &Account::HotelPayable(hotel(7)), code).await, i128::from(-2 * (total - 15)));
    }
    assert_eq!(balance(pool, &Account::HotelPayable(hotel(8)), "EUR").await, 0, "without postings");
    // For each currency two partners, the hotel, its taxes and the commission.
    assert_eq!(count(pool, "ledger_account").await, 15);
}

#[tokio::test]
async fn post_of_unbalanced_posting_is_rejected_as_a_whole() {
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
async fn concurrent_posts_create_each_account_and_source_once() {
    let database = database().await;
    let pool = database.pool();
    let sources: Vec<_> = (0..8).map(|_| (sold(reservation_id()), PaymentId::new())).collect();
    // Four times each, when no account exists yet.
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

/// The accounts whose balance is not the sum of their entries, in one snapshot, and the number of entries.
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

/// Posts to the same few accounts until `stop`. Keeps one transaction in three open for a while and rolls back one in five;
/// returns how many it committed.
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
async fn concurrent_folds_and_posts_count_every_entry_once() {
    let database = database().await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(16).connect(database.url()).await.unwrap();
    let (stop, folded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..5).map(|n| tokio::spawn(post_on(pool.clone(), stop.clone(), n))).collect();
    // Three replicas that fold the same wallets continuously.
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
    // Without concurrent writers all entries are in the wallets, once no older transaction is open in any database of the
    // server.
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
async fn balance_survives_deleted_and_foreign_wallets() {
    let database: TestDatabase = database().await;
    let pool = database.pool();
    let clearing = Account::PspClearing;
    let owed = sold(reservation_id());
    posted(pool, &owed.charge(PaymentId::new())).await.unwrap();
    wallets::fold(pool).await.unwrap();
    posted(pool, &postings::payout(Uuid::now_v7(), hotel(7), eur(2500))).await.unwrap();
    assert_eq!(balance(pool, &clearing, "EUR").await, 7500);
    sqlx::query("delete from wallet").execute(pool).await.unwrap();
    assert_eq!(balance(pool, &clearing, "EUR").await, 7500);
    wallets::fold(pool).await.unwrap();
    // As restored from a dump of a database with later transaction ids.
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
