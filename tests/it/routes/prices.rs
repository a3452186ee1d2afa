//! Rates, prices of single nights and taxes.

use serde_json::{Value, json};

use super::{NOBODYS_ID, all_pages, with};
use crate::support::{HotelFixture, Stay, World, in_days, policy};

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

fn rate() -> Value {
    json!({
        "base_price": euros("120.50"),
        "occupancy_rules": [{ "sold_percent": 50, "price_change_percent": 20 }],
        "cancellation_policy": policy(48, 30),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_sets_rate_and_reads_it_back() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let path = hotel.path("rate");
    let before = staff.get(&path).await.ok();
    let set = staff.put(&path, rate()).await.ok();
    let defaults = json!({
        "free_hours_after_booking": 0, "free_weeks_before": 0, "non_refundable": [],
        "penalty_base": "PENALTY_BASE_WITH_TAXES",
    });
    let given = json!({
        "hotel_id": hotel.hotel_id, "room_type_id": hotel.room_type_id, "etag": set["etag"],
        "cancellation_policy": with(&policy(48, 30), &defaults),
    });
    assert_eq!(set, with(&rate(), &given));
    assert_eq!(staff.get(&path).await.ok(), set);
    assert_ne!(set["etag"], before["etag"]);
    let late = with(&rate(), &json!({ "etag": before["etag"], "base_price": euros("1") }));
    staff.put(&path, late).await.refused(409, "ETAG_MISMATCH");
    assert_eq!(staff.get(&path).await.ok(), set);

    // Offers use the surcharge once half of the rooms are sold.
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 1);
    let offers =
        format!("/v1/hotels/{}/offers?check_in={}&check_out={}", hotel.hotel_id, stay.check_in, stay.check_out);
    let total = async || world.public.get(&offers).await.ok()["offers"][0]["price"]["total"].clone();
    assert_eq!(total().await, euros("120.50"));
    let order = world.prepare(&guest, hotel, &stay, 5).await;
    guest.post("/v1/reservations", order).await.ok();
    assert_eq!(total().await, euros("144.60"));
}

#[tokio::test(flavor = "multi_thread")]
async fn set_rate_refuses_invalid_values() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let path = hotel.path("rate");
    let before = world.admin.get(&path).await.ok();
    let wrong = json!({ "cancellation_policy": policy(-1, 101) });
    let rule = |sold: i32, change: i32| json!({ "sold_percent": sold, "price_change_percent": change });
    let cases: &[(Value, &[&str])] = &[
        (json!({ "base_price": null }), &["rate.base_price"]),
        (json!({ "base_price": euros("") }), &["rate.base_price.amount"]),
        (json!({ "base_price": euros("-1.00") }), &["rate.base_price.amount"]),
        (json!({ "base_price": euros("1.005") }), &["rate.base_price.amount"]),
        (json!({ "base_price": euros("1e3") }), &["rate.base_price.amount"]),
        (json!({ "base_price": euros(&"9".repeat(30)) }), &["rate.base_price.amount"]),
        (json!({ "base_price": euros("99999999999.99") }), &["rate.base_price.amount"]),
        (json!({ "base_price": { "amount": "1.00" } }), &["rate.base_price.currency_code"]),
        (json!({ "cancellation_policy": null }), &["rate.cancellation_policy"]),
        (json!({ "cancellation_policy": {} }), &["rate.cancellation_policy.tiers"]),
        (
            wrong,
            &[
                "rate.cancellation_policy.tiers[0].hours_before.hours",
                "rate.cancellation_policy.tiers[1].penalty.basis_points",
            ],
        ),
        (
            json!({ "occupancy_rules": [rule(0, 401)] }),
            &["rate.occupancy_rules[0].sold_percent", "rate.occupancy_rules[0].price_change_percent"],
        ),
        (json!({ "occupancy_rules": [rule(5, 1), rule(5, 2)] }), &["rate.occupancy_rules[1].sold_percent"]),
        (json!({ "occupancy_rules": (1..22).map(|n| rule(n, n)).collect::<Vec<_>>() }), &["rate.occupancy_rules"]),
    ];
    for (change, fields) in cases {
        world.admin.put(&path, with(&rate(), change)).await.violating(fields);
    }
    let dollars = json!({ "base_price": { "currency_code": "USD", "amount": "1.00" } });
    let refused = world.admin.put(&path, with(&rate(), &dollars)).await.refused(400, "CURRENCY_MISMATCH");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["field"], "rate.base_price");
    // Amounts are strings: a JSON number would lose cents.
    let number = json!({ "base_price": { "currency_code": "EUR", "amount": 1.1 } });
    world.admin.put(&path, with(&rate(), &number)).await.unreadable("rate.base_price.amount");
    assert_eq!(world.admin.get(&path).await.ok(), before);

    let unknown = HotelFixture { room_type_id: NOBODYS_ID.into(), ..hotel };
    world.admin.put(&unknown.path("rate"), rate()).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    for below in ["rate", "nightlyPrices"] {
        world.admin.get(&unknown.path(below)).await.refused(404, "RATE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_price_overrides_rate_until_removed() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let (path, set) = (hotel.path("nightlyPrices"), hotel.path("nightlyPrices:set"));
    let none = staff.get(&path).await.ok();
    assert_eq!(none, json!({ "nights": [], "next_page_token": "", "etag": none["etag"] }));
    let dear = json!({ "from_date": in_days(20), "until_date": in_days(25), "price": euros("199.9") });
    for _ in 0..2 {
        assert_eq!(staff.post(&set, dear.clone()).await.ok()["nights"], 5);
    }
    staff.post(&set, with(&dear, &json!({ "etag": none["etag"] }))).await.refused(409, "ETAG_MISMATCH");
    let night = |day: i32| json!({ "stay_date": in_days(day), "price": euros("199.90") });
    for page_size in [2, 5] {
        let listed = all_pages(&staff, &format!("{path}?"), "nights", page_size).await;
        assert_eq!(listed, (20..25).map(night).collect::<Vec<_>>());
    }
    let some = format!("{path}?from_date={}&until_date={}", in_days(21), in_days(23));
    assert_eq!(all_pages(&staff, &some, "nights", 1).await, [night(21), night(22)]);
    let back = json!({ "from_date": in_days(21), "until_date": in_days(25) });
    let etag = staff.get(&path).await.ok()["etag"].clone();
    assert_eq!(staff.post(&set, with(&back, &json!({ "etag": etag }))).await.ok()["nights"], 4);
    assert_eq!(all_pages(&staff, &format!("{path}?"), "nights", 5).await, [night(20)]);

    let cases = [
        (json!({ "from_date": "soon" }), "from_date"),
        (json!({ "until_date": in_days(20) }), "until_date"),
        (json!({ "until_date": in_days(1_121) }), "until_date"),
        (json!({ "weekdays": [0] }), "weekdays[0]"),
        (json!({ "price": euros("1.234") }), "price.amount"),
    ];
    for (change, field) in cases {
        staff.post(&set, with(&dear, &change)).await.violating(&[field]);
    }
    let dollars = json!({ "price": { "currency_code": "USD", "amount": "1.00" } });
    staff.post(&set, with(&dear, &dollars)).await.refused(400, "CURRENCY_MISMATCH");
    staff.get(&format!("{path}?from_date=soon")).await.violating(&["from_date"]);
    staff.get(&format!("{path}?page_token=nonsense")).await.violating(&["page_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn set_taxes_replaces_whole_list() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let path = format!("/v1/hotels/{}/taxes", hotel.hotel_id);
    let none = staff.get(&path).await.ok();
    assert_eq!(none, json!({ "taxes": [], "etag": none["etag"] }));
    let vat = json!({ "display_name": "VAT", "basis_points": 600 });
    let city = json!({ "display_name": "City tax", "per_room_night": euros("2.00") });
    let both = json!({ "taxes": [vat, city] });
    let set = staff.put(&path, with(&both, &json!({ "etag": none["etag"] }))).await.ok();
    assert_eq!(set, with(&both, &json!({ "etag": set["etag"] })));
    assert_eq!(staff.get(&path).await.ok(), set);
    staff.put(&path, none).await.refused(409, "ETAG_MISMATCH");

    let cases: &[(Value, &[&str])] = &[
        (json!([{}]), &["taxes[0].display_name", "taxes[0]"]),
        (json!([with(&vat, &json!({ "basis_points": 0 }))]), &["taxes[0].basis_points"]),
        (json!([with(&vat, &json!({ "basis_points": 10_001 }))]), &["taxes[0].basis_points"]),
        (json!([city, vat, city]), &["taxes[2].display_name"]),
        (json!([with(&city, &json!({ "per_room_night": euros("-2") }))]), &["taxes[0].per_room_night.amount"]),
    ];
    for (taxes, fields) in cases {
        staff.put(&path, json!({ "taxes": taxes })).await.violating(fields);
    }
    let many: Vec<_> = (0..21).map(|n| with(&vat, &json!({ "display_name": n.to_string() }))).collect();
    staff.put(&path, json!({ "taxes": many })).await.violating(&["taxes"]);
    let dollars = json!({ "display_name": "x", "per_room_night": { "currency_code": "USD", "amount": "1.00" } });
    staff.put(&path, json!({ "taxes": [dollars] })).await.refused(400, "CURRENCY_MISMATCH");
    staff.put(&path, json!({ "taxes": [with(&city, &vat)] })).await.unreadable("taxes[0]");
    assert_eq!(staff.get(&path).await.ok(), set);
    let unknown = format!("/v1/hotels/{NOBODYS_ID}/taxes");
    world.admin.put(&unknown, both).await.refused(404, "HOTEL_NOT_FOUND");
    assert_eq!(staff.put(&path, json!({})).await.ok()["taxes"], json!([]));
}
