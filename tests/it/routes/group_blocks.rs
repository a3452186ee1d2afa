//! `/v1/hotels/{hotel_id}/groupBlocks`: PARTNER-SPEC 7, rule 20, over REST.

use serde_json::{Value, json};

use super::{reservations::reserved, with};
use crate::support::{Stay, World, in_days};

/// A block of all rooms is confirmed, booked by a guest with its code, resized to what is picked up, and stays.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_a_block_are_confirmed_picked_up_with_its_code_and_given_back() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let stay = Stay::ahead(30, 2);
    let blocks = format!("/v1/hotels/{}/groupBlocks", hotel.hotel_id);
    let rooms = |count: i32| {
        json!([{
            "room_type_id": hotel.room_type_id, "from_date": stay.check_in, "until_date": stay.check_out,
            "room_count": count,
        }])
    };
    let block = json!({
        "code": "FAIR-27", "display_name": "A fair", "status": "GROUP_BLOCK_STATUS_TENTATIVE",
        "cutoff_date": in_days(20), "rooms": rooms(5),
    });
    let request_id = uuid::Uuid::new_v4();
    let created = world.admin.post(&format!("{blocks}?request_id={request_id}"), block.clone()).await.ok();
    assert_eq!((&created["cutoff_time_of_day"], &created["nights"][1]["blocked"]), (&json!("18:00"), &json!(5)));
    let path = format!("{blocks}/{request_id}");
    let want = |code: Value| {
        json!({
            "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out,
            "rooms": [{ "room_type_id": hotel.room_type_id, "adults": 2 }], "group_block_code": code,
        })
    };
    let guest = world.guest().await;
    guest.post("/v1/reservations:prepare", want(json!("FAIR-27"))).await.refused(400, "BLOCK_NOT_DEFINITE");
    assert_eq!(reserved(&world, hotel, &stay).await, [0, 0]);

    let definite = world.admin.post(&format!("{path}:confirm"), json!({})).await.ok();
    assert_eq!(definite["status"], "GROUP_BLOCK_STATUS_DEFINITE");
    assert_eq!(reserved(&world, hotel, &stay).await, [5, 5]);
    guest.post("/v1/reservations:prepare", want(Value::Null)).await.refused(400, "ROOM_SOLD_OUT");
    guest.post("/v1/reservations:prepare", want(json!("OTHER"))).await.refused(404, "BLOCK_NOT_FOUND");
    let form = guest.post("/v1/reservations:prepare", want(json!("FAIR-27"))).await.ok();
    let order = json!({
        "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
        "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
    });
    let booked = guest.post("/v1/reservations", order.clone()).await.ok();
    assert_eq!(guest.post("/v1/reservations", order).await.ok(), booked);
    assert_eq!(reserved(&world, hotel, &stay).await, [5, 5], "a pick-up leaves the total as it is");
    let read = world.admin.get(&path).await.ok();
    assert_eq!(
        (&read["nights"][0]["picked_up"], &read["reservation_ids"]),
        (&json!(1), &json!([form["reservation_id"]]))
    );

    world.admin.post(&format!("{path}:cancel"), json!({})).await.refused(400, "BLOCK_HAS_PICK_UPS");
    let refused = world.admin.post(&format!("{path}:resize"), json!({ "rooms": rooms(0) })).await;
    let refused = refused.refused(400, "BLOCK_HAS_PICK_UPS");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["picked_up"], "1");
    world.admin.post(&format!("{path}:resize"), json!({ "rooms": rooms(1) })).await.ok();
    assert_eq!(reserved(&world, hotel, &stay).await, [1, 1]);

    let other = with(&block, &json!({ "display_name": "Another fair" }));
    let taken = format!("{blocks}?request_id={}", uuid::Uuid::new_v4());
    world.admin.post(&taken, other).await.refused(409, "BLOCK_CODE_TAKEN");
    let listed = world.admin.get(&blocks).await.ok();
    assert_eq!(
        (listed["group_blocks"].as_array().map(Vec::len), &listed["group_blocks"][0]["code"]),
        (Some(1), &json!("FAIR-27"))
    );
}
