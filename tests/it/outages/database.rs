//! Database outage: every service fails within its deadline, reports not ready, and reconnects by itself.

use futures::future::{FutureExt, LocalBoxFuture, join_all};
use serde_json::{Value, json};
use staymesh_testkit::TestMesh;
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{MESH, Scene, assert_ready, assert_unavailable, operations, processes};
use crate::support::{
    Answer, Books, GOOD_CARD, PrivateMesh, Provider, assert_no_dead_letters, await_payment, eventually, open_payment,
    operate, within_deadline,
};

/// The `grpc.health.v1` status of a server as a whole, and of one of its services.
async fn health(mesh: &TestMesh, service: &str) -> [ServingStatus; 2] {
    let url = mesh.service_url(service).expect("an address");
    let channel = Channel::from_shared(url).expect("an address").connect().await.expect("connects");
    let mut client = HealthClient::new(channel);
    let part = match service {
        "identity" => "staymesh.identity.v1.AuthService",
        "hotel" => "staymesh.hotel.v1.HotelService",
        "rate" => "staymesh.rate.v1.PricingService",
        "reservation" => "staymesh.reservation.v1.ReservationService",
        _ => "staymesh.payment.v1.PaymentService",
    };
    let mut found = [ServingStatus::Unknown; 2];
    for (status, name) in found.iter_mut().zip(["", part]) {
        let answer = client.check(HealthCheckRequest { service: name.to_owned() }).await.expect("an answer");
        *status = answer.into_inner().status();
    }
    found
}

async fn await_health(mesh: &TestMesh, wanted: ServingStatus) {
    for service in MESH {
        eventually(&format!("{service} is {wanted:?}"), async || {
            (health(mesh, service).await == [wanted; 2]).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn database_outage_fails_within_deadline_and_services_recover() {
    let mesh = PrivateMesh::start(Vec::new()).await;
    let scene = Scene::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let paying = scene.book(&scene.order().await).await.ok();
    let payment = open_payment(&scene.guest, &paying).await;
    let order = scene.order().await;
    let before = processes(&mesh);
    await_health(&mesh, ServingStatus::Serving).await;

    operate(&mesh, |local| local.postgres().stop());
    for round in 0..2 {
        assert_refusals(&scene, &order, &payment, round).await;
    }
    await_health(&mesh, ServingStatus::NotServing).await;
    for service in MESH {
        let (status, text) = operations(&mesh, service, "/readyz").await;
        assert!(status == 503 && text.contains("database"), "{service}: {status} {text}");
        assert_eq!(operations(&mesh, service, "/livez").await.0, 200, "{service}");
        assert_eq!(operations(&mesh, service, "/metrics").await.0, 200, "{service}");
    }
    // The event of this payment cannot be delivered now.
    assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);

    operate(&mesh, |local| local.postgres().resume());
    await_health(&mesh, ServingStatus::Serving).await;
    assert_ready(&mesh, &MESH).await;
    scene.await_recovery().await;
    let booked = scene.book(&order).await.ok();
    assert_eq!(scene.book(&order).await.ok(), booked);
    let books = Books::of(&mesh).await;
    let id = booked["reservation_id"].as_str().expect("an id");
    assert_eq!(books.history(id).await, ["pending_payment"]);
    scene.world.guest().await;
    await_payment(&scene.guest, &payment, "PAID").await;
    let paying_id = paying["reservation_id"].as_str().expect("an id");
    scene.world.await_status(&scene.guest, paying_id, "PAID").await;
    books.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
    assert_eq!(processes(&mesh), before);
}

/// One call to every service, concurrently.
async fn assert_refusals(scene: &Scene<'_>, order: &Value, payment: &Value, round: usize) {
    let (guest, public, admin) = (&scene.guest, &scene.world.public, &scene.world.admin);
    let payment_path = format!("/v1/payments/{}", payment["payment_id"].as_str().expect("an id"));
    let hotel_path = format!("/v1/hotels/{}", scene.hotel.hotel_id);
    let (rate_path, availability_path, offers_path) =
        (scene.hotel.path("rate"), scene.search("availability"), scene.search("offers"));
    let credentials = json!({ "email": "guest@staymesh.example", "password": "correct horse battery" });
    let reservation = json!({ "reservation_id": order["reservation_id"] });
    let cancel_path = format!("/v1/reservations/{}", order["reservation_id"].as_str().expect("an id"));

    let calls: Vec<(&str, LocalBoxFuture<'_, Answer>)> = vec![
        ("login", public.post("/v1/auth/login", credentials.clone()).boxed_local()),
        ("sign-up", public.post("/v1/users", credentials).boxed_local()),
        ("hotel", public.get(&hotel_path).boxed_local()),
        ("rate", admin.get(&rate_path).boxed_local()),
        ("availability", public.get(&availability_path).boxed_local()),
        ("offers", public.get(&offers_path).boxed_local()),
        ("prepare", scene.prepare().boxed_local()),
        ("create", guest.post("/v1/reservations", order.clone()).boxed_local()),
        ("cancel", guest.delete(&cancel_path).boxed_local()),
        ("list", guest.get("/v1/reservations").boxed_local()),
        ("pay", guest.post("/v1/payments", reservation).boxed_local()),
        ("payment", guest.get(&payment_path).boxed_local()),
    ];
    let answers =
        join_all(calls.into_iter().map(|(what, call)| async move {
            (what, within_deadline(&format!("{what}, round {round}"), call).await.0)
        }));
    for (what, answer) in answers.await {
        assert_eq!(answer.status, 503, "{what}: {}", answer.body);
        assert_unavailable(answer, &["STORE_UNAVAILABLE", "DEPENDENCY_UNAVAILABLE"]);
    }
}
