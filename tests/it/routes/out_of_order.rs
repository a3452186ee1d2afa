//! `/v1/hotels/{hotel_id}/outOfOrder` and `/v1/hotels/{hotel_id}/relocationsDue`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{NOBODYS_ID, all_pages, assert_just_now, with};
use crate::support::{HotelFixture, Stay, World, in_days};

/// PARTNER-SPEC 10, rules 1 and 2: two rooms go out of order on a full night.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_a_full_night_go_out_of_order_and_relocations_are_due_until_they_are_back() {
    let world = World::shared().await;
    let hotel = world.hotel(2).await;
    let (staff, guest) = (world.staff(&[hotel.hotel_id]).await, world.guest().await);
    let rooms = [room(&world, hotel, "201").await, room(&world, hotel, "202").await];
    let stay = Stay::ahead(30, 2);
    let booked = [world.book(&guest, hotel, &stay).await, world.book(&guest, hotel, &stay).await];

    let path = format!("/v1/hotels/{}/outOfOrder", hotel.hotel_id);
    let block = |room: &Value, from: i32, until: i32| {
        json!({
            "room_id": room, "from_date": in_days(from), "until_date": in_days(until),
            "kind": "OUT_OF_ORDER_KIND_OUT_OF_ORDER", "reason": "leak",
        })
    };
    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    let create =
        async |at: usize, block: Value| staff.post(&format!("{path}?request_id={}", ids[at]), block).await.ok();
    let first = create(0, block(&rooms[0], 30, 32)).await;
    let expected = json!({
        "hotel_id": hotel.hotel_id, "out_of_order_id": ids[0], "room_type_id": hotel.room_type_id, "end_date": "",
        "removed_assignments": [],
        "create_time": first["create_time"],
    });
    assert_eq!(first, with(&block(&rooms[0], 30, 32), &expected));
    assert_just_now(&first["create_time"]);
    assert_eq!(create(0, block(&rooms[0], 30, 32)).await, first, "repeating changes nothing");
    let second = create(1, block(&rooms[1], 31, 40)).await;

    let window = format!("from_date={}&until_date={}", in_days(25), in_days(45));
    let listed = all_pages(&staff, &format!("{path}?{window}"), "out_of_order", 1).await;
    assert_eq!(listed, [first, second]);
    let due = async || {
        let list = format!("/v1/hotels/{}/relocationsDue?{window}", hotel.hotel_id);
        all_pages(&staff, &list, "nights", 1).await
    };
    let night = |day: i32, out_of_order: i32| {
        json!({
            "room_type_id": hotel.room_type_id, "stay_date": in_days(day), "total_inventory": 2,
            "out_of_order": out_of_order, "total_reserved": 2, "relocations_due": out_of_order,
        })
    };
    assert_eq!(due().await, [night(30, 1), night(31, 2)]);

    let id = booked[0]["reservation_id"].as_str().expect("an id");
    guest.delete(&format!("/v1/reservations/{id}")).await.ok();
    assert_eq!(due().await.iter().map(|night| night["relocations_due"].clone()).collect::<Vec<_>>(), [1]);
    let wish = |stay: &Stay| {
        json!({
            "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out, "rooms": hotel.rooms(1),
        })
    };
    guest.post("/v1/reservations:prepare", wish(&Stay::ahead(30, 1))).await.refused(400, "ROOM_SOLD_OUT");

    let end = json!({ "end_date": in_days(31) });
    let ended = staff.post(&format!("{path}/{}:end", ids[1]), end.clone()).await.ok();
    assert_eq!(ended["end_date"], json!(in_days(31)));
    assert_eq!(staff.post(&format!("{path}/{}:end", ids[1]), end).await.ok(), ended, "repeating changes nothing");
    assert_eq!(due().await, [] as [Value; 0]);
    staff.post(&format!("{path}/{}:end", ids[0]), json!({ "end_date": in_days(30) })).await.ok();
    world.book(&guest, hotel, &stay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn block_of_an_unknown_room_or_in_the_past_and_the_end_of_an_unknown_block_are_refused() {
    let world = World::shared().await;
    let (hotel, other) = (world.hotel(1).await, world.hotel(1).await);
    let staff = world.staff(&[hotel.hotel_id]).await;
    let path = |hotel: HotelFixture| format!("/v1/hotels/{}/outOfOrder", hotel.hotel_id);
    let create = |hotel: HotelFixture| format!("{}?request_id={}", path(hotel), Uuid::new_v4());
    let block = json!({
        "room_id": NOBODYS_ID, "from_date": in_days(30), "until_date": in_days(31),
        "kind": "OUT_OF_ORDER_KIND_OUT_OF_SERVICE", "reason": "paint",
    });
    staff.post(&create(hotel), block.clone()).await.refused(404, "ROOM_NOT_FOUND");
    let foreign = with(&block, &json!({ "room_id": room(&world, other, "1").await }));
    staff.post(&create(hotel), foreign.clone()).await.refused(404, "ROOM_NOT_FOUND");
    staff.post(&create(other), foreign.clone()).await.refused(403, "ACCESS_DENIED");
    let past = with(&block, &json!({ "from_date": in_days(-3) }));
    staff.post(&create(hotel), past).await.violating(&["out_of_order.from_date"]);
    staff.post(&path(hotel), block).await.violating(&["request_id"]);

    let made = world.admin.post(&create(other), foreign).await.ok();
    let id = made["out_of_order_id"].as_str().expect("an id");
    staff.post(&format!("{}/{id}:end", path(hotel)), json!({})).await.refused(404, "OUT_OF_ORDER_NOT_FOUND");
    staff.post(&format!("{}/{id}:end", path(other)), json!({})).await.refused(403, "ACCESS_DENIED");
    let ended = world.admin.post(&format!("{}/{id}:end", path(other)), json!({})).await.ok();
    assert_eq!(ended["end_date"], json!(in_days(30)), "it never begins");
}

/// A new room of the hotel: its id.
async fn room(world: &World<'_>, hotel: HotelFixture, number: &str) -> Value {
    let room = json!({ "room_type_id": hotel.room_type_id, "room_number": number });
    world.admin.post(&format!("/v1/hotels/{}/rooms", hotel.hotel_id), room).await.ok()["room_id"].clone()
}
