//! Deletion: hotels and room types with active reservations cannot be deleted, deleted ones cannot be booked.

use serde_json::json;

use super::with;
use crate::support::{Stay, World, in_days, policy};

#[tokio::test(flavor = "multi_thread")]
async fn hotel_is_deleted_only_after_last_active_reservation_is_cancelled() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let stay = Stay::ahead(30, 2);
    let booked = world.book(&guest, hotel, &stay).await;
    let form = world.prepare(&guest, hotel, &stay, 1).await;
    let path = format!("/v1/hotels/{}", hotel.hotel_id);
    let room_type = format!("{path}/roomTypes/{}", hotel.room_type_id);
    world.admin.delete(&path).await.refused(400, "HAS_FUTURE_RESERVATIONS");
    staff.delete(&room_type).await.refused(400, "HAS_FUTURE_RESERVATIONS");
    let inventory = json!({ "from_date": in_days(30), "until_date": in_days(32), "total_inventory": 0 });
    staff.put(&hotel.path("inventory"), inventory.clone()).await.refused(400, "INVENTORY_BELOW_RESERVED");
    world.public.get(&path).await.ok();
    world.book(&guest, hotel, &Stay::ahead(200, 1)).await;

    // The refusal changed nothing: all rooms are still for sale. Then all guests cancel.
    let mine = guest.get("/v1/reservations").await.ok();
    for reservation in mine["reservations"].as_array().expect("a list") {
        let id = reservation["reservation_id"].as_str().expect("an id");
        guest.delete(&format!("/v1/reservations/{id}")).await.ok();
    }
    world.admin.delete(&path).await.ok();

    world.public.get(&path).await.refused(404, "HOTEL_NOT_FOUND");
    world.public.get(&room_type).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    guest.post("/v1/reservations", form.clone()).await.refused(400, "ROOM_SOLD_OUT");
    let wish = json!({
        "hotel_id": hotel.hotel_id, "rooms": hotel.rooms(1), "check_in": stay.check_in, "check_out": stay.check_out,
    });
    guest.post("/v1/reservations:prepare", wish).await.refused(404, "HOTEL_NOT_FOUND");
    let nights = format!("check_in={}&check_out={}", stay.check_in, stay.check_out);
    world.public.get(&format!("{path}/offers?{nights}")).await.refused(404, "HOTEL_NOT_FOUND");
    let left = world.public.get(&format!("{path}/availability?{nights}")).await.ok();
    assert_eq!(left["room_types"][0]["available"], false, "{left}");
    let reopened = with(&inventory, &json!({ "total_inventory": 5 }));
    staff.put(&hotel.path("inventory"), reopened).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    let rate = json!({
        "base_price": { "currency_code": "EUR", "amount": "1.00" },
        "cancellation_policy": policy(0, 0),
    });
    staff.put(&hotel.path("rate"), rate).await.refused(404, "HOTEL_NOT_FOUND");

    // Past reservations stay readable.
    let id = booked["reservation_id"].as_str().expect("an id");
    let history = guest.get(&format!("/v1/reservations/{id}")).await.ok();
    assert_eq!(history["status"], "RESERVATION_STATUS_CANCELLED");
    guest
        .get(&format!("/v1/reservations/{}", form["reservation_id"].as_str().expect("an id")))
        .await
        .refused(404, "RESERVATION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_room_type_keeps_the_hotel() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let types = format!("/v1/hotels/{}/roomTypes", hotel.hotel_id);
    let suite =
        json!({ "display_name": "Suite", "beds": [{ "kind": "BED_KIND_KING", "count": 1 }], "max_occupancy": 2 });
    let made = staff.post(&types, suite).await.ok();
    let suite = crate::support::HotelFixture { room_type_id: made["room_type_id"].as_i64().expect("an id"), ..hotel };
    let rate = json!({
        "base_price": { "currency_code": "EUR", "amount": "300.00" },
        "cancellation_policy": policy(0, 0),
    });
    staff.put(&suite.path("rate"), rate).await.ok();
    world.set_inventory(suite, 0, 60, 2).await;
    world.book(&guest, hotel, &Stay::ahead(30, 1)).await;
    let form = world.prepare(&guest, suite, &Stay::ahead(30, 1), 1).await;
    staff.delete(&format!("{types}/{}", suite.room_type_id)).await.ok();
    guest.post("/v1/reservations", form).await.refused(400, "ROOM_SOLD_OUT");
    world.book(&guest, hotel, &Stay::ahead(30, 1)).await;
    let listed = world.public.get(&types).await.ok();
    assert_eq!(listed["room_types"].as_array().map(Vec::len), Some(1), "{listed}");
}
