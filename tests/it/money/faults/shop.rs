//! The fixture of the fault matrix: a hotel, and a guest who books repeatedly.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use sqlx::PgPool;
use staymesh_testkit::{Setting, TestMesh};
use uuid::Uuid;

use crate::support::{Answer, Books, GOOD_CARD, HotelFixture, Provider, Rest, Stay, World, eventually};

/// The price of every booking, in minor units.
pub(super) const PRICE: i64 = 30_000;

/// Settings with short retry intervals.
pub(super) fn settings() -> Vec<Setting> {
    // A busy machine is slow to connect to a database.
    let patience = |service| (service, "STAYMESH_DATABASE_ACQUIRE_TIMEOUT", "10s".to_owned());
    let quick = [
        ("payment", "STAYMESH_PSP_TIMEOUT", "1s".to_owned()),
        ("psp-simulator", "STAYMESH_PSP_WEBHOOK_BACKOFF", "100ms".to_owned()),
    ];
    quick.into_iter().chain(["identity", "hotel", "rate", "reservation", "payment"].map(patience)).collect()
}

/// The callers of a scenario, and the databases that hold its outcome.
pub(super) struct Shop<'a> {
    pub(super) world: World<'a>,
    pub(super) provider: Provider,
    pub(super) books: Books,
    pub(super) guest: Rest,
    partner: Rest,
    hotel: HotelFixture,
    pub(super) stay: Stay,
}

/// A booking and its payment page.
pub(super) struct Sale {
    pub(super) reservation_id: String,
    pub(super) payment: Value,
}

impl Sale {
    pub(super) fn payment_id(&self) -> &str {
        self.payment["payment_id"].as_str().expect("an id")
    }
}

impl<'a> Shop<'a> {
    pub(super) async fn on(mesh: &'a TestMesh) -> Self {
        let world = World::on(mesh).await;
        let (guest, partner, hotel) = (world.guest().await, world.partner().await, world.hotel(500).await);
        let (provider, books) = (Provider::of(mesh).await, Books::of(mesh).await);
        Self { world, provider, books, guest, partner, hotel, stay: Stay::ahead(30, 3) }
    }

    /// Switches to a new hotel for the bookings that follow.
    pub(super) async fn move_to_another_hotel(&mut self) {
        self.hotel = self.world.hotel(5).await;
    }

    pub(super) fn hotel_id(&self) -> i32 {
        i32::try_from(self.hotel.hotel_id).expect("an id")
    }

    pub(super) fn mesh(&self) -> &TestMesh {
        self.world.mesh
    }

    /// The payment database.
    pub(super) fn payments(&self) -> &PgPool {
        &self.provider.pool
    }

    /// The database of the service, which is payment or reservation.
    pub(super) fn database(&self, service: &str) -> &PgPool {
        if service == "payment" { self.payments() } else { &self.books.pool }
    }

    /// Expires the leases of outbox events, for relays that were killed or shall deliver twice. Leases expire after 30 s;
    /// the tests of the outbox cover that, and waiting here would only cost time.
    pub(super) async fn end_leases(&self, service: &str) {
        sqlx::query("update outbox set next_attempt_at = now() where delivered_at is null and parked_at is null")
            .execute(self.database(service))
            .await
            .expect("the outbox");
    }

