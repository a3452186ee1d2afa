//! Table `room_assignment`: which room guests get in which nights.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use staymesh_domain::{HotelId, ReservationId, RoomId, RoomTypeId};
use staymesh_store::{
    ResultExt,
    audit::{self, Origin},
};
use uuid::Uuid;

use super::{Store, Transaction, room_status::unexpected};
use crate::error::ReservationError;

/// A room for guests of a reservation, in the nights from `from` until the day before `until`.
///
/// Its JSON is in the column `out_of_order.removed_assignments`: a field may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// The position of its room in the reservation, from 1.
    pub position: i32,
    /// The room.
    pub room_id: RoomId,
    /// Its number when it was assigned.
    pub room_number: String,
    /// Its type when it was assigned.
    pub room_type_id: RoomTypeId,
    /// The first night.
    pub from: Date,
    /// The date after the last night.
    pub until: Date,
}

#[derive(FromRow)]
struct AssignmentRow {
    reservation_id: Uuid,
    room_position: i16,
    room_id: i32,
    room_number: String,
    room_type_id: i32,
    from_date: jiff_sqlx::Date,
    until_date: jiff_sqlx::Date,
}

impl TryFrom<AssignmentRow> for Assignment {
    type Error = ReservationError;

    fn try_from(row: AssignmentRow) -> Result<Self, ReservationError> {
        let wrong = |column: &str| unexpected(&format!("room_assignment.{column} does not fit"));
        Ok(Self {
            reservation_id: ReservationId::try_from(row.reservation_id).map_err(|_| wrong("reservation_id"))?,
            position: row.room_position.into(),
            room_id: RoomId::try_from(row.room_id).map_err(|_| wrong("room_id"))?,
            room_number: row.room_number,
            room_type_id: RoomTypeId::try_from(row.room_type_id).map_err(|_| wrong("room_type_id"))?,
            from: row.from_date.to_jiff(),
            until: row.until_date.to_jiff(),
        })
    }
}

macro_rules! assignments {
    ($condition:literal) => {
        concat!(
            "select reservation_id, room_position, room_id, room_number, room_type_id, from_date, until_date
             from room_assignment where ",
            $condition,
            " order by reservation_id, room_position, from_date"
        )
    };
}

const OF_RESERVATION: &str = assignments!("hotel_id = $1 and reservation_id = $2");

impl Store {
    /// The assignments of a reservation, by position and date.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn assignments(&self, id: ReservationId) -> Result<Vec<Assignment>, ReservationError> {
        let rows: Vec<AssignmentRow> =
            sqlx::query_as(OF_RESERVATION).bind(id.hotel_id().get()).bind(id.as_uuid()).fetch_all(&self.pool).await?;
        rows.into_iter().map(Assignment::try_from).collect()
    }
}

impl Transaction {
    /// Makes this the only transaction that assigns or blocks rooms of the hotel, so that one that assigns many does not fail
    /// by another. Taken before reservations are locked.
    ///
    /// # Errors
    /// When the database fails, or the lock is not granted in time.
    pub(crate) async fn lock_assignments(&mut self, hotel_id: HotelId) -> Result<(), ReservationError> {
        sqlx::query("select pg_advisory_xact_lock(hashtext('room_assignment'), $1)")
            .bind(hotel_id.get())
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// The assignments of a reservation, by position and date.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn assignments(&mut self, id: ReservationId) -> Result<Vec<Assignment>, ReservationError> {
        let rows: Vec<AssignmentRow> =
            sqlx::query_as(OF_RESERVATION).bind(id.hotel_id().get()).bind(id.as_uuid()).fetch_all(&mut *self.0).await?;
        rows.into_iter().map(Assignment::try_from).collect()
    }

