//! Unpaid holds: when the next one on a night expires, and which have expired.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Store, Transaction,
    lines::locked_columns,
    nights::Columns,
    rows::{ReservationRow, some_are_newer_than_lines},
};
use crate::{error::ReservationError, model::Reservation, night::Night};

/// Most unpaid holds of a hotel that are scanned for one on a night. All of them may be for other nights, and a
/// refusal must not wait for tens of thousands of rows: 48,000 took 90 ms.
const SCAN_LIMIT: i64 = 1_000;

/// A position in the expired holds, which are read in the order of their expiry, then of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldCursor(Timestamp, Uuid);

impl HoldCursor {
    /// Before the first.
    pub const START: Self = Self(Timestamp::UNIX_EPOCH, Uuid::nil());

    /// The id of the hold at this position.
    pub(crate) const fn reservation_id(self) -> Uuid {
        self.1
    }
}

/// An expired hold whose row is locked. The row is decoded on demand: one that does not decode must not fail the others.
pub(crate) struct LockedHold {
    /// Its position.
    pub(crate) cursor: HoldCursor,
    row: PgRow,
}

impl LockedHold {
    /// The reservation.
    ///
    /// # Errors
    /// When a column does not decode.
    pub(crate) fn reservation(&self) -> Result<Reservation, ReservationError> {
        Ok(Reservation::try_from(ReservationRow::from_row(&self.row)?)?)
    }
}

impl Store {
    /// When the earliest unpaid hold on each of the nights expires, after which a retry may succeed. Absent are nights
    /// without a hold, and those whose hold is not among the first [`SCAN_LIMIT`] of the hotel, which are read once for all
    /// nights.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn earliest_holds(
        &self,
        nights: BTreeSet<Night>,
    ) -> Result<BTreeMap<Night, Timestamp>, ReservationError> {
        if nights.is_empty() {
            return Ok(BTreeMap::new());
        }
        let nights: Columns = nights.into_iter().collect();
        let rows: Vec<(i32, i32, i32, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "with wanted as materialized (
                 select * from unnest($1::integer[], $2::integer[], $3::integer[]) w (hotel_id, room_type_id, day)
             ), hold as materialized (
                 select h.* from (
                     select hotel_id, date '1970-01-01' + min(day) as first, date '1970-01-01' + max(day) as last
                     from wanted group by 1
                 ) hotel
                 cross join lateral (
                     select * from reservation r
                     where r.hotel_id = hotel.hotel_id and r.status = 'pending_payment' and r.hold_expire_time > now()
                     order by r.hold_expire_time limit $4
                 ) h
                 where h.check_in <= hotel.last and h.check_out > hotel.first
             ), line as materialized (
                 select l.hotel_id, l.room_type_id, l.check_in - date '1970-01-01' as first,
                     l.check_out - date '1970-01-01' as last, min(hold.hold_expire_time) as hold_expire_time
                 from hold
                 -- Each by its key, whatever the planner expects of the number of holds.
                 cross join lateral (
                     select * from reservation_room room
                     where room.hotel_id = hold.hotel_id and room.reservation_id = hold.reservation_id
                         and room.status = 'live' offset 0
                 ) l
                 group by 1, 2, 3, 4
             )
             select wanted.hotel_id, wanted.room_type_id, wanted.day, min(line.hold_expire_time)
             from wanted
             join line on line.hotel_id = wanted.hotel_id and line.room_type_id = wanted.room_type_id
                 and line.first <= wanted.day and line.last > wanted.day
             group by 1, 2, 3",
        )
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(SCAN_LIMIT)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(hotel, room, day, end)| ((hotel, room, day), end.to_jiff())).collect())
    }
}

impl Transaction {
    /// Locks up to `limit` holds after `from` that have expired at `now`, in order. Rows that another transaction has
    /// locked are skipped: another replica is releasing the hold, or its payment is being confirmed.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn lock_expired_holds(
        &mut self,
        now: Timestamp,
        from: HoldCursor,
        limit: i64,
    ) -> Result<Vec<LockedHold>, ReservationError> {
        let mut rows = self.lock_expired_rows(now, from, limit).await?;
        if some_are_newer_than_lines(&rows)? {
            rows = self.lock_expired_rows(now, from, limit).await?;
        }
        rows.into_iter().map(|row| Ok(LockedHold { cursor: cursor_of(&row)?, row })).collect()
    }

    async fn lock_expired_rows(
        &mut self,
        now: Timestamp,
        from: HoldCursor,
        limit: i64,
    ) -> Result<Vec<PgRow>, ReservationError> {
        let rows = sqlx::query(concat!(
            "select ",
            locked_columns!(),
            " from reservation r
             where status = 'pending_payment' and hold_expire_time <= $1 and (hold_expire_time, reservation_id) > ($2, $3)
             order by hold_expire_time, reservation_id limit $4 for no key update of r skip locked"
        ));
        let rows = rows.bind(now.to_sqlx()).bind(from.0.to_sqlx()).bind(from.1).bind(limit);
        Ok(rows.fetch_all(&mut *self.0).await?)
    }
}

fn cursor_of(row: &PgRow) -> Result<HoldCursor, ReservationError> {
    let expires: jiff_sqlx::Timestamp = row.try_get("hold_expire_time")?;
    Ok(HoldCursor(expires.to_jiff(), row.try_get("reservation_id")?))
}
