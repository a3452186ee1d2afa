//! The front desk: lists of a date, check-in and check-out, and following changes.

use serde_json::{Value, json};

use crate::support::{HotelFixture, Rest, Stay, World, eventually};

const LIVE: &str = "RESERVATION_ROOM_STATUS_LIVE";
const IN_HOUSE: &str = "RESERVATION_ROOM_STATUS_IN_HOUSE";
const COMPLETED: &str = "RESERVATION_ROOM_STATUS_COMPLETED";

/// A sale whose partner collects: it is paid at once.
pub(super) async fn sold(world: &World<'_>, partner: &Rest, hotel: HotelFixture, stay: &Stay, guest: &str) -> Value {
    let mut order = world.prepare(partner, hotel, stay, 1).await;
    order["payment_mode"] = json!("PAYMENT_MODE_PARTNER_COLLECTS");
    order["primary_guest"]["full_name"] = json!(guest);
    partner.post_until_answered("/v1/reservations", order).await
}

pub(super) fn path(booked: &Value, method: &str) -> String {
    format!("/v1/reservations/{}:{method}", booked["reservation_id"].as_str().expect("an id"))
}

/// The rooms in a list, by reservation, each with its status.
async fn listed(desk: &Rest, hotel: HotelFixture, list: &str, query: &str) -> Vec<(Value, Value)> {
    let page = desk.get(&format!("/v1/hotels/{}/{list}{query}", hotel.hotel_id)).await.ok();
    let rooms = page["rooms"].as_array().expect("rooms").iter();
    rooms.map(|room| (room["reservation_id"].clone(), room["status"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn day_at_the_desk_goes_from_arrival_to_departure() {
    let world = World::shared().await;
    let hotel = world.hotel_with_penalty(30).await;
    let (partner, desk) = (world.partner().await, world.staff(&[hotel.hotel_id]).await);
    let stay = Stay::begun(2);
    let (first, second) = (
        sold(&world, &partner, hotel, &stay, "Guest One").await,
        sold(&world, &partner, hotel, &stay, "Guest Two").await,
    );
    let tomorrow = sold(&world, &partner, hotel, &Stay::ahead(5, 1), "Guest Three").await;
    let of = |booked: &Value, status: &str| (booked["reservation_id"].clone(), json!(status));

    // Today's arrivals, by default.
    let mut expected = vec![of(&first, LIVE), of(&second, LIVE)];
    expected.sort_by_key(|(id, _)| id.to_string());
    assert_eq!(listed(&desk, hotel, "arrivals", "").await, expected);
    let page = desk.get(&format!("/v1/hotels/{}/arrivals?page_size=1", hotel.hotel_id)).await.ok();
    assert_eq!((&page["date"], page["rooms"].as_array().map(Vec::len)), (&json!(stay.check_in), Some(1)));
    assert_eq!(page["rooms"][0]["balance_due"], json!({ "currency_code": "EUR", "amount": "0.00" }));
    let token = page["next_page_token"].as_str().expect("a token");
    let next = format!("?page_size=1&page_token={token}");
    assert_eq!(listed(&desk, hotel, "arrivals", &next).await, expected[1..]);

    let arrived = desk.post(&path(&first, "checkIn"), json!({})).await.ok();
    assert_eq!((&arrived["status"], &arrived["rooms"][0]["status"]), (&first["status"], &json!(IN_HOUSE)));
    assert_eq!(desk.post(&path(&first, "checkIn"), json!({ "positions": [1] })).await.ok(), arrived, "a repeat");
    let early = desk.post(&path(&tomorrow, "checkIn"), json!({})).await.refused(400, "CHECK_IN_OUT_OF_TIME");
    assert_eq!(early.detail("ErrorInfo")["metadata"]["from_date"], tomorrow["check_in"]);
    assert_eq!(listed(&desk, hotel, "inHouse", "").await, [of(&first, IN_HOUSE)]);

    // The wrong guest: undone, and checked in again.
    let undone = desk.post(&path(&first, "undoCheckIn"), json!({})).await.ok();
    assert_eq!(undone["rooms"][0]["status"], LIVE);
    desk.post(&path(&first, "checkIn"), json!({})).await.ok();

    // Guests who have arrived are no longer cancelled and no no-show; those who have not are.
    partner.post(&path(&first, "cancel"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");
    desk.post(&path(&first, "markNoShow"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");
    desk.post(&path(&second, "markNoShow"), json!({})).await.ok();
    desk.post(&path(&second, "checkIn"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");
    assert_eq!(listed(&desk, hotel, "arrivals", "").await, [of(&first, IN_HOUSE)]);

    let departures = format!("?date={}", stay.check_out);
    assert_eq!(listed(&desk, hotel, "departures", &departures).await, [of(&first, IN_HOUSE)]);
    let departed = desk.post(&path(&first, "checkOut"), json!({})).await.ok();
    assert_eq!(departed["rooms"][0]["status"], COMPLETED);
    assert_eq!(listed(&desk, hotel, "departures", &departures).await, [of(&first, COMPLETED)]);
    desk.post(&path(&first, "undoCheckIn"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");

    // Each step is audited, without names.
    let object = first["reservation_id"].as_str().expect("an id");
    let records = world.admin.get(&format!("/v1/auditRecords/reservation?object_id={object}")).await.ok();
    let methods: Vec<_> = records["audit_records"]
        .as_array()
        .expect("records")
        .iter()
        .filter_map(|record| record["method"].as_str()?.split('/').next_back())
        .collect();
    assert_eq!(methods, ["CheckOut", "CheckIn", "UndoCheckIn", "CheckIn"], "the newest first");

    let other = world.staff(&[world.hotel(1).await.hotel_id]).await;
    other.get(&format!("/v1/hotels/{}/arrivals", hotel.hotel_id)).await.refused(403, "ACCESS_DENIED");
    other.post(&path(&first, "checkIn"), json!({})).await.refused(404, "RESERVATION_NOT_FOUND");
    desk.post(&path(&first, "checkOut"), json!({ "positions": [2] })).await.violating(&["positions"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn list_filters_by_dates_and_follows_changes() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (partner, desk) = (world.partner().await, world.staff(&[hotel.hotel_id]).await);
    let (near, far) = (Stay::ahead(10, 2), Stay::ahead(20, 2));
    let first = sold(&world, &partner, hotel, &near, "Guest One").await;
    let list = format!("/v1/reservations?hotel_id={}", hotel.hotel_id);
    let ids = |page: &Value| -> Vec<Value> {
        page["reservations"].as_array().expect("a list").iter().map(|row| row["reservation_id"].clone()).collect()
    };
    let page = desk.get(&list).await.ok();
    assert_eq!(ids(&page), [first["reservation_id"].clone()]);
    let mut cursor = page["change_cursor"].as_str().expect("a cursor").to_owned();

    let second = sold(&world, &partner, hotel, &far, "Guest Two").await;
    let dates = format!("{list}&check_in_from={}&check_in_until={}", near.check_in, near.check_out);
    assert_eq!(ids(&desk.get(&dates).await.ok()), [first["reservation_id"].clone()]);
    let dates = format!("{list}&check_out_from={}&check_out_until={}", far.check_in, Stay::ahead(20, 9).check_out);
    assert_eq!(ids(&desk.get(&dates).await.ok()), [second["reservation_id"].clone()]);
    let created = format!("{list}&create_time_until={}", second["create_time"].as_str().expect("a time"));
    assert_eq!(ids(&desk.get(&created).await.ok()), [first["reservation_id"].clone()]);

    partner.post(&path(&first, "cancel"), json!({})).await.ok();
    let mut seen = Vec::new();
    eventually("both changes are read", async || {
        let page = desk.get(&format!("{list}&changed_since={cursor}")).await.ok();
        cursor = page["change_cursor"].as_str().expect("a cursor").to_owned();
        seen.extend(
            page["reservations"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|row| (row["reservation_id"].clone(), row["status"].clone())),
        );
        let has = |id: &Value, status: &str| seen.iter().any(|(seen, now)| seen == id && now == status);
        (has(&first["reservation_id"], "RESERVATION_STATUS_CANCELLED")
            && has(&second["reservation_id"], "RESERVATION_STATUS_PAID"))
        .then_some(())
    })
    .await;

    desk.get(&format!("{list}&changed_since=x")).await.violating(&["changed_since"]);
    desk.get(&format!("{list}&changed_since={cursor}&status=RESERVATION_STATUS_PAID"))
        .await
        .violating(&["changed_since"]);
    desk.get(&format!("{list}&check_in_from={}", near.check_in)).await.violating(&["check_in_until"]);
    partner.get(&format!("/v1/reservations?changed_since={cursor}")).await.violating(&["changed_since"]);
    let guest = world.guest().await;
    guest.get(&format!("/v1/reservations?changed_since={cursor}")).await.violating(&["changed_since"]);
    let of_partner = partner.get("/v1/reservations").await.ok();
    assert_ne!(of_partner["change_cursor"], "");
}
