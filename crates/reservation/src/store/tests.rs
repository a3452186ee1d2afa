//! The store and the writer's transactions on a real database: its constraints, and concurrent transactions.

mod assignments;
mod batches;
mod bookings;
mod changed;
mod find;
mod front_desk;
mod group_blocks;
mod hold_operations;
mod holds;
mod nights;
mod no_shows;
mod out_of_order;
mod partner_sales;
mod plans;
mod room_moves;
mod rooms;
mod sale_races;
mod states;
mod stop_sell;

use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use sqlx::PgPool;
use staymesh_domain::{DateRange, HotelId, Money, PaymentId, ReservationId, RoomTypeId, StayDates};
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    MIGRATOR, calendar,
    error::ReservationError,
    extend,
    lifecycle::Command,
    model::{NewReservation, PaymentMode, Reservation, Status},
    quote::{Quote, tests::quote_for},
    testing::{lines, order_of},
    writer::{Applied, ChangeOrder, Created, apply, apply_all, book_all, book_each},
};

const TOTAL: i64 = 30_000;

struct World {
    store: Store,
    database: TestDatabase,
    hotel: HotelId,
    room_type: RoomTypeId,
    first: Date,
}

impl World {
    /// Ten nights with this many rooms each, overbooked by 10 %.
    async fn with_rooms(rooms: i32) -> Self {
        let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
        let first = calendar::today(Timestamp::now()).saturating_add(30.days());
        let world = Self {
            store: Store::new(database.pool().clone()),
            database,
            hotel: HotelId::try_from(7).expect("an id"),
            room_type: RoomTypeId::try_from(3).expect("an id"),
            first,
        };
        world.set_inventory(0, 10, rooms, 10).await.expect("inventory");
        world
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    fn nights(&self, from: i32, until: i32) -> StayDates {
        StayDates::new(self.first.saturating_add(from.days()), self.first.saturating_add(until.days())).expect("a stay")
    }

    async fn set_inventory(&self, from: i32, until: i32, rooms: i32, percent: i16) -> Result<usize, ReservationError> {
        let stay = self.nights(from, until);
        let change = InventoryChange {
            room_type_id: self.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: Some(percent),
            for_future_nights: false,
            etag: String::new(),
        };
        Ok(self.store.set_inventory(self.hotel, &[change]).await?.nights)
    }

    fn order(&self, from: i32, until: i32, rooms: i32) -> NewReservation {
        let stay = self.nights(from, until);
        order_of(lines(self.room_type, stay, rooms, &quote_for(stay, TOTAL, 0)), Timestamp::now())
    }

    async fn book(&self, order: &NewReservation) -> Result<Reservation, ReservationError> {
        match book_each(&self.store, std::slice::from_ref(order)).await?.pop().expect("an outcome")? {
            Created::New(booking) | Created::Repeat(booking) => Ok(booking),
        }
    }

    async fn apply(&self, id: ReservationId, command: Command, now: Timestamp) -> Result<Applied, ReservationError> {
        apply(&self.store, id, &command, now).await
    }

    /// Rooms reserved in each of the ten nights.
    async fn reserved(&self) -> Vec<i32> {
        sqlx::query_scalar("select total_reserved from room_type_inventory order by stay_date")
            .fetch_all(self.pool())
            .await
            .expect("rows")
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.expect("a count")
    }
}

/// A quote that is always free to cancel.
fn quote_of(stay: StayDates) -> Quote {
    quote_for(stay, TOTAL, 0)
}

fn total() -> Money {
    Money::from_minor(TOTAL, "EUR".parse().expect("a currency")).expect("an amount")
}
