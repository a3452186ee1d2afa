//! One component after the other is killed. Calls that do not need it succeed; others fail as documented and recover.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{MESH, Scene, assert_ready, assert_unavailable, processes};
use crate::support::{
    Books, GOOD_CARD, PrivateMesh, Provider, assert_no_dead_letters, await_payment, eventually, open_payment, operate,
    within_deadline,
};

#[tokio::test(flavor = "multi_thread")]
async fn outage_of_one_dependency_affects_only_its_callers() {
    let mesh = PrivateMesh::start(Vec::new()).await;
    let scene = Scene::on(&mesh).await;
    // Every service has verified a token and cached identity's keys.
    let booked = scene.book(&scene.order().await).await.ok();
    open_payment(&scene.guest, &booked).await;

    without_redis(&mesh, &scene).await;
    without(&mesh, &scene, "rate").await;
    without(&mesh, &scene, "hotel").await;
    without_provider(&mesh, &scene).await;
    without_identity(&mesh, &scene).await;
    Books::of(&mesh).await.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
}

/// Redis: everything works; failed logins are counted in the process, and revocations are published once Redis is back.
async fn without_redis(mesh: &PrivateMesh, scene: &Scene<'_>) {
    let before = processes(mesh);
    operate(mesh, |local| local.redis().stop());
    let (guest, _) = within_deadline("signing up and logging in", scene.world.guest()).await;
    let booked = scene.world.book(&guest, scene.hotel, &scene.stay).await;
    open_payment(&guest, &booked).await;
    let path = format!("/v1/reservations/{}", booked["reservation_id"].as_str().expect("an id"));
    assert_eq!(guest.delete(&path).await.ok()["status"], "RESERVATION_STATUS_CANCELLED");
    scene.prepare().await.ok();
    assert_ready(mesh, &MESH).await;

    let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
    let public = &scene.world.public;
    public.post("/v1/users", json!({ "email": email, "password": "a password of theirs" })).await.ok();
    let attempt = json!({ "email": email, "password": "not the password" });
    for _ in 0..10 {
        public.post("/v1/auth/login", attempt.clone()).await.refused(401, "BAD_CREDENTIALS");
    }
    let throttled = public.post("/v1/auth/login", attempt).await.refused(429, "LOGIN_THROTTLED");
    assert!(!throttled.detail("RetryInfo")["retry_delay"].is_null(), "{}", throttled.body);

    operate(mesh, |local| local.redis().resume());
    eventually("revocations reach every service again", async || {
        let leaver = scene.world.guest().await;
        let left = leaver.post("/v1/auth/logout", json!({})).await;
        let after = leaver.get("/v1/reservations").await;
        (left.status.is_success() && after.reason() == Some("TOKEN_REVOKED")).then_some(())
    })
    .await;
    assert_eq!(processes(mesh), before);
}

/// The rate or the hotel service: there are no offers, but existing offers can be booked and paid.
async fn without(mesh: &PrivateMesh, scene: &Scene<'_>, service: &str) {
    let before = others(mesh, service);
    let order = scene.order().await;
    operate(mesh, |local| local.service(service)?.kill_now());
    for answer in [scene.prepare().await, scene.offers().await] {
        assert!(answer.body.to_string().contains(service), "does not say which: {}", answer.body);
        assert_unavailable(answer, &["DEPENDENCY_UNAVAILABLE"]);
    }
    // The edge has no healthy upstream.
    let path = match service {
        "rate" => scene.hotel.path("rate"),
        _ => format!("/v1/hotels/{}", scene.hotel.hotel_id),
    };
    let (direct, _) = within_deadline("the service itself", scene.world.admin.get(&path)).await;
    assert_unavailable(direct, &["DEPENDENCY_UNAVAILABLE"]);

    let rooms = scene.availability().await.ok();
    assert_eq!(rooms["room_types"][0]["available"], true);
    let booked = scene.book(&order).await.ok();
    assert_eq!(booked["status"], "RESERVATION_STATUS_PENDING_PAYMENT");
    scene.open_payment(&booked).await.ok();
    assert_ready(mesh, &["identity", "reservation", "payment"]).await;

    operate(mesh, |local| local.restart(service));
    scene.await_recovery().await;
    scene.offers().await.ok();
    assert_eq!(others(mesh, service), before);
}

