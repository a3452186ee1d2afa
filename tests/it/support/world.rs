//! Fixtures of a mesh: callers, hotels and bookings.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use reqwest::Method;
use serde_json::{Value, json};
use staymesh_localmesh::ADMIN_EMAIL;
use staymesh_testkit::TestMesh;
use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use super::{Rest, eventually};

/// A mesh and its administrator.
pub(crate) struct World<'a> {
    pub(crate) mesh: &'a TestMesh,
    /// The public gateway, without a token.
    pub(crate) public: Rest,
    /// The internal gateway, as the administrator.
    pub(crate) admin: Rest,
}

/// A hotel for one test, with one room type for two guests at 100.00 EUR a night without taxes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HotelFixture {
    pub(crate) hotel_id: i64,
    pub(crate) room_type_id: i64,
}

impl HotelFixture {
    /// Rooms for an order form, with one adult each.
    pub(crate) fn rooms(self, rooms: i32) -> Value {
        (0..rooms).map(|_| json!({ "room_type_id": self.room_type_id, "adults": 1 })).collect()
    }
}

/// Nights that are on sale.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) check_in: String,
    pub(crate) check_out: String,
}

impl World<'static> {
    /// The mesh that all tests of this process share.
    pub(crate) async fn shared() -> Self {
        // One login serves many tests: concurrent logins would be throttled as password guessing.
        static LOGIN: Mutex<Option<(Instant, String)>> = Mutex::const_new(None);
        let mesh = TestMesh::shared().await.expect("the mesh starts");
        let mut login = LOGIN.lock().await;
        if login.as_ref().is_none_or(|(since, _)| since.elapsed() > Duration::from_mins(5)) {
            *login = Some((Instant::now(), admin_token(mesh).await));
        }
        let (_, token) = login.as_ref().expect("logged in");
        World::with(mesh, token)
    }
}

impl<'a> World<'a> {
    /// A mesh of the test's own.
    pub(crate) async fn on(mesh: &'a TestMesh) -> Self {
        World::with(mesh, &admin_token(mesh).await)
    }

    fn with(mesh: &'a TestMesh, admin_token: &str) -> Self {
        let admin = Rest::new(mesh.internal_url()).with_token(admin_token);
        World { mesh, public: Rest::new(mesh.public_url()), admin }
    }

    /// A new guest on the public gateway.
    pub(crate) async fn guest(&self) -> Rest {
        let (email, _) = self.sign_up().await;
        self.public.with_token(&log_in(&self.public, &email, PASSWORD).await)
    }

    /// A new employee of these hotels on the internal gateway.
    pub(crate) async fn staff(&self, hotel_ids: &[i64]) -> Rest {
        let (email, user_id) = self.sign_up().await;
        let role = json!({ "role": "ROLE_STAFF", "hotel_ids": hotel_ids });
        self.set_up(Method::POST, &format!("/v1/users/{user_id}:setRole"), role).await;
        self.admin.with_token(&log_in(&Rest::new(self.mesh.internal_url()), &email, PASSWORD).await)
    }

    /// A new partner on the public gateway.
    pub(crate) async fn partner(&self) -> Rest {
        let client_id = format!("partner-{}", Uuid::new_v4().simple());
        let client = json!({ "client_id": client_id, "role": "ROLE_PARTNER" });
        let made = self.set_up(Method::POST, "/v1/clients", client).await;
        let credentials = json!({
            "grant_type": "client_credentials", "client_id": client_id, "client_secret": made["client_secret"],
        });
        let token = self.public.post("/v1/oauth/token", credentials).await.ok();
        self.public.with_token(token["access_token"].as_str().expect("a token"))
    }

    /// Sends a request as the administrator, and retries it while the response is 503: on a busy machine a service may not
    /// know for a moment whether a token is revoked, and then refuses administrators.
    pub(crate) async fn set_up(&self, method: Method, path: &str, body: Value) -> Value {
        self.admin.call_until_answered(method, path, Some(body)).await.ok()
    }

    async fn sign_up(&self) -> (String, String) {
        let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
        let user = self.public.post("/v1/users", json!({ "email": email, "password": PASSWORD })).await.ok();
        (email, user["user_id"].as_str().expect("an id").to_owned())
    }

    /// A new hotel with `rooms` for sale in every night of the next 400 days, overbooked by 10 %.
    pub(crate) async fn hotel(&self, rooms: i32) -> HotelFixture {
        let hotel = self.set_up(Method::POST, "/v1/hotels", sample_hotel()).await;
        let hotel_id = hotel["hotel_id"].as_i64().expect("an id");
        let path = format!("/v1/hotels/{hotel_id}/roomTypes");
        let room_type = self.set_up(Method::POST, &path, sample_room_type()).await;
        let room_type_id = room_type["room_type_id"].as_i64().expect("an id");
        let fixture = HotelFixture { hotel_id, room_type_id };
        let rate = json!({
            "base_price": { "currency_code": "EUR", "amount": "100.00" },
            "cancellation_policy": policy(0, 0),
        });
        self.set_up(Method::PUT, &fixture.path("rate"), rate).await;
        let today = Stay::begun(1).check_in;
        let nights = json!({ "from_date": today, "until_date": in_days(400), "total_inventory": rooms });
        self.set_up(Method::PUT, &fixture.path("inventory"), nights).await;
        fixture
    }

