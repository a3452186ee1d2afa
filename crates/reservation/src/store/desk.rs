//! The lists of the front desk: the rooms of a hotel that arrive, stay or depart on a date.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor, types::Json};
use staymesh_domain::{HotelId, Money, Party, ReservationId, RoomTypeId, StayDates};
use uuid::Uuid;

use super::{Store, Transaction, room_status::unexpected};
use crate::{
    error::ReservationError,
    model::{PaymentMode, Status},
    room_guest::RoomGuest,
    room_status::RoomStatus,
};

/// Which rooms of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeskList {
    /// Whose guests arrive, and those that should have arrived earlier and are still expected.
    Arrivals,
    /// Whose guests had checked in, and not out, when the business day of the date ended; today, until now.
    InHouse,
    /// Whose guests have checked in and depart.
    Departures,
}

/// A room of a reservation, as the front desk sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskRoom {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its position in the reservation, from 1.
    pub position: i32,
    /// Who sleeps there.
    pub guest_name: String,
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// Its nights.
    pub stay: StayDates,
    /// Who sleeps in it.
    pub party: Party,
    /// Its status.
    pub status: RoomStatus,
    /// The status of the reservation: held or paid.
    pub reservation_status: Status,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// What is to be paid before check-in.
    pub balance_due: Money,
    /// The number of the room of the hotel on the date, or in the last night before it.
    pub room_number: Option<String>,
    /// The lead guest of the room and its wishes; `None` if nothing was said.
    pub guest: Option<RoomGuest>,
}

/// Position of a room in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskPosition(Uuid, i32);

impl DeskPosition {
    /// The position of this room.
    pub fn of(room: &DeskRoom) -> Self {
        Self(room.reservation_id.as_uuid(), room.position)
    }
}

#[derive(FromRow)]
struct DeskRow {
    reservation_id: Uuid,
    room_position: i32,
    guest_name: String,
    room_type_id: i32,
    check_in: jiff_sqlx::Date,
    check_out: jiff_sqlx::Date,
    adults: i16,
    child_ages: Vec<i16>,
    status: String,
    reservation_status: String,
    payment_mode: String,
    currency: String,
    due_minor: i64,
    room_number: Option<String>,
    guest: Option<Json<RoomGuest>>,
}

impl TryFrom<DeskRow> for DeskRoom {
    type Error = ReservationError;

    fn try_from(row: DeskRow) -> Result<Self, ReservationError> {
        let wrong = |column: &str| unexpected(&format!("reservation_room.{column} does not fit"));
        let ages = row.child_ages.into_iter().map(i32::from).collect();
        let currency = row.currency.parse().map_err(|_| wrong("currency"))?;
        Ok(Self {
            reservation_id: ReservationId::try_from(row.reservation_id).map_err(|_| wrong("reservation_id"))?,
            position: row.room_position,
            guest_name: row.guest_name,
            room_type_id: RoomTypeId::try_from(row.room_type_id).map_err(|_| wrong("room_type_id"))?,
            stay: StayDates::new(row.check_in.to_jiff(), row.check_out.to_jiff()).map_err(|_| wrong("check_in"))?,
            party: Party::new(row.adults.into(), ages).map_err(|_| wrong("adults"))?,
            status: RoomStatus::from_name(&row.status).ok_or_else(|| wrong("status"))?,
            reservation_status: Status::from_name(&row.reservation_status).ok_or_else(|| wrong("status"))?,
            payment_mode: PaymentMode::from_name(&row.payment_mode).ok_or_else(|| wrong("payment_mode"))?,
            room_number: row.room_number,
            balance_due: Money::from_minor(row.due_minor, currency)?,
            guest: row.guest.map(|guest| guest.0),
        })
    }
}

