//! Taxes and fees of hotels.

use sqlx::{FromRow, PgConnection, PgPool};
use staymesh_domain::Money;

use super::stored;
use crate::{
    RateError,
    pricing::{Tax, TaxKind},
};

#[derive(FromRow)]
struct Row {
    display_name: String,
    basis_points: Option<i32>,
    per_room_night_minor: Option<i64>,
    currency_code: Option<String>,
}

/// The taxes of a hotel, in the order of the bill.
pub async fn list(pool: &PgPool, hotel_id: i32) -> Result<Vec<Tax>, RateError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select display_name, basis_points, per_room_night_minor, currency_code from tax
         where hotel_id = $1 order by position",
    )
    .bind(hotel_id)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = match row.basis_points {
                Some(basis_points) => TaxKind::BasisPoints(basis_points),
                None => TaxKind::PerRoomNight(stored(
                    row.per_room_night_minor.unwrap_or_default(),
                    &row.currency_code.unwrap_or_default(),
                )?),
            };
            Ok(Tax { display_name: row.display_name, kind })
        })
        .collect()
}

/// Replaces the taxes of a hotel whose currency is noted.
pub async fn replace(connection: &mut PgConnection, hotel_id: i32, taxes: &[Tax]) -> Result<(), sqlx::Error> {
    // Two replacements at once must not mix.
    sqlx::query("select from hotel_currency where hotel_id = $1 for no key update")
        .bind(hotel_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from tax where hotel_id = $1").bind(hotel_id).execute(&mut *connection).await?;
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
    .bind(hotel_id)
    .bind(names)
    .bind(basis_points.collect::<Vec<_>>())
    .bind(taxes.iter().map(|tax| amount(tax).map(Money::minor)).collect::<Vec<_>>())
    .bind(taxes.iter().map(|tax| amount(tax).map(|amount| amount.currency().code())).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
