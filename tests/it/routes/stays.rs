//! Availability, offers and order forms, with their errors.

use serde_json::{Value, json};

use super::{NOBODYS_ID, with};
use crate::support::{HotelFixture, Rest, Stay, World, in_days, policy, terms};

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

fn search(hotel_id: i64, what: &str, stay: &Stay, more: &str) -> String {
    format!("/v1/hotels/{hotel_id}/{what}?check_in={}&check_out={}{more}", stay.check_in, stay.check_out)
}

fn wish(hotel: HotelFixture) -> Value {
    let stay = Stay::ahead(30, 2);
    json!({
        "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out, "rooms": hotel.rooms(1),
    })
}

/// Two rooms for two nights at 100.00 and 150.00, with a tax of 6 % and 2.00 for each room and night.
fn price(hotel: HotelFixture, stay: &Stay) -> Value {
    json!({
        "room_type_id": hotel.room_type_id,
        "nights": [
            { "stay_date": stay.check_in, "price": euros("100.00") },
            { "stay_date": in_days(31), "price": euros("150.00") },
        ],
        "subtotal": euros("500.00"),
        "taxes": [
            { "display_name": "VAT", "amount": euros("30.00") },
            { "display_name": "City tax", "amount": euros("8.00") },
        ],
        "total": euros("538.00"),
        "cancellation_terms": terms(48, ["0.00", "269.00"], &stay.check_in, &stay.check_out),
    })
}

