//! Changes of paid reservations: what they hold, cost and give back, through both services and the provider
//! (PARTNER-SPEC 7).

use serde_json::{Value, json};
use staymesh_devenv::Signal;
use uuid::Uuid;

use super::{
    Sale,
    check::check,
    credit::{credit, limit},
    partners::{await_line, balances, euros, owned, sell},
};
use crate::support::{
    Books, GOOD_CARD, HotelFixture, PrivateMesh, Provider, Rest, Stay, World, assert_no_dead_letters, await_payment,
    database, eventually, in_days, operate, policy,
};

/// Long enough to open a checkout page on a busy machine.
const HOLD: &str = "10s";

/// Sets the price of the night that is `day` days ahead.
async fn set_price(world: &World<'_>, hotel: HotelFixture, day: i32, amount: &str) {
    let wish = json!({ "from_date": in_days(day), "until_date": in_days(day + 1), "price": euros(amount) });
    world.admin.post(&hotel.path("nightlyPrices:set"), wish).await.ok();
}

/// Quotes a change. Returns the quote, and the request that applies it.
pub(super) async fn quote(caller: &Rest, id: &str, change: Value) -> (Value, Value) {
    let quote = caller.post_until_answered(&format!("/v1/reservations/{id}:quoteChange"), change).await;
    let request = json!({ "change_token": quote["change_token"], "request_id": Uuid::new_v4() });
    (quote, request)
}

/// Applies a quoted change, and repeats the request.
async fn apply(caller: &Rest, id: &str, request: &Value) -> Value {
    let path = format!("/v1/reservations/{id}:applyChange");
    let first = caller.post_until_answered(&path, request.clone()).await;
    assert_eq!(caller.post_until_answered(&path, request.clone()).await, first, "a repeat");
    first
}

/// The payment of a pending change.
pub(super) async fn open_difference(guest: &Rest, id: &str, revision: i32) -> Value {
    let wish = json!({ "reservation_id": id, "revision": revision });
    let payment = guest.post_until_answered("/v1/payments", wish.clone()).await;
    assert_eq!(guest.post_until_answered("/v1/payments", wish).await["payment_id"], payment["payment_id"]);
    assert_eq!((&payment["status"], &payment["revision"]), (&json!("PAYMENT_STATUS_PENDING"), &json!(revision)));
    payment
}

/// Waits until no change of the reservation is pending, and returns the reservation.
pub(super) async fn await_decided(caller: &Rest, id: &str) -> Value {
    eventually(&format!("the change of {id} is decided"), async || {
        let now = caller.get(&format!("/v1/reservations/{id}")).await.ok();
        now["pending_change"].is_null().then_some(now)
    })
    .await
}

/// Due, refund and penalty of a quote.
fn sums(quote: &Value) -> [&str; 3] {
    ["due", "refund", "penalty"].map(|sum| quote[sum]["amount"].as_str().expect("an amount"))
}