/// The rooms of stays around date `$2` that fulfil a condition, after a position. A stay has at most 90 nights, so only
/// reservations that begin within 90 days before the date are read.
macro_rules! rooms {
    ($condition:literal) => {
        concat!(
            "with stay as materialized (
                 select * from reservation
                 where hotel_id = $1 and status <> 'pending_payment' and status = 'paid'
                     and check_in between $2 - 90 and $2 and check_out >= $2
                 union all
                 select * from reservation
                 where hotel_id = $1 and status = 'pending_payment' and hold_expire_time > now()
                     and check_in between $2 - 90 and $2 and check_out >= $2
             )
             select r.reservation_id, l.room_position::integer, coalesce(
                 nullif(concat_ws(' ', l.guest ->> 'given_name', l.guest ->> 'family_name'), ''), l.guest_name, r.guest_name
             ) as guest_name, l.guest, l.room_type_id,
                 l.check_in, l.check_out, l.adults, l.child_ages, l.status, r.status as reservation_status,
                 r.payment_mode, r.currency,
                 case when r.status = 'pending_payment' and r.payment_mode = 'guest_pays' then l.total_minor else 0 end
                     as due_minor,
                 (select a.room_number from room_assignment a
                  where a.hotel_id = l.hotel_id and a.reservation_id = l.reservation_id
                      and a.room_position = l.room_position and a.from_date <= $2
                      and (a.until_date > $2 or a.until_date = l.check_out)
                  order by a.from_date desc limit 1) as room_number
             from stay r
             join reservation_room l on l.hotel_id = r.hotel_id and l.reservation_id = r.reservation_id
             where (",
            $condition,
            ") and ($3::uuid is null or (r.reservation_id, l.room_position) > ($3, $4::integer))
             order by r.reservation_id, l.room_position limit $5"
        )
    };
}

const ARRIVALS: &str = rooms!(
    "l.check_in = $2 and holds_room(l.status)
     or l.check_in < $2 and l.check_out > $2 and l.status = 'live' and r.status = 'paid'"
);
/// By the business dates of what the desk recorded: guests who arrived a day late were not there the night before, and those
/// who have left since were.
const IN_HOUSE: &str = rooms!(
    "l.check_in <= $2 and l.check_out > $2 and l.status in ('in_house', 'completed') and 'in_house' = (
         select c.status from room_status_change c
         where c.hotel_id = l.hotel_id and c.reservation_id = l.reservation_id and c.room_position = l.room_position
             and c.business_date <= $2
         order by c.change_id desc limit 1)"
);
const DEPARTURES: &str = rooms!("l.check_out = $2 and l.status in ('in_house', 'completed')");

/// The rooms of a list of a hotel on a date.
async fn rooms(
    connection: impl PgExecutor<'_>,
    (list, hotel_id, date): (DeskList, HotelId, Date),
    after: Option<DeskPosition>,
    limit: i64,
) -> Result<Vec<DeskRoom>, ReservationError> {
    let sql = match list {
        DeskList::Arrivals => ARRIVALS,
        DeskList::InHouse => IN_HOUSE,
        DeskList::Departures => DEPARTURES,
    };
    let rows: Vec<DeskRow> = sqlx::query_as(sql)
        .bind(hotel_id.get())
        .bind(date.to_sqlx())
        .bind(after.map(|after| after.0))
        .bind(after.map(|after| after.1))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(DeskRoom::try_from).collect()
}

impl Store {
    /// Up to `limit` rooms of a list after `after`, ordered by reservation and room.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn desk_rooms(
        &self,
        list: DeskList,
        hotel_id: HotelId,
        date: Date,
        after: Option<DeskPosition>,
        limit: i64,
    ) -> Result<Vec<DeskRoom>, ReservationError> {
        rooms(&self.pool, (list, hotel_id, date), after, limit).await
    }
}

impl Transaction {
    /// The first `limit` rooms of a list, ordered by reservation and room.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn desk_rooms(
        &mut self,
        list: DeskList,
        hotel_id: HotelId,
        date: Date,
        limit: i64,
    ) -> Result<Vec<DeskRoom>, ReservationError> {
        rooms(&mut *self.0, (list, hotel_id, date), None, limit).await
    }
}
