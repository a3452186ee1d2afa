//! Partner sales.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, PgPool};
use staymesh_domain::{Money, ReservationId};
use staymesh_ledger::Split;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{PartnerSale, PartnerTerms};

#[derive(FromRow)]
struct Row {
    reservation_id: Uuid,
    revision: i32,
    partner: String,
    amount_minor: i64,
    currency: String,
    tax_minor: i64,
    commission_minor: i64,
    check_out: jiff_sqlx::Date,
    credited_minor: i64,
    created_at: jiff_sqlx::Timestamp,
    cancelled_at: Option<jiff_sqlx::Timestamp>,
}

macro_rules! columns {
    () => {
        "reservation_id, revision, partner, amount_minor, currency, tax_minor, commission_minor, check_out, \
         credited_minor, created_at, cancelled_at"
    };
}

impl TryFrom<Row> for PartnerSale {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        let money = |minor| Money::from_minor(minor, currency).map_err(|_| broken("amount"));
        Ok(Self {
            reservation_id: ReservationId::try_from(row.reservation_id).map_err(|_| broken("reservation_id"))?,
            revision: row.revision,
            terms: PartnerTerms {
                partner: row.partner,
                amount: money(row.amount_minor)?,
                taxes: money(row.tax_minor)?,
                check_out: row.check_out.to_jiff(),
            },
            split: Split::new(money(row.amount_minor)?, money(row.tax_minor)?, money(row.commission_minor)?)
                .ok_or_else(|| broken("split"))?,
            credited: money(row.credited_minor)?,
            create_time: row.created_at.to_jiff(),
            cancel_time: row.cancelled_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

/// Inserts a sale; `false` if the reservation has one. If a concurrent transaction inserts the same sale, waits for its
/// end.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    connection: &mut PgConnection,
    id: ReservationId,
    terms: &PartnerTerms,
    split: Split,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into partner_sale
             (reservation_id, hotel_id, partner, amount_minor, currency, tax_minor, commission_minor, check_out)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (reservation_id) do nothing",
    )
    .bind(id.as_uuid())
    .bind(id.hotel_id().get())
    .bind(&terms.partner)
    .bind(terms.amount.minor())
    .bind(terms.amount.currency().code())
    .bind(split.tax().minor())
    .bind(split.commission().minor())
    .bind(terms.check_out.to_sqlx())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The sale of a reservation, locked until the end of the transaction.
///
/// # Errors
/// If the database fails, or holds amounts that do not fit together.
pub async fn lock(connection: &mut PgConnection, id: ReservationId) -> Result<Option<PartnerSale>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(concat!("select ", columns!(), " from partner_sale where reservation_id = $1 for update"))
            .bind(id.as_uuid())
            .fetch_optional(connection)
            .await?;
    row.map(PartnerSale::try_from).transpose()
}

/// Marks a locked sale as cancelled with this credit.
///
/// # Errors
/// If the database fails or a constraint refuses the credit.
pub async fn cancel(
    connection: &mut PgConnection,
    id: ReservationId,
    credited: Money,
) -> Result<PartnerSale, StoreError> {
    let row: Row = sqlx::query_as(concat!(
        "update partner_sale set cancelled_at = now(), credited_minor = $2 where reservation_id = $1 returning ",
        columns!()
    ))
    .bind(id.as_uuid())
    .bind(credited.minor())
    .fetch_one(connection)
    .await?;
    row.try_into()
}

/// Sales of a partner, ordered by day of departure, within the half-open range of days and after the cursor.
///
/// # Errors
/// If the database fails.
pub async fn of_partner(
    pool: &PgPool,
    partner: &str,
    (from, until): (Option<Date>, Option<Date>),
    after: Option<(Date, Uuid)>,
    limit: i64,
) -> Result<Vec<PartnerSale>, StoreError> {
    let (after_day, after_id) = after.unzip();
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from partner_sale
         where partner = $1 and ($2::date is null or check_out >= $2) and ($3::date is null or check_out < $3)
             and ($4::date is null or (check_out, reservation_id) > ($4, $5))
         order by check_out, reservation_id limit $6"
    ))
    .bind(partner)
    .bind(from.map(ToSqlx::to_sqlx))
    .bind(until.map(ToSqlx::to_sqlx))
    .bind(after_day.map(ToSqlx::to_sqlx))
    .bind(after_id)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(PartnerSale::try_from).collect()
}
