//! Changes of partner sales (`partner_sale_change`).

use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection};
use staymesh_domain::{Money, ReservationId};
use staymesh_ledger::Split;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{PartnerSale, PartnerTerms, SaleState};

/// When a change of a sale was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the reservation applied it.
    Amended,
    /// After it was applied or dropped.
    Settled,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Amended => "AMENDED",
            Self::Settled => "SETTLED",
        }
    }
}

#[derive(FromRow)]
struct Row {
    amount_minor: i64,
    tax_minor: i64,
    commission_minor: i64,
    check_out: jiff_sqlx::Date,
}

/// The sale before or after a recorded change, for the partner and in the currency of `sale`.
fn state(row: &Row, sale: &PartnerSale) -> Result<SaleState, StoreError> {
    let broken = || StoreError::from(sqlx::Error::Decode("partner_sale_change".into()));
    let money = |minor| Money::from_minor(minor, sale.terms.amount.currency()).map_err(|_| broken());
    let (amount, taxes) = (money(row.amount_minor)?, money(row.tax_minor)?);
    let split = Split::new(amount, taxes, money(row.commission_minor)?).ok_or_else(broken)?;
    let (partner, check_out) = (sale.terms.partner.clone(), row.check_out.to_jiff());
    Ok(SaleState { terms: PartnerTerms { partner, amount, taxes, check_out }, split })
}

/// The sale after the change of this revision and stage; `None` if none was recorded.
///
/// # Errors
/// If the database fails.
pub async fn after(
    connection: &mut PgConnection,
    sale: &PartnerSale,
    revision: i32,
    stage: Stage,
) -> Result<Option<SaleState>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "select amount_minor, tax_minor, commission_minor, check_out from partner_sale_change
         where reservation_id = $1 and revision = $2 and stage = $3",
    )
    .bind(sale.reservation_id.as_uuid())
    .bind(revision)
    .bind(stage.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| state(&row, sale)).transpose()
}

/// The sale before the change of this revision was recorded, or before the first change; `None` if there is no such change.
///
/// # Errors
/// If the database fails.
pub async fn before(
    connection: &mut PgConnection,
    sale: &PartnerSale,
    revision: Option<i32>,
) -> Result<Option<SaleState>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "select before_amount_minor as amount_minor, before_tax_minor as tax_minor,
             before_commission_minor as commission_minor, before_check_out as check_out
         from partner_sale_change where reservation_id = $1 and revision = coalesce($2, revision)
         order by revision, stage limit 1",
    )
    .bind(sale.reservation_id.as_uuid())
    .bind(revision)
    .fetch_optional(connection)
    .await?;
    row.map(|row| state(&row, sale)).transpose()
}

/// Sets a locked sale to `after`, as the change of this revision and stage, and returns the id of the change.
///
/// # Errors
/// If the database fails, or a constraint refuses the terms.
pub async fn record(
    connection: &mut PgConnection,
    sale: &PartnerSale,
    revision: i32,
    stage: Stage,
    after: &SaleState,
) -> Result<Uuid, StoreError> {
    let change_id = Uuid::now_v7();
    let id: ReservationId = sale.reservation_id;
    sqlx::query(
        "with changed as (
             update partner_sale set revision = $3, amount_minor = $5, tax_minor = $6, commission_minor = $7, check_out = $8
             where reservation_id = $2)
         insert into partner_sale_change (change_id, reservation_id, revision, stage, amount_minor, tax_minor,
             commission_minor, check_out, before_amount_minor, before_tax_minor, before_commission_minor, before_check_out)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(change_id)
    .bind(id.as_uuid())
    .bind(revision)
    .bind(stage.as_str())
    .bind(after.terms.amount.minor())
    .bind(after.split.tax().minor())
    .bind(after.split.commission().minor())
    .bind(after.terms.check_out.to_sqlx())
    .bind(sale.terms.amount.minor())
    .bind(sale.split.tax().minor())
    .bind(sale.split.commission().minor())
    .bind(sale.terms.check_out.to_sqlx())
    .execute(connection)
    .await?;
    Ok(change_id)
}
