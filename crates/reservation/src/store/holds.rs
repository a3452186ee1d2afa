//! Unpaid holds: who has one that others wait for, and ending those whose time is over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_mesh::telemetry;
use staymesh_store::{StoreError, outbox};
use uuid::Uuid;

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
    service::Unpaid,
    settlement::CANCELLED,
    writer::Night,
};

/// Unpaid holds of a room type that are looked at for one on a night. All of them may be on other nights, and whoever is
/// refused must not wait for tens of thousands to be read: seen to take 90 ms for 48,000.
const LOOKED_AT: i64 = 1_000;

/// How far a look through the holds that are over has come: they are looked at by the time they end, and by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldPlace(Timestamp, Uuid);

impl HoldPlace {
    /// Before the first.
    pub const START: Self = Self(Timestamp::UNIX_EPOCH, Uuid::nil());
}

/// What became of some holds that were over.
#[derive(Debug)]
pub struct EndedHolds {
    /// How many have ended.
    pub ended: usize,
    /// Those that could not be ended, and why; without a reason when it was not tried.
    pub stuck: Vec<(Uuid, Option<ReservationError>)>,
    /// Where to go on, when there may be more.
    pub next: Option<HoldPlace>,
}

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

    /// What an account holds unpaid at `now`, but for the bookings named; none of it has an id that was made before
    /// `oldest`. Also tells when no more than `spare` rooms of it are left, if nobody pays or cancels before.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn unpaid(
        &self,
        owner: &str,
        oldest: Timestamp,
        now: Timestamp,
        but: &[Uuid],
        spare: i64,
    ) -> Result<Unpaid, ReservationError> {
        let (rooms, enough_free_at): (i64, Option<jiff_sqlx::Timestamp>) = sqlx::query_as(
            "with held as (
                 select hold_expire_time, sum(rooms) over () as rooms,
                     sum(rooms) over (order by hold_expire_time, reservation_id) as freed
                 from reservation
                 where owner = $1 and reservation_id > $2 and status = 'pending_payment' and hold_expire_time > $3
                     and reservation_id <> all ($4)
             )
             select coalesce(max(rooms), 0)::bigint, min(hold_expire_time) filter (where rooms - freed <= $5) from held",
        )
        .bind(owner)
        .bind(first_id_at(oldest))
        .bind(now.to_sqlx())
        .bind(but)
        .bind(spare)
        .fetch_one(&self.pool)
        .await?;
        Ok(Unpaid { rooms, enough_free_at: enough_free_at.map(jiff_sqlx::Timestamp::to_jiff) })
    }

    /// Ends holds behind `from` that are over at `now`, the longest over first, all in one transaction, or one by one
    /// when the database refuses one of them. One that cannot be ended keeps none of the others. Those of `aside` are
    /// passed over, and so are holds that another replica is ending, or somebody is paying for at this moment.
    ///
    /// # Errors
    /// When the database fails; then it is not known how many have ended.
    pub async fn end_holds(
        &self,
        now: Timestamp,
        from: HoldPlace,
        limit: i64,
        aside: &BTreeSet<Uuid>,
    ) -> Result<EndedHolds, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        let rows = lock_over(&mut transaction, now, from, limit).await?;
        let (mut changes, mut stuck) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut last = from;
        for row in &rows {
            last = place_of(row)?;
            if aside.contains(&last.1) {
                stuck.push((last.1, None));
                continue;
            }
            match expiry_of(row, now) {
                Ok(Some(change)) => changes.push(change),
                Ok(None) => {}
                Err(error) => stuck.push((last.1, Some(error))),
            }
        }
        let ended = match write_ends(&mut transaction, &changes).await {
            // Most of the time.
            Ok(()) if changes.is_empty() => 0,
            Ok(()) => {
                fault_points::HOLDS_ENDED.before();
                transaction.commit().await?;
                fault_points::HOLDS_ENDED.after();
                changes.len()
            }
            Err(error) if is_about_a_row(&error) => {
                transaction.rollback().await?;
                self.end_one_by_one(&changes, now, &mut stuck).await?
            }
            Err(error) => return Err(error),
        };
        let next = (i64::try_from(rows.len()) == Ok(limit)).then_some(last);
        Ok(EndedHolds { ended, stuck, next })
    }

    /// Each in a transaction of its own. Tells how many have ended.
    async fn end_one_by_one(
        &self,
        changes: &[(Reservation, Change)],
        now: Timestamp,
        stuck: &mut Vec<(Uuid, Option<ReservationError>)>,
    ) -> Result<usize, ReservationError> {
        let mut ended = 0;
        for (booking, _) in changes {
            match self.apply(booking.id, &Command::Expire, now).await {
                Ok(_) => ended += 1,
                // Somebody has its rows; the next look finds it again.
                Err(ReservationError::Store(StoreError::Timeout(_) | StoreError::Conflict(_))) => {}
                Err(error) if is_about_a_row(&error) => stuck.push((booking.id.as_uuid(), Some(error))),
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }
}

/// Ids begin with the milliseconds since 1970 at which they were made, so every id of that moment and later is greater.
fn first_id_at(time: Timestamp) -> Uuid {
    Uuid::from_u128(u128::try_from(time.as_millisecond()).unwrap_or(0) << 80)
}

/// Whether the error may be of one row alone, so that the others are worth trying without it.
fn is_about_a_row(error: &ReservationError) -> bool {
    !matches!(
        error,
        ReservationError::Store(StoreError::Unavailable(_) | StoreError::Timeout(_) | StoreError::Conflict(_))
    )
}

async fn lock_over(
    transaction: &mut PgConnection,
    now: Timestamp,
    from: HoldPlace,
    limit: i64,
) -> Result<Vec<PgRow>, ReservationError> {
    let rows = sqlx::query(
        "select * from reservation
         where status = 'pending_payment' and hold_expire_time <= $1 and (hold_expire_time, reservation_id) > ($2, $3)
         order by hold_expire_time, reservation_id limit $4 for no key update skip locked",
    )
    .bind(now.to_sqlx())
    .bind(from.0.to_sqlx())
    .bind(from.1)
    .bind(limit)
    .fetch_all(transaction)
    .await?;
    Ok(rows)
}

fn place_of(row: &PgRow) -> Result<HoldPlace, ReservationError> {
    let end: jiff_sqlx::Timestamp = row.try_get("hold_expire_time")?;
    Ok(HoldPlace(end.to_jiff(), row.try_get("reservation_id")?))
}

/// The end of a hold, read and judged by itself.
fn expiry_of(row: &PgRow, now: Timestamp) -> Result<Option<(Reservation, Change)>, ReservationError> {
    let booking = Reservation::try_from(ReservationRow::from_row(row)?)?;
    Ok(match decide(&booking, &Command::Expire, now)? {
        Decision::Change(change) => Some((booking, change)),
        _ => None,
    })
}

async fn write_ends(transaction: &mut PgConnection, changes: &[(Reservation, Change)]) -> Result<(), ReservationError> {
    if changes.is_empty() {
        return Ok(());
    }
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
