//! Unpaid holds: who has one that others wait for, and ending those whose time is over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_mesh::telemetry;
use staymesh_store::outbox;

use super::{
    Store,
    change::{add_reserved, nights_of, told, write_changes},
    nights::{self, Columns, day_of},
    rows::ReservationRow,
};
use crate::{
    error::ReservationError,
    fault_points,
    lifecycle::{Change, Command, Decision, decide},
    model::Reservation,
    settlement::CANCELLED,
    writer::Night,
};

/// Unpaid holds of a room type that are looked at for one on a night. All of them may be on other nights, and whoever is
/// refused must not wait for tens of thousands to be read: seen to take 90 ms for 48,000.
const LOOKED_AT: i64 = 1_000;

impl Store {
    /// For each of the nights, when the earliest unpaid hold on it ends: the moment from which it is worth trying again.
    /// Nights without one are not there, nor are those whose hold is not among the first [`LOOKED_AT`] of the room type.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn earliest_holds(
        &self,
        wanted: BTreeSet<Night>,
    ) -> Result<BTreeMap<Night, Timestamp>, ReservationError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let nights: Columns = wanted.into_iter().collect();
        let rows: Vec<(i32, i32, i32, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select wanted.hotel_id, wanted.room_type_id, wanted.day, hold.hold_expire_time
             from unnest($1::integer[], $2::integer[], $3::integer[]) wanted (hotel_id, room_type_id, day)
             cross join lateral (
                 select hold_expire_time
                 from (
                     select hold_expire_time, check_in, check_out from reservation r
                     where r.hotel_id = wanted.hotel_id and r.room_type_id = wanted.room_type_id
                         and r.status = 'pending_payment' and r.hold_expire_time > now()
                     order by hold_expire_time limit $4
                 ) r
                 where check_in <= date '1970-01-01' + wanted.day and check_out > date '1970-01-01' + wanted.day
                 order by hold_expire_time limit 1
             ) hold",
        )
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(LOOKED_AT)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(hotel, room, day, end)| ((hotel, room, day), end.to_jiff())).collect())
    }

    /// As [`Self::earliest_holds`] for one night.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn earliest_hold(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        date: Date,
    ) -> Result<Option<Timestamp>, ReservationError> {
        let night = (hotel_id.get(), room_type_id.get(), day_of(date));
        Ok(self.earliest_holds(BTreeSet::from([night])).await?.remove(&night))
    }

    /// Ends holds that are over at `now`, the longest over first, all in one transaction, and tells how many. Holds that
    /// another replica is ending, or somebody is paying for at this moment, are left to them.
    ///
    /// # Errors
    /// When the database fails; then none has ended.
    pub async fn end_holds(&self, now: Timestamp, limit: i64) -> Result<usize, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        let over = lock_over(&mut transaction, now, limit).await?;
        let mut changes: Vec<(Reservation, Change)> = Vec::with_capacity(over.len());
        for booking in over {
            if let Decision::Change(change) = decide(&booking, &Command::Expire, now)? {
                changes.push((booking, change));
            }
        }
        // Most of the time.
        if changes.is_empty() {
            return Ok(0);
        }
        write_ends(&mut transaction, &changes).await?;
        fault_points::HOLDS_ENDED.before();
        transaction.commit().await?;
        fault_points::HOLDS_ENDED.after();
        Ok(changes.len())
    }
}

async fn lock_over(
    transaction: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Reservation>, ReservationError> {
    let rows: Vec<ReservationRow> = sqlx::query_as(
        "select * from reservation
         where status = 'pending_payment' and hold_expire_time <= $1
         order by hold_expire_time limit $2 for no key update skip locked",
    )
    .bind(now.to_sqlx())
    .bind(limit)
    .fetch_all(transaction)
    .await?;
    rows.into_iter().map(|row| Ok(row.try_into()?)).collect()
}

async fn write_ends(transaction: &mut PgConnection, changes: &[(Reservation, Change)]) -> Result<(), ReservationError> {
    let mut free: BTreeMap<Night, i32> = BTreeMap::new();
    for (booking, _) in changes {
        for night in nights_of(booking) {
            *free.entry(night).or_default() -= booking.rooms.get();
        }
    }
    nights::lock(transaction, free.keys().copied()).await?;
    add_reserved(transaction, &free).await?;
    let pairs: Vec<_> = changes.iter().map(|(booking, change)| (booking, change)).collect();
    write_changes(transaction, &pairs).await?;
    let trace = telemetry::trace_parent();
    let events = changes.iter().filter_map(|(booking, change)| Some(told(booking, change.settle?, trace.clone())));
    let events = events.collect::<Result<Vec<_>, _>>()?;
    outbox::enqueue_all(transaction, CANCELLED, &events).await?;
    Ok(())
}
