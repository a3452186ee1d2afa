//! Outages: components die, freeze and shut down (R18, R19). Callers get the documented error within their deadline,
//! readiness probes report it, and the mesh recovers without intervention.

mod database;
mod dependencies;
mod frozen;

use serde_json::{Value, json};
use staymesh_localmesh::SERVICES;
use staymesh_testkit::TestMesh;

use crate::support::{Answer, HotelFixture, Rest, Stay, World, eventually, operate, within_deadline};

/// The services with a database. The provider simulator is not part of the mesh.
const MESH: [&str; 5] = ["identity", "hotel", "rate", "reservation", "payment"];

/// A guest with a hotel to book.
struct Scene<'a> {
    world: World<'a>,
    guest: Rest,
    hotel: HotelFixture,
    stay: Stay,
}

impl<'a> Scene<'a> {
    async fn on(mesh: &'a TestMesh) -> Self {
        let world = World::on(mesh).await;
        let (guest, hotel) = (world.guest().await, world.hotel(50).await);
        Self { world, guest, hotel, stay: Stay::ahead(30, 3) }
    }

    fn search(&self, what: &str) -> String {
        let Stay { check_in, check_out } = &self.stay;
        format!("/v1/hotels/{}/{what}?check_in={check_in}&check_out={check_out}", self.hotel.hotel_id)
    }

    /// Requests an order form, which needs identity's keys and the hotel, rate and reservation services.
    async fn prepare(&self) -> Answer {
        let wish = json!({
            "hotel_id": self.hotel.hotel_id, "rooms": self.hotel.rooms(1),
            "check_in": self.stay.check_in, "check_out": self.stay.check_out,
        });
        within_deadline("prepare", self.guest.post("/v1/reservations:prepare", wish)).await.0
    }

    async fn offers(&self) -> Answer {
        within_deadline("offers", self.world.public.get(&self.search("offers"))).await.0
    }

    async fn availability(&self) -> Answer {
        within_deadline("availability", self.world.public.get(&self.search("availability"))).await.0
    }

    async fn order(&self) -> Value {
        self.world.prepare(&self.guest, self.hotel, &self.stay, 1).await
    }

    async fn book(&self, order: &Value) -> Answer {
        within_deadline("booking", self.guest.post("/v1/reservations", order.clone())).await.0
    }

    async fn open_payment(&self, reservation: &Value) -> Answer {
        let wish = json!({ "reservation_id": reservation["reservation_id"] });
        within_deadline("opening a payment", self.guest.post("/v1/payments", wish)).await.0
    }

    /// Waits until requests for an order form succeed again.
    async fn await_recovery(&self) {
        eventually("order forms again", async || self.prepare().await.status.is_success().then_some(())).await;
    }
}

/// Asserts UNAVAILABLE with a retry delay.
#[track_caller]
fn assert_unavailable(answer: Answer, reasons: &[&str]) {
    let reason = answer.reason().unwrap_or_default().to_owned();
    assert!(reasons.contains(&reason.as_str()), "{}: {}", answer.status, answer.body);
    let answer = answer.refused(503, &reason);
    assert!(!answer.detail("RetryInfo")["retry_delay"].is_null(), "{}", answer.body);
}

/// The process ids of all services; unchanged ids mean that none was restarted.
fn processes(mesh: &TestMesh) -> Vec<(&'static str, u32)> {
    operate(mesh, |local| SERVICES.into_iter().map(|name| local.service(name).map(|p| (name, p.pid()))).collect())
}

/// The response of a service's operations server at this path.
async fn operations(mesh: &TestMesh, service: &str, path: &str) -> (u16, String) {
    let at = mesh.local().operations(service).expect("an address");
    let answer = within_deadline(path, reqwest::get(format!("http://{at}{path}"))).await.0.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

async fn assert_ready(mesh: &TestMesh, services: &[&str]) {
    for service in services {
        let (status, text) = operations(mesh, service, "/readyz").await;
        assert_eq!(status, 200, "{service}: {text}");
    }
}
