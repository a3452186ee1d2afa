//! Credit limits of partners, refused sales, and payments of partners.

use sqlx::{FromRow, PgConnection, PgPool};
use staymesh_domain::{Currency, Money, ReservationId};
use staymesh_ledger::{Account, wallets};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{CreditLimit, CreditRefusal, DefaultCredit, NewPartnerPayment, PartnerPayment};

/// A limit as it is stored: minor units and version.
type Stored = (Option<i64>, i32);

/// Locks the credit of a partner in a currency until the end of the transaction, and reads it. Everything that increases
/// what the partner owes holds this lock, so that what is read stays an upper bound until the transaction ends.
///
/// # Errors
/// If the database fails, or the lock is not granted in time.
pub async fn lock(
    connection: &mut PgConnection,
    partner: &str,
    currency: Currency,
    default: &DefaultCredit,
) -> Result<CreditLimit, StoreError> {
    let mut stored = lock_row(connection, partner, currency).await?;
    if stored.is_none() {
        sqlx::query("insert into partner_credit (partner, currency) values ($1, $2) on conflict do nothing")
            .bind(partner)
            .bind(currency.code())
            .execute(&mut *connection)
            .await?;
        stored = lock_row(connection, partner, currency).await?;
    }
    let stored = stored.ok_or(sqlx::Error::RowNotFound)?;
    // A statement of its own, after the lock: it sees what was committed before the lock was granted.
    limit_of(connection, partner, currency, stored, default).await
}

async fn lock_row(
    connection: &mut PgConnection,
    partner: &str,
    currency: Currency,
) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query_as(
        "select limit_minor, version from partner_credit where partner = $1 and currency = $2 for no key update",
    );
    Ok(row.bind(partner).bind(currency.code()).fetch_optional(connection).await?)
}

async fn limit_of(
    connection: &mut PgConnection,
    partner: &str,
    currency: Currency,
    (limit, version): Stored,
    default: &DefaultCredit,
) -> Result<CreditLimit, StoreError> {
    let owed = wallets::balance(&mut *connection, &Account::PartnerReceivable(partner.to_owned()), currency).await?;
    let used = i64::try_from(owed).map_err(|_| broken("balance"))?;
    Ok(CreditLimit {
        partner: partner.to_owned(),
        limit: limit.map_or(Ok(default.of(currency)), |minor| money(minor, currency))?,
        used: money(used, currency)?,
        is_default: limit.is_none(),
        version,
    })
}

/// The credit of a partner in each currency after this code that has a limit or a debt, or a default, by currency code.
/// Not locked.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &mut PgConnection,
    partner: &str,
    default: &DefaultCredit,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<CreditLimit>, StoreError> {
    let rows: Vec<(String, Option<i64>, i32)> = sqlx::query_as(
        "select currency, limit_minor, coalesce(version, 0)
         from (select currency from partner_credit where partner = $1
               union select currency from ledger_account
               where kind = 'PARTNER_RECEIVABLE' and hotel_id is null and partner = $1
               union select unnest($2::text[])) known
         left join (select * from partner_credit where partner = $1) credit using (currency)
         where $3::text is null or currency > $3
         order by currency limit $4",
    )
    .bind(partner)
    .bind(default.currencies().map(Currency::code).collect::<Vec<_>>())
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let mut limits = Vec::with_capacity(rows.len());
    for (currency, limit, version) in rows {
        let currency = currency.parse().map_err(|_| broken("currency"))?;
        limits.push(limit_of(connection, partner, currency, (limit, version), default).await?);
    }
    Ok(limits)
}

/// Sets the limit of a partner whose credit is locked.
///
/// # Errors
/// If the database fails.
pub async fn set_limit(connection: &mut PgConnection, partner: &str, limit: Money) -> Result<(), StoreError> {
    sqlx::query(
        "update partner_credit set limit_minor = $3, version = version + 1, update_time = now()
         where partner = $1 and currency = $2",
    )
    .bind(partner)
    .bind(limit.currency().code())
    .bind(limit.minor())
    .execute(connection)
    .await?;
    Ok(())
}

