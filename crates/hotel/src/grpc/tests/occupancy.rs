//! Who sleeps in a room: occupancy of room types, age bands and minimum age of hotels.

use prost_types::FieldMask;
use staymesh_api::hotel::v1::{
    self as proto, CreateHotelRequest, CreateRoomTypeRequest, GetRoomTypeRequest, UpdateRoomTypeRequest,
    hotel_admin_service_server::HotelAdminService, hotel_service_server::HotelService,
};
use staymesh_mesh::Reason;
use tonic::{Request, Status};

use crate::testing::{Fixture, admin, age_band, fields, fixture, hotel, reason, room_type, staff};

/// The room of the examples: base 2, at most 4, of them 3 adults, 2 places for children, 1 cot.
fn family(display_name: &str) -> proto::RoomType {
    proto::RoomType {
        base_occupancy: Some(2),
        max_occupancy: 4,
        max_adults: Some(3),
        max_children: 2,
        max_infants: 1,
        max_extra_beds: 2,
        ..room_type(display_name)
    }
}

/// `(base, max_occupancy, adults, children, infants, extra beds)` of a room type.
fn numbers(room_type: &proto::RoomType) -> (Option<i32>, i32, Option<i32>, i32, i32, i32) {
    let proto::RoomType { base_occupancy, max_occupancy, max_adults, .. } = *room_type;
    let proto::RoomType { max_children, max_infants, max_extra_beds, .. } = *room_type;
    (base_occupancy, max_occupancy, max_adults, max_children, max_infants, max_extra_beds)
}

async fn read(fixture: &Fixture, hotel_id: i32, room_type_id: i32) -> proto::RoomType {
    let request = Request::new(GetRoomTypeRequest { hotel_id, room_type_id });
    fixture.hotels.get_room_type(request).await.unwrap().into_inner()
}

async fn update(fixture: &Fixture, room_type: proto::RoomType, mask: &[&str]) -> Result<proto::RoomType, Status> {
    let (hotel_id, room_type_id) = (room_type.hotel_id, room_type.room_type_id);
    let update_mask = Some(FieldMask { paths: mask.iter().map(ToString::to_string).collect() });
    let request = UpdateRoomTypeRequest { hotel_id, room_type_id, room_type: Some(room_type), update_mask };
    Ok(fixture.admin.update_room_type(staff(&[hotel_id], request)).await?.into_inner())
}

#[tokio::test]
async fn occupancy_of_a_room_type_is_kept_and_its_change_makes_a_new_etag() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let made = fixture.create_room_type(hotel_id, family("Family")).await.unwrap();
    assert_eq!(numbers(&made), numbers(&family("")));
    assert_eq!(read(&fixture, hotel_id, made.room_type_id).await, made);

    let cots = proto::RoomType { max_infants: 2, ..made.clone() };
    let changed = update(&fixture, cots.clone(), &["max_infants"]).await.unwrap();
    assert_eq!(numbers(&changed), numbers(&cots));
    assert_ne!(changed.etag, made.etag);
    let refused = update(&fixture, proto::RoomType { max_adults: Some(2), ..made }, &["max_adults"]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::EtagMismatch);
}

#[tokio::test]
async fn room_type_with_max_occupancy_alone_is_for_adults() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let made =
        fixture.create_room_type(hotel_id, proto::RoomType { max_occupancy: 3, ..room_type("A") }).await.unwrap();
    assert_eq!(numbers(&made), (Some(3), 3, Some(3), 0, 0, 0));
    let of_two_adults = proto::RoomType { max_occupancy: 4, max_adults: Some(2), ..room_type("B") };
    let made = fixture.create_room_type(hotel_id, of_two_adults).await.unwrap();
    assert_eq!(numbers(&made), (Some(2), 4, Some(2), 0, 0, 0));
}

