//! `/v1/hotels`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{NOBODYS_ID, all_pages, assert_just_now, with};
use crate::support::World;

fn wanted() -> Value {
    json!({
        "display_name": "Riverside", "description": "By the river.\nQuiet.",
        "address": { "street": "Rua 1", "city": "Porto", "postal_code": "4000", "country_code": "PT" },
        "location": { "latitude": 41.15, "longitude": -8.61 }, "time_zone": "Europe/Lisbon", "currency_code": "EUR",
        "star_rating": 4, "amenities": ["pool"], "photo_urls": ["https://images.example.com/1.jpg"],
        "age_bands": [{ "code": "CHILD", "min_age": 0, "max_age": 11 }], "min_child_age": 3,
        "room_required_at_check_in": true,
        "check_in_time": "14:00", "day_rollover": "04:00",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn hotel_is_created_read_updated_and_deleted() {
    let world = World::shared().await;
    let made = world.admin.post("/v1/hotels", wanted()).await.ok();
    let hotel_id = made["hotel_id"].as_i64().filter(|id| *id > 0).expect("an id");
    let given = json!({
        "hotel_id": hotel_id, "etag": made["etag"],
        "create_time": made["create_time"], "update_time": made["update_time"],
    });
    assert_eq!(made, with(&wanted(), &given));
    assert_just_now(&made["create_time"]);
    assert_eq!(made["update_time"], made["create_time"]);
    let path = format!("/v1/hotels/{hotel_id}");
    assert_eq!(world.public.get(&path).await.ok(), made);

    let staff = world.staff(&[hotel_id]).await;
    let changed = staff.put(&path, with(&wanted(), &json!({ "display_name": "Hillside" }))).await.ok();
    assert_ne!(changed["etag"], made["etag"]);
    let news = json!({
        "display_name": "Hillside", "etag": changed["etag"], "update_time": changed["update_time"],
    });
    assert_eq!(changed, with(&made, &news));
    assert_eq!(world.public.get(&path).await.ok(), changed);

    for _ in 0..2 {
        assert_eq!(world.admin.delete(&path).await.ok(), json!({}), "deleting again changes nothing");
    }
    world.public.get(&path).await.refused(404, "HOTEL_NOT_FOUND");
    world.public.get(&format!("{path}/rooms")).await.refused(404, "HOTEL_NOT_FOUND");
    staff.put(&path, wanted()).await.refused(404, "HOTEL_NOT_FOUND");
    staff.put(&format!("{path}/taxes"), json!({ "taxes": [] })).await.refused(404, "HOTEL_NOT_FOUND");
    let room_type =
        json!({ "display_name": "x", "beds": [{ "kind": "BED_KIND_KING", "count": 1 }], "max_occupancy": 2 });
    staff.post(&format!("{path}/roomTypes"), room_type).await.refused(404, "HOTEL_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_hotel_names_every_invalid_field_at_once() {
    let world = World::shared().await;
    let cases: &[(Value, &[&str])] = &[
        (json!({ "display_name": "" }), &["hotel.display_name"]),
        (json!({ "display_name": "x".repeat(201) }), &["hotel.display_name"]),
        (json!({ "display_name": "two\nlines" }), &["hotel.display_name"]),
        (json!({ "description": "x".repeat(5_001) }), &["hotel.description"]),
        (json!({ "address": null }), &["hotel.address", "hotel.address.city", "hotel.address.country_code"]),
        (json!({ "address": { "city": "Porto", "country_code": "pt" } }), &["hotel.address.country_code"]),
        (json!({ "time_zone": "Mars/Base" }), &["hotel.time_zone"]),
        (json!({ "check_in_time": "3 pm", "day_rollover": "06:01" }), &["hotel.check_in_time", "hotel.day_rollover"]),
        (json!({ "currency_code": "EURO" }), &["hotel.currency_code"]),
        (json!({ "star_rating": -1 }), &["hotel.star_rating"]),
        (
            json!({ "location": { "latitude": -91, "longitude": 181 } }),
            &["hotel.location.latitude", "hotel.location.longitude"],
        ),
        (json!({ "amenities": ["pool", ""] }), &["hotel.amenities[1]"]),
        (json!({ "photo_urls": ["http://images.example.com/1.jpg"] }), &["hotel.photo_urls[0]"]),
        (json!({ "star_rating": 6, "time_zone": "" }), &["hotel.time_zone", "hotel.star_rating"]),
    ];
    let no_number = with(&wanted(), &json!({ "location": { "latitude": "NaN", "longitude": 181 } }));
    world.admin.post("/v1/hotels", no_number).await.unreadable("hotel.location.latitude");
    let existing = world.admin.post("/v1/hotels", wanted()).await.ok();
    let path = format!("/v1/hotels/{}", existing["hotel_id"]);
    for (change, fields) in cases {
        let body = with(&wanted(), change);
        sorted(world.admin.post("/v1/hotels", body.clone()).await, fields);
        // An update refuses the same fields and changes no other field.
        if *fields != ["hotel.currency_code"] {
            sorted(world.admin.put(&path, body).await, fields);
        }
    }
    assert_eq!(world.public.get(&path).await.ok(), existing);
}

/// Compares the fields without their order, which is not specified.
#[track_caller]
fn sorted(answer: crate::support::Answer, fields: &[&str]) {
    let mut answer = answer;
    let details = answer.body["details"].as_array_mut().into_iter().flatten();
    for violations in details.filter_map(|detail| detail["field_violations"].as_array_mut()) {
        violations.sort_by_key(|violation| violation["field"].to_string());
    }
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    answer.violating(&fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn update_mask_changes_only_named_fields() {
    let world = World::shared().await;
    let made = world.admin.post("/v1/hotels", wanted()).await.ok();
    let path = format!("/v1/hotels/{}", made["hotel_id"]);
    let change = json!({ "display_name": "New", "star_rating": 1, "address": { "city": "Braga", "street": "x" } });
    let masked = world.admin.put(&format!("{path}?update_mask=displayName,address.city"), change).await.ok();
    let news = json!({
        "display_name": "New", "address": with(&made["address"], &json!({ "city": "Braga" })),
        "etag": masked["etag"], "update_time": masked["update_time"],
    });
    assert_eq!(masked, with(&made, &news));

    // Without a mask every mutable field is replaced: absent fields are cleared.
    let whole = with(&wanted(), &json!({ "description": null, "location": null, "amenities": null }));
    let replaced = world.admin.put(&path, whole).await.ok();
    assert_eq!(
        (&replaced["description"], &replaced["amenities"], &replaced["location"], &replaced["display_name"]),
        (&json!(""), &json!([]), &Value::Null, &json!("Riverside"))
    );
    let nothing = world.admin.put(&format!("{path}?update_mask=star_rating"), json!({ "star_rating": 4 })).await.ok();
    assert_eq!(nothing, replaced, "a change that changes nothing leaves the etag");

    for mask in ["nonsense", "hotel_id", "etag", "currency_code", "address.planet", "display_name,create_time"] {
        let masked = format!("{path}?update_mask={mask}");
        world.admin.put(&masked, json!({ "currency_code": "USD" })).await.violating(&["update_mask"]);
    }
    let dollars = with(&wanted(), &json!({ "currency_code": "USD" }));
    world.admin.put(&path, dollars).await.violating(&["hotel.currency_code"]);
    assert_eq!(world.public.get(&path).await.ok(), replaced);
}

#[tokio::test(flavor = "multi_thread")]
async fn update_with_stale_etag_is_refused() {
    let world = World::shared().await;
    let made = world.admin.post("/v1/hotels", wanted()).await.ok();
    let path = format!("/v1/hotels/{}", made["hotel_id"]);
    let masked = format!("{path}?update_mask=star_rating");
    let based_on = |etag: &Value, stars: i32| json!({ "star_rating": stars, "etag": etag });
    let changed = world.admin.put(&masked, based_on(&made["etag"], 5)).await.ok();
    world.admin.put(&masked, based_on(&made["etag"], 3)).await.refused(409, "ETAG_MISMATCH");
    let old = made["etag"].as_str().expect("an etag");
    world.admin.delete(&format!("{path}?etag={old}")).await.refused(409, "ETAG_MISMATCH");
    assert_eq!(world.public.get(&path).await.ok(), changed);
    let new = changed["etag"].as_str().expect("an etag");
    world.admin.delete(&format!("{path}?etag={new}")).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_create_with_request_id_makes_one_hotel() {
    let world = World::shared().await;
    let path = format!("/v1/hotels?request_id={}", Uuid::new_v4());
    let made = world.admin.post(&path, wanted()).await.ok();
    assert_eq!(world.admin.post(&path, wanted()).await.ok(), made);
    let other = with(&wanted(), &json!({ "star_rating": 1 }));
    world.admin.post(&path, other).await.refused(400, "REQUEST_ID_REUSED");
    world.admin.post("/v1/hotels?request_id=again", wanted()).await.violating(&["request_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_malformed_hotel_ids_are_refused() {
    let world = World::shared().await;
    let unknown = format!("/v1/hotels/{NOBODYS_ID}");
    for below in ["", "/roomTypes", "/rooms"] {
        let path = format!("{unknown}{below}");
        let refused = world.public.get(&path).await.refused(404, "HOTEL_NOT_FOUND");
        assert_eq!(refused.detail("ErrorInfo")["metadata"]["hotel_id"], NOBODYS_ID.to_string());
        world.public.get(&format!("/v1/hotels/0{below}")).await.violating(&["hotel_id"]);
        world.public.get(&format!("/v1/hotels/-7{below}")).await.violating(&["hotel_id"]);
        for no_id in ["x", "1.5", "99999999999"] {
            world.public.get(&format!("/v1/hotels/{no_id}{below}")).await.unreadable("hotel_id");
        }
    }
    world.admin.put(&unknown, wanted()).await.refused(404, "HOTEL_NOT_FOUND");
    world.admin.delete(&unknown).await.refused(404, "HOTEL_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_returns_every_matching_hotel_once() {
    let world = World::shared().await;
    let city = format!("City {}", Uuid::new_v4().simple());
    let mut made = Vec::new();
    for stars in 1..=5 {
        let address = json!({ "city": city, "country_code": if stars == 5 { "ES" } else { "PT" } });
        let hotel = with(&wanted(), &json!({ "address": address, "star_rating": stars }));
        made.push(world.admin.post("/v1/hotels", hotel).await.ok());
    }
    let path = format!("/v1/hotels?city={}", city.replace(' ', "%20").to_uppercase());
    for page_size in [1, 2, 5, 500] {
        assert_eq!(all_pages(&world.public, &path, "hotels", page_size).await, made, "in pages of {page_size}");
    }
    let portuguese = all_pages(&world.public, &format!("{path}&country_code=PT&min_star_rating=3"), "hotels", 1).await;
    assert_eq!(portuguese, made[2..4]);
    world.admin.delete(&format!("/v1/hotels/{}", made[0]["hotel_id"])).await.ok();
    assert_eq!(all_pages(&world.public, &path, "hotels", 2).await, made[1..]);

    let page = world.public.get(&format!("{path}&page_size=2")).await.ok();
    let token = page["next_page_token"].as_str().expect("a token");
    for other in [format!("{path}&min_star_rating=1"), "/v1/hotels?city=Porto".to_owned()] {
        world.public.get(&format!("{other}&page_token={token}")).await.violating(&["page_token"]);
    }
    let cases = [
        ("page_token=nonsense", "page_token"),
        ("page_size=-1", "page_size"),
        ("min_star_rating=6", "min_star_rating"),
        ("country_code=pt", "country_code"),
    ];
    for (query, field) in cases {
        world.public.get(&format!("{path}&{query}")).await.violating(&[field]);
    }
    let too_long = format!("/v1/hotels?city={}", "x".repeat(101));
    world.public.get(&too_long).await.violating(&["city"]);
}
