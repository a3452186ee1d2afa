//! Rooms of the hotel for guests, notes of staff, and finding guests.

use serde_json::{Value, json};
use uuid::Uuid;

use super::front_desk::{path, sold};
use crate::support::{HotelFixture, Rest, Stay, World, in_days};

/// A new room of the hotel: its id.
async fn room(world: &World<'_>, hotel: HotelFixture, number: &str) -> Value {
    let room = json!({ "room_type_id": hotel.room_type_id, "room_number": number });
    world.admin.post(&format!("/v1/hotels/{}/rooms", hotel.hotel_id), room).await.ok()["room_id"].clone()
}

/// The rooms of a reservation: number, first night and date after the last.
async fn assigned(desk: &Rest, booked: &Value) -> Vec<[Value; 3]> {
    let id = booked["reservation_id"].as_str().expect("an id");
    let page = desk.get(&format!("/v1/reservations/{id}/roomAssignments")).await.ok();
    let rooms = page["room_assignments"].as_array().expect("rooms").iter();
    rooms.map(|room| ["room_number", "from_date", "until_date"].map(|field| room[field].clone())).collect()
}

/// PARTNER-SPEC 10, example 3, its rules 4 and 5, and the edge case of an assigned room that goes out of order.
#[tokio::test(flavor = "multi_thread")]
async fn room_has_one_guest_in_a_night_moves_with_its_guests_and_is_taken_from_them_only_by_force() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (partner, desk) = (world.partner().await, world.staff(&[hotel.hotel_id]).await);
    let (r201, r204) = (room(&world, hotel, "201").await, room(&world, hotel, "204").await);
    let sell =
        async |from: i32, nights: i32| sold(&world, &partner, hotel, &Stay::ahead(from, nights), "Zoë Example").await;
    let (first, overlapping, after) = (sell(12, 3).await, sell(14, 2).await, sell(15, 2).await);
    let assign = async |booked: &Value, room: &Value, more: Value| {
        let order = super::with(&json!({ "position": 1, "room_id": room }), &more);
        desk.post(&path(booked, "assignRoom"), order).await
    };
    let made = assign(&first, &r204, json!({})).await.ok();
    let expected = json!({
        "reservation_id": first["reservation_id"], "position": 1, "room_id": r204, "room_number": "204",
        "room_type_id": hotel.room_type_id, "from_date": in_days(12), "until_date": in_days(15),
    });
    assert_eq!(made, expected);
    assert_eq!(assign(&first, &r204, json!({})).await.ok(), made, "a repeat");
    let refused = assign(&overlapping, &r204, json!({})).await.refused(400, "ROOM_ASSIGNED");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["room_id"], json!(r204.to_string()));
    assign(&after, &r204, json!({})).await.ok();
    let arrivals = format!("/v1/hotels/{}/arrivals?date={}", hotel.hotel_id, in_days(12));
    assert_eq!(desk.get(&arrivals).await.ok()["rooms"][0]["room_number"], "204");

    let auto = format!("/v1/hotels/{}/rooms:autoAssign", hotel.hotel_id);
    let done = desk.post(&auto, json!({ "date": in_days(14) })).await.ok();
    assert_eq!(done["room_assignments"][0]["room_number"], "201");
    assert_eq!(done["unassigned"], json!([]));
    desk.post(&auto, json!({ "date": in_days(-3) })).await.violating(&["date"]);
    let night = |day: i32| json!(in_days(day));
    assert_eq!(assigned(&desk, &overlapping).await, [[json!("201"), night(14), night(16)]]);
    let moved = json!({ "from_date": in_days(13) });
    assign(&first, &r201, moved.clone()).await.refused(400, "ROOM_ASSIGNED");
    desk.post(&path(&overlapping, "unassignRoom"), json!({ "position": 1 })).await.ok();
    assign(&first, &r201, moved).await.ok();
    let segments = [[json!("204"), night(12), night(13)], [json!("201"), night(13), night(15)]];
    assert_eq!(assigned(&desk, &first).await, segments);

    let block = json!({
        "room_id": r201, "from_date": in_days(14), "until_date": in_days(20),
        "kind": "OUT_OF_ORDER_KIND_OUT_OF_SERVICE", "reason": "paint",
    });
    let create = format!("/v1/hotels/{}/outOfOrder?request_id={}", hotel.hotel_id, Uuid::new_v4());
    desk.post(&create, block.clone()).await.refused(400, "ROOM_ASSIGNED");
    let created = desk.post(&format!("{create}&force=true"), block).await.ok();
    assert_eq!(created["removed_assignments"][0]["reservation_id"], first["reservation_id"]);
    assert_eq!(assigned(&desk, &first).await, segments[..1]);
    assign(&overlapping, &r201, json!({})).await.refused(400, "ROOM_OUT_OF_ORDER");
    partner.post(&path(&after, "cancel"), json!({})).await.ok();
    assert_eq!(assigned(&desk, &after).await, [] as [[Value; 3]; 0], "freed with the cancellation");
    assign(&overlapping, &r204, json!({})).await.ok();
    desk.post(&path(&first, "assignRoom"), json!({ "from_date": "x" })).await.violating(&[
        "position",
        "room_id",
        "from_date",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_is_found_in_the_hotels_of_the_caller_alone_and_notes_are_of_staff() {
    let world = World::shared().await;
    let (hotel, elsewhere) = (world.hotel(10).await, world.hotel(10).await);
    let (partner, desk) = (world.partner().await, world.staff(&[hotel.hotel_id]).await);
    let here = sold(&world, &partner, hotel, &Stay::ahead(12, 1), "Zoë Exämple-Other").await;
    sold(&world, &partner, elsewhere, &Stay::ahead(12, 1), "Zoë Exämple-Other").await;
    let find = format!("/v1/hotels/{}/reservations:find", hotel.hotel_id);
    let id = here["reservation_id"].as_str().expect("an id");
    let by_name = desk.post(&find, json!({ "text": "other ZOE" })).await.ok();
    assert_eq!(by_name["reservations"].as_array().map(Vec::len), Some(1));
    assert_eq!(by_name["reservations"][0]["reservation_id"], here["reservation_id"]);
    assert_eq!(desk.post(&find, json!({ "text": id })).await.ok()["reservations"], by_name["reservations"]);
    assert_eq!(desk.post(&find, json!({ "text": "nobody" })).await.ok()["reservations"], json!([]));
    desk.post(&find, json!({ "text": "z" })).await.violating(&["text"]);
    let other = format!("/v1/hotels/{}/reservations:find", elsewhere.hotel_id);
    desk.post(&other, json!({ "text": "zoe" })).await.refused(403, "ACCESS_DENIED");

    let notes = format!("/v1/reservations/{id}/notes");
    let note = json!({ "content": "Arrives late", "request_id": Uuid::new_v4() });
    let written = desk.post(&notes, note.clone()).await.ok();
    assert_eq!(desk.post(&notes, note).await.ok(), written, "a repeat");
    assert_eq!(desk.get(&notes).await.ok()["notes"], json!([written]));
    let card = json!({ "content": "4111 1111 1111 1111", "request_id": Uuid::new_v4() });
    desk.post(&notes, card).await.violating(&["content"]);
    let others = world.staff(&[elsewhere.hotel_id]).await;
    others.get(&notes).await.refused(404, "RESERVATION_NOT_FOUND");
    let room = json!({ "position": 1, "room_id": 1 });
    others.post(&path(&here, "assignRoom"), room).await.refused(404, "RESERVATION_NOT_FOUND");
}