#[tokio::test]
async fn impossible_occupancy_names_every_wrong_number() {
    let fixture = fixture().await;
    let wrong = proto::RoomType {
        base_occupancy: Some(4),
        max_occupancy: 2,
        max_adults: Some(3),
        max_children: -1,
        max_infants: 21,
        max_extra_beds: 21,
        ..room_type("")
    };
    let create = CreateRoomTypeRequest { hotel_id: 7, room_type: Some(wrong), request_id: String::new() };
    let refused = fixture.admin.create_room_type(admin(create)).await.unwrap_err();
    let names = ["display_name", "max_adults", "base_occupancy", "max_children", "max_infants", "max_extra_beds"];
    assert_eq!(fields(&refused), names.map(|name| format!("room_type.{name}")));
}

#[tokio::test]
async fn masked_change_that_does_not_fit_the_other_numbers_is_refused() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let made = fixture.create_room_type(hotel_id, family("Family")).await.unwrap();
    let lower = proto::RoomType { max_occupancy: 1, ..made.clone() };
    let refused = update(&fixture, lower, &["max_occupancy"]).await.unwrap_err();
    assert_eq!(fields(&refused), ["room_type.max_adults", "room_type.base_occupancy", "room_type.max_children"]);
    let missing = proto::RoomType { max_adults: None, max_infants: 21, ..made.clone() };
    let refused = update(&fixture, missing, &["max_adults", "max_infants"]).await.unwrap_err();
    assert_eq!(fields(&refused), ["room_type.max_adults", "room_type.max_infants"]);
    assert_eq!(read(&fixture, hotel_id, made.room_type_id).await, made, "nothing is changed");
}

#[tokio::test]
async fn room_type_of_the_release_before_takes_as_many_adults_as_its_max_occupancy() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let insert =
        "insert into room_type (display_name, description, beds, max_occupancy, amenities, photo_urls, hotel_id)
                  values ('Old', '', '[{\"kind\": 1, \"count\": 1}]', 3, '{}', '{}', $1) returning room_type_id";
    let pool = fixture.database.pool();
    let room_type_id: i32 = sqlx::query_scalar(insert).bind(hotel_id).fetch_one(pool).await.unwrap();
    let old = read(&fixture, hotel_id, room_type_id).await;
    assert_eq!(numbers(&old), (Some(3), 3, Some(3), 0, 0, 0));
    // Sent back whole, it is as it was.
    assert_eq!(update(&fixture, old.clone(), &[]).await.unwrap().etag, old.etag);
    // The release before changes it.
    let change = "update room_type set max_occupancy = 4 where room_type_id = $1";
    sqlx::query(change).bind(room_type_id).execute(pool).await.unwrap();
    assert_eq!(numbers(&read(&fixture, hotel_id, room_type_id).await), (Some(4), 4, Some(4), 0, 0, 0));
}

#[tokio::test]
async fn release_before_lowers_the_max_occupancy_of_a_room_type_and_the_numbers_within_it_follow() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let made = fixture.create_room_type(hotel_id, family("Family")).await.unwrap();
    let change = "update room_type set max_occupancy = $2 where room_type_id = $1";
    for (max_occupancy, expected) in [(3, (Some(2), 3, Some(3), 2, 1, 2)), (1, (Some(1), 1, Some(1), 1, 1, 2))] {
        sqlx::query(change).bind(made.room_type_id).bind(max_occupancy).execute(fixture.database.pool()).await.unwrap();
        assert_eq!(numbers(&read(&fixture, hotel_id, made.room_type_id).await), expected);
    }
}

#[tokio::test]
async fn age_bands_are_kept_and_their_change_makes_a_new_etag() {
    let fixture = fixture().await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    assert_eq!((&made.age_bands, made.min_child_age), (&hotel().age_bands, 1));
    let age_bands = vec![age_band("CHILD", 0, 5), age_band("TEEN", 6, 17)];
    let change = proto::Hotel { age_bands: age_bands.clone(), min_child_age: 6, ..made.clone() };
    let changed = fixture.update_hotel(change, &["age_bands", "min_child_age"]).await.unwrap();
    assert_eq!((&changed.age_bands, changed.min_child_age), (&age_bands, 6));
    assert_ne!(changed.etag, made.etag);
    let none = proto::Hotel { age_bands: vec![], ..changed };
    let changed = fixture.update_hotel(none, &["age_bands"]).await.unwrap();
    assert_eq!((changed.age_bands, changed.min_child_age), (vec![], 6));
}

