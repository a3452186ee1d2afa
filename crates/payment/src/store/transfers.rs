//! Transfers: attempts to move the money of payouts.

use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use staymesh_domain::{HotelId, Money};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::payouts::{Transfer, TransferStatus};

#[derive(FromRow)]
struct Row {
    transfer_id: Uuid,
    payout_id: Uuid,
    hotel_id: i32,
    amount_minor: i64,
    currency: String,
    destination: String,
    status: String,
}

impl TryFrom<Row> for Transfer {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        Ok(Self {
            transfer_id: row.transfer_id,
            payout_id: row.payout_id,
            hotel_id: HotelId::try_from(row.hotel_id).map_err(|_| broken("hotel_id"))?,
            amount: Money::from_minor(row.amount_minor, currency).map_err(|_| broken("amount"))?,
            destination: row.destination,
            status: TransferStatus::from_name(&row.status).ok_or_else(|| broken("status"))?,
        })
    }
}

macro_rules! transfers {
    () => {
        "select transfer_id, payout_id, hotel_id, amount_minor, currency, destination, status
         from pay_out_transfer join pay_out using (payout_id) where transfer_id = $1"
    };
}

/// Finds a transfer.
///
/// # Errors
/// When the database is unavailable.
pub async fn find(executor: impl PgExecutor<'_>, transfer_id: Uuid) -> Result<Option<Transfer>, StoreError> {
    let row: Option<Row> = sqlx::query_as(transfers!()).bind(transfer_id).fetch_optional(executor).await?;
    row.map(Transfer::try_from).transpose()
}

/// Finds a transfer and locks it until the end of the transaction. Required before [`paid`] and [`failed`].
///
/// # Errors
/// When the database is unavailable or the lock times out.
pub async fn lock(connection: &mut PgConnection, transfer_id: Uuid) -> Result<Option<Transfer>, StoreError> {
    let row: Option<Row> = sqlx::query_as(concat!(transfers!(), " for update of pay_out_transfer"))
        .bind(transfer_id)
        .fetch_optional(connection)
        .await?;
    row.map(Transfer::try_from).transpose()
}

/// Inserts another transfer, to the hotel's current destination. False if the hotel has none, or another transfer is open
/// or paid.
///
/// # Errors
/// When the database is unavailable.
pub async fn insert(connection: &mut PgConnection, transfer_id: Uuid, payout_id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into pay_out_transfer (transfer_id, payout_id, attempt, destination)
         select $1, payout_id, 1 + (select count(*) from pay_out_transfer t where t.payout_id = p.payout_id), destination
         from pay_out p join hotel_destination using (hotel_id) where payout_id = $2
         on conflict do nothing",
    )
    .bind(transfer_id)
    .bind(payout_id)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records that an open transfer was paid. The caller has locked it.
///
/// # Errors
/// When the database is unavailable.
pub async fn paid(connection: &mut PgConnection, transfer_id: Uuid, psp_transfer: &str) -> Result<(), StoreError> {
    sqlx::query(
        "update pay_out_transfer set status = 'PAID', psp_transfer = $2, ended_at = now() where transfer_id = $1",
    )
    .bind(transfer_id)
    .bind(psp_transfer)
    .execute(connection)
    .await?;
    Ok(())
}

/// Records why an open transfer failed. The caller has locked it.
///
/// # Errors
/// When the database is unavailable.
pub async fn failed(
    connection: &mut PgConnection,
    transfer_id: Uuid,
    psp_transfer: Option<&str>,
    failure: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update pay_out_transfer set status = 'FAILED', psp_transfer = $2, failure = $3, ended_at = now()
         where transfer_id = $1",
    )
    .bind(transfer_id)
    .bind(psp_transfer)
    .bind(failure)
    .execute(connection)
    .await?;
    Ok(())
}

/// The payouts whose transfers have all failed, after the one given.
///
/// # Errors
/// When the database is unavailable.
pub async fn failed_payouts(
    pool: &PgPool,
    hotel: Option<HotelId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let page = sqlx::query_scalar(
        "select distinct payout_id from pay_out_transfer failed join pay_out using (payout_id)
         where status = 'FAILED' and ($1::integer is null or hotel_id = $1) and ($2::uuid is null or payout_id > $2)
             and not exists (
                 select from pay_out_transfer alive
                 where alive.payout_id = failed.payout_id and alive.status <> 'FAILED')
         order by payout_id limit $3",
    )
    .bind(hotel.map(HotelId::get))
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(page)
}
