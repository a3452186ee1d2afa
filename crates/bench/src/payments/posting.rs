//! Throughput of ledger postings, compared with inserts of the same rows into tables without foreign keys and triggers.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use rand::RngExt;
use sqlx::PgPool;
use staymesh_domain::{HotelId, Money, PaymentId, ReservationId};
use staymesh_ledger::{Holder, Posting, Sold, Split, post_all};
use staymesh_load::{Outcome, closed};
use staymesh_localmesh::LocalMesh;
use staymesh_store::StoreConfig;
use uuid::Uuid;

use crate::report::Row;

/// Above any number of postings in a run.
const UNLIMITED: usize = 10_000_000;

/// Number of hotels whose accounts are posted to.
const HOTELS: u16 = 1_000;
/// Concurrent connections.
const WRITERS: [usize; 2] = [1, 16];

/// Measures, in turn, transactions that post a sale and its charge and transactions that insert the same eight rows.
pub(super) async fn measure(mesh: &LocalMesh, time: Duration) -> Result<Vec<Row>> {
    let mut config = StoreConfig::new(mesh.database_url("payment")?.to_owned());
    config.database_max_connections = 16;
    let pool = staymesh_store::connect(&config)?;
    create_plain_tables(&pool).await?;
    for hotel in 1..=HOTELS {
        post_sale(&pool, &sale(hotel)?).await?;
    }
    let accounts = Accounts::load(&pool).await?;
    let mut rows = Vec::new();
    for writers in WRITERS {
        let plain = closed(writers, UNLIMITED, time, plain_sender(pool.clone(), accounts.clone())).await?;
        rows.push(Row::new("posting", "plain", writers, &plain));
        let posted = closed(writers, UNLIMITED, time, ledger_sender(pool.clone())).await?;
        rows.push(Row::new("posting", "ledger", writers, &posted));
    }
    pool.close().await;
    Ok(rows)
}

/// Tables with the columns, keys, indexes and CHECKs of the ledger, without its foreign keys and triggers.
async fn create_plain_tables(pool: &PgPool) -> Result<()> {
    for statement in [
        "create table plain_transaction (like ledger_transaction including all)",
        "create table plain_entry (like ledger_entry including all)",
    ] {
        sqlx::query(statement).execute(pool).await?;
    }
    Ok(())
}

fn sale(hotel: u16) -> Result<[Posting; 2]> {
    let reservation_id = ReservationId::generate(HotelId::try_from(i32::from(hotel))?, Timestamp::now());
    let euros = |minor| Money::from_minor(minor, "EUR".parse()?);
    let split = Split::with_commission(euros(41_409)?, euros(2_709)?, 1_500).context("the split of a sale")?;
    let sold = Sold { reservation_id, split, holder: Holder::Chain };
    let payment = PaymentId::new();
    Ok([sold.sale(payment), sold.charge(payment)])
}

async fn post_sale(pool: &PgPool, postings: &[Posting]) -> Result<()> {
    let mut transaction = pool.begin().await?;
    post_all(&mut transaction, postings).await?;
    Ok(transaction.commit().await?)
}

fn ledger_sender(pool: PgPool) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
    move |_| {
        let pool = pool.clone();
        async move { outcome(async { post_sale(&pool, &sale(any_hotel())?).await }.await) }.boxed()
    }
}

/// Account ids of the lines of a sale and its charge, by hotel; index 0 is hotel 1.
struct Accounts(Vec<[i64; 6]>);

impl Accounts {
    async fn load(pool: &PgPool) -> Result<Arc<Self>> {
        let of = async |kind: &'static str, hotel: Option<u16>| {
            let id: i64 = sqlx::query_scalar(
                "select account_id from ledger_account where kind = $1 and hotel_id is not distinct from $2",
            )
            .bind(kind)
            .bind(hotel.map(i32::from))
            .fetch_one(pool)
            .await?;
            anyhow::Ok(id)
        };
        let guest = of("GUEST_RECEIVABLE", None).await?;
        let (earned, clearing) = (of("COMMISSION_REVENUE", None).await?, of("PSP_CLEARING", None).await?);
        let mut all = Vec::new();
        for hotel in 1..=HOTELS {
            let (payable, tax) = (of("HOTEL_PAYABLE", Some(hotel)).await?, of("TAX_PAYABLE", Some(hotel)).await?);
            all.push([guest, payable, earned, tax, clearing, guest]);
        }
        Ok(Arc::new(Self(all)))
    }

    fn of(&self, hotel: u16) -> &[i64; 6] {
        &self.0[usize::from(hotel - 1)]
    }
}

fn plain_sender(
    pool: PgPool,
    accounts: Arc<Accounts>,
) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
    move |_| {
        let (pool, accounts) = (pool.clone(), accounts.clone());
        async move { outcome(insert_sale(&pool, &accounts).await) }.boxed()
    }
}

/// Inserts a sale and its charge with one statement, as a posting does.
async fn insert_sale(pool: &PgPool, accounts: &Accounts) -> Result<()> {
    let hotel = any_hotel();
    let postings = sale(hotel)?;
    let ids = [Uuid::now_v7(), Uuid::now_v7()];
    let of = |posting: &Posting| (posting.kind.as_str(), posting.source_id, posting.lines.len());
    let [(sale, source, sale_lines), (charge, _, charge_lines)] = [of(&postings[0]), of(&postings[1])];
    let lines = || ids.iter().zip(&postings).flat_map(|(id, posting)| posting.lines.iter().map(move |line| (id, line)));
    let places = (1..=sale_lines).chain(1..=charge_lines).map(i16::try_from);
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "with transaction as (
             insert into plain_transaction (transaction_id, kind, source_id, reservation_id, lines)
             values ($1, $3, $5, $6, $7), ($2, $4, $5, $6, $8)
             returning transaction_id, lines
         )
         insert into plain_entry (transaction_id, line, lines, account_id, amount_minor, currency)
         select transaction_id, line, lines, account_id, minor, 'EUR'
         from transaction join unnest($9::uuid[], $10::smallint[], $11::bigint[], $12::bigint[])
             as wanted (transaction_id, line, minor, account_id) using (transaction_id)",
    )
    .bind(ids[0])
    .bind(ids[1])
    .bind(sale)
    .bind(charge)
    .bind(source)
    .bind(postings[0].reservation_id.map(ReservationId::as_uuid))
    .bind(i16::try_from(sale_lines)?)
    .bind(i16::try_from(charge_lines)?)
    .bind(lines().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(places.collect::<Result<Vec<_>, _>>()?)
    .bind(lines().map(|(_, line)| line.minor).collect::<Vec<_>>())
    .bind(accounts.of(hotel).to_vec())
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

fn any_hotel() -> u16 {
    rand::rng().random_range(1..=HOTELS)
}

fn outcome(done: Result<()>) -> Outcome {
    match done {
        Ok(()) => Outcome::Accepted,
        Err(error) => Outcome::Error(format!("{error:#}")),
    }
}
