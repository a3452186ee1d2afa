//! Inventory that the runs sell.

use anyhow::Result;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sqlx::PgPool;
use staymesh_domain::{DateRange, HotelId, RoomTypeId, StayDates};
use staymesh_reservation::store::{InventoryChange, Store};

use crate::booking::{NIGHTS, StayRequest};

/// Hotels that [`fifty_hotels`] sells, each with one room type.
const HOTELS: i32 = 50;
/// Rooms of each of these room types.
const ROOMS: i32 = 10_000;
/// Percentage by which every room type may be overbooked.
pub const OVERBOOKING_PERCENT: i16 = 10;
/// Days from today to the first check-in.
pub const DAYS_AHEAD: i32 = 30;

/// A stay of [`NIGHTS`] nights that begins `days` after today (UTC).
///
/// # Errors
/// When the date is beyond the calendar.
pub fn stay_in(days: i32) -> Result<StayDates> {
    let today: Date = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let check_in = today.checked_add(days.days())?;
    Ok(StayDates::new(check_in, check_in.checked_add(NIGHTS.days())?)?)
}

/// Puts `rooms` rooms on sale in every night of each request.
///
/// # Errors
/// When an id is out of range or the database fails.
pub async fn put_on_sale(pool: &PgPool, requests: &[StayRequest], rooms: i32) -> Result<()> {
    let store = Store::new(pool.clone());
    for request in requests {
        let change = InventoryChange {
            room_type_id: RoomTypeId::try_from(request.room_type_id)?,
            nights: DateRange::new(request.stay.check_in(), request.stay.check_out())?,
            total_inventory: rooms,
            overbooking_percent: Some(OVERBOOKING_PERCENT),
            for_future_nights: false,
            etag: String::new(),
        };
        store.set_inventory(HotelId::try_from(request.hotel_id)?, &[change]).await?;
    }
    Ok(())
}

/// Puts one room type of 50 hotels on sale for the same nights, and returns a request for each.
///
/// # Errors
/// When the database fails.
pub async fn fifty_hotels(pool: &PgPool) -> Result<Vec<StayRequest>> {
    let stay = stay_in(DAYS_AHEAD)?;
    let requests: Vec<_> =
        (1..=HOTELS).map(|hotel| StayRequest { hotel_id: hotel, room_type_id: hotel, stay, rooms: 1 }).collect();
    put_on_sale(pool, &requests, ROOMS).await?;
    Ok(requests)
}
