//! `/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/inventory`.

use serde_json::{Value, json};

use super::{NOBODYS_ID, all_pages, with};
use crate::support::{HotelFixture, Stay, World, in_days};

fn ten_nights() -> Value {
    json!({ "from_date": in_days(20), "until_date": in_days(30), "total_inventory": 7 })
}

async fn nights(world: &World<'_>, hotel: HotelFixture, from: i32, until: i32) -> Vec<Value> {
    let path = format!("{}?from_date={}&until_date={}", hotel.path("inventory"), in_days(from), in_days(until));
    all_pages(&world.admin, &path, "nights", 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_sets_inventory_of_single_nights() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let path = hotel.path("inventory");
    let some = with(&ten_nights(), &json!({ "overbooking_percent": 0 }));
    let old = with(&ten_nights(), &json!({ "etag": staff.get(&path).await.ok()["etag"] }));
    for _ in 0..2 {
        let set = staff.put(&path, some.clone()).await.ok();
        let etag = staff.get(&path).await.ok()["etag"].clone();
        assert_eq!(set, json!({ "nights": 10, "etag": etag }), "repeating changes nothing");
    }
    let expected: Vec<_> = (18..32)
        .map(|day| {
            let (total, percent, version) = if (20..30).contains(&day) { (7, 0, 1) } else { (5, 10, 0) };
            json!({
                "stay_date": in_days(day), "total_inventory": total, "total_reserved": 0,
                "overbooking_percent": percent, "version": version, "stop_sell": false, "out_of_order": 0,
                "relocations_due": 0,
            })
        })
        .collect();
    assert_eq!(nights(&world, hotel, 18, 32).await, expected);

    let guest = world.guest().await;
    world.book(&guest, hotel, &Stay::ahead(24, 2)).await;
    let sold: Vec<_> =
        nights(&world, hotel, 23, 27).await.iter().map(|night| night["total_reserved"].clone()).collect();
    assert_eq!(sold, [0, 1, 1, 0]);
    staff.put(&path, old).await.refused(409, "ETAG_MISMATCH");
    let below = with(&ten_nights(), &json!({ "total_inventory": 0 }));
    let refused = staff.put(&path, below).await.refused(400, "INVENTORY_BELOW_RESERVED");
    let metadata = refused.detail("ErrorInfo")["metadata"].clone();
    assert_eq!(metadata, json!({ "stay_date": in_days(24), "reserved": "1", "asked": "0", "retryable": "false" }));
    let left: Vec<_> =
        nights(&world, hotel, 20, 30).await.iter().map(|night| night["total_inventory"].clone()).collect();
    assert_eq!(left, [7; 10], "all or nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn set_inventory_by_weekday_and_list_starts_today() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let path = hotel.path("inventory");
    let week = json!({
        "from_date": in_days(20), "until_date": in_days(34), "weekdays": [6, 7], "total_inventory": 1,
    });
    assert_eq!(world.admin.put(&path, week).await.ok()["nights"], 4);
    let few = nights(&world, hotel, 20, 34).await.iter().filter(|night| night["total_inventory"] == 1).count();
    assert_eq!(few, 4);
    let first = world.admin.get(&format!("{path}?page_size=1")).await.ok();
    // Today at the hotel whose day ends last.
    let date = first["nights"][0]["stay_date"].as_str().expect("a date");
    assert!([in_days(-1), in_days(0)].contains(&date.to_owned()), "{date}");
}

#[tokio::test(flavor = "multi_thread")]
async fn set_inventory_applies_several_changes_atomically() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let bulk = format!("/v1/hotels/{}/inventory:bulkSet", hotel.hotel_id);
    let change = with(&ten_nights(), &json!({ "room_type_id": hotel.room_type_id }));
    let later = json!({ "from_date": in_days(29), "until_date": in_days(31), "total_inventory": 9 });
    let later = with(&change, &with(&later, &json!({ "hotel_id": hotel.hotel_id })));
    let both = world.admin.post(&bulk, json!({ "changes": [change, later] })).await.ok();
    let etag = world.admin.get(&hotel.path("inventory")).await.ok()["etag"].clone();
    let etags = json!([{ "room_type_id": hotel.room_type_id, "etag": etag }]);
    assert_eq!(both, json!({ "nights": 12, "etags": etags }));
    let totals = async || -> Vec<_> {
        nights(&world, hotel, 28, 32).await.iter().map(|night| night["total_inventory"].clone()).collect()
    };
    assert_eq!(totals().await, [7, 9, 9, 5], "in the order of the request");

    let closed = with(&change, &json!({ "total_inventory": 0 }));
    let unknown = with(&closed, &json!({ "room_type_id": NOBODYS_ID }));
    let wrong = with(&closed, &json!({ "total_inventory": -1 }));
    let post = async |changes: Value| world.admin.post(&bulk, json!({ "changes": changes })).await;
    post(json!([closed, unknown])).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    post(json!([closed, wrong])).await.violating(&["changes[1].total_inventory"]);
    let foreign = with(&closed, &json!({ "hotel_id": NOBODYS_ID }));
    post(json!([closed, foreign])).await.violating(&["changes[1].hotel_id"]);
    let old = with(&closed, &json!({ "etag": "1" }));
    post(json!([closed, old])).await.refused(409, "ETAG_MISMATCH");
    post(json!([])).await.violating(&["changes"]);
    post(json!(vec![closed; 101])).await.violating(&["changes"]);
    assert_eq!(totals().await, [7, 9, 9, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn set_inventory_refuses_invalid_values() {
    let world = World::shared().await;
    let (hotel, other) = (world.hotel(5).await, world.hotel(5).await);
    let path = hotel.path("inventory");
    let cases = [
        (json!({ "from_date": null }), "from_date"),
        (json!({ "from_date": "soon" }), "from_date"),
        (json!({ "until_date": "2026-02-30" }), "until_date"),
        (json!({ "until_date": in_days(20) }), "until_date"),
        (json!({ "until_date": in_days(19) }), "until_date"),
        (json!({ "until_date": in_days(1_200) }), "until_date"),
        (json!({ "from_date": in_days(-2) }), "from_date"),
        (json!({ "from_date": "2001-01-01", "until_date": "2001-01-02" }), "from_date"),
        (json!({ "from_date": "2150-01-01", "until_date": "2150-01-02" }), "until_date"),
        (json!({ "total_inventory": null }), "total_inventory"),
        (json!({ "total_inventory": -1 }), "total_inventory"),
        (json!({ "total_inventory": 10_001 }), "total_inventory"),
        (json!({ "overbooking_percent": -1 }), "overbooking_percent"),
        (json!({ "overbooking_percent": 101 }), "overbooking_percent"),
        (json!({ "weekdays": [1, 8] }), "weekdays"),
    ];
    for (change, field) in cases {
        world.admin.put(&path, with(&ten_nights(), &change)).await.violating(&[field]);
    }
    for room_type_id in [other.room_type_id, NOBODYS_ID.into()] {
        let path = HotelFixture { room_type_id, ..hotel }.path("inventory");
        world.admin.put(&path, ten_nights()).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    }
    let listed = [
        ("from_date=soon", "from_date"),
        ("until_date=2026-02-30", "until_date"),
        ("page_size=-1", "page_size"),
        ("page_token=nonsense", "page_token"),
    ];
    for (query, field) in listed {
        world.admin.get(&format!("{path}?{query}")).await.violating(&[field]);
    }
    let backwards = format!("{path}?from_date={}&until_date={}", in_days(5), in_days(4));
    world.admin.get(&backwards).await.violating(&["until_date"]);
    let totals: Vec<_> = nights(&world, hotel, 20, 30).await.iter().map(|n| n["total_inventory"].clone()).collect();
    assert_eq!(totals, [5; 10]);
}
