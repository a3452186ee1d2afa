//! A frozen service does not hang its callers; a service that shuts down completes requests in progress.

use std::{net::TcpStream, time::Duration};

use futures::future::join_all;
use serde_json::Value;
use staymesh_api::reservation::v1::{
    PrepareReservationRequest, RoomRequest, reservation_service_client::ReservationServiceClient,
};
use staymesh_devenv::Signal;
use tokio::time::Instant;
use tonic::{Code, Request, transport::Endpoint};

use super::{Scene, assert_unavailable, operations, processes};
use crate::support::{Books, PrivateMesh, eventually, operate, within_deadline};

/// Default deadline of a call between services.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Default drain time of requests in progress after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);
/// Bookings in progress at SIGTERM.
const IN_PROGRESS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn frozen_service_fails_within_deadline_and_shutdown_drains_requests() {
    // The test holds a lock beyond every deadline.
    let patient = ["STAYMESH_DATABASE_LOCK_TIMEOUT", "STAYMESH_DATABASE_STATEMENT_TIMEOUT"];
    let mut settings = patient.map(|name| ("reservation", name, "12s".to_owned())).to_vec();
    // 12 requests at once open 11 connections, and in an unoptimised build the SCRAM login of each costs 0.13 s of processor
    // time: on two busy cores more than the default of 2 s, which is for an outage.
    settings.push(("reservation", "STAYMESH_DATABASE_ACQUIRE_TIMEOUT", "10s".to_owned()));
    let mesh = PrivateMesh::start(settings).await;
    let scene = Scene::on(&mesh).await;
    frozen_rate(&mesh, &scene).await;
    stopped_reservation(&mesh, &scene).await;
    Books::of(&mesh).await.assert_balanced().await;
}

async fn frozen_rate(mesh: &PrivateMesh, scene: &Scene<'_>) {
    let before = processes(mesh);
    let order = scene.order().await;
    operate(mesh, |local| local.service("rate")?.signal(Signal::STOP));

    // The caller's deadline is shorter than that of the inner calls.
    let endpoint = Endpoint::new(mesh.public_url().to_owned()).expect("an address");
    let mut client = ReservationServiceClient::new(endpoint.connect().await.expect("connects"));
    let mut request = Request::new(PrepareReservationRequest {
        hotel_id: i32::try_from(scene.hotel.hotel_id).expect("an id"),
        check_in: scene.stay.check_in.clone(),
        check_out: scene.stay.check_out.clone(),
        rooms: vec![RoomRequest {
            room_type_id: i32::try_from(scene.hotel.room_type_id).expect("an id"),
            adults: 1,
            ..RoomRequest::default()
        }],
        ..PrepareReservationRequest::default()
    });
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {}", scene.guest.token()).parse().expect("a header"));
    request.set_timeout(Duration::from_secs(1));
    let (answer, took) = within_deadline("a deadline of a second", client.prepare_reservation(request)).await;
    let status = answer.expect_err("the rate service is frozen");
    let given_up = [Code::DeadlineExceeded, Code::Cancelled, Code::Unavailable];
    assert!(given_up.contains(&status.code()) && took < CALL_TIMEOUT, "after {took:?}: {status:?}");

    for answer in join_all((0..12).map(|_| scene.prepare())).await {
        assert_unavailable(answer, &["DEPENDENCY_UNAVAILABLE"]);
    }
    // The circuit breaker is open: calls fail fast, except one probe a second.
    let quick = join_all((0..10).map(|_| async {
        let (answer, took) = within_deadline("behind the open breaker", scene.prepare()).await;
        assert_unavailable(answer, &["DEPENDENCY_UNAVAILABLE"]);
        took < CALL_TIMEOUT
    }));
    let quick = quick.await.into_iter().filter(|quick| *quick).count();
    assert!(quick >= 8, "only {quick} of 10 did not wait");
    assert_unavailable(scene.offers().await, &["DEPENDENCY_UNAVAILABLE"]);
    // Calls that do not need it succeed.
    scene.availability().await.ok();
    scene.book(&order).await.ok();

    operate(mesh, |local| local.service("rate")?.signal(Signal::CONT));
    scene.await_recovery().await;
    assert_eq!(processes(mesh), before);
}

async fn stopped_reservation(mesh: &PrivateMesh, scene: &Scene<'_>) {
    let books = Books::of(mesh).await;
    let orders = join_all((0..IN_PROGRESS).map(|_| scene.order())).await;
    // Bookings of this hotel wait for the lock that the test holds.
    let mut lock = books.pool.begin().await.expect("a transaction");
    sqlx::query("select from room_type_inventory where hotel_id = $1 for update")
        .bind(i32::try_from(scene.hotel.hotel_id).expect("an id"))
        .execute(&mut *lock)
        .await
        .expect("locked");
    let calls: Vec<_> = orders
        .iter()
        .map(|order| {
            let (guest, order) = (scene.guest.clone(), order.clone());
            tokio::spawn(async move { guest.post("/v1/reservations", order).await })
        })
        .collect();
    eventually("all of them are in progress", async || {
        let (_, metrics) = operations(mesh, "reservation", "/metrics").await;
        let active = metrics.lines().find(|line| line.starts_with("rpc_server_active_requests"))?;
        (active.split(' ').next_back() == Some(&IN_PROGRESS.to_string())).then_some(())
    })
    .await;

    let asked = Instant::now();
    operate(mesh, |local| local.service("reservation")?.signal(Signal::TERM));
    let address = mesh.service_url("reservation").expect("an address");
    let address = address.trim_start_matches("http://").to_owned();
    eventually("it takes no more connections", async || TcpStream::connect(&address).is_err().then_some(())).await;
    assert_unavailable(scene.availability().await, &["DEPENDENCY_UNAVAILABLE"]);
    lock.rollback().await.expect("unlocked");

    let (answers, _) = within_deadline("what was in progress", join_all(calls)).await;
    let answers: Vec<Value> = answers.into_iter().map(|call| call.expect("no panic").ok()).collect();
    let status =
        eventually("it has ended", async || operate(mesh, |local| local.service("reservation")?.exit_status())).await;
    assert!(status.success() && asked.elapsed() < DRAIN, "{status} after {:?}", asked.elapsed());
    for (order, answer) in orders.iter().zip(&answers) {
        assert_eq!(answer["status"], "RESERVATION_STATUS_PENDING_PAYMENT");
        let id = order["reservation_id"].as_str().expect("an id");
        assert_eq!(books.history(id).await, ["pending_payment"]);
    }

    operate(mesh, |local| local.restart("reservation"));
    scene.await_recovery().await;
    for (order, answer) in orders.iter().zip(answers) {
        assert_eq!(scene.book(order).await.ok(), answer, "a repeat after the restart");
    }
}