    /// The assignments of a hotel that overlap the nights from `from` until the day before `until`, of one room or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn assigned_rooms(
        &mut self,
        hotel_id: HotelId,
        room_id: Option<RoomId>,
        (from, until): (Date, Date),
    ) -> Result<Vec<Assignment>, ReservationError> {
        // In the terms of the constraint, whose index answers it.
        let rows: Vec<AssignmentRow> = sqlx::query_as(assignments!(
            "int4range(hotel_id, hotel_id, '[]') && int4range($1, $1, '[]')
             and int4range(room_id, room_id, '[]') && int4range($2, $2, '[]')
             and daterange(from_date, until_date) && daterange($3, $4)"
        ))
        .bind(hotel_id.get())
        .bind(room_id.map(RoomId::get))
        .bind(from.to_sqlx())
        .bind(until.to_sqlx())
        .fetch_all(&mut *self.0)
        .await?;
        rows.into_iter().map(Assignment::try_from).collect()
    }

    /// Frees the room of a locked reservation from a date on: the nights before it keep their room. Yields whether there was
    /// one.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn free_room(
        &mut self,
        id: ReservationId,
        position: i32,
        from: Date,
    ) -> Result<bool, ReservationError> {
        let freed: i64 = sqlx::query_scalar(
            "with ended as (
                 delete from room_assignment
                 where hotel_id = $1 and reservation_id = $2 and room_position = $3 and from_date >= $4
                 returning 1
             ), shortened as (
                 update room_assignment set until_date = $4
                 where hotel_id = $1 and reservation_id = $2 and room_position = $3 and from_date < $4
                     and until_date > $4
                 returning 1
             )
             select (select count(*) from ended) + (select count(*) from shortened)",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(position)
        .bind(from.to_sqlx())
        .fetch_one(&mut *self.0)
        .await?;
        Ok(freed > 0)
    }

    /// Removes one assignment; the nights before `keep_until` keep the room.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn remove_assignment(
        &mut self,
        assignment: &Assignment,
        keep_until: Date,
    ) -> Result<(), ReservationError> {
        let sql = if keep_until > assignment.from {
            "update room_assignment set until_date = $5
             where hotel_id = $1 and reservation_id = $2 and room_position = $3 and from_date = $4"
        } else {
            "delete from room_assignment
             where hotel_id = $1 and reservation_id = $2 and room_position = $3 and from_date = $4 and $5::date is not null"
        };
        sqlx::query(sql)
            .bind(assignment.reservation_id.hotel_id().get())
            .bind(assignment.reservation_id.as_uuid())
            .bind(assignment.position)
            .bind(assignment.from.to_sqlx())
            .bind(keep_until.to_sqlx())
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Assigns rooms of one hotel for nights in which the guests have none.
    ///
    /// # Errors
    /// [`ReservationError::RoomAssigned`], which names the first room, when a room has other guests in one of the nights.
    pub(crate) async fn assign_rooms(&mut self, assignments: &[Assignment]) -> Result<(), ReservationError> {
        let Some(first) = assignments.first() else { return Ok(()) };
        let column = |value: fn(&Assignment) -> i32| assignments.iter().map(value).collect::<Vec<_>>();
        let days = |value: fn(&Assignment) -> Date| assignments.iter().map(|a| value(a).to_sqlx()).collect::<Vec<_>>();
        sqlx::query(
            "insert into room_assignment
                 (hotel_id, reservation_id, room_position, room_id, room_number, room_type_id, from_date, until_date)
             select $1, * from unnest($2::uuid[], $3::integer[], $4::integer[], $5::text[], $6::integer[], $7::date[], $8::date[])",
        )
        .bind(first.reservation_id.hotel_id().get())
        .bind(assignments.iter().map(|a| a.reservation_id.as_uuid()).collect::<Vec<_>>())
        .bind(column(|a| a.position))
        .bind(column(|a| a.room_id.get()))
        .bind(assignments.iter().map(|a| a.room_number.as_str()).collect::<Vec<_>>())
        .bind(column(|a| a.room_type_id.get()))
        .bind(days(|a| a.from))
        .bind(days(|a| a.until))
        .execute(&mut *self.0)
        .await
        .on_constraint("room_assignment_overlap_excl", |_| ReservationError::RoomAssigned { room_id: first.room_id })?;
        Ok(())
    }

    /// Records for auditors which room each of these rooms of reservations has from a date on, `None` for none, and moves the
    /// reservations, which are locked, to the end of the changes.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn record_assignments(
        &mut self,
        hotel_id: HotelId,
        changed: &[(ReservationId, i32, Option<RoomId>, Date)],
    ) -> Result<(), ReservationError> {
        let ids: Vec<Uuid> = changed.iter().map(|(id, ..)| id.as_uuid()).collect();
        sqlx::query("update reservation set update_time = now() where hotel_id = $1 and reservation_id = any($2)")
            .bind(hotel_id.get())
            .bind(ids)
            .execute(&mut *self.0)
            .await?;
        let Some(origin) = Origin::current() else { return Ok(()) };
        let shown = |(id, position, room_id, from): &(ReservationId, i32, Option<RoomId>, Date)| {
            (id.to_string(), json!({ "position": position, "room_id": room_id.map(RoomId::get), "from_date": from }))
        };
        let after: Vec<_> = changed.iter().map(shown).collect();
        audit::insert_many(&mut self.0, &origin, "room_assignment", &after).await?;
        Ok(())
    }
}
