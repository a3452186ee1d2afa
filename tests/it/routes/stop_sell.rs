//! `/v1/hotels/{hotel_id}/stopSell`.

use serde_json::json;

use super::NOBODYS_ID;
use crate::support::{Stay, World, in_days};

/// DEFECTS D16, and PARTNER-SPEC 3 rule 11: closing is decided by the booking, also against a signed offer.
#[tokio::test(flavor = "multi_thread")]
async fn d16_night_closed_with_one_room_sold_of_ten_stays_closed_when_the_guest_cancels() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (staff, guest) = (world.staff(&[hotel.hotel_id]).await, world.guest().await);
    let stay = Stay::ahead(30, 1);
    let sold = world.book(&guest, hotel, &stay).await;
    let offered = world.prepare(&guest, hotel, &stay, 1).await;

    let path = format!("/v1/hotels/{}/stopSell", hotel.hotel_id);
    let etag = staff.get(&hotel.path("inventory")).await.ok()["etag"].clone();
    let etags = json!([{ "room_type_id": hotel.room_type_id, "etag": etag }]);
    let close = |stop_sell: bool| json!({ "from_date": in_days(30), "until_date": in_days(31), "stop_sell": stop_sell, "etags": etags });
    let closed = staff.put(&path, close(true)).await.ok();
    let etag = staff.get(&hotel.path("inventory")).await.ok()["etag"].clone();
    assert_eq!(closed, json!({ "nights": 1, "etags": [{ "room_type_id": hotel.room_type_id, "etag": etag }] }));
    staff.put(&path, close(false)).await.refused(409, "ETAG_MISMATCH");
    let refused = guest.post("/v1/reservations", offered.clone()).await.refused(400, "STOP_SELL");
    let metadata = &refused.detail("ErrorInfo")["metadata"];
    assert_eq!((&metadata["stay_date"], &metadata["room"]), (&json!(in_days(30)), &json!("0")));

    let id = sold["reservation_id"].as_str().expect("an id");
    guest.delete(&format!("/v1/reservations/{id}")).await.ok();
    let night = format!("{}?from_date={}&page_size=1", hotel.path("inventory"), in_days(30));
    let night = staff.get(&night).await.ok()["nights"][0].clone();
    assert_eq!((&night["stop_sell"], &night["total_reserved"]), (&json!(true), &json!(0)));
    world.set_inventory(hotel, 30, 31, 20).await;
    guest.post("/v1/reservations", offered.clone()).await.refused(400, "STOP_SELL");
    let wish = json!({
        "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out, "rooms": hotel.rooms(1),
    });
    guest.post("/v1/reservations:prepare", wish).await.refused(400, "STOP_SELL");
    let dates = format!("check_in={}&check_out={}", in_days(29), in_days(32));
    let found = world.public.get(&format!("/v1/hotels/{}/availability?{dates}", hotel.hotel_id)).await.ok();
    assert_eq!(found["room_types"][0]["available"], false, "{found}");
    assert_eq!(found["room_types"][0]["stop_sell_dates"], json!([in_days(30)]));
    world.book(&guest, hotel, &Stay::ahead(29, 1)).await;

    let open = json!({ "from_date": in_days(30), "until_date": in_days(31), "stop_sell": false });
    staff.put(&path, open).await.ok();
    guest.post("/v1/reservations", offered).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_sell_of_another_hotel_or_an_unknown_room_type_is_refused() {
    let world = World::shared().await;
    let (hotel, other) = (world.hotel(1).await, world.hotel(1).await);
    let staff = world.staff(&[hotel.hotel_id]).await;
    let close = |room_type: i64| {
        let (from, until) = (in_days(30), in_days(31));
        json!({ "room_type_ids": [room_type], "from_date": from, "until_date": until, "stop_sell": true })
    };
    let path = |hotel_id: i64| format!("/v1/hotels/{hotel_id}/stopSell");
    staff.put(&path(other.hotel_id), close(other.room_type_id)).await.refused(403, "ACCESS_DENIED");
    staff.put(&path(hotel.hotel_id), close(NOBODYS_ID.into())).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    world.admin.put(&path(NOBODYS_ID.into()), close(1)).await.refused(404, "HOTEL_NOT_FOUND");
    let past = json!({ "from_date": in_days(-3), "until_date": in_days(1), "stop_sell": true });
    staff.put(&path(hotel.hotel_id), past).await.violating(&["from_date"]);
}
