//! Fixtures shared by the tests of this crate: a database with inventory, orders and reservations.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use staymesh_domain::{
    DateRange, GuestCount, HotelId, Money, PaymentId, ReservationId, RoomCount, RoomTypeId, StayDates,
};
use staymesh_testkit::TestDatabase;

use crate::{
    MIGRATOR,
    error::ReservationError,
    lifecycle::Command,
    model::{Guest, NewReservation, PaymentMode, Reservation, Status},
    quote::{
        Quote,
        tests::{quote, quote_for},
    },
    room_line::{RoomLine, RoomLinesSum},
    store::{InventoryChange, Store},
    writer::{Created, apply, book_each},
};

pub(crate) const TOTAL: i64 = 10_000;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) database: TestDatabase,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
        Self { store: Store::new(database.pool().clone()), database }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Puts nights on sale, creating their partitions, also in the past.
    pub(crate) async fn sell(
        &self,
        hotel: i32,
        from: Date,
        nights: i32,
        rooms: i32,
    ) -> Result<usize, ReservationError> {
        let change = InventoryChange {
            room_type_id: room_type(),
            nights: DateRange::new(from, from.saturating_add(nights.days())).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: Some(10),
            for_future_nights: false,
            etag: String::new(),
        };
        Ok(self.store.set_inventory(hotel_id(hotel), &[change]).await?.nights)
    }

    pub(crate) async fn book(
        &self,
        hotel: i32,
        from: Date,
        nights: i32,
        mode: PaymentMode,
    ) -> Result<Reservation, ReservationError> {
        let now = Timestamp::now();
        let stay = StayDates::new(from, from.saturating_add(nights.days())).expect("a stay");
        let order = NewReservation {
            id: ReservationId::generate(hotel_id(hotel), now),
            payment_mode: mode,
            hold_expire_time: (mode == PaymentMode::GuestPays).then(|| now + SignedDuration::from_mins(15)),
            ..order_of(lines(room_type(), stay, 1, &quote_for(stay, TOTAL, 30)), now)
        };
        match book_each(&self.store, std::slice::from_ref(&order)).await?.pop().expect("an outcome")? {
            Created::New(booking) | Created::Repeat(booking) => Ok(booking),
        }
    }

    /// Applies a command 16 minutes from now, when every hold has expired.
    pub(crate) async fn apply(&self, id: ReservationId, command: &Command) -> Result<Reservation, ReservationError> {
        self.apply_at(id, command, Timestamp::now() + SignedDuration::from_mins(16)).await
    }

    pub(crate) async fn apply_at(
        &self,
        id: ReservationId,
        command: &Command,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        Ok(apply(&self.store, id, command, now).await?.reservation)
    }

    /// Runs statements with triggers and foreign keys disabled, which only the superuser may.
    pub(crate) async fn tamper(&self, sql: &str) {
        let sql = format!("begin; set local session_replication_role = replica; {sql}; commit");
        let mut connection = self.pool().acquire().await.expect("a connection");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("a statement that works");
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.expect("a count")
    }
}

pub(crate) fn hotel_id(id: i32) -> HotelId {
    HotelId::try_from(id).expect("an id")
}

pub(crate) fn room_type() -> RoomTypeId {
    RoomTypeId::try_from(3).expect("an id")
}

pub(crate) fn pay(payment_id: PaymentId) -> Command {
    Command::ConfirmPayment { payment_id, amount: total() }
}

pub(crate) fn total() -> Money {
    Money::from_minor(TOTAL, "EUR".parse().expect("a currency")).expect("an amount")
}

/// Lines of rooms of one type with one guest each, whose price together is `quote`.
pub(crate) fn lines(room_type_id: RoomTypeId, stay: StayDates, rooms: i32, quote: &Quote) -> Vec<RoomLine> {
    let guests = GuestCount::try_from(rooms).expect("a count");
    RoomLine::of_one_type(room_type_id, stay, RoomCount::try_from(rooms).expect("a count"), guests, quote)
        .expect("lines")
}

/// An unsaved order of these rooms in hotel 7 that a guest pays, with a hold of 15 minutes from `now`.
pub(crate) fn order_of(lines: Vec<RoomLine>, now: Timestamp) -> NewReservation {
    let RoomLinesSum { stay, quote } = RoomLine::sum(&lines).expect("a booking");
    NewReservation {
        id: ReservationId::generate(hotel_id(7), now),
        owner: "me".into(),
        room_guests: vec![None; lines.len()],
        lines,
        stay,
        guest: Guest { full_name: "A guest".into(), email: "guest@example.com".into() },
        payment_mode: PaymentMode::GuestPays,
        quote,
        content_hash: [7; 32],
        client_reference: None,
        hold_expire_time: Some(now + SignedDuration::from_mins(15)),
        limits: Box::default(),
        trace_parent: None,
        origin: None,
    }
}

/// [`order_of`] rooms of one type for two nights.
pub(crate) fn order_of_rooms(rooms: i32, now: Timestamp) -> NewReservation {
    let stay = StayDates::parse("2030-01-01", "2030-01-03").expect("a stay");
    order_of(lines(room_type(), stay, rooms, &quote(TOTAL)), now)
}

impl NewReservation {
    /// The order with this price and policy in equal shares for its rooms.
    pub(crate) fn priced(mut self, quote: Quote) -> Self {
        let rooms = i32::try_from(self.lines.len()).expect("few");
        let shares = quote.split(RoomCount::try_from(rooms).expect("a count")).expect("shares");
        for (line, share) in self.lines.iter_mut().zip(shares) {
            line.quote = share;
        }
        self.quote = quote;
        self
    }
}

/// The order as a reservation that was created at `now`.
pub(crate) fn reservation_of(order: &NewReservation, now: Timestamp) -> Reservation {
    Reservation {
        id: order.id,
        owner: order.owner.clone(),
        lines: order.lines.clone(),
        positions: order.positions(),
        dropped: vec![],
        room_guests: order.room_guests.clone(),
        stay: order.stay,
        guest: order.guest.clone(),
        payment_mode: order.payment_mode,
        quote: order.quote.clone(),
        retained: Money::zero(order.quote.currency()),
        first_total: order.quote.total,
        pending: None,
        content_hash: order.content_hash.to_vec(),
        client_reference: order.client_reference.clone(),
        revision: 1,
        version: 1,
        status: Status::PendingPayment,
        cancellation_reason: None,
        hold_expire_time: order.hold_expire_time,
        hold_extended: false,
        payment_id: None,
        paid_time: None,
        create_time: now,
        update_time: now,
    }
}
