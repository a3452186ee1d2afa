//! How changes of reservations were settled (`change_settlement`).

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgExecutor};
use staymesh_domain::{Money, ReservationId};
use staymesh_store::StoreError;

use crate::model::{ChangeSettlement, PartnerTerms};

#[derive(FromRow)]
struct Row {
    revision: i32,
    dropped: bool,
    refund_minor: i64,
    currency: String,
    partner: Option<String>,
    sale_minor: Option<i64>,
    sale_tax_minor: Option<i64>,
    check_out: Option<jiff_sqlx::Date>,
}

impl TryFrom<Row> for ChangeSettlement {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        let money = |minor| Money::from_minor(minor, currency).map_err(|_| broken("amount"));
        let sale = match (row.partner, row.sale_minor, row.sale_tax_minor, row.check_out) {
            (Some(partner), Some(amount), Some(taxes), Some(check_out)) => Some(PartnerTerms {
                partner,
                amount: money(amount)?,
                taxes: money(taxes)?,
                check_out: check_out.to_jiff(),
            }),
            _ => None,
        };
        Ok(Self { revision: row.revision, refund: money(row.refund_minor)?, sale, dropped: row.dropped })
    }
}

/// The settlement of the change that makes `revision`; `None` if it is not settled.
///
/// # Errors
/// If the database fails.
pub async fn find(
    executor: impl PgExecutor<'_>,
    id: ReservationId,
    revision: i32,
) -> Result<Option<ChangeSettlement>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "select revision, dropped, refund_minor, currency, partner, sale_minor, sale_tax_minor, check_out
         from change_settlement where reservation_id = $1 and revision = $2",
    )
    .bind(id.as_uuid())
    .bind(revision)
    .fetch_optional(executor)
    .await?;
    row.map(ChangeSettlement::try_from).transpose()
}

/// Inserts the settlement of a change with the sum of the refunds that it requested, and the check-out date of the stay
/// after it.
///
/// # Errors
/// If the database fails, or the change is settled.
pub async fn insert(
    executor: impl PgExecutor<'_>,
    id: ReservationId,
    change: &ChangeSettlement,
    given: Money,
    check_out: Option<Date>,
) -> Result<(), StoreError> {
    let sale = change.sale.as_ref();
    sqlx::query(
        "insert into change_settlement (reservation_id, revision, dropped, refund_minor, currency, partner, sale_minor,
             sale_tax_minor, given_minor, check_out)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id.as_uuid())
    .bind(change.revision)
    .bind(change.dropped)
    .bind(change.refund.minor())
    .bind(change.refund.currency().code())
    .bind(sale.map(|terms| &terms.partner))
    .bind(sale.map(|terms| terms.amount.minor()))
    .bind(sale.map(|terms| terms.taxes.minor()))
    .bind(given.minor())
    .bind(check_out.map(ToSqlx::to_sqlx))
    .execute(executor)
    .await?;
    Ok(())
}
