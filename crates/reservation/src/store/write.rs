//! The one statement that makes bookings: takes their rooms, writes them down and tells of what partners have sold, all
//! or nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{PgExecutor, Postgres, query::QueryAs};
use staymesh_store::{Cause, StoreError};
use uuid::Uuid;

use super::nights::{Columns, day_of};
use crate::{
    model::NewReservation,
    settlement::{SOLD_BY_PARTNER, SoldByPartner},
    writer::{Demand, Night},
};

/// When each booking was made.
pub(super) type Times = BTreeMap<Uuid, Timestamp>;

/// The constraint that has the last word.
pub(super) const NOT_OVERBOOKED: &str = "room_type_inventory_not_overbooked";
/// A night of a booking was never put on sale.
pub(super) const ON_SALE: &str = "room_type_inventory_on_sale";
/// A booking exists.
pub(super) const ID_IS_UNIQUE: &str = "reservation_pkey";

/// What a booking wants.
pub(super) fn demand(order: &NewReservation) -> Demand {
    Demand {
        id: order.id.as_uuid(),
        hotel_id: order.id.hotel_id().get(),
        room_type_id: order.room_type_id.get(),
        first: day_of(order.stay.check_in()),
        end: day_of(order.stay.check_out()),
        rooms: order.rooms.get(),
    }
}

/// Makes all of the bookings, each of which is there once, or none. Tells when each was made.
///
/// # Errors
/// The constraint that refuses: [`NOT_OVERBOOKED`], [`ON_SALE`] or [`ID_IS_UNIQUE`].
pub(super) async fn write(database: impl PgExecutor<'_>, orders: &[&NewReservation]) -> Result<Times, StoreError> {
    if orders.is_empty() {
        return Ok(Times::new());
    }
    let sales = Sales::of(orders)?;
    let bound = |text| bind_nights(bind_bookings(sqlx::query_as(text), orders), orders);
    let statement = if sales.ids.is_empty() { bound(WRITE) } else { sales.bind(bound(WRITE_AND_TELL)) };
    let rows: Vec<(Uuid, jiff_sqlx::Timestamp)> = statement.fetch_all(database).await?;
    Ok(rows.into_iter().map(|(id, made)| (id, made.to_jiff())).collect())
}

type Statement<'a> = QueryAs<'a, Postgres, (Uuid, jiff_sqlx::Timestamp), sqlx::postgres::PgArguments>;

/// Rows travel as one array for each column. Times travel as microseconds since 1970, added up exactly.
fn bind_bookings<'a>(statement: Statement<'a>, orders: &[&'a NewReservation]) -> Statement<'a> {
    let ints = |of: &dyn Fn(&NewReservation) -> i32| orders.iter().map(|order| of(order)).collect::<Vec<_>>();
    let texts = |of: fn(&NewReservation) -> &str| orders.iter().map(|order| of(order)).collect::<Vec<_>>();
    statement
        .bind(orders.iter().map(|order| order.id.as_uuid()).collect::<Vec<_>>())
        .bind(texts(|order| &order.owner))
        .bind(ints(&|order| order.room_type_id.get()))
        .bind(ints(&|order| day_of(order.stay.check_in())))
        .bind(ints(&|order| day_of(order.stay.check_out())))
        .bind(ints(&|order| order.rooms.get()))
        .bind(ints(&|order| order.guests.get()))
        .bind(texts(|order| &order.guest.full_name))
        .bind(texts(|order| &order.guest.email))
        .bind(texts(|order| order.payment_mode.as_str()))
        .bind(texts(|order| &order.quote.currency))
        .bind(orders.iter().map(|order| order.quote.total_minor).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| sqlx::types::Json(&order.quote)).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.content_hash.as_slice()).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.hold_expire_time.map(Timestamp::as_microsecond)).collect::<Vec<_>>())
}

