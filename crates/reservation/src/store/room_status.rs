//! Arrivals and departures: the status of rooms, and table `room_status_change`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use staymesh_domain::ReservationId;
use staymesh_store::{
    Cause, StoreError,
    audit::{self, Origin},
};
use uuid::Uuid;

use super::Transaction;
use crate::{error::ReservationError, model::Reservation, room_status::RoomStatus};

/// The actor of changes that the job makes.
pub(crate) const SYSTEM: &str = "system";

impl Transaction {
    /// The business date of the latest check-in of each room, by its position.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn arrivals(&mut self, id: ReservationId) -> Result<BTreeMap<i32, Date>, ReservationError> {
        let rows: Vec<(i32, jiff_sqlx::Date)> = sqlx::query_as(
            "select distinct on (room_position) room_position::integer, business_date from room_status_change
             where hotel_id = $1 and reservation_id = $2 and status = 'in_house'
             order by room_position, change_id desc",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows.into_iter().map(|(position, date)| (position, date.to_jiff())).collect())
    }

    /// Sets the status of rooms of a reservation that is locked, by their positions, on a business date of the hotel, and
    /// moves the reservation to the end of the changes. Recorded for auditors if the request has an origin.
    ///
    /// # Errors
    /// When the database fails, or the trigger `reservation_room_legal_transition` refuses.
    pub(crate) async fn set_room_status(
        &mut self,
        booking: &Reservation,
        positions: &[i32],
        status: RoomStatus,
        today: Date,
        actor: &str,
    ) -> Result<(), ReservationError> {
        let written = sqlx::query(
            "with room as (
                 update reservation_room set status = $4
                 where hotel_id = $1 and reservation_id = $2 and room_position = any($3)
                 returning room_position
             ), moved as (
                 update reservation set update_time = now() where hotel_id = $1 and reservation_id = $2
             )
             insert into room_status_change (hotel_id, reservation_id, room_position, status, business_date, actor)
             select $1, $2, room_position, $4, $5, $6 from room order by room_position",
        )
        .bind(booking.id.hotel_id().get())
        .bind(booking.id.as_uuid())
        .bind(positions)
        .bind(status.as_str())
        .bind(today.to_sqlx())
        .bind(actor)
        .execute(&mut *self.0)
        .await?;
        if usize::try_from(written.rows_affected()) != Ok(positions.len()) {
            return Err(unexpected("a reservation has no such room").into());
        }
        if let Some(origin) = Origin::current() {
            let before: BTreeMap<_, _> =
                booking.placed_lines().map(|(position, line)| (position, line.status.as_str())).collect();
            let changed = |(position, shown): (&i32, &&'static str)| {
                (*position, if positions.contains(position) { status.as_str() } else { *shown })
            };
            let after: BTreeMap<_, _> = before.iter().map(changed).collect();
            let (before, after) = (json!({ "rooms": before }), json!({ "rooms": after }));
            let object = ("reservation", &*booking.id.to_string());
            audit::insert(&mut self.0, &origin, object, Some(&before), Some(&after)).await?;
        }
        Ok(())
    }

    /// Reservations with a room whose guests should have departed before `today` and have not checked out, without those in
    /// `skip`; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn departed(
        &mut self,
        today: Date,
        skip: &BTreeSet<Uuid>,
        limit: i64,
    ) -> Result<Vec<ReservationId>, ReservationError> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select distinct reservation_id from (
                 select reservation_id from reservation_room
                 where status = 'in_house' and check_out < $1 and reservation_id <> all ($3)
                 order by check_out limit $2
             ) departed",
        )
        .bind(today.to_sqlx())
        .bind(limit)
        .bind(skip.iter().copied().collect::<Vec<_>>())
        .fetch_all(&mut *self.0)
        .await?;
        let id = |id| ReservationId::try_from(id).map_err(|_| unexpected("reservation_id does not fit").into());
        ids.into_iter().map(id).collect()
    }
}

/// What the constraints of the tables rule out.
pub(super) fn unexpected(summary: &str) -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: summary.to_owned() })
}