/// The reason, the total and what is kept of dropped nights, by revision.
async fn revisions(caller: &Rest, id: &str) -> Vec<(String, String, String)> {
    let answer = caller.get(&format!("/v1/reservations/{id}/revisions")).await.ok();
    let revisions = answer["revisions"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").trim_start_matches("REVISION_REASON_").to_owned();
    let numbers: Vec<_> = revisions.iter().map(|revision| revision["revision"].as_u64()).collect();
    assert_eq!(numbers, (1..=revisions.len() as u64).map(Some).collect::<Vec<_>>());
    revisions
        .iter()
        .map(|r| (text(&r["reason"]), text(&r["total"]["amount"]), text(&r["retained"]["amount"])))
        .collect()
}

fn revision(reason: &str, total: &str, retained: &str) -> (String, String, String) {
    (reason.to_owned(), total.to_owned(), retained.to_owned())
}

/// The rooms reserved in each of the nights from `from` until `until`, in days from today.
pub(super) async fn taken(world: &World<'_>, hotel: HotelFixture, from: i32, until: i32) -> Vec<i64> {
    let query = format!("inventory?from_date={}&until_date={}", in_days(from), in_days(until));
    let nights = world.admin.get(&hotel.path(&query)).await.ok();
    let nights = nights["nights"].as_array().expect("nights").iter();
    nights.map(|night| night["total_reserved"].as_i64().expect("a count")).collect()
}

/// A sale of three nights from tomorrow, in the last 48 hours before arrival, at a hotel with 10 % taxes that keeps 30 %.
pub(super) async fn sale(world: &World<'_>, provider: &Provider) -> Sale {
    Sale::open_at(world, world.hotel_with_penalty(30).await, Stay::ahead(1, 3)).await.pay(world, provider).await
}

/// Example 1: three nights of 100, 100 and 120, and one more of 150.
#[tokio::test(flavor = "multi_thread")]
async fn added_night_is_paid_for_and_cancellation_refunds_both_payments_by_policy() {
    let mesh = PrivateMesh::start(vec![]).await;
    let world = World::on(&mesh).await;
    let (provider, books) = (Provider::of(&mesh).await, Books::of(&mesh).await);
    let ledger = database(&mesh, "payment").await;
    let hotel = world.hotel_with_penalty(30).await;
    set_price(&world, hotel, 3, "120.00").await;
    set_price(&world, hotel, 4, "150.00").await;
    let sale = Sale::open_at(&world, hotel, Stay::ahead(1, 3)).await.pay(&world, &provider).await;
    let (guest, id) = (&sale.guest, sale.reservation_id.as_str());
    assert_eq!(sale.payment["amount"], euros("352.00"));

    let (quoted, request) = quote(guest, id, json!({ "check_out": in_days(5) })).await;
    assert_eq!((sums(&quoted), &quoted["base_revision"]), (["165.00", "0.00", "0.00"], &json!(1)));
    assert_eq!((&quoted["price_before"]["total"], &quoted["price"]["total"]), (&euros("352.00"), &euros("517.00")));
    let held = apply(guest, id, &request).await;
    let pending = &held["pending_change"];
    assert_eq!((&pending["revision"], &pending["due"]), (&json!(2), &euros("165.00")));
    assert_eq!((&held["revision"], &held["check_out"]), (&json!(1), &json!(in_days(4))));
    assert_eq!(taken(&world, hotel, 1, 5).await, [1; 4]);
    books.assert_balanced().await;
    let again = format!("/v1/reservations/{id}:quoteChange");
    guest.post(&again, json!({ "check_out": in_days(6) })).await.refused(400, "CHANGE_PENDING");

    let difference = open_difference(guest, id, 2).await;
    assert_eq!(difference["amount"], euros("165.00"));
    assert_eq!(provider.use_card(&difference, GOOD_CARD).await, 200);
    let changed = await_decided(guest, id).await;
    assert_eq!((&changed["revision"], &changed["check_out"]), (&json!(2), &json!(in_days(5))));
    assert_eq!(changed["price"]["total"], euros("517.00"));
    await_payment(guest, &difference, "PAID").await;
    assert_eq!(taken(&world, hotel, 1, 5).await, [1; 4]);
    let [booked, added] = [revision("CREATED", "352.00", "0.00"), revision("CHANGED", "517.00", "0.00")];
    assert_eq!(revisions(guest, id).await, [booked, added]);
    books.assert_balanced().await;
    let sold =
        [("COMMISSION_REVENUE", -7_050), ("HOTEL_PAYABLE", -39_950), ("PSP_CLEARING", 51_700), ("TAX_PAYABLE", -4_700)];
    assert_eq!(balances(&ledger, id).await, owned(&sold));

    // 30 % of 517.00 is kept; the newest payment gives back first.
    let terms = json!({ "expected_refund": euros("361.90") });
    guest.post(&format!("/v1/reservations/{id}:cancel"), terms).await.ok();
    sale.await_status(&world, "REFUNDED").await;
    let newest = await_payment(guest, &difference, "REFUNDED").await;
    let first = await_payment(guest, &sale.payment, "PARTIALLY_REFUNDED").await;
    let back = [&newest["refunded_amount"], &first["refunded_amount"]];
    assert_eq!(back, [&euros("165.00"), &euros("196.90")]);
    assert_eq!(taken(&world, hotel, 1, 5).await, [0; 4]);
    sale.await_all_delivered(&world).await;
    let kept =
        [("COMMISSION_REVENUE", -2_115), ("HOTEL_PAYABLE", -11_985), ("PSP_CLEARING", 15_510), ("TAX_PAYABLE", -1_410)];
    assert_eq!(balances(&ledger, id).await, owned(&kept));
    assert_eq!(books.history(id).await, ["pending_payment", "paid", "cancelled", "refunded"]);
    books.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
    let (clean, found) = tokio::task::block_in_place(|| check(&world));
    assert!(clean, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_night_is_refunded_less_its_penalty_and_cancellation_refunds_the_rest() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let ledger = database(world.mesh, "payment").await;
    let sale = sale(&world, &provider).await;
    let (guest, id) = (&sale.guest, sale.reservation_id.as_str());
    let (quoted, request) = quote(guest, id, json!({ "check_out": in_days(3) })).await;
    assert_eq!(sums(&quoted), ["0.00", "77.00", "33.00"]);
    let changed = apply(guest, id, &request).await;
    assert_eq!((&changed["revision"], &changed["check_out"]), (&json!(2), &json!(in_days(3))));
    assert_eq!((&changed["price"]["total"], &changed["retained"]), (&euros("220.00"), &euros("33.00")));
    assert_eq!(taken(&world, sale.hotel, 1, 4).await, [1, 1, 0]);

    let payment = await_payment(guest, &sale.payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(payment["refunded_amount"], euros("77.00"));
    sale.await_all_delivered(&world).await;
    let row = provider.row(&sale.payment).await;
    assert_eq!((row.refund_requested_minor, row.refunded_minor), (7_700, 7_700));
    assert_eq!(sale.status().await, "PAID");
    let kept =
        [("COMMISSION_REVENUE", -3_450), ("HOTEL_PAYABLE", -19_550), ("PSP_CLEARING", 25_300), ("TAX_PAYABLE", -2_300)];
    assert_eq!(balances(&ledger, id).await, owned(&kept));

    // 30 % of the two nights that are left: 66.00 are kept of 220.00.
    sale.cancel().await;
    sale.await_status(&world, "REFUNDED").await;
    sale.await_all_delivered(&world).await;
    let payment = guest.get(&format!("/v1/payments/{}", sale.payment_id())).await.ok();
    let refunds = payment["refunds"].as_array().expect("a list");
    let mut amounts: Vec<_> = refunds.iter().map(|refund| refund["amount"]["amount"].as_str()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [Some("154.00"), Some("77.00")]);
    assert_eq!(provider.row(&sale.payment).await.refunded_minor, 23_100);
    let [booked, shorter] = [revision("CREATED", "330.00", "0.00"), revision("CHANGED", "253.00", "33.00")];
    assert_eq!(revisions(guest, id).await, [booked, shorter]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unpaid_change_expires_and_its_late_payment_is_refunded_in_full() {
    let mesh = PrivateMesh::start(vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let [unpaid, late] = [sale(&world, &provider).await, sale(&world, &provider).await];
    let mut differences = Vec::new();
    for sale in [&unpaid, &late] {
        let (guest, id) = (&sale.guest, sale.reservation_id.as_str());
        let (_, request) = quote(guest, id, json!({ "check_out": in_days(5) })).await;
        let path = format!("/v1/reservations/{id}:applyChange");
        assert_eq!(guest.post(&path, request).await.ok()["pending_change"]["due"], euros("110.00"));
        differences.push(open_difference(guest, id, 2).await);
        assert_eq!(taken(&world, sale.hotel, 1, 5).await, [1; 4]);
    }

    // While the payment service is frozen, the guest pays, and no event is processed.
    operate(&mesh, |local| local.service("payment")?.signal(Signal::STOP));
    assert_eq!(provider.use_card(&differences[1], GOOD_CARD).await, 200);
    for sale in [&unpaid, &late] {
        let stands = await_decided(&sale.guest, &sale.reservation_id).await;
        assert_eq!((&stands["status"], &stands["check_out"]), (&json!("RESERVATION_STATUS_PAID"), &json!(in_days(4))));
        assert_eq!(taken(&world, sale.hotel, 1, 5).await, [1, 1, 1, 0]);
    }
    operate(&mesh, |local| local.service("payment")?.signal(Signal::CONT));

    await_payment(&unpaid.guest, &differences[0], "EXPIRED").await;
    assert_eq!(provider.use_card(&differences[0], GOOD_CARD).await, 410);
    let refunded = await_payment(&late.guest, &differences[1], "REFUNDED").await;
    assert_eq!(refunded["refunded_amount"], euros("110.00"));
    let books = Books::of(&mesh).await;
    for sale in [&unpaid, &late] {
        let (guest, id) = (&sale.guest, sale.reservation_id.as_str());
        sale.await_all_delivered(&world).await;
        let wish = json!({ "reservation_id": id, "revision": 2 });
        guest.post("/v1/payments", wish).await.refused(400, "CHANGE_NOT_PENDING");
        let [booked, dropped] = [revision("CREATED", "330.00", "0.00"), revision("CHANGE_DROPPED", "330.00", "0.00")];
        assert_eq!(revisions(guest, id).await, [booked, dropped]);
        assert_eq!((sale.status().await.as_str(), provider.row(&sale.payment).await.refunded_minor), ("PAID", 0));
        assert_eq!(books.history(id).await, ["pending_payment", "paid"]);
    }
    books.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
    let (clean, found) = tokio::task::block_in_place(|| check(&world));
    assert!(clean, "{found:#}");
}

/// Another room type of the hotel, at 150.00 a night, of which a late cancellation keeps a half.
async fn suite(world: &World<'_>, hotel: HotelFixture) -> HotelFixture {
    let suite =
        json!({ "display_name": "Suite", "beds": [{ "kind": "BED_KIND_DOUBLE", "count": 1 }], "max_occupancy": 2 });
    let made = world.admin.post(&format!("/v1/hotels/{}/roomTypes", hotel.hotel_id), suite).await.ok();
    let suite = HotelFixture { room_type_id: made["room_type_id"].as_i64().expect("an id"), ..hotel };
    let rate = json!({ "base_price": euros("150.00"), "cancellation_policy": policy(48, 50) });
    world.admin.put(&suite.path("rate"), rate).await.ok();
    world.set_inventory(suite, 0, 60, 1).await;
    suite
}

/// Example 2: rooms of 300, 300 and 450, of which the last is cancelled late at 50 %.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_rooms_is_cancelled_with_its_penalty_and_the_others_stand() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let hotel = world.hotel_with_penalty(50).await;
    let (suite, guest, stay) = (suite(&world, hotel).await, world.guest().await, Stay::ahead(1, 3));
    let mut rooms = hotel.rooms(2);
    rooms.as_array_mut().expect("rooms").push(json!({ "room_type_id": suite.room_type_id, "adults": 1 }));
    let wish = json!({
        "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out, "rooms": rooms,
    });
    let form = guest.post_until_answered("/v1/reservations:prepare", wish).await;
    let order = json!({
        "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
        "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
    });
    let booked = guest.post_until_answered("/v1/reservations", order).await;
    let id = booked["reservation_id"].as_str().expect("an id");
    let payment = crate::support::open_payment(&guest, &booked).await;
    assert_eq!(payment["amount"], euros("1155.00"));
    assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
    world.await_status(&guest, id, "PAID").await;

    let path = format!("/v1/reservations/{id}:cancelRooms");
    guest.post(&path, json!({ "rooms": [4] })).await.violating(&["rooms"]);
    guest.post(&path, json!({})).await.violating(&["rooms"]);
    let quoted = guest.get(&format!("/v1/reservations/{id}:cancelQuote?rooms=3")).await.ok();
    assert_eq!((&quoted["refund"], &quoted["kept"]), (&euros("247.50"), &euros("247.50")));
    guest.get(&format!("/v1/reservations/{id}:cancelQuote?rooms=4")).await.violating(&["rooms"]);
    let wrong = json!({ "rooms": [3], "expected_refund": euros("247.51") });
    guest.post(&path, wrong).await.refused(400, "CANCEL_TERMS_CHANGED");
    for _ in 0..2 {
        let left = guest.post(&path, json!({ "rooms": [3] })).await.ok();
        assert_eq!((&left["status"], &left["revision"]), (&json!("RESERVATION_STATUS_PAID"), &json!(2)));
        assert_eq!((&left["price"]["total"], &left["retained"]), (&euros("660.00"), &euros("247.50")));
        let statuses = [0, 1, 2].map(|at| left["rooms"][at]["status"].as_str().expect("a status"));
        assert_eq!(statuses.map(|status| status.ends_with("_CANCELLED")), [false, false, true], "{statuses:?}");
    }
    assert_eq!(taken(&world, hotel, 1, 4).await, [2; 3]);
    assert_eq!(taken(&world, suite, 1, 4).await, [0; 3]);
    let part = await_payment(&guest, &payment, "PARTIALLY_REFUNDED").await;
    assert_eq!((&part["refunded_amount"], part["refunds"].as_array().map(Vec::len)), (&euros("247.50"), Some(1)));
    let [booked, left] = [revision("CREATED", "1155.00", "0.00"), revision("ROOMS_CANCELLED", "907.50", "247.50")];
    assert_eq!(revisions(&guest, id).await, [booked, left]);

    // The last two rooms together are the reservation; a half of their 660.00 is kept.
    let ended = guest.post(&path, json!({ "rooms": [1, 2] })).await.ok();
    assert_eq!(ended["status"], "RESERVATION_STATUS_CANCELLED");
    world.await_status(&guest, id, "REFUNDED").await;
    let payment = await_payment(&guest, &payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(payment["refunded_amount"], euros("577.50"));
    assert_eq!(taken(&world, hotel, 1, 4).await, [0; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn partner_owes_difference_of_longer_stay_within_its_credit_limit_only() {
    let world = World::shared().await;
    let ledger = database(world.mesh, "payment").await;
    let (partner, hotel, stay) = (world.partner().await, world.hotel_with_penalty(30).await, Stay::ahead(30, 2));
    let name = limit(&world, &partner, "329.99").await;
    let id = sell(&world, &partner, hotel, &stay).await;
    let path = format!("/v1/reservations/{id}");
    let before = partner.get(&path).await.ok();
    let owed = balances(&ledger, &id).await;

    let (quoted, request) = quote(&partner, &id, json!({ "check_out": in_days(33) })).await;
    assert_eq!(sums(&quoted), ["110.00", "0.00", "0.00"]);
    let apply_path = format!("{path}:applyChange");
    let refused = partner.post(&apply_path, request.clone()).await.refused(400, "PARTNER_CREDIT_EXCEEDED");
    let metadata = &refused.detail("ErrorInfo")["metadata"];
    let numbers = ["limit", "used", "asked"].map(|name| metadata[name].as_str().expect("a text"));
    assert_eq!(numbers, ["329.99", "220.00", "110.00"]);
    let again = partner.post(&apply_path, request).await.refused(400, "PARTNER_CREDIT_EXCEEDED");
    assert_eq!(again.detail("ErrorInfo")["metadata"], *metadata, "a repeat gets the same refusal");
    let stands = partner.get(&path).await.ok();
    for field in ["status", "check_in", "check_out", "price", "rooms", "retained", "pending_change"] {
        assert_eq!(stands[field], before[field], "{field}");
    }
    assert_eq!(taken(&world, hotel, 30, 33).await, [1, 1, 0]);
    assert_eq!((credit(&partner).await["used_amount"].clone(), balances(&ledger, &id).await), (euros("220.00"), owed));

    limit(&world, &partner, "330.00").await;
    let (_, request) = quote(&partner, &id, json!({ "check_out": in_days(33) })).await;
    apply(&partner, &id, &request).await;
    let longer = await_decided(&partner, &id).await;
    assert_eq!((&longer["check_out"], &longer["price"]["total"]), (&json!(in_days(33)), &euros("330.00")));
    assert_eq!(taken(&world, hotel, 30, 33).await, [1; 3]);
    let line = await_line(&world, &name, &id, |line| line["amount"] == euros("330.00")).await;
    assert_eq!((&line["owed_amount"], &line["check_out"]), (&euros("330.00"), &json!(in_days(33))));
    assert_eq!(credit(&partner).await["used_amount"], euros("330.00"));
    let owed = [
        ("COMMISSION_REVENUE", -4_500),
        ("HOTEL_PAYABLE", -25_500),
        ("PARTNER_RECEIVABLE", 33_000),
        ("TAX_PAYABLE", -3_000),
    ];
    assert_eq!(balances(&ledger, &id).await, owned(&owed));

    partner.delete(&path).await.ok();
    await_line(&world, &name, &id, |line| line["owed_amount"] == euros("0.00")).await;
    assert_eq!((balances(&ledger, &id).await, taken(&world, hotel, 30, 33).await), (vec![], vec![0; 3]));
}