    /// A new hotel with five rooms and a tax of 10 %, whose penalty for cancellation less than 48 hours ahead is `percent`.
    pub(crate) async fn hotel_with_penalty(&self, percent: i32) -> HotelFixture {
        let hotel = self.hotel(5).await;
        let rate = json!({
            "base_price": { "currency_code": "EUR", "amount": "100.00" },
            "cancellation_policy": policy(48, percent),
        });
        self.set_up(Method::PUT, &hotel.path("rate"), rate).await;
        let taxes = json!({ "taxes": [{ "display_name": "VAT", "basis_points": 1_000 }] });
        self.set_up(Method::PUT, &format!("/v1/hotels/{}/taxes", hotel.hotel_id), taxes).await;
        hotel
    }

    /// Sets the inventory of the nights in the half-open range `[from, until)`, in days from today.
    pub(crate) async fn set_inventory(&self, hotel: HotelFixture, from: i32, until: i32, rooms: i32) {
        let inventory = json!({ "from_date": in_days(from), "until_date": in_days(until), "total_inventory": rooms });
        self.set_up(Method::PUT, &hotel.path("inventory"), inventory).await;
    }

    /// An order form of this caller: the body to book with.
    pub(crate) async fn prepare(&self, caller: &Rest, hotel: HotelFixture, stay: &Stay, rooms: i32) -> Value {
        let stay_request = json!({
            "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out,
            "rooms": hotel.rooms(rooms),
        });
        let form = caller.post_until_answered("/v1/reservations:prepare", stay_request).await;
        json!({
            "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
            "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
        })
    }

    /// Books one room and returns the reservation.
    pub(crate) async fn book(&self, caller: &Rest, hotel: HotelFixture, stay: &Stay) -> Value {
        let order = self.prepare(caller, hotel, stay, 1).await;
        caller.post_until_answered("/v1/reservations", order).await
    }

    /// Waits until a reservation has this status (without its prefix), and returns it.
    pub(crate) async fn await_status(&self, caller: &Rest, reservation_id: &str, status: &str) -> Value {
        let wanted = format!("RESERVATION_STATUS_{status}");
        let path = format!("/v1/reservations/{reservation_id}");
        eventually(&format!("{reservation_id} is {status}"), async || {
            let now = caller.call_until_answered(Method::GET, &path, None).await.ok();
            (now["status"] == wanted.as_str()).then_some(now)
        })
        .await
    }
}

impl HotelFixture {
    /// A path below the room type.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/v1/hotels/{}/roomTypes/{}/{below}", self.hotel_id, self.room_type_id)
    }
}

impl Stay {
    /// A stay of `nights`, `days` ahead.
    pub(crate) fn ahead(days: i32, nights: i32) -> Self {
        Self { check_in: in_days(days), check_out: in_days(days + nights) }
    }

    /// A stay whose day of check-in has come in every time zone and is not over at UTC-12: it can still be booked, and a
    /// no-show can be reported.
    pub(crate) fn begun(nights: i32) -> Self {
        let last_zone = TimeZone::fixed(jiff::tz::Offset::constant(-12));
        let today = Timestamp::now().to_zoned(last_zone).date();
        Self { check_in: today.to_string(), check_out: today.saturating_add(nights.days()).to_string() }
    }
}

const PASSWORD: &str = "correct horse battery";

async fn admin_token(mesh: &TestMesh) -> String {
    let password = mesh.local().admin_password().expect("a password");
    log_in(&Rest::new(mesh.internal_url()), ADMIN_EMAIL, &password).await
}

async fn log_in(gateway: &Rest, email: &str, password: &str) -> String {
    let tokens = gateway.post("/v1/auth/login", json!({ "email": email, "password": password })).await.ok();
    tokens["access_token"].as_str().expect("a token").to_owned()
}

/// Free until so many hours before the day of arrival, then so many per cent are kept. A no-show can be reported as soon as
/// that day begins, so that a stay can be booked and missed in one test.
pub(crate) fn policy(free_hours: i32, late_percent: i32) -> Value {
    let free = json!({ "hours": free_hours, "anchor": "ANCHOR_START_OF_DAY" });
    let tiers = json!([
        { "hours_before": free, "penalty": { "basis_points": 0 } },
        { "penalty": { "basis_points": late_percent * 100 } },
    ]);
    json!({ "tiers": tiers, "same_day_until": "00:00" })
}

/// The terms of a stay of these dates under [`policy`], at the hotels of the tests: what is kept until the deadline, and
/// after it. Midnight there is noon, UTC.
pub(crate) fn terms(free_hours: i32, kept: [&str; 2], check_in: &str, check_out: &str) -> Value {
    let [free, late] = kept.map(|amount| json!({ "currency_code": "EUR", "amount": amount }));
    let day = |text: &str| text.parse::<Date>().expect("a date");
    let noon = |date: Date| format!("{date}T12:00:00Z");
    let deadline = day(check_in).saturating_sub((free_hours / 24).days());
    json!({
        "deadlines": [{ "deadline": noon(deadline), "penalty": free }, { "penalty": late }],
        "refundable": free["amount"] == "0.00",
        "cancel_before": noon(day(check_in).saturating_add(1.day())),
        "no_show_penalty": late,
        "no_show_from": noon(day(check_in)),
        "no_show_until": noon(day(check_out).saturating_add(2.days())),
    })
}

fn sample_hotel() -> Value {
    json!({
        "display_name": "Test hotel", "address": { "city": "Porto", "country_code": "PT" },
        // The last zone on earth: a stay that can be booked can also be checked into.
        "time_zone": "Etc/GMT+12", "currency_code": "EUR", "star_rating": 3,
    })
}

fn sample_room_type() -> Value {
    json!({ "display_name": "Double", "beds": [{ "kind": "BED_KIND_DOUBLE", "count": 1 }], "max_occupancy": 2 })
}

/// The date in `days` days, UTC.
pub(crate) fn in_days(days: i32) -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(days.days()).to_string()
}