    /// The provider's journal, oldest entry first. A line that the provider is still writing is left out.
    pub(super) fn journal(&self) -> Vec<Value> {
        let journal = fs::read_to_string(self.mesh().local().provider_journal()).expect("the journal");
        let lines = journal.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The checkouts of a booking at the provider: the last journal entry of each.
    pub(super) fn checkouts(&self, booked: &str) -> Vec<Value> {
        let description = format!("Reservation {booked}");
        let ours =
            self.journal().into_iter().filter(|checkout| checkout["order"]["description"] == description.as_str());
        let latest: BTreeMap<String, Value> = ours.map(|checkout| (checkout["id"].to_string(), checkout)).collect();
        latest.into_values().collect()
    }

    /// Books a room for [`PRICE`].
    pub(super) async fn book(&self) -> Value {
        self.world.book(&self.guest, self.hotel, &self.stay).await
    }

    /// Books a room for [`PRICE`] as a partner-collected sale, with retries until it is decided. Returns the id.
    pub(super) async fn sell(&self) -> String {
        self.sell_as(&self.partner).await
    }

    /// As [`Self::sell`], by this partner.
    pub(super) async fn sell_as(&self, partner: &Rest) -> String {
        let mut order = self.world.prepare(partner, self.hotel, &self.stay, 1).await;
        order["payment_mode"] = json!("PAYMENT_MODE_PARTNER_COLLECTS");
        let sold = eventually("the sale is decided", async || {
            let sold = partner.post_until_answered("/v1/reservations", order.clone()).await;
            (sold["status"] != "RESERVATION_STATUS_PENDING_PAYMENT").then_some(sold)
        })
        .await;
        assert_eq!(sold["status"], "RESERVATION_STATUS_PAID");
        sold["reservation_id"].as_str().expect("an id").to_owned()
    }

    /// Cancels a partner sale, with retries.
    pub(super) async fn cancel_sold(&self, reservation_id: &str) {
        let path = format!("/v1/reservations/{reservation_id}");
        self.until_answered("cancelled", async || self.partner.delete(&path).await).await;
    }

    /// Opens the checkout page of a booking with one attempt; `simulate` selects a fault of the provider.
    pub(super) async fn ask_for_page(&self, booked: &Value, simulate: &str) -> Answer {
        self.ask(json!({ "reservation_id": booked["reservation_id"] }), simulate).await
    }

    async fn ask(&self, mut wish: Value, simulate: &str) -> Answer {
        if !simulate.is_empty() {
            let switches = simulate.replace('=', "%3D");
            wish["return_url"] = json!(format!("https://shop.staymesh.example/?psp_simulate={switches}"));
        }
        self.guest.post("/v1/payments", wish).await
    }

    /// Opens the checkout page of the first change of a booking, with retries.
    pub(super) async fn open_difference(&self, sale: &Sale, simulate: &str) -> Sale {
        let wish = json!({ "reservation_id": sale.reservation_id, "revision": 2 });
        let payment = self.until_answered("a page", async || self.ask(wish.clone(), simulate).await).await;
        Sale { reservation_id: sale.reservation_id.clone(), payment }
    }

    /// Opens the checkout page of a booking, with retries.
    pub(super) async fn open(&self, booked: &Value, simulate: &str) -> Sale {
        let payment = self.until_answered("a page", async || self.ask_for_page(booked, simulate).await).await;
        Sale { reservation_id: booked["reservation_id"].as_str().expect("an id").to_owned(), payment }
    }

    /// Pays on the checkout page, without waiting for the event.
    pub(super) async fn use_good_card(&self, sale: &Sale) {
        assert_eq!(self.provider.use_card(&sale.payment, GOOD_CARD).await, 200);
    }

    /// Pays on the checkout page, and waits until the booking is paid.
    pub(super) async fn pay(&self, sale: &Sale) {
        self.use_good_card(sale).await;
        self.await_state(sale, "PAID", "paid").await;
    }

    /// Cancels, with retries.
    pub(super) async fn cancel(&self, sale: &Sale) {
        let path = format!("/v1/reservations/{}", sale.reservation_id);
        self.until_answered("cancelled", async || self.guest.delete(&path).await).await;
    }

    /// Refunds the whole payment as an administrator, with retries.
    pub(super) async fn pay_back(&self, sale: &Sale) {
        let path = format!("/v1/payments/{}:refund", sale.payment_id());
        let wish = json!({ "request_id": Uuid::new_v4() });
        self.until_answered("paid back", async || self.world.admin.post(&path, wish.clone()).await).await;
    }

    /// Sends a provider event, with retries.
    pub(super) async fn tell(&self, event: &Value) {
        self.until_answered("event", async || self.provider.tell(event).await).await;
    }

    async fn until_answered(&self, what: &str, ask: impl AsyncFn() -> Answer) -> Value {
        let answer = eventually(what, async || {
            let answer = ask().await;
            (answer.status != 503).then_some(answer)
        });
        answer.await.ok()
    }

    /// Waits for the state of a payment and its reservation, read from the databases.
    pub(super) async fn await_state(&self, sale: &Sale, payment: &str, booking: &str) {
        eventually(&format!("{} is {payment} and its booking {booking}", sale.payment_id()), async || {
            (self.state(sale).await == (payment.to_owned(), booking.to_owned())).then_some(())
        })
        .await;
    }

    /// Waits for the status of a payment; the reservation is not read.
    pub(super) async fn await_payment(&self, sale: &Sale, status: &str) {
        eventually(&format!("{} is {status}", sale.payment_id()), async || {
            (self.provider.row(&sale.payment).await.status == status).then_some(())
        })
        .await;
    }

    /// The state of a payment and of its booking.
    pub(super) async fn state(&self, sale: &Sale) -> (String, String) {
        let booking = sqlx::query_scalar("select status from reservation where reservation_id = $1::uuid")
            .bind(&sale.reservation_id)
            .fetch_one(&self.books.pool)
            .await
            .expect("the booking");
        (self.provider.row(&sale.payment).await.status, booking)
    }
}
