//! The limits of unpaid holds: what a statement of bookings adds to them, and what is held already.
//!
//! The function `admit_reservations` of the database decides. What is read here is for the bookings of a batch that are
//! decided one by one, under the same locks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{Transaction, nights::Columns};
use crate::{
    error::ReservationError,
    model::{HoldLimits, NewReservation},
    night::Night,
};

/// A holder of unpaid rooms, as functions of the database name it: `a` and the account, or `s` and the source.
pub(crate) type Holder = String;

/// Room nights with the time at which their hold expires.
pub(crate) type Held = (Timestamp, i64);

/// Rooms of a night that are held unpaid, and the most that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NightShare {
    pub(crate) held: i64,
    pub(crate) limit: i64,
}

/// The limited holders of a booking, each with its limit in room nights; none when it is not held unpaid.
pub(crate) fn holders(order: &NewReservation) -> impl Iterator<Item = (Holder, i64)> {
    let limits = order.hold_expire_time.is_some().then_some(&order.limits);
    limits.into_iter().flat_map(|limits| holders_of(&order.owner, limits))
}

/// The holders that `limits` limit, each with its limit in room nights.
pub(crate) fn holders_of(owner: &str, limits: &HoldLimits) -> impl Iterator<Item = (Holder, i64)> {
    let account = limits.account.map(|limit| (format!("a{owner}"), limit));
    let source = limits.source.as_ref().map(|(source, limit)| (format!("s{}", source.as_str()), *limit));
    account.into_iter().chain(source)
}

/// The share of a night that the booking is subject to, in percent; `None` when it is not held unpaid.
pub(crate) fn share(order: &NewReservation) -> Option<i32> {
    order.hold_expire_time.and(order.limits.share)
}

/// What bookings add to their holders: the room nights and the smallest limit of each, in key order.
pub(super) fn added(orders: &[&NewReservation]) -> BTreeMap<Holder, (i64, i64)> {
    let mut all: BTreeMap<Holder, (i64, i64)> = BTreeMap::new();
    for order in orders {
        for (holder, limit) in holders(order) {
            let (added, least) = all.entry(holder).or_insert((0, limit));
            *added += order.room_nights();
            *least = limit.min(*least);
        }
    }
    all
}

/// The rooms that bookings add to those of a night that are held unpaid and limited.
pub(super) fn added_to_nights(orders: &[&NewReservation]) -> BTreeMap<Night, i32> {
    let mut rooms: BTreeMap<Night, i32> = BTreeMap::new();
    for order in orders.iter().filter(|order| share(order).is_some()) {
        for (night, more) in order.nights() {
            *rooms.entry(night).or_default() += more;
        }
    }
    rooms
}

impl Transaction {
    /// Locks holders, and yields what they hold. Those that hold nothing are absent.
    ///
    /// # Errors
    /// When the database fails, or a lock is not granted in time.
    pub(crate) async fn lock_holders(
        &mut self,
        holders: &[Holder],
    ) -> Result<BTreeMap<Holder, Vec<Held>>, ReservationError> {
        if holders.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Two statements: the second sees what was committed before the locks were granted.
        sqlx::query("select lock_holders($1)").bind(holders).execute(&mut *self.0).await?;
        let rows: Vec<(String, jiff_sqlx::Timestamp, i64)> =
            sqlx::query_as("select key, hold_expire_time, room_nights from unpaid_holds($1)")
                .bind(holders)
                .fetch_all(&mut *self.0)
                .await?;
        let mut held: BTreeMap<Holder, Vec<Held>> = BTreeMap::new();
        for (holder, expires, room_nights) in rows {
            held.entry(holder).or_default().push((expires.to_jiff(), room_nights));
        }
        Ok(held)
    }

    /// Locks the holders of reservations that are locked, limited or not. Yields the time of the database's clock then: no
    /// booking that is decided later counts a hold that has expired by it.
    ///
    /// # Errors
    /// When the database fails, or a lock is not granted in time.
    pub(crate) async fn lock_holders_of(&mut self, reservations: &[Uuid]) -> Result<Timestamp, ReservationError> {
        let keys: Vec<Option<Holder>> = sqlx::query_scalar(
            "select unnest(array['a' || r.owner, 's' || r.source])
             from unnest($1::uuid[]) id
             join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id",
        )
        .bind(reservations)
        .fetch_all(&mut *self.0)
        .await?;
        let keys: BTreeSet<Holder> = keys.into_iter().flatten().collect();
        let keys: Vec<Holder> = keys.into_iter().collect();
        sqlx::query("select lock_holders($1)").bind(keys).execute(&mut *self.0).await?;
        let clock: jiff_sqlx::Timestamp =
            sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *self.0).await?;
        Ok(clock.to_jiff())
    }

    /// What is held unpaid of nights that are locked, and what may be with a share of `share` percent.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn night_shares(
        &mut self,
        nights: impl IntoIterator<Item = Night>,
        share: i32,
    ) -> Result<BTreeMap<Night, NightShare>, ReservationError> {
        let nights: Columns = nights.into_iter().collect();
        let (first, last) = nights.span();
        let rows: Vec<(i32, i32, i32, i64, i32)> = sqlx::query_as(
            "select u.hotel_id, u.room_type_id, u.day, u.rooms, unpaid_share(greatest(i.total_inventory - i.out_of_order, 0), $6)
             from unpaid_rooms($1, $2, $3) u
             join room_type_inventory i on i.hotel_id = u.hotel_id and i.room_type_id = u.room_type_id
                 and i.stay_date = date '1970-01-01' + u.day
             where i.stay_date between date '1970-01-01' + $4 and date '1970-01-01' + $5",
        )
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(first)
        .bind(last)
        .bind(share)
        .fetch_all(&mut *self.0)
        .await?;
        let night = |(hotel, room_type, day, held, limit): (i32, i32, i32, i64, i32)| {
            ((hotel, room_type, day), NightShare { held, limit: i64::from(limit) })
        };
        Ok(rows.into_iter().map(night).collect::<BTreeMap<_, _>>())
    }
}

/// Whether the database refused bookings because of a limit of unpaid holds.
pub(super) fn is_refusal(error: &StoreError) -> bool {
    matches!(error.constraint(), Some("reservation_unpaid_room_nights" | "reservation_unpaid_share"))
}
