//! Table `tax`: taxes and fees of hotels.

use sqlx::{FromRow, PgConnection, PgExecutor};
use staymesh_domain::{HotelId, Money};

use super::stored_money;
use crate::{
    error::RateError,
    model::{Tax, TaxKind},
};

#[derive(FromRow)]
struct Row {
    display_name: String,
    basis_points: Option<i32>,
    per_room_night_minor: Option<i64>,
    currency_code: Option<String>,
}

/// The taxes of a hotel, in the order of the bill.
pub(crate) async fn list(executor: impl PgExecutor<'_>, hotel_id: HotelId) -> Result<Vec<Tax>, RateError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select display_name, basis_points, per_room_night_minor, currency_code from tax
         where hotel_id = $1 order by position",
    )
    .bind(hotel_id.get())
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(Row::tax).collect()
}

impl Row {
    /// # Errors
    /// [`RateError::StoredTax`] and [`RateError::StoredAmount`], which constraints of the table rule out.
    fn tax(self) -> Result<Tax, RateError> {
        let kind = match (self.basis_points, self.per_room_night_minor, self.currency_code) {
            (Some(basis_points), None, None) => TaxKind::BasisPoints(basis_points),
            (None, Some(minor), Some(currency_code)) => TaxKind::PerRoomNight(stored_money(minor, &currency_code)?),
            _ => return Err(RateError::StoredTax),
        };
        Ok(Tax { display_name: self.display_name, kind })
    }
}

/// Locks the taxes of a hotel that has a row in `hotel_currency`, until the transaction ends. Yields their version.
pub(crate) async fn lock(connection: &mut PgConnection, hotel_id: HotelId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select tax_version from hotel_currency where hotel_id = $1 for no key update")
        .bind(hotel_id.get())
        .fetch_one(connection)
        .await
}

/// Adds one to the version of the taxes, which are locked.
pub(crate) async fn next_version(connection: &mut PgConnection, hotel_id: HotelId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "update hotel_currency set tax_version = tax_version + 1 where hotel_id = $1 returning tax_version",
    )
    .bind(hotel_id.get())
    .fetch_one(connection)
    .await
}

/// The version of the taxes of a hotel; 0 before the first.
pub(crate) async fn version(connection: &mut PgConnection, hotel_id: HotelId) -> Result<i64, sqlx::Error> {
    let version = sqlx::query_scalar("select tax_version from hotel_currency where hotel_id = $1")
        .bind(hotel_id.get())
        .fetch_optional(connection)
        .await?;
    Ok(version.unwrap_or_default())
}

/// Replaces all taxes of a hotel, which are locked.
pub(crate) async fn replace(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    taxes: &[Tax],
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from tax where hotel_id = $1").bind(hotel_id.get()).execute(&mut *connection).await?;
    let names: Vec<_> = taxes.iter().map(|tax| &*tax.display_name).collect();
    let basis_points = taxes.iter().map(|tax| match tax.kind {
        TaxKind::BasisPoints(basis_points) => Some(basis_points),
        TaxKind::PerRoomNight(_) => None,
    });
    let amount = |tax: &Tax| match tax.kind {
        TaxKind::BasisPoints(_) => None,
        TaxKind::PerRoomNight(amount) => Some(amount),
    };
    sqlx::query(
        "insert into tax (hotel_id, position, display_name, basis_points, per_room_night_minor, currency_code)
         select $1, place, name, points, amount, currency
         from unnest($2::text[], $3::integer[], $4::bigint[], $5::text[]) with ordinality
              as line (name, points, amount, currency, place)",
    )
    .bind(hotel_id.get())
    .bind(names)
    .bind(basis_points.collect::<Vec<_>>())
    .bind(taxes.iter().map(|tax| amount(tax).map(Money::minor)).collect::<Vec<_>>())
    .bind(taxes.iter().map(|tax| amount(tax).map(|amount| amount.currency().code())).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
