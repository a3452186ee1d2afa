//! The upgrade from the release before reservations had rooms of their own, with its real binaries: its databases are
//! migrated while it serves, then every process is replaced; nothing is lost.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use staymesh_localmesh::Quiet;
use staymesh_testkit::{TestMesh, binary};

use super::check::check;
use crate::support::{
    Books, GOOD_CARD, HotelFixture, Provider, Rest, Stay, World, await_payment, database, eventually, in_days,
    open_payment, operate,
};

/// The binaries of the release before: `staymesh` and `staymesh-dev`.
const BEFORE: [&str; 2] = ["STAYMESH_BIN_BEFORE", "STAYMESH_DEV_BIN_BEFORE"];
/// A month whose nights are in the archive.
const PAST: &str = "date_trunc('month', current_date - interval '4 months')::date";

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

/// A hotel as the release before makes it: cancellation terms are two numbers.
async fn hotel(world: &World<'_>) -> HotelFixture {
    let post = async |method, path: String, body| world.admin.call_until_answered(method, &path, Some(body)).await.ok();
    let hotel = json!({
        "display_name": "Test hotel", "address": { "city": "Porto", "country_code": "PT" },
        "time_zone": "Etc/GMT+12", "currency_code": "EUR", "star_rating": 3,
    });
    let hotel_id = post(Method::POST, "/v1/hotels".into(), hotel).await["hotel_id"].as_i64().expect("an id");
    let room_type =
        json!({ "display_name": "Double", "beds": [{ "kind": "BED_KIND_DOUBLE", "count": 1 }], "max_occupancy": 2 });
    let room_type = post(Method::POST, format!("/v1/hotels/{hotel_id}/roomTypes"), room_type).await;
    let hotel = HotelFixture { hotel_id, room_type_id: room_type["room_type_id"].as_i64().expect("an id") };
    let policy = json!({ "free_until_hours_before": 48, "late_penalty_percent": 30 });
    let rate = json!({ "base_price": euros("100.00"), "cancellation_policy": policy });
    post(Method::PUT, hotel.path("rate"), rate).await;
    let nights = json!({ "from_date": in_days(0), "until_date": in_days(100), "total_inventory": 1000 });
    post(Method::PUT, hotel.path("inventory"), nights).await;
    hotel
}

/// Repeats a call until its answer is no failure of the server; returns it, and how many failures were not UNAVAILABLE.
async fn answered(caller: &Rest, method: Method, path: &str, body: Option<Value>) -> (Value, u32) {
    let mut failures = 0;
    let answer = eventually(path, async || {
        let answer = caller.call(method.clone(), path, body.clone()).await;
        failures += u32::from(answer.status == 500);
        (!answer.status.is_server_error()).then_some(answer)
    });
    let answer = answer.await;
    (answer.ok(), failures)
}

/// Books two rooms for three nights, as the release before is asked.
async fn book(caller: &Rest, hotel: HotelFixture, mode: &str) -> (Value, u32) {
    let stay = Stay::ahead(30, 3);
    let wish = json!({
        "hotel_id": hotel.hotel_id, "room_type_id": hotel.room_type_id, "check_in": stay.check_in,
        "check_out": stay.check_out, "rooms": 2, "guests": 2,
    });
    let (form, failed) = answered(caller, Method::POST, "/v1/reservations:prepare", Some(wish)).await;
    let order = json!({
        "reservation_id": form["reservation_id"], "offer_token": form["offer_token"], "payment_mode": mode,
        "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
    });
    let (booked, failed_then) = answered(caller, Method::POST, "/v1/reservations", Some(order)).await;
    (booked, failed + failed_then)
}

const GUEST_PAYS: &str = "PAYMENT_MODE_GUEST_PAYS";

fn id(booked: &Value) -> String {
    booked["reservation_id"].as_str().expect("an id").to_owned()
}

/// Books, reads, lists and cancels; the id, and the number of failures.
async fn come_and_go(guest: &Rest, hotel: HotelFixture) -> (String, u32) {
    let (booked, failed) = book(guest, hotel, GUEST_PAYS).await;
    let path = format!("/v1/reservations/{}", id(&booked));
    let (read, unread) = answered(guest, Method::GET, &path, None).await;
    assert_eq!(read["status"], "RESERVATION_STATUS_PENDING_PAYMENT");
    let (listed, unlisted) = answered(guest, Method::GET, "/v1/reservations?page_size=5", None).await;
    assert!(!listed["reservations"].as_array().expect("a list").is_empty());
    let (ended, not_ended) = answered(guest, Method::DELETE, &path, None).await;
    assert_eq!(ended["status"], "RESERVATION_STATUS_CANCELLED");
    (id(&booked), failed + unread + unlisted + not_ended)
}

/// Guests come and go until `stop`; the ids of their bookings, and the number of failures.
async fn serve(guest: &Rest, hotel: HotelFixture, stop: &AtomicBool) -> (Vec<String>, u32) {
    let (mut made, mut failures) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let (id, failed) = come_and_go(guest, hotel).await;
        made.push(id);
        failures += failed;
    }
    (made, failures)
}

/// Puts the nights of a past month on sale, and moves them to the archive.
async fn archive(mesh: &TestMesh, books: &Books, hotel: HotelFixture) {
    let nights = format!(
        "select ensure_inventory_partitions({PAST}, {PAST});
         insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory)
         select {}, {}, {PAST} + n, 5 from generate_series(0, 19) n",
        hotel.hotel_id, hotel.room_type_id
    );
    sqlx::raw_sql(AssertSqlSafe(nights)).execute(&books.pool).await.expect("past nights");
    let status = operate(mesh, |local| {
        let mut job = local.job("reservation", &["archive-inventory"])?.spawn()?;
        staymesh_devenv::wait::wait_until("archived", std::time::Duration::from_mins(1), || job.exit_status())
    });
    assert!(status.success(), "{status}");
}

