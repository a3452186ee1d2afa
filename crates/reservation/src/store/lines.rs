//! Lines of reservations as the database keeps them: how statements read them, and what a new reservation writes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use staymesh_domain::{GuestCount, Party, RoomCount, RoomTypeId, StayDates};
use uuid::Uuid;

use super::prices::WrittenPrices;
use crate::{
    model::{NewReservation, PaymentMode},
    night::day_of,
    quote::{Quote, QuoteRecord},
    room_guest::RoomGuest,
    room_line::{RoomLine, RoomLinesError, STANDARD_PLAN},
    room_status::RoomStatus,
};

/// The columns of reservation `r` by name, its lines in their order as `lines`, its pending change as `pending`, and what
/// lines are made of as `before` while it is not carried over, see [`crate::carry_over`].
///
/// Not `r.*`: connections keep prepared statements, and PostgreSQL refuses one whose columns the migration of the next release
/// changes.
macro_rules! reservation_columns {
    () => {
        "r.reservation_id, r.owner, r.guest_name, r.guest_email, r.payment_mode, r.status, r.revision, r.version,
         r.cancellation_reason, r.currency, r.total_minor, r.retained_minor, r.content_hash, r.client_reference,
         r.hold_expire_time, r.hold_extended, r.payment_id, r.paid_at, r.create_time, r.update_time,
         (select json_agg(l order by l.room_position) from reservation_room l
               where l.hotel_id = r.hotel_id and l.reservation_id = r.reservation_id) as lines,
         case when r.pending_revision is not null then (select to_json(c) from reservation_change c
               where c.hotel_id = r.hotel_id and c.reservation_id = r.reservation_id
                   and c.revision = r.pending_revision) end as pending,
         case when r.revision is null then json_build_object('room_type_id', r.room_type_id, 'check_in', r.check_in,
             'check_out', r.check_out, 'rooms', r.rooms, 'guests', r.guests, 'price', r.price) end as before"
    };
}
pub(super) use reservation_columns;

/// [`reservation_columns`] of a statement that locks `r`, with `is_newer`: the lock waited for a change that the statement's
/// snapshot does not have. The row is then as the change left it, and its lines are as they were before.
macro_rules! locked_columns {
    () => {
        concat!(
            crate::store::lines::reservation_columns!(),
            ", r.change_xid is not null and not pg_visible_in_snapshot(r.change_xid, pg_current_snapshot()) as is_newer"
        )
    };
}
pub(super) use locked_columns;

/// A line as [`reservation_columns`] reads it, or a room in the document of a revision.
#[derive(Deserialize)]
pub(super) struct LineRecord {
    /// Absent in documents, where the place says it.
    #[serde(default)]
    pub(super) room_position: i32,
    /// The revision that dropped the room; `None` while it is part of the reservation.
    #[serde(default)]
    pub(super) dropped_revision: Option<i32>,
    room_type_id: i32,
    check_in: Date,
    check_out: Date,
    adults: i32,
    child_ages: Vec<i32>,
    price: QuoteRecord,
    /// Absent in documents, which have no personal data.
    #[serde(default)]
    pub(super) guest: Option<RoomGuest>,
    /// Absent in documents, which have what was agreed.
    #[serde(default)]
    status: Option<String>,
}

/// The rooms of a reservation that is not carried over yet: equal rooms, and their price together.
#[derive(Deserialize)]
pub(super) struct EqualRoomsRecord {
    room_type_id: i32,
    check_in: Date,
    check_out: Date,
    rooms: i32,
    guests: i32,
    price: QuoteRecord,
}