async fn priced_hotel(world: &World<'_>) -> HotelFixture {
    let hotel = world.hotel(10).await;
    let rate = json!({
        "base_price": euros("100.00"),
        "cancellation_policy": policy(48, 50),
    });
    world.admin.put(&hotel.path("rate"), rate).await.ok();
    let dearer = json!({ "from_date": in_days(31), "until_date": in_days(32), "price": euros("150") });
    world.admin.post(&hotel.path("nightlyPrices:set"), dearer).await.ok();
    let taxes = json!({ "taxes": [
        { "display_name": "VAT", "basis_points": 600 },
        { "display_name": "City tax", "per_room_night": euros("2.00") },
    ] });
    world.admin.put(&format!("/v1/hotels/{}/taxes", hotel.hotel_id), taxes).await.ok();
    hotel
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_offer_and_order_form_agree_on_price() {
    let world = World::shared().await;
    let hotel = priced_hotel(&world).await;
    let stay = Stay::ahead(30, 2);
    let found =
        world.public.get(&search(hotel.hotel_id, "availability", &stay, "&occupancies=1&occupancies=1")).await.ok();
    let left = |available: bool, rooms: i32| {
        json!({ "room_types": [
            { "room_type_id": hotel.room_type_id, "available": available, "rooms_left": rooms, "misfits": [], "stop_sell_dates": [] },
        ] })
    };
    assert_eq!(found, left(true, 11), "ten rooms and one to overbook");
    let found =
        world.public.get(&search(hotel.hotel_id, "availability", &stay, &"&occupancies=2".repeat(12))).await.ok();
    assert_eq!(found, left(false, 11));

    let offers = world.public.get(&search(hotel.hotel_id, "offers", &stay, "&occupancies=2&occupancies=1")).await.ok();
    let expected = json!({ "offers": [{
        "room_type_id": hotel.room_type_id, "display_name": "Double", "max_occupancy": 2, "rooms_left": 11,
        "price": price(hotel, &stay), "children_priced_as_adults": false,
    }], "next_page_token": "", "unsuitable": [] });
    assert_eq!(offers, expected);
    let twelve = search(hotel.hotel_id, "offers", &stay, &"&occupancies=2".repeat(12));
    assert_eq!(world.public.get(&twelve).await.ok(), json!({ "offers": [], "next_page_token": "", "unsuitable": [] }));

    let guest = world.guest().await;
    let rooms = json!([
        { "room_type_id": hotel.room_type_id, "adults": 1, "child_ages": [7] },
        { "room_type_id": hotel.room_type_id, "adults": 1 },
    ]);
    let wish = with(&wish(hotel), &json!({ "rooms": rooms }));
    let form = guest.post("/v1/reservations:prepare", wish.clone()).await.ok();
    let expected = json!({
        "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
        "offer_expire_time": form["offer_expire_time"], "price": price(hotel, &stay), "room_prices": form["room_prices"],
    });
    assert_eq!(form, expected);
    let totals: Vec<_> = form["room_prices"].as_array().expect("prices").iter().map(|price| &price["total"]).collect();
    assert_eq!(totals, [&euros("269.00"), &euros("269.00")]);
    let expires: jiff::Timestamp = form["offer_expire_time"].as_str().expect("a text").parse().expect("a time");
    let minutes = expires.duration_since(jiff::Timestamp::now()).as_mins();
    assert!((13..=15).contains(&minutes), "{expires}");
    let another = guest.post("/v1/reservations:prepare", wish).await.ok();
    assert_ne!(another["reservation_id"], form["reservation_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_stay_dates_are_refused_by_every_method() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let cases: [(&str, &str, &[&str]); 14] = [
        ("", &*in_days(3), &["check_in"]),
        (&in_days(3), "", &["check_out"]),
        ("tomorrow", &in_days(3), &["check_in"]),
        (&in_days(3), "20300101", &["check_out"]),
        ("2026-02-30", &in_days(3), &["check_in"]),
        ("2026-1-1", &in_days(3), &["check_in"]),
        ("0000-01-01", &in_days(3), &["check_in"]),
        ("9999-12-30", "9999-12-31", &["check_in", "check_out"]),
        (&in_days(3), &in_days(3), &["check_out"]),
        (&in_days(3), &in_days(2), &["check_out"]),
        (&in_days(-2), &in_days(2), &["check_in"]),
        (&in_days(-10), &in_days(-9), &["check_in"]),
        (&in_days(3), &in_days(94), &["check_out"]),
        (&in_days(800), &in_days(801), &["check_out"]),
    ];
    for (check_in, check_out, fields) in cases {
        let stay = Stay { check_in: check_in.to_owned(), check_out: check_out.to_owned() };
        for what in ["availability", "offers"] {
            world.public.get(&search(hotel.hotel_id, what, &stay, "")).await.violating(fields);
        }
        let wish = with(&wish(hotel), &json!({ "check_in": check_in, "check_out": check_out }));
        guest.post("/v1/reservations:prepare", wish).await.violating(fields);
    }
    let longest = Stay::ahead(3, 90);
    world.public.get(&search(hotel.hotel_id, "offers", &longest, "")).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_guests_outside_bounds_are_refused() {
    let world = World::shared().await;
    let hotel = world.hotel(100).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 2);
    let room =
        |adults: i32, ages: &[i32]| json!({ "room_type_id": hotel.room_type_id, "adults": adults, "child_ages": ages });
    for (rooms, fields) in [
        (json!([]), &["rooms"][..]),
        (hotel.rooms(10), &["rooms"]),
        (json!([room(0, &[]), room(1, &[4, 18])]), &["rooms[0].adults", "rooms[1].child_ages[1]"]),
        (json!([room(21, &[])]), &["rooms[0].adults"]),
        (json!([room(1, &[1; 11])]), &["rooms[0].child_ages"]),
        (json!([with(&room(1, &[]), &json!({ "check_in": in_days(29) }))]), &["rooms[0].check_in"]),
        (json!([with(&room(1, &[]), &json!({ "check_out": in_days(33) }))]), &["rooms[0].check_out"]),
    ] {
        guest.post("/v1/reservations:prepare", with(&wish(hotel), &json!({ "rooms": rooms }))).await.violating(fields);
    }
    let more_than_fifty = with(&wish(hotel), &json!({ "rooms": hotel.rooms(51) }));
    world.partner().await.post("/v1/reservations:prepare", more_than_fifty).await.violating(&["rooms"]);
    let fifty_one = "&occupancies=1".repeat(51);
    for (more, field) in [
        ("&occupancies=0", "occupancies[0]"),
        ("&occupancies=", "occupancies[0]"),
        ("&occupancies=two", "occupancies[0]"),
        ("&occupancies=2&occupancies=-1", "occupancies[1]"),
        ("&occupancies=2&occupancies=21", "occupancies[1]"),
        ("&occupancies=2-18", "occupancies[0]"),
        ("&occupancies=2147483647", "occupancies[0]"),
        (&fifty_one, "occupancies"),
        (&"&occupancies=20".repeat(11), "occupancies"),
    ] {
        for what in ["offers", "availability"] {
            world.public.get(&search(hotel.hotel_id, what, &stay, more)).await.violating(&[field]);
        }
    }
    let crowd = with(&wish(hotel), &json!({ "rooms": [room(1, &[]), room(2, &[3])] }));
    guest.post("/v1/reservations:prepare", crowd).await.refused(400, "TOO_MANY_ADULTS");
    assert_eq!(
        guest.get("/v1/reservations").await.ok(),
        json!({ "reservations": [], "next_page_token": "", "change_cursor": "" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_hotel_and_room_type_are_not_found() {
    let world = World::shared().await;
    let (hotel, other) = (world.hotel(1).await, world.hotel(1).await);
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 2);
    for what in ["availability", "offers"] {
        let path = |id: i64| search(id, what, &stay, "");
        world.public.get(&path(NOBODYS_ID.into())).await.refused(404, "HOTEL_NOT_FOUND");
        world.public.get(&path(0)).await.violating(&["hotel_id"]);
        world.public.get(&path(-1)).await.violating(&["hotel_id"]);
        world.public.get(&path(i64::MAX)).await.unreadable("hotel_id");
    }
    for room_type_id in [other.room_type_id, NOBODYS_ID.into()] {
        let rooms = json!([{ "room_type_id": room_type_id, "adults": 1 }]);
        let wish = with(&wish(hotel), &json!({ "rooms": rooms }));
        guest.post("/v1/reservations:prepare", wish).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    }
    for (change, field) in [
        (json!({ "rooms": [{ "adults": 1 }] }), "rooms[0].room_type_id"),
        (json!({ "rooms": null }), "rooms"),
        (json!({ "hotel_id": null }), "hotel_id"),
    ] {
        guest.post("/v1/reservations:prepare", with(&wish(hotel), &change)).await.violating(&[field]);
    }
    let types = |more: &str| search(hotel.hotel_id, "availability", &stay, more);
    let both = types(&format!("&room_type_ids={}&room_type_ids={}", hotel.room_type_id, other.room_type_id));
    let found = world.public.get(&both).await.ok();
    let expected = json!({ "room_types": [
        { "room_type_id": hotel.room_type_id, "available": true, "rooms_left": 1, "misfits": [], "stop_sell_dates": [] },
        { "room_type_id": other.room_type_id, "available": false, "rooms_left": 0, "misfits": [], "stop_sell_dates": [] },
    ] });
    assert_eq!(found, expected);
    world.public.get(&types("&room_type_ids=0")).await.violating(&["room_type_ids[0]"]);
    let many = types(&"&room_type_ids=1".repeat(101));
    world.public.get(&many).await.violating(&["room_type_ids"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn room_type_without_price_or_rooms_is_not_offered() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let guest = world.guest().await;
    let types = format!("/v1/hotels/{}/roomTypes", hotel.hotel_id);
    let single =
        json!({ "display_name": "Single", "beds": [{ "kind": "BED_KIND_SINGLE", "count": 1 }], "max_occupancy": 1 });
    let made = world.admin.post(&types, single).await.ok();
    let unpriced = HotelFixture { room_type_id: made["room_type_id"].as_i64().expect("an id"), ..hotel };
    let prepare =
        async |hotel, change: Value| guest.post("/v1/reservations:prepare", with(&wish(hotel), &change)).await;
    prepare(unpriced, json!({})).await.refused(400, "NOT_ON_SALE");
    world.set_inventory(unpriced, 0, 40, 5).await;
    prepare(unpriced, json!({})).await.refused(400, "NOT_ON_SALE");
    let beyond = Stay::ahead(399, 2);
    prepare(hotel, json!({ "check_in": beyond.check_in, "check_out": beyond.check_out }))
        .await
        .refused(400, "NOT_ON_SALE");
    prepare(hotel, json!({ "rooms": hotel.rooms(2) })).await.refused(400, "ROOM_SOLD_OUT");
    let offered = async |guest: &Rest| guest.get(&search(hotel.hotel_id, "offers", &Stay::ahead(30, 2), "")).await.ok();
    let offers = offered(&guest).await;
    assert_eq!(offers["offers"].as_array().map(Vec::len), Some(1), "{offers}");
    assert_eq!(offers["offers"][0]["room_type_id"], hotel.room_type_id);
}