/// The payment provider: no checkout page can be opened, and refunds wait.
async fn without_provider(mesh: &PrivateMesh, scene: &Scene<'_>) {
    let provider = Provider::of(mesh).await;
    let paid = scene.book(&scene.order().await).await.ok();
    let payment = open_payment(&scene.guest, &paid).await;
    assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
    await_payment(&scene.guest, &payment, "PAID").await;
    let paid_id = paid["reservation_id"].as_str().expect("an id");
    scene.world.await_status(&scene.guest, paid_id, "PAID").await;
    let before = others(mesh, "psp-simulator");

    operate(mesh, |local| local.service("psp-simulator")?.kill_now());
    let waiting = scene.book(&scene.order().await).await.ok();
    for _ in 0..2 {
        assert_unavailable(scene.open_payment(&waiting).await, &["PSP_UNAVAILABLE"]);
    }
    let payments = async || -> Vec<Uuid> {
        sqlx::query_scalar("select payment_id from payment_order where reservation_id = $1::uuid")
            .bind(waiting["reservation_id"].as_str())
            .fetch_all(&provider.pool)
            .await
            .expect("the payments")
    };
    let opened = payments().await;
    assert_eq!(opened.len(), 1);
    let (cancelled, _) = within_deadline("cancel", scene.guest.delete(&format!("/v1/reservations/{paid_id}"))).await;
    assert_eq!(cancelled.ok()["status"], "RESERVATION_STATUS_CANCELLED");
    scene.offers().await.ok();
    assert_ready(mesh, &MESH).await;

    operate(mesh, |local| local.restart("psp-simulator"));
    let payment = eventually("the same call works", async || {
        let answer = scene.open_payment(&waiting).await;
        answer.status.is_success().then_some(answer.body)
    })
    .await;
    assert_eq!(payment["payment_id"], Value::String(opened[0].to_string()));
    assert_eq!(payments().await, opened);
    assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
    await_payment(&scene.guest, &payment, "PAID").await;
    scene.world.await_status(&scene.guest, paid_id, "REFUNDED").await;
    assert_eq!(others(mesh, "psp-simulator"), before);
}

/// Identity: logins fail, and callers with a token continue.
async fn without_identity(mesh: &PrivateMesh, scene: &Scene<'_>) {
    let before = others(mesh, "identity");
    operate(mesh, |local| local.service("identity")?.kill_now());
    scene.prepare().await.ok();
    let booked = scene.book(&scene.order().await).await.ok();
    scene.open_payment(&booked).await.ok();
    scene.world.admin.get(&scene.hotel.path("rate")).await.ok();
    scene.world.admin.get(&format!("/v1/hotels/{}/payments", scene.hotel.hotel_id)).await.ok();

    let credentials = json!({ "email": "guest@staymesh.example", "password": "correct horse battery" });
    for path in ["/v1/auth/login", "/v1/users"] {
        let (answer, _) = within_deadline(path, scene.world.public.post(path, credentials.clone())).await;
        assert_unavailable(answer, &["DEPENDENCY_UNAVAILABLE"]);
    }
    assert_ready(mesh, &["hotel", "rate", "reservation", "payment"]).await;

    operate(mesh, |local| local.restart("identity"));
    let guest = scene.world.guest().await;
    scene.world.book(&guest, scene.hotel, &scene.stay).await;
    assert_eq!(others(mesh, "identity"), before);
}

fn others(mesh: &PrivateMesh, service: &str) -> Vec<(&'static str, u32)> {
    processes(mesh).into_iter().filter(|(name, _)| *name != service).collect()
}
