//! `/v1/hotels/{hotel_id}/roomTypes` and `/v1/hotels/{hotel_id}/rooms`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{NOBODYS_ID, all_pages, assert_just_now, with};
use crate::support::World;

fn double() -> Value {
    json!({
        "display_name": "Double, sea view", "description": "Two beds.",
        "beds": [{ "kind": "BED_KIND_SINGLE", "count": 2 }], "base_occupancy": 1, "max_occupancy": 3, "max_adults": 2,
        "max_children": 1, "max_infants": 1, "max_extra_beds": 1,
        "amenities": ["balcony"], "photo_urls": ["https://images.example.com/2.jpg"],
    })
}

fn room(room_type_id: i64) -> Value {
    json!({ "room_type_id": room_type_id, "room_number": "1204", "floor": 12 })
}

#[tokio::test(flavor = "multi_thread")]
async fn room_type_is_created_read_updated_and_deleted() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let all = format!("/v1/hotels/{}/roomTypes", hotel.hotel_id);
    let made = staff.post(&all, double()).await.ok();
    let given = json!({
        "hotel_id": hotel.hotel_id, "room_type_id": made["room_type_id"], "etag": made["etag"],
        "create_time": made["create_time"], "update_time": made["create_time"],
    });
    assert_eq!(made, with(&double(), &given));
    assert_just_now(&made["create_time"]);
    let path = format!("{all}/{}", made["room_type_id"]);
    assert_eq!(world.public.get(&path).await.ok(), made);
    staff.post(&all, double()).await.refused(409, "ROOM_TYPE_NAME_TAKEN");

    let masked = format!("{path}?update_mask=max_occupancy");
    let changed = staff.put(&masked, json!({ "max_occupancy": 4, "etag": made["etag"] })).await.ok();
    let news = json!({ "max_occupancy": 4, "etag": changed["etag"], "update_time": changed["update_time"] });
    assert_eq!(changed, with(&made, &news));
    staff.put(&masked, json!({ "max_occupancy": 1, "etag": made["etag"] })).await.refused(409, "ETAG_MISMATCH");
    let whole = staff.put(&path, with(&double(), &json!({ "description": null }))).await.ok();
    assert_eq!((&whole["description"], &whole["max_occupancy"]), (&json!(""), &json!(3)));
    staff.put(&format!("{path}?update_mask=hotel_id"), double()).await.violating(&["update_mask"]);

    let old = made["etag"].as_str().expect("an etag");
    staff.delete(&format!("{path}?etag={old}")).await.refused(409, "ETAG_MISMATCH");
    for _ in 0..2 {
        assert_eq!(staff.delete(&path).await.ok(), json!({}));
    }
    world.public.get(&path).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    staff.put(&path, double()).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    staff.post(&all, double()).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn room_is_created_read_updated_and_deleted() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let all = format!("/v1/hotels/{}/rooms", hotel.hotel_id);
    let made = staff.post(&all, room(hotel.room_type_id)).await.ok();
    let given = json!({
        "hotel_id": hotel.hotel_id, "room_id": made["room_id"], "etag": made["etag"],
        "create_time": made["create_time"], "update_time": made["create_time"],
    });
    assert_eq!(made, with(&room(hotel.room_type_id), &given));
    assert_just_now(&made["create_time"]);
    let path = format!("{all}/{}", made["room_id"]);
    assert_eq!(world.public.get(&path).await.ok(), made);
    staff.post(&all, room(hotel.room_type_id)).await.refused(409, "ROOM_NUMBER_TAKEN");
    let room_type = format!("/v1/hotels/{}/roomTypes/{}", hotel.hotel_id, hotel.room_type_id);
    staff.delete(&room_type).await.refused(400, "ROOM_TYPE_HAS_ROOMS");

    let masked = format!("{path}?update_mask=floor");
    let changed = staff.put(&masked, json!({ "floor": -2, "room_number": "x" })).await.ok();
    let news = json!({ "floor": -2, "etag": changed["etag"], "update_time": changed["update_time"] });
    assert_eq!(changed, with(&made, &news));
    staff.put(&masked, json!({ "floor": 1, "etag": made["etag"] })).await.refused(409, "ETAG_MISMATCH");
    let whole = staff.put(&path, json!({ "room_type_id": hotel.room_type_id, "room_number": "7" })).await.ok();
    assert_eq!((&whole["room_number"], &whole["floor"]), (&json!("7"), &json!(0)));

    for _ in 0..2 {
        assert_eq!(staff.delete(&path).await.ok(), json!({}));
    }
    world.public.get(&path).await.refused(404, "ROOM_NOT_FOUND");
    staff.put(&path, room(hotel.room_type_id)).await.refused(404, "ROOM_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_room_type_and_room_name_every_invalid_field() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let types = format!("/v1/hotels/{}/roomTypes", hotel.hotel_id);
    let cases: &[(Value, &[&str])] = &[
        (json!({ "display_name": null }), &["room_type.display_name"]),
        (json!({ "beds": [] }), &["room_type.beds"]),
        (json!({ "beds": [{ "count": 11 }] }), &["room_type.beds[0].kind", "room_type.beds[0].count"]),
        (json!({ "max_occupancy": 0, "max_adults": null }), &["room_type.max_occupancy"]),
        (json!({ "max_occupancy": 21 }), &["room_type.max_occupancy"]),
        (json!({ "max_occupancy": -1, "max_adults": 1 }), &["room_type.max_occupancy"]),
        (
            json!({ "max_adults": 4, "base_occupancy": 0, "max_children": 4, "max_infants": -1, "max_extra_beds": 21 }),
            &[
                "room_type.max_adults",
                "room_type.base_occupancy",
                "room_type.max_children",
                "room_type.max_infants",
                "room_type.max_extra_beds",
            ],
        ),
        (json!({ "photo_urls": ["javascript:alert(1)"] }), &["room_type.photo_urls[0]"]),
    ];
    for (change, fields) in cases {
        world.admin.post(&types, with(&double(), change)).await.violating(fields);
    }
    let rooms = format!("/v1/hotels/{}/rooms", hotel.hotel_id);
    let cases: &[(Value, &[&str])] = &[
        (json!({ "room_number": "" }), &["room.room_number"]),
        (json!({ "room_number": "x".repeat(21) }), &["room.room_number"]),
        (json!({ "floor": 201 }), &["room.floor"]),
        (json!({ "room_type_id": 0 }), &["room.room_type_id"]),
    ];
    for (change, fields) in cases {
        world.admin.post(&rooms, with(&room(hotel.room_type_id), change)).await.violating(fields);
    }
    let listed = world.public.get(&rooms).await.ok();
    assert_eq!(listed, json!({ "rooms": [], "next_page_token": "" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn room_type_and_room_of_another_hotel_are_not_found() {
    let world = World::shared().await;
    let (mine, other) = (world.hotel(1).await, world.hotel(1).await);
    let theirs = world.admin.post(&format!("/v1/hotels/{}/rooms", other.hotel_id), room(other.room_type_id)).await.ok();
    let my_rooms = format!("/v1/hotels/{}/rooms", mine.hotel_id);
    let my_types = format!("/v1/hotels/{}/roomTypes", mine.hotel_id);
    for room_id in [theirs["room_id"].as_i64().expect("an id"), NOBODYS_ID.into()] {
        let path = format!("{my_rooms}/{room_id}");
        world.public.get(&path).await.refused(404, "ROOM_NOT_FOUND");
        world.admin.put(&path, room(mine.room_type_id)).await.refused(404, "ROOM_NOT_FOUND");
        world.admin.delete(&path).await.refused(404, "ROOM_NOT_FOUND");
    }
    for room_type_id in [other.room_type_id, NOBODYS_ID.into()] {
        let path = format!("{my_types}/{room_type_id}");
        world.public.get(&path).await.refused(404, "ROOM_TYPE_NOT_FOUND");
        world.admin.put(&path, double()).await.refused(404, "ROOM_TYPE_NOT_FOUND");
        world.admin.delete(&path).await.refused(404, "ROOM_TYPE_NOT_FOUND");
        world.admin.post(&my_rooms, room(room_type_id)).await.refused(404, "ROOM_TYPE_NOT_FOUND");
    }
    for (path, field) in [(&my_rooms, "room_id"), (&my_types, "room_type_id")] {
        world.public.get(&format!("{path}/0")).await.violating(&[field]);
        world.public.get(&format!("{path}/one")).await.unreadable(field);
    }
    world.public.get(&format!("/v1/hotels/{}/rooms/{}", other.hotel_id, theirs["room_id"])).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_return_every_room_type_and_room_once() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let types = format!("/v1/hotels/{}/roomTypes", hotel.hotel_id);
    let rooms = format!("/v1/hotels/{}/rooms", hotel.hotel_id);
    let mut made_types = vec![world.public.get(&format!("{types}/{}", hotel.room_type_id)).await.ok()];
    let mut made_rooms = Vec::new();
    for n in 3..6 {
        let change = json!({ "display_name": format!("For {n}"), "max_occupancy": n });
        made_types.push(world.admin.post(&types, with(&double(), &change)).await.ok());
        let number = json!({ "room_number": n.to_string() });
        made_rooms.push(world.admin.post(&rooms, with(&room(hotel.room_type_id), &number)).await.ok());
    }
    for page_size in [1, 3, 4] {
        let listed = all_pages(&world.public, &format!("{types}?min_occupancy=0"), "room_types", page_size).await;
        assert_eq!(listed, made_types);
        let listed = all_pages(&world.public, &format!("{rooms}?room_type_id=0"), "rooms", page_size).await;
        assert_eq!(listed, made_rooms);
    }
    let large = all_pages(&world.public, &format!("{types}?min_occupancy=4"), "room_types", 1).await;
    assert_eq!(large, made_types[2..]);
    let of_another_type = format!("{rooms}?room_type_id={}", made_types[1]["room_type_id"]);
    assert!(all_pages(&world.public, &of_another_type, "rooms", 1).await.is_empty());

    let page = world.public.get(&format!("{rooms}?page_size=1")).await.ok();
    let token = page["next_page_token"].as_str().expect("a token");
    for other in [format!("{of_another_type}&page_token={token}"), format!("{types}?page_token={token}")] {
        world.public.get(&other).await.violating(&["page_token"]);
    }
    world.public.get(&format!("{types}?min_occupancy=-1")).await.violating(&["min_occupancy"]);
    world.public.get(&format!("{rooms}?room_type_id=-1")).await.violating(&["room_type_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_creates_with_request_id_make_one_room_type_and_one_room() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let types = format!("/v1/hotels/{}/roomTypes?request_id={}", hotel.hotel_id, Uuid::new_v4());
    let made = world.admin.post(&types, double()).await.ok();
    assert_eq!(world.admin.post(&types, double()).await.ok(), made);
    let rooms = format!("/v1/hotels/{}/rooms?request_id={}", hotel.hotel_id, Uuid::new_v4());
    let made = world.admin.post(&rooms, room(hotel.room_type_id)).await.ok();
    assert_eq!(world.admin.post(&rooms, room(hotel.room_type_id)).await.ok(), made);
    let other = with(&room(hotel.room_type_id), &json!({ "floor": 1 }));
    world.admin.post(&rooms, other).await.refused(400, "REQUEST_ID_REUSED");
}