/// The refusal of the sale of a reservation.
///
/// # Errors
/// If the database fails.
pub async fn refusal(connection: &mut PgConnection, id: ReservationId) -> Result<Option<CreditRefusal>, StoreError> {
    let row: Option<(String, i64, i64, i64)> = sqlx::query_as(
        "select currency, amount_minor, limit_minor, used_minor from partner_sale_refusal where reservation_id = $1",
    )
    .bind(id.as_uuid())
    .fetch_optional(connection)
    .await?;
    let Some((currency, asked, limit, used)) = row else { return Ok(None) };
    let currency = currency.parse().map_err(|_| broken("currency"))?;
    let [asked, limit, used] = [asked, limit, used].map(|minor| money(minor, currency));
    Ok(Some(CreditRefusal { asked: asked?, limit: limit?, used: used? }))
}

/// Notes that the sale of a reservation is refused.
///
/// # Errors
/// If the database fails.
pub async fn refuse(
    connection: &mut PgConnection,
    id: ReservationId,
    partner: &str,
    refusal: &CreditRefusal,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into partner_sale_refusal (reservation_id, partner, currency, amount_minor, limit_minor, used_minor)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.as_uuid())
    .bind(partner)
    .bind(refusal.asked.currency().code())
    .bind(refusal.asked.minor())
    .bind(refusal.limit.minor())
    .bind(refusal.used.minor())
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct PaymentRow {
    partner_payment_id: Uuid,
    request_id: Uuid,
    partner: String,
    amount_minor: i64,
    currency: String,
    reference: String,
    keep_credit: bool,
    create_time: jiff_sqlx::Timestamp,
}

macro_rules! columns {
    () => {
        "partner_payment_id, request_id, partner, amount_minor, currency, reference, keep_credit, create_time"
    };
}

impl TryFrom<PaymentRow> for PartnerPayment {
    type Error = StoreError;

    fn try_from(row: PaymentRow) -> Result<Self, StoreError> {
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        Ok(Self {
            partner_payment_id: row.partner_payment_id,
            request: NewPartnerPayment {
                request_id: row.request_id,
                partner: row.partner,
                amount: money(row.amount_minor, currency)?,
                reference: row.reference,
                keep_credit: row.keep_credit,
            },
            create_time: row.create_time.to_jiff(),
        })
    }
}

/// The payment that a request recorded.
///
/// # Errors
/// If the database fails.
pub async fn payment_by_request(
    connection: &mut PgConnection,
    request_id: Uuid,
) -> Result<Option<PartnerPayment>, StoreError> {
    let row: Option<PaymentRow> =
        sqlx::query_as(concat!("select ", columns!(), " from partner_payment where request_id = $1"))
            .bind(request_id)
            .fetch_optional(connection)
            .await?;
    row.map(PartnerPayment::try_from).transpose()
}

/// Inserts a payment; its posting must follow in the transaction.
///
/// # Errors
/// If the database fails, or the request id was used (`partner_payment_request_key`).
pub async fn insert_payment(
    connection: &mut PgConnection,
    id: Uuid,
    new: &NewPartnerPayment,
) -> Result<PartnerPayment, StoreError> {
    let row: PaymentRow = sqlx::query_as(concat!(
        "insert into partner_payment
             (partner_payment_id, request_id, partner, amount_minor, currency, reference, keep_credit)
         values ($1, $2, $3, $4, $5, $6, $7) returning ",
        columns!()
    ))
    .bind(id)
    .bind(new.request_id)
    .bind(&new.partner)
    .bind(new.amount.minor())
    .bind(new.amount.currency().code())
    .bind(&new.reference)
    .bind(new.keep_credit)
    .fetch_one(connection)
    .await?;
    row.try_into()
}

/// Payments of a partner before this one, newest first.
///
/// # Errors
/// If the database fails.
pub async fn payments_of(
    pool: &PgPool,
    partner: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<PartnerPayment>, StoreError> {
    let rows: Vec<PaymentRow> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from partner_payment
         where partner = $1 and ($2::uuid is null or partner_payment_id < $2)
         order by partner_payment_id desc limit $3"
    ))
    .bind(partner)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(PartnerPayment::try_from).collect()
}

fn money(minor: i64, currency: Currency) -> Result<Money, StoreError> {
    Money::from_minor(minor, currency).map_err(|_| broken("amount"))
}

fn broken(what: &str) -> StoreError {
    sqlx::Error::Decode(what.into()).into()
}