/// Why a stored line cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("{0} does not fit")]
    Column(&'static str),
    #[error("price: {0}")]
    Price(#[from] crate::quote::QuoteError),
    #[error(transparent)]
    Rooms(#[from] RoomLinesError),
}

impl EqualRoomsRecord {
    /// The lines that the database's function `write_first_revisions` will write.
    pub(super) fn lines(self) -> Result<Vec<RoomLine>, LineError> {
        let room_type_id = RoomTypeId::try_from(self.room_type_id).map_err(|_| LineError::Column("room_type_id"))?;
        let stay = StayDates::new(self.check_in, self.check_out).map_err(|_| LineError::Column("check_in"))?;
        let rooms = RoomCount::try_from(self.rooms).map_err(|_| LineError::Column("rooms"))?;
        let guests = GuestCount::try_from(self.guests).map_err(|_| LineError::Column("guests"))?;
        Ok(RoomLine::of_one_type(room_type_id, stay, rooms, guests, &Quote::try_from(self.price)?)?)
    }
}

impl TryFrom<LineRecord> for RoomLine {
    type Error = LineError;

    fn try_from(line: LineRecord) -> Result<Self, LineError> {
        Ok(Self {
            room_type_id: RoomTypeId::try_from(line.room_type_id).map_err(|_| LineError::Column("room_type_id"))?,
            stay: StayDates::new(line.check_in, line.check_out).map_err(|_| LineError::Column("check_in"))?,
            party: Party::new(line.adults, line.child_ages).map_err(|_| LineError::Column("adults"))?,
            quote: Quote::try_from(line.price)?,
            status: match line.status {
                Some(status) => RoomStatus::from_name(&status).ok_or(LineError::Column("status"))?,
                None => RoomStatus::Live,
            },
        })
    }
}

/// The document of a revision: all that was agreed, without personal data, because revisions are never erased. It is
/// persisted; a field may be added, never renamed. The database's function `first_revision` makes it of lines.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    payment_mode: &'static str,
    rooms: Vec<DocumentRoom<'a>>,
}

#[derive(Serialize)]
struct DocumentRoom<'a> {
    room_type_id: i32,
    rate_plan: &'static str,
    check_in: Date,
    check_out: Date,
    adults: i32,
    child_ages: &'a [i32],
    price: &'a RawValue,
}

impl<'a> Document<'a> {
    /// The document of these rooms, each with its price as JSON.
    pub(super) fn new(mode: PaymentMode, rooms: impl Iterator<Item = (&'a RoomLine, &'a RawValue)>) -> Self {
        let room = |(line, price): (&'a RoomLine, &'a RawValue)| DocumentRoom {
            room_type_id: line.room_type_id.get(),
            rate_plan: STANDARD_PLAN,
            check_in: line.stay.check_in(),
            check_out: line.stay.check_out(),
            adults: line.party.adults(),
            child_ages: line.party.child_ages(),
            price,
        };
        Self { payment_mode: mode.as_str(), rooms: rooms.map(room).collect() }
    }
}

/// The lines of new reservations as one array per column. Ages of children are written as PostgreSQL writes arrays,
/// because arrays of arrays must not differ in length.
#[derive(Default)]
pub(super) struct LineColumns<'a> {
    pub(super) reservations: Vec<Uuid>,
    pub(super) positions: Vec<i32>,
    pub(super) room_types: Vec<i32>,
    pub(super) check_ins: Vec<i32>,
    pub(super) check_outs: Vec<i32>,
    pub(super) adults: Vec<i32>,
    pub(super) child_ages: Vec<String>,
    pub(super) totals: Vec<i64>,
    pub(super) prices: Vec<&'a str>,
    pub(super) guests: Vec<Option<Json<&'a RoomGuest>>>,
}

impl<'a> LineColumns<'a> {
    pub(super) fn of(orders: &[&'a NewReservation], prices: &'a [WrittenPrices]) -> Self {
        let mut columns = Self::default();
        for (order, prices) in orders.iter().zip(prices) {
            columns.guests.extend(order.room_guests.iter().map(|guest| guest.as_ref().map(Json)));
            for ((position, line), price) in (1..).zip(&order.lines).zip(&prices.of_rooms) {
                columns.push(order.id.as_uuid(), position, line, price);
            }
        }
        columns
    }

    /// Adds a line, with its price as JSON.
    pub(super) fn push(&mut self, reservation: Uuid, position: i32, line: &RoomLine, price: &'a RawValue) {
        self.reservations.push(reservation);
        self.positions.push(position);
        self.room_types.push(line.room_type_id.get());
        self.check_ins.push(day_of(line.stay.check_in()));
        self.check_outs.push(day_of(line.stay.check_out()));
        self.adults.push(line.party.adults());
        let ages: Vec<_> = line.party.child_ages().iter().map(ToString::to_string).collect();
        self.child_ages.push(format!("{{{}}}", ages.join(",")));
        self.totals.push(line.quote.total.minor());
        self.prices.push(price.get());
    }
}