#[tokio::test]
async fn wrong_age_bands_name_every_wrong_field() {
    let fixture = fixture().await;
    let age_bands = vec![age_band("INFANT", 1, 2), age_band("child", 2, 18)];
    let wrong = proto::Hotel { age_bands, min_child_age: 19, ..hotel() };
    let create = CreateHotelRequest { hotel: Some(wrong), request_id: String::new() };
    let refused = fixture.admin.create_hotel(admin(create)).await.unwrap_err();
    let names =
        ["age_bands[0].min_age", "age_bands[1].code", "age_bands[1].min_age", "age_bands[1].max_age", "min_child_age"];
    assert_eq!(fields(&refused), names.map(|name| format!("hotel.{name}")));
}

/// The constraint that refuses a statement about a new hotel or its room type for 4.
async fn refused_by(fixture: &Fixture, hotel_id: i32, change: &str) -> Option<String> {
    let sql = match change.split_once(' ') {
        Some(("hotel", set)) => format!("update hotel set {set} where hotel_id = {hotel_id}"),
        _ => format!("update room_type set {change} where hotel_id = {hotel_id}"),
    };
    let result = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(fixture.database.pool()).await;
    result.err()?.as_database_error()?.constraint().map(str::to_owned)
}

#[tokio::test]
async fn database_refuses_impossible_occupancy_and_age_bands_by_name() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    fixture.create_room_type(hotel_id, family("Family")).await.unwrap();
    let five = r#"[{"code":"A","min_age":0,"max_age":0},{"code":"B","min_age":1,"max_age":1},{"code":"C","min_age":2,
        "max_age":2},{"code":"D","min_age":3,"max_age":3},{"code":"E","min_age":4,"max_age":4}]"#;
    let bands = |bands: &str| format!("hotel age_bands = '[{bands}]'");
    let adjacent = "hotel_age_bands_adjacent";
    let cases = [
        ("base_occupancy = 0".to_owned(), "room_type_base_occupancy_range"),
        ("base_occupancy = 4".to_owned(), "room_type_base_occupancy_range"),
        ("base_occupancy = 5, max_adults = null".to_owned(), "room_type_base_occupancy_range"),
        ("max_adults = 5".to_owned(), "room_type_max_adults_range"),
        ("max_children = 5".to_owned(), "room_type_max_children_range"),
        ("max_infants = -1".to_owned(), "room_type_max_infants_range"),
        ("max_extra_beds = 21".to_owned(), "room_type_max_extra_beds_range"),
        ("hotel min_child_age = 19".to_owned(), "hotel_min_child_age_range"),
        (format!("hotel age_bands = '{five}'"), "hotel_age_bands_count"),
        (bands(r#"{"code":"A","min_age":1,"max_age":2}"#), adjacent),
        (bands(r#"{"code":"A","min_age":0,"max_age":18}"#), adjacent),
        (bands(r#"{"code":"a","min_age":0,"max_age":2}"#), adjacent),
        (bands(r#"{"code":"A","min_age":0}"#), adjacent),
        (bands(r#"{"code":"A","min_age":0,"max_age":2},{"code":"B","min_age":4,"max_age":5}"#), adjacent),
        (bands(r#"{"code":"A","min_age":0,"max_age":2},{"code":"B","min_age":2,"max_age":5}"#), adjacent),
        (bands(r#"{"code":"A","min_age":0,"max_age":2},{"code":"A","min_age":3,"max_age":5}"#), adjacent),
        (bands(r#"{"code":"A","min_age":0,"max_age":2},{"code":"INFANT","min_age":3,"max_age":5}"#), adjacent),
    ];
    for (change, constraint) in cases {
        assert_eq!(refused_by(&fixture, hotel_id, &change).await.as_deref(), Some(constraint), "{change}");
    }
    assert_eq!(refused_by(&fixture, hotel_id, &bands(r#"{"code":"A","min_age":0,"max_age":17}"#)).await, None);
    assert_eq!(refused_by(&fixture, hotel_id, "hotel age_bands = '[]'").await, None);
}
