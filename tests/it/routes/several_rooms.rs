//! Bookings of several rooms: each with its type, dates, party and price; all of them or none.

use serde_json::{Value, json};

use super::reservations::reserved;
use crate::support::{HotelFixture, Stay, World, in_days, policy};

/// Another room type of the hotel, with one room, for two guests at 150.00 EUR a night.
async fn suite(world: &World<'_>, hotel: HotelFixture) -> HotelFixture {
    let types = format!("/v1/hotels/{}/roomTypes", hotel.hotel_id);
    let suite =
        json!({ "display_name": "Suite", "beds": [{ "kind": "BED_KIND_DOUBLE", "count": 1 }], "max_occupancy": 2 });
    let made = world.admin.post(&types, suite).await.ok();
    let suite = HotelFixture { room_type_id: made["room_type_id"].as_i64().expect("an id"), ..hotel };
    let rate = json!({
        "base_price": { "currency_code": "EUR", "amount": "150.00" },
        "cancellation_policy": policy(0, 0),
    });
    world.admin.put(&suite.path("rate"), rate).await.ok();
    world.set_inventory(suite, 0, 60, 1).await;
    suite
}

fn order(form: &Value) -> Value {
    json!({
        "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
        "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
    })
}

/// PARTNER-SPEC 7, rules 6 and 7.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_two_types_and_dates_are_booked_all_or_none_and_the_short_one_is_named() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let suite = suite(&world, hotel).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 3);
    let wish = json!({
        "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out,
        "rooms": [
            { "room_type_id": hotel.room_type_id, "adults": 2 },
            { "room_type_id": suite.room_type_id, "adults": 1, "check_out": in_days(32) },
        ],
    });
    let [first, second] = [(); 2].map(|()| guest.post("/v1/reservations:prepare", wish.clone()));
    let (first, second) = (first.await.ok(), second.await.ok());
    assert_eq!(first["price"]["total"]["amount"], "600.00");
    let totals = [&first["room_prices"][0]["total"]["amount"], &first["room_prices"][1]["total"]["amount"]];
    assert_eq!(totals, ["300.00", "300.00"]);

    let booked = guest.post("/v1/reservations", order(&first)).await.ok();
    let room = |at: usize| {
        let room = &booked["rooms"][at];
        (room["room_type_id"].as_i64(), room["adults"].as_i64(), room["check_out"].as_str().map(str::to_owned))
    };
    assert_eq!(room(0), (Some(hotel.room_type_id), Some(2), Some(stay.check_out.clone())));
    assert_eq!(room(1), (Some(suite.room_type_id), Some(1), Some(in_days(32))));
    assert_eq!((&booked["price"]["room_type_id"], &booked["price"]["nights"]), (&json!(0), &json!([])));
    let taken = async || (reserved(&world, hotel, &stay).await, reserved(&world, suite, &stay).await);
    assert_eq!(taken().await, (vec![1, 1, 1], vec![1, 1, 0]));

    // The suite is gone: nothing of the second booking is taken.
    let refused = guest.post("/v1/reservations", order(&second)).await.refused(400, "ROOM_SOLD_OUT");
    let metadata = &refused.detail("ErrorInfo")["metadata"];
    assert_eq!((&metadata["room"], &metadata["stay_date"]), (&json!("1"), &json!(stay.check_in)));
    assert_eq!(metadata["room_type_id"], suite.room_type_id.to_string());
    let refused = guest.post("/v1/reservations:prepare", wish).await.refused(400, "ROOM_SOLD_OUT");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["room"], "1");
    assert_eq!(taken().await, (vec![1, 1, 1], vec![1, 1, 0]));

    let path = format!("/v1/reservations/{}", booked["reservation_id"].as_str().expect("an id"));
    let cancelled = guest.delete(&path).await.ok();
    assert_eq!(cancelled["rooms"][1]["status"], "RESERVATION_ROOM_STATUS_CANCELLED");
    assert_eq!(taken().await, (vec![0, 0, 0], vec![0, 0, 0]));
    guest.post("/v1/reservations", order(&second)).await.ok();
}
