//! A change of inventory by staff, and the statements that carry it out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{DateRange, HotelId, RoomTypeId};
use staymesh_store::ResultExt;

use super::inventory_version;
use crate::error::{BelowReserved, ReservationError};

/// Overbooking of a night when neither its change nor the plan of its room type names one, in percent (R10).
const DEFAULT_OVERBOOKING: i16 = 10;

/// A change of the inventory of a range of nights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryChange {
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// The nights.
    pub nights: DateRange,
    /// Rooms on sale, 0 to 10,000.
    pub total_inventory: i32,
    /// Overbooking, 0 to 100 percent of the rooms on sale. `None` leaves existing nights and the plan as they are; new
    /// nights get that of the room type's plan, or [`DEFAULT_OVERBOOKING`] without a plan.
    pub overbooking_percent: Option<i16>,
    /// Whether the daily job applies it to nights that come within the horizon.
    pub for_future_nights: bool,
    /// The [`inventory_etag`] that it is based on; empty accepts any version.
    pub etag: String,
}

/// The etag of a version of the inventory of a room type.
pub(super) fn inventory_etag(room_type_id: RoomTypeId, version: i64) -> String {
    format!("i{:x}-{version:x}", room_type_id.get())
}

/// From the first night that changes name to the day after the last; `None` without changes.
pub(super) fn span(changes: &[InventoryChange]) -> Option<(Date, Date)> {
    let from = changes.iter().map(|change| change.nights.from()).min()?;
    Some((from, changes.iter().map(|change| change.nights.until()).max()?))
}

/// The weekdays of a range as `isodow` numbers them.
pub(super) fn weekday_numbers(nights: DateRange) -> Vec<i32> {
    let contains = |day: &i8| {
        jiff::civil::Weekday::from_monday_one_offset(*day).is_ok_and(|weekday| nights.weekdays().contains(weekday))
    };
    (1..=7).filter(contains).map(i32::from).collect()
}

/// Optimistic concurrency control: each etag of a change, unless it is empty, must be that of the version.
pub(super) fn require_etags<'a>(
    etags: impl IntoIterator<Item = (RoomTypeId, &'a str)>,
    versions: &BTreeMap<RoomTypeId, i64>,
) -> Result<(), ReservationError> {
    let current = etags.into_iter().all(|(room_type_id, etag)| {
        let version = versions.get(&room_type_id);
        etag.is_empty() || version.is_some_and(|version| etag == inventory_etag(room_type_id, *version))
    });
    if current { Ok(()) } else { Err(ReservationError::EtagMismatch) }
}

/// Sets the nights of a change; stop-sell and rooms out of order stay. Yields how many of them changed.
pub(super) async fn set_nights(
    transaction: &mut PgConnection,
    hotel_id: HotelId,
    change: &InventoryChange,
) -> Result<u64, ReservationError> {
    let weekdays = weekday_numbers(change.nights);
    if let Some(night) = first_below_reserved(transaction, hotel_id, change, &weekdays).await? {
        return Err(ReservationError::BelowReserved(Some(night)));
    }
    let done = sqlx::query(
        "insert into room_type_inventory as i (hotel_id, room_type_id, stay_date, total_inventory, overbooking_percent,
             stop_sell, out_of_order)
         select $1, $2, night::date, $5, coalesce($6, (
                 select overbooking_percent from inventory_plan where hotel_id = $1 and room_type_id = $2), $8),
             night::date in (select stay_date from stop_sell_ahead where hotel_id = $1 and room_type_id = $2),
             rooms_out_of_order($1, $2, night::date)
         from generate_series($3::date, $4::date - 1, interval '1 day') night
         where extract(isodow from night)::integer = any($7)
         order by night
         on conflict (hotel_id, room_type_id, stay_date) do update
         set total_inventory = excluded.total_inventory, overbooking_percent = coalesce($6, i.overbooking_percent),
             version = i.version + 1
         where (i.total_inventory, i.overbooking_percent)
             is distinct from (excluded.total_inventory, coalesce($6, i.overbooking_percent))",
    )
    .bind(hotel_id.get())
    .bind(change.room_type_id.get())
    .bind(change.nights.from().to_sqlx())
    .bind(change.nights.until().to_sqlx())
    .bind(change.total_inventory)
    .bind(change.overbooking_percent)
    .bind(weekdays)
    .bind(DEFAULT_OVERBOOKING)
    .execute(transaction)
    .await
    .on_constraint("room_type_inventory_not_overbooked", |_| ReservationError::BelowReserved(None))?;
    Ok(done.rows_affected())
}

