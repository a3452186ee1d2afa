//! `/v1/reservations`.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{all_pages, assert_just_now, with};
use crate::support::{HotelFixture, Rest, Stay, World, terms};

const PENDING: &str = "RESERVATION_STATUS_PENDING_PAYMENT";
const CANCELLED: &str = "RESERVATION_STATUS_CANCELLED";

fn path_of(order: &Value) -> String {
    format!("/v1/reservations/{}", order["reservation_id"].as_str().expect("an id"))
}

pub(super) async fn reserved(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> Vec<i64> {
    let query = format!("?from_date={}&until_date={}", stay.check_in, stay.check_out);
    let nights = world.admin.get(&(hotel.path("inventory") + &query)).await.ok();
    let nights = nights["nights"].as_array().expect("nights").iter();
    nights.map(|night| night["total_reserved"].as_i64().expect("a count")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reservation_is_created_read_and_cancelled() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 2);
    let order = world.prepare(&guest, hotel, &stay, 3).await;
    let euros = |amount: &str| json!({ "currency_code": "EUR", "amount": amount });
    let booked = guest.post("/v1/reservations", order.clone()).await.ok();
    let nights: Vec<_> = booked["price"]["nights"].as_array().expect("nights").clone();
    let price = json!({
        "room_type_id": hotel.room_type_id, "nights": nights, "subtotal": euros("600.00"), "taxes": [],
        "total": euros("600.00"), "cancellation_terms": terms(0, ["0.00", "0.00"], &stay.check_in, &stay.check_out),
    });
    let of_room = json!({
        "room_type_id": hotel.room_type_id, "nights": booked["rooms"][0]["price"]["nights"], "subtotal": euros("200.00"),
        "taxes": [], "total": euros("200.00"),
        "cancellation_terms": price["cancellation_terms"],
    });
    let room = |status: &str, position: i32| {
        json!({
            "position": position, "room_type_id": hotel.room_type_id, "rate_plan": "STANDARD", "check_in": stay.check_in,
            "check_out": stay.check_out, "adults": 1, "child_ages": [], "price": of_room,
            "status": format!("RESERVATION_ROOM_STATUS_{status}"),
        })
    };
    let expected = json!({
        "reservation_id": order["reservation_id"], "hotel_id": hotel.hotel_id,
        "check_in": stay.check_in, "check_out": stay.check_out, "rooms": [room("LIVE", 1), room("LIVE", 2), room("LIVE", 3)],
        "revision": 1, "etag": booked["etag"],
        "primary_guest": order["primary_guest"], "status": PENDING,
        "cancellation_reason": "CANCELLATION_REASON_UNSPECIFIED", "payment_mode": "PAYMENT_MODE_GUEST_PAYS",
        "price": price, "hold_expire_time": booked["hold_expire_time"], "create_time": booked["create_time"],
        "update_time": booked["create_time"],
    });
    assert_eq!(booked, expected);
    assert_eq!(
        nights,
        [
            json!({ "stay_date": stay.check_in, "price": euros("100.00") }),
            json!({ "stay_date": Stay::ahead(31, 1).check_in, "price": euros("100.00") }),
        ]
    );
    assert_just_now(&booked["create_time"]);
    let hold: Timestamp = booked["hold_expire_time"].as_str().expect("a text").parse().expect("a time");
    assert!(hold > Timestamp::now() && hold < Timestamp::now() + SignedDuration::from_hours(1), "{hold}");
    assert_eq!(reserved(&world, hotel, &stay).await, [3, 3]);

    let path = path_of(&order);
    assert_eq!(guest.get(&path).await.ok(), booked);
    assert_eq!(
        guest.get("/v1/reservations").await.ok(),
        json!({ "reservations": [booked], "next_page_token": "", "change_cursor": "" })
    );

    let cancelled = guest.delete(&path).await.ok();
    let news = json!({
        "status": CANCELLED, "cancellation_reason": "CANCELLATION_REASON_REQUESTED", "hold_expire_time": null,
        "update_time": cancelled["update_time"], "etag": cancelled["etag"],
        "rooms": [room("CANCELLED", 1), room("CANCELLED", 2), room("CANCELLED", 3)],
    });
    assert_eq!(cancelled, with(&booked, &news));
    assert_ne!(cancelled["etag"], booked["etag"]);
    for _ in 0..3 {
        assert_eq!(guest.delete(&path).await.ok(), cancelled, "cancelling again gets the same answer");
        assert_eq!(guest.post(&format!("{path}:cancel"), json!({})).await.ok(), cancelled);
    }
    assert_eq!(guest.get(&path).await.ok(), cancelled, "the reservation stays readable");
    assert_eq!(reserved(&world, hotel, &stay).await, [0, 0], "the rooms came back once");
    assert_eq!(guest.post("/v1/reservations", order).await.ok(), cancelled, "a late repeat books nothing new");
    assert_eq!(reserved(&world, hotel, &stay).await, [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reservation_of_another_account_is_not_found() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (guest, stranger, partner) = (world.guest().await, world.guest().await, world.partner().await);
    let foreign_staff = world.staff(&[world.hotel(1).await.hotel_id]).await;
    let stay = Stay::ahead(30, 1);
    let booked = world.book(&guest, hotel, &stay).await;
    let (path, no_such) = (path_of(&booked), "/v1/reservations/01a20117-0477-8fc8-b07f-612c77359400");
    for nosy in [&stranger, &partner, &foreign_staff] {
        for verb in [Method::GET, Method::DELETE] {
            let refused = nosy.call(verb.clone(), &path, None).await.refused(404, "RESERVATION_NOT_FOUND");
            let unknown = nosy.call(verb, no_such, None).await.refused(404, "RESERVATION_NOT_FOUND");
            assert_eq!(refused.body["message"], unknown.body["message"]);
        }
    }
    for nosy in [&stranger, &partner] {
        let mine = format!("/v1/reservations?hotel_id={}", hotel.hotel_id);
        let listed = nosy.get(&mine).await.ok();
        assert_eq!((&listed["reservations"], &listed["next_page_token"]), (&json!([]), &json!("")));
    }
    assert_eq!(guest.get(&path).await.ok(), booked);
    assert_eq!(reserved(&world, hotel, &stay).await, [1]);

    // Staff may.
    let staff = world.staff(&[hotel.hotel_id]).await;
    for house in [&staff, &world.admin] {
        assert_eq!(house.get(&path).await.ok(), booked);
    }
    assert_eq!(staff.delete(&path).await.ok()["status"], CANCELLED);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_booking_request_books_nothing() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (guest, stranger) = (world.guest().await, world.guest().await);
    let stay = Stay::ahead(30, 1);
    let order = world.prepare(&guest, hotel, &stay, 1).await;
    let cases = [
        (json!({ "reservation_id": null }), "reservation_id"),
        (json!({ "reservation_id": "mine" }), "reservation_id"),
        (json!({ "reservation_id": Uuid::new_v4() }), "reservation_id"),
        (json!({ "offer_token": null }), "offer_token"),
        (json!({ "primary_guest": null }), "primary_guest"),
        (json!({ "primary_guest": { "email": "guest@staymesh.example" } }), "primary_guest.full_name"),
        (json!({ "primary_guest": { "full_name": " ", "email": "a@b.example" } }), "primary_guest.full_name"),
        (
            json!({ "primary_guest": { "full_name": "x".repeat(201), "email": "a@b.example" } }),
            "primary_guest.full_name",
        ),
        (json!({ "primary_guest": { "full_name": "A guest", "email": "nowhere" } }), "primary_guest.email"),
        (json!({ "payment_mode": 9 }), "payment_mode"),
    ];
    for (change, field) in cases {
        guest.post("/v1/reservations", with(&order, &change)).await.violating(&[field]);
    }
    guest.post("/v1/reservations", with(&order, &json!({ "payment_mode": "LATER" }))).await.unreadable("payment_mode");

    let another = world.prepare(&guest, hotel, &stay, 2).await;
    let token = order["offer_token"].as_str().expect("a token");
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let reversed: String = signature.chars().rev().collect();
    for tampered in [
        json!({ "offer_token": format!("{signed}.{reversed}") }),
        json!({ "offer_token": signed }),
        json!({ "offer_token": "x".repeat(40_000) }),
        json!({ "offer_token": guest.token() }),
        json!({ "offer_token": another["offer_token"] }),
        json!({ "reservation_id": another["reservation_id"] }),
    ] {
        guest.post("/v1/reservations", with(&order, &tampered)).await.refused(400, "OFFER_TAMPERED");
    }
    stranger.post("/v1/reservations", order.clone()).await.refused(400, "OFFER_TAMPERED");
    guest.get(&path_of(&order)).await.refused(404, "RESERVATION_NOT_FOUND");
    assert_eq!(reserved(&world, hotel, &stay).await, [0]);
    guest.post("/v1/reservations", order).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn reservation_id_reused_for_another_request_is_refused() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 1);
    let order = world.prepare(&guest, hotel, &stay, 1).await;
    let booked = guest.post("/v1/reservations", order.clone()).await.ok();
    assert_eq!(guest.post("/v1/reservations", order.clone()).await.ok(), booked);
    let other = json!({ "primary_guest": { "full_name": "Somebody else", "email": "guest@staymesh.example" } });
    guest.post("/v1/reservations", with(&order, &other)).await.refused(400, "RESERVATION_ID_REUSED");
    assert_eq!(guest.get(&path_of(&order)).await.ok(), booked);
    assert_eq!(reserved(&world, hotel, &stay).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unpaid_room_nights_of_guest_are_limited() {
    let world = World::shared().await;
    let hotel = world.hotel(100).await;
    let (guest, partner) = (world.guest().await, world.partner().await);
    let stay = Stay::ahead(30, 5);
    let order = async |caller: &Rest, rooms| world.prepare(caller, hotel, &stay, rooms).await;
    let many = order(&guest, 9).await;
    guest.post("/v1/reservations", many.clone()).await.ok();
    for rooms in [9, 9, 9, 6] {
        guest.post("/v1/reservations", order(&guest, rooms).await).await.ok();
    }
    let one = order(&guest, 1).await;
    let refused = guest.post("/v1/reservations", one.clone()).await.refused(429, "TOO_MANY_UNPAID_ROOMS");
    let metadata = refused.detail("ErrorInfo")["metadata"].clone();
    let numbers = ["limit_room_nights", "held_room_nights", "wanted_room_nights", "confirm_email"];
    assert_eq!(numbers.map(|key| metadata[key].clone()), ["210", "210", "5", "true"]);
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=901).contains(&seconds), "{seconds}");
    partner.post("/v1/reservations", order(&partner, 50).await).await.ok();

    guest.delete(&path_of(&many)).await.ok();
    guest.post("/v1/reservations", one).await.ok();
    assert_eq!(reserved(&world, hotel, &stay).await, [42 - 9 + 1 + 50; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_room_is_sold_once_and_sold_out_night_is_named() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 3);
    let (first, second) = (world.prepare(&guest, hotel, &stay, 1).await, world.prepare(&guest, hotel, &stay, 1).await);
    let middle = Stay::ahead(31, 1);
    world.book(&guest, hotel, &middle).await;
    for order in [&first, &second] {
        let refused = guest.post("/v1/reservations", order.clone()).await.refused(400, "ROOM_SOLD_OUT");
        assert_eq!(refused.detail("ErrorInfo")["metadata"]["stay_date"], middle.check_in);
    }
    assert_eq!(reserved(&world, hotel, &stay).await, [0, 1, 0]);
    // Stays are half-open: a departure frees the room for an arrival on the same day.
    world.book(&guest, hotel, &Stay::ahead(30, 1)).await;
    world.book(&guest, hotel, &Stay::ahead(32, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partner_collects_is_allowed_for_partners_only() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (guest, partner) = (world.guest().await, world.partner().await);
    let stay = Stay::ahead(30, 1);
    let collects = |order: &Value| with(order, &json!({ "payment_mode": "PAYMENT_MODE_PARTNER_COLLECTS" }));
    let order = world.prepare(&guest, hotel, &stay, 1).await;
    guest.post("/v1/reservations", collects(&order)).await.refused(403, "ACCESS_DENIED");
    assert_eq!(reserved(&world, hotel, &stay).await, [0]);

    let order = world.prepare(&partner, hotel, &stay, 1).await;
    let booked = partner.post("/v1/reservations", collects(&order)).await.ok();
    assert_eq!(
        (&booked["status"], &booked["payment_mode"], &booked["hold_expire_time"]),
        (&json!("RESERVATION_STATUS_PAID"), &json!("PAYMENT_MODE_PARTNER_COLLECTS"), &Value::Null)
    );
    assert_eq!(reserved(&world, hotel, &stay).await, [1]);
    let pay = json!({ "reservation_id": booked["reservation_id"] });
    partner.post("/v1/payments", pay).await.refused(400, "RESERVATION_NOT_PAYABLE");
    let cancelled = partner.delete(&path_of(&booked)).await.ok();
    assert_eq!(cancelled["status"], CANCELLED);
    assert_eq!(partner.delete(&path_of(&booked)).await.ok(), cancelled);
    assert_eq!(reserved(&world, hotel, &stay).await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_reservation_id_is_refused() {
    let world = World::shared().await;
    let guest = world.guest().await;
    for no_id in ["mine", "0", &Uuid::new_v4().to_string(), "01a2011904778fc8b07f612c77359400"] {
        let path = format!("/v1/reservations/{no_id}");
        guest.get(&path).await.violating(&["reservation_id"]);
        guest.delete(&path).await.violating(&["reservation_id"]);
    }
}

/// Books one night each, so that the reservations are distinguishable.
async fn history(world: &World<'_>, guest: &Rest, hotel: HotelFixture) -> Vec<Value> {
    let mut booked = Vec::new();
    for days in 0..5 {
        booked.push(world.book(guest, hotel, &Stay::ahead(30 + days, 1)).await);
    }
    booked[1] = guest.delete(&path_of(&booked[1])).await.ok();
    booked.reverse();
    booked
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_of_account_are_listed_newest_first() {
    let world = World::shared().await;
    let (hotel, other) = (world.hotel(10).await, world.hotel(10).await);
    let (guest, stranger) = (world.guest().await, world.guest().await);
    let booked = history(&world, &guest, hotel).await;
    world.book(&stranger, hotel, &Stay::ahead(30, 1)).await;
    let elsewhere = world.book(&guest, other, &Stay::ahead(30, 1)).await;

    let here = format!("/v1/reservations?hotel_id={}", hotel.hotel_id);
    for page_size in [1, 2, 5] {
        assert_eq!(all_pages(&guest, &here, "reservations", page_size).await, booked);
    }
    let all = all_pages(&guest, "/v1/reservations?", "reservations", 2).await;
    assert_eq!((all.len(), &all[0], &all[1..]), (6, &elsewhere, &booked[..]));
    let cancelled = all_pages(&guest, &format!("{here}&status={CANCELLED}"), "reservations", 2).await;
    assert_eq!(cancelled, [booked[3].clone()]);

    let page = guest.get(&format!("{here}&page_size=2")).await.ok();
    let token = page["next_page_token"].as_str().expect("a token");
    guest.get(&format!("{here}&status={CANCELLED}&page_token={token}")).await.violating(&["page_token"]);
    guest.get(&format!("/v1/reservations?page_token={token}")).await.violating(&["page_token"]);
    stranger.get(&format!("{here}&page_token={token}")).await.violating(&["page_token"]);
    guest.get("/v1/reservations?page_size=-1").await.violating(&["page_size"]);
    guest.get("/v1/reservations?hotel_id=-1").await.violating(&["hotel_id"]);
    for no_status in ["PAID", "77"] {
        guest.get(&format!("/v1/reservations?status={no_status}")).await.unreadable("status");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_are_listed_by_time_of_booking_and_not_of_order_form() {
    let world = World::shared().await;
    let (hotel, guest) = (world.hotel(10).await, world.guest().await);
    let early = world.prepare(&guest, hotel, &Stay::ahead(30, 1), 1).await;
    let late = world.prepare(&guest, hotel, &Stay::ahead(31, 1), 1).await;
    let first = guest.post("/v1/reservations", late).await.ok();
    let second = guest.post("/v1/reservations", early).await.ok();

    let here = format!("/v1/reservations?hotel_id={}", hotel.hotel_id);
    let staff = world.staff(&[hotel.hotel_id]).await;
    for caller in [&guest, &staff] {
        for page_size in [1, 5] {
            let listed = all_pages(caller, &here, "reservations", page_size).await;
            let ids: Vec<_> = listed.iter().map(|booking| &booking["reservation_id"]).collect();
            assert_eq!(ids, [&second["reservation_id"], &first["reservation_id"]]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_lists_reservations_of_hotel() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let booked = history(&world, &guest, hotel).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let here = format!("/v1/reservations?hotel_id={}", hotel.hotel_id);
    for house in [&staff, &world.admin] {
        assert_eq!(all_pages(house, &here, "reservations", 3).await, booked);
        house.get("/v1/reservations").await.violating(&["hotel_id"]);
    }
    let elsewhere = format!("/v1/reservations?hotel_id={}", hotel.hotel_id + 1);
    staff.get(&elsewhere).await.refused(403, "ACCESS_DENIED");
}