async fn archived_nights(books: &Books) -> i64 {
    let nights = "select coalesce(sum(nights), 0)::bigint from inventory_archive where archived_at is not null";
    sqlx::query_scalar(nights).fetch_one(&books.pool).await.expect("the archive")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binaries of the release before; the command is in CONTRIBUTING.md"]
async fn release_before_serves_while_it_is_migrated_and_the_new_one_goes_on_with_nothing_lost() {
    let [old, old_dev] = BEFORE.map(|name| PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("{name}"))));
    // A busy machine is slow to connect to a database.
    let patience = |service| (service, "STAYMESH_DATABASE_ACQUIRE_TIMEOUT", "10s".to_owned());
    let settings = ["identity", "hotel", "rate", "reservation", "payment"].map(patience).to_vec();
    let mesh = Arc::new(TestMesh::of_binaries(old, old_dev, settings).await.expect("the release before starts"));
    let webhook = format!("{}/v1/webhooks/psp", mesh.public_url());
    operate(&mesh, |local| {
        local.service("psp-simulator")?.kill_now()?;
        local.restart_with("psp-simulator", &[("STAYMESH_PSP_WEBHOOK_URL", &webhook)])
    });
    let world = World::on(&mesh).await;
    let (provider, books) = (Provider::of(&mesh).await, Books::of(&mesh).await);
    let (guest, partner, hotel) = (world.guest().await, world.partner().await, hotel(&world).await);
    let booking = async || book(&guest, hotel, GUEST_PAYS).await.0;
    let (held, open) = (booking().await, booking().await);
    let open_page = open_payment(&guest, &open).await;
    let paying = async || {
        let booked = booking().await;
        let payment = open_payment(&guest, &booked).await;
        assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
        world.await_status(&guest, &id(&booked), "PAID").await;
        (booked, payment)
    };
    let (paid, paid_page) = paying().await;
    let (refunded, _) = paying().await;
    guest.delete(&format!("/v1/reservations/{}", id(&refunded))).await.ok();
    world.await_status(&guest, &id(&refunded), "REFUNDED").await;
    let (sold, _) = book(&partner, hotel, "PAYMENT_MODE_PARTNER_COLLECTS").await;
    world.await_status(&partner, &id(&sold), "PAID").await;
    archive(&mesh, &books, hotel).await;
    let archived = archived_nights(&books).await;
    assert!(archived >= 20);

    // Expand, while the release before serves.
    let stop = AtomicBool::new(false);
    let new = [binary("STAYMESH_BIN", "staymesh"), binary("STAYMESH_DEV_BIN", "staymesh-dev")];
    let [new, new_dev] = new.map(|path| path.expect("is built"));
    let migrating = {
        let mesh = mesh.clone();
        tokio::task::spawn_blocking(move || {
            let mut local = mesh.local();
            local.use_binaries(new, new_dev);
            local.migrate(&Quiet)
        })
    };
    let upgrade = async {
        let migrated = migrating.await.expect("no panic");
        stop.store(true, Ordering::Relaxed);
        migrated.expect("migrated");
    };
    let (served, ()) = tokio::join!(join_all((0..4).map(|_| serve(&guest, hotel, &stop))), upgrade);
    let failures: u32 = served.iter().map(|(_, failed)| failed).sum();
    let mut made: Vec<String> = served.into_iter().flat_map(|(made, _)| made).collect();
    println!("{} bookings while migrating; {failures} answers of INTERNAL", made.len());
    // It goes on without a failure.
    for _ in 0..20 {
        let (id, failed) = come_and_go(&guest, hotel).await;
        assert_eq!(failed, 0);
        made.push(id);
    }

    operate(&mesh, |local| {
        for service in ["payment", "reservation", "hotel", "rate", "identity", "psp-simulator"] {
            local.service(service)?.kill_now()?;
        }
        for service in ["identity", "hotel", "rate", "reservation", "payment", "psp-simulator"] {
            local.restart(service)?;
        }
        local.replace_edge()
    });
    for id in &made {
        let kept = world.await_status(&guest, id, "CANCELLED").await;
        assert_eq!((&kept["price"]["total"], kept["rooms"].as_array().map(Vec::len)), (&euros("600.00"), Some(2)));
    }
    // The page that the release before opened is paid, a hold of it gets one, and what it sold is cancelled.
    assert_eq!(provider.use_card(&open_page, GOOD_CARD).await, 200);
    world.await_status(&guest, &id(&open), "PAID").await;
    let page = open_payment(&guest, &held).await;
    assert_eq!(provider.use_card(&page, GOOD_CARD).await, 200);
    world.await_status(&guest, &id(&held), "PAID").await;
    guest.delete(&format!("/v1/reservations/{}", id(&paid))).await.ok();
    assert_eq!(await_payment(&guest, &paid_page, "REFUNDED").await["refunded_amount"], euros("600.00"));
    world.await_status(&guest, &id(&refunded), "REFUNDED").await;
    world.await_status(&partner, &id(&sold), "PAID").await;
    partner.delete(&format!("/v1/reservations/{}", id(&sold))).await.ok();
    assert_eq!(archived_nights(&books).await, archived);
    eventually("the sale is credited", async || {
        let credited = "select credited_minor from partner_sale where reservation_id = $1::uuid";
        let pool = database(&mesh, "payment").await;
        let credited: i64 = sqlx::query_scalar(credited).bind(id(&sold)).fetch_one(&pool).await.expect("the sale");
        (credited == 60_000).then_some(())
    })
    .await;
    books.assert_balanced().await;
    let (clean, found) = tokio::task::block_in_place(|| check(&world));
    assert!(clean, "{found:#}");
}