/// The first night, of those that are locked, in which more rooms are reserved than the change gives it.
async fn first_below_reserved(
    transaction: &mut PgConnection,
    hotel_id: HotelId,
    change: &InventoryChange,
    weekdays: &[i32],
) -> Result<Option<BelowReserved>, ReservationError> {
    let night: Option<(jiff_sqlx::Date, i32, i32)> = sqlx::query_as(
        "select stay_date, total_reserved, $5::integer * (100 + coalesce($6::smallint, overbooking_percent)) / 100
         from room_type_inventory
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
             and extract(isodow from stay_date)::integer = any($7)
             and total_reserved * 100 > $5::integer * (100 + coalesce($6::smallint, overbooking_percent))
         order by stay_date limit 1",
    )
    .bind(hotel_id.get())
    .bind(change.room_type_id.get())
    .bind(change.nights.from().to_sqlx())
    .bind(change.nights.until().to_sqlx())
    .bind(change.total_inventory)
    .bind(change.overbooking_percent)
    .bind(weekdays)
    .fetch_optional(transaction)
    .await?;
    Ok(night.map(|(date, reserved, asked)| BelowReserved { stay_date: date.to_jiff(), reserved, asked }))
}

/// Makes a change the plan of its room type. Yields 1 if that changed the plan, or else 0.
pub(super) async fn set_plan(
    transaction: &mut PgConnection,
    hotel_id: HotelId,
    change: &InventoryChange,
) -> Result<u64, ReservationError> {
    let done = sqlx::query(
        "insert into inventory_plan as p (hotel_id, room_type_id, total_inventory, overbooking_percent, next_date)
         values ($1, $2, $3, coalesce($4, $6), $5)
         on conflict (hotel_id, room_type_id) do update
         set total_inventory = excluded.total_inventory, overbooking_percent = coalesce($4, p.overbooking_percent),
             next_date = greatest(p.next_date, excluded.next_date)
         where (p.total_inventory, p.overbooking_percent)
                 is distinct from (excluded.total_inventory, coalesce($4, p.overbooking_percent))
             or p.next_date < excluded.next_date",
    )
    .bind(hotel_id.get())
    .bind(change.room_type_id.get())
    .bind(change.total_inventory)
    .bind(change.overbooking_percent)
    .bind(change.nights.until().to_sqlx())
    .bind(DEFAULT_OVERBOOKING)
    .execute(transaction)
    .await?;
    Ok(done.rows_affected())
}

/// Locks the existing nights in key order, as bookings do, before they are updated in another order.
pub(super) async fn lock_nights(
    transaction: &mut PgConnection,
    hotel_id: HotelId,
    room_types: &BTreeSet<RoomTypeId>,
    from: Date,
    until: Date,
) -> Result<(), ReservationError> {
    sqlx::query(
        "select from room_type_inventory
         where hotel_id = $1 and room_type_id = any($2) and stay_date >= $3 and stay_date < $4
         order by room_type_id, stay_date for no key update",
    )
    .bind(hotel_id.get())
    .bind(inventory_version::ids(room_types))
    .bind(from.to_sqlx())
    .bind(until.to_sqlx())
    .execute(transaction)
    .await?;
    Ok(())
}