fn bind_nights<'a>(statement: Statement<'a>, orders: &[&NewReservation]) -> Statement<'a> {
    let mut rooms: BTreeMap<Night, i32> = BTreeMap::new();
    for wanted in orders.iter().map(|order| demand(order)) {
        for night in wanted.nights() {
            *rooms.entry(night).or_default() += wanted.rooms;
        }
    }
    let taken: Vec<i32> = rooms.values().copied().collect();
    let nights: Columns = rooms.into_keys().collect();
    let (first, last) = nights.span();
    let count = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    statement
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(taken)
        .bind(first)
        .bind(last)
        .bind(count)
}

/// What partners who collect have sold with some bookings, as one array for each column.
#[derive(Default)]
struct Sales {
    ids: Vec<Uuid>,
    payloads: Vec<serde_json::Value>,
    trace_parents: Vec<Option<String>>,
}

impl Sales {
    fn of(orders: &[&NewReservation]) -> Result<Self, StoreError> {
        let mut sales = Self::default();
        for order in orders {
            let summary = || "what a partner has sold cannot be written down".to_owned();
            let unwritable = || StoreError::Unexpected(Cause { sqlstate: None, summary: summary() });
            if let Some(sold) = SoldByPartner::of(order).map_err(|_| unwritable())? {
                sales.ids.push(order.id.as_uuid());
                sales.payloads.push(serde_json::to_value(&sold).map_err(|_| unwritable())?);
                sales.trace_parents.push(order.trace_parent.clone());
            }
        }
        Ok(sales)
    }

    fn bind(self, statement: Statement<'_>) -> Statement<'_> {
        statement.bind(SOLD_BY_PARTNER).bind(self.ids).bind(self.payloads).bind(self.trace_parents)
    }
}

/// Nights are locked in the order of their keys, and before anything is written: what cannot be costs little. Bookings
/// are written in the order of their ids, for whoever writes the same ids waits, and must not do so in a circle.
///
/// What is put in for `$told` comes after the bookings and sees them.
macro_rules! write_bookings {
    ($told:literal) => {
        concat!(
            "with night as materialized (
    select i.hotel_id, i.room_type_id, i.stay_date, t.rooms
    from unnest($16::integer[], $17::integer[], $18::integer[], $19::integer[]) t (hotel_id, room_type_id, day, rooms)
    join room_type_inventory i on i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id
        and i.stay_date = date '1970-01-01' + t.day
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21
    order by i.hotel_id, i.room_type_id, i.stay_date
    for no key update of i
), taken as (
    update room_type_inventory i set total_reserved = i.total_reserved + night.rooms, version = i.version + 1
    from night
    where i.hotel_id = night.hotel_id and i.room_type_id = night.room_type_id and i.stay_date = night.stay_date
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21
    returning 1
), booked as (
    insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
        guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time,
        paid_at)
    select reservation_hotel_id(id), id, owner, room_type_id, date '1970-01-01' + check_in,
        date '1970-01-01' + check_out, rooms, guests, guest_name, guest_email, payment_mode,
        case when hold is null then 'paid' else 'pending_payment' end, currency, total_minor, price, content_hash,
        timestamptz 'epoch' + hold * interval '1 microsecond', case when hold is null then now() end
    from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::jsonb[], $14::bytea[], $15::bigint[])
        o (id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name, guest_email, payment_mode, currency,
            total_minor, price, content_hash, hold)
    where require_on_sale($22, (select count(*) from taken))
    order by id
    returning reservation_id, create_time
)",
            $told,
            "
select reservation_id, create_time from booked"
        )
    };
}

const WRITE: &str = write_bookings!("");

/// Also tells of what partners have sold, in the same statement, so that there is never one without the other. For
/// bookings that guests pay there is nothing to tell, and [`WRITE`] does without.
const WRITE_AND_TELL: &str = write_bookings!(
    ", told as (
    insert into outbox (aggregate_id, kind, payload, trace_parent)
    select reservation_id, $23, payload, trace_parent
    from unnest($24::uuid[], $25::jsonb[], $26::text[]) s (reservation_id, payload, trace_parent)
    join booked using (reservation_id)
    order by reservation_id
)"
);
