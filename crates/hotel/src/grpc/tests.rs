mod invalid_fields;
mod occupancy;
mod texts;

use prost_types::FieldMask;
use staymesh_api::hotel::v1::{
    self as proto, CreateHotelRequest, CreateRoomTypeRequest, DeleteHotelRequest, GetRoomRequest, GetRoomTypeRequest,
    ListHotelsRequest, ListRoomTypesRequest, ListRoomsRequest, UpdateHotelRequest, UpdateRoomRequest,
    UpdateRoomTypeRequest, hotel_admin_service_server::HotelAdminService, hotel_service_server::HotelService,
};
use staymesh_mesh::Reason;
use tonic::Request;

use crate::testing::{admin, fields, fixture, hotel, reason, room, room_type, staff};

#[tokio::test]
async fn created_resources_are_returned_by_get() {
    let fixture = fixture().await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    let hotel_id = made.hotel_id;
    let expected = proto::Hotel {
        hotel_id,
        etag: made.etag.clone(),
        create_time: made.create_time,
        update_time: made.update_time,
        ..hotel()
    };
    assert_eq!(made, expected);
    assert!(!made.etag.is_empty() && made.create_time.is_some() && made.update_time.is_some());
    assert_eq!(fixture.get_hotel(hotel_id).await.unwrap(), made);

    let double = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap();
    assert_eq!(double.beds, room_type("").beds);
    let room_type_id = double.room_type_id;
    let request = GetRoomTypeRequest { hotel_id, room_type_id };
    let read = fixture.hotels.get_room_type(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(read, double);

    let first = fixture.create_room(hotel_id, room(room_type_id, "101")).await.unwrap();
    let request = GetRoomRequest { hotel_id, room_id: first.room_id };
    let read = fixture.hotels.get_room(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(read, first);
}

#[tokio::test]
async fn missing_resources_and_those_of_another_hotel_are_not_found() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let other = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let elsewhere = fixture.create_room_type(other, room_type("Double")).await.unwrap().room_type_id;

    assert_eq!(reason(&fixture.get_hotel(999).await.unwrap_err()), Reason::HotelNotFound);
    let request = GetRoomTypeRequest { hotel_id, room_type_id: elsewhere };
    let refused = fixture.hotels.get_room_type(Request::new(request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);
    let refused = fixture.hotels.get_room(Request::new(GetRoomRequest { hotel_id, room_id: 1 })).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomNotFound);

    let refused = fixture.create_room_type(999, room_type("Double")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    let refused = fixture.create_room(999, room(elsewhere, "1")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    // The room type exists, but belongs to another hotel.
    let refused = fixture.create_room(hotel_id, room(elsewhere, "1")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);

    let list = ListRoomTypesRequest { hotel_id: 999, ..Default::default() };
    let refused = fixture.hotels.list_room_types(Request::new(list)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    let list = ListRoomsRequest { hotel_id: 999, ..Default::default() };
    let refused = fixture.hotels.list_rooms(Request::new(list)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
}

#[tokio::test]
async fn admin_calls_authorize_before_they_validate() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let request = UpdateHotelRequest { hotel_id, hotel: None, update_mask: None };
    let refused = fixture.admin.update_hotel(staff(&[hotel_id + 1], request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
    let request = CreateRoomTypeRequest { hotel_id, room_type: None, request_id: "no uuid".into() };
    let refused = fixture.admin.create_room_type(staff(&[hotel_id + 1], request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
    let request = UpdateRoomRequest { hotel_id: -5, ..Default::default() };
    let refused = fixture.admin.update_room(staff(&[hotel_id], request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
}

#[tokio::test]
async fn create_reports_every_invalid_field_and_inserts_nothing() {
    let fixture = fixture().await;
    let wrong = proto::Hotel {
        display_name: "x".repeat(201),
        description: "bell\u{7}".into(),
        address: Some(proto::Address { country_code: "UK".into(), ..Default::default() }),
        location: Some(proto::GeoPoint { latitude: f64::NAN, longitude: f64::INFINITY }),
        time_zone: "Mars/Olympus".into(),
        check_in_time: "3 pm".into(),
        day_rollover: "06:01".into(),
        currency_code: "XXX".into(),
        star_rating: 6,
        amenities: vec!["pool".into(), String::new()],
        photo_urls: vec!["http://images.example.com/1.jpg".into()],
        ..Default::default()
    };
    let refused = fixture.create_hotel(wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "hotel.display_name",
            "hotel.description",
            "hotel.address.city",
            "hotel.address.country_code",
            "hotel.location.latitude",
            "hotel.location.longitude",
            "hotel.time_zone",
            "hotel.check_in_time",
            "hotel.day_rollover",
            "hotel.star_rating",
            "hotel.amenities[1]",
            "hotel.photo_urls[0]",
            "hotel.currency_code",
        ]
    );
    let missing = fixture.create_hotel(proto::Hotel { address: None, ..hotel() }).await.unwrap_err();
    assert_eq!(fields(&missing)[0], "hotel.address");
    let request = CreateHotelRequest { hotel: None, request_id: String::new() };
    assert_eq!(fields(&fixture.admin.create_hotel(admin(request)).await.unwrap_err()), ["hotel"]);
    let request = CreateHotelRequest { hotel: Some(hotel()), request_id: "not-a-uuid".into() };
    assert_eq!(fields(&fixture.admin.create_hotel(admin(request)).await.unwrap_err()), ["request_id"]);

    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let bed = |kind, count| proto::Bed { kind, count };
    let wrong = proto::RoomType {
        beds: vec![bed(0, 0), bed(99, 11)],
        max_occupancy: 0,
        display_name: "zero\u{200b}width".into(),
        ..Default::default()
    };
    let refused = fixture.create_room_type(hotel_id, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "room_type.display_name",
            "room_type.beds[0].kind",
            "room_type.beds[0].count",
            "room_type.beds[1].kind",
            "room_type.beds[1].count",
            "room_type.max_occupancy",
        ]
    );
    let wrong = proto::Room { floor: i32::MAX, ..room(-1, &"9".repeat(21)) };
    let refused = fixture.create_room(hotel_id, wrong).await.unwrap_err();
    assert_eq!(fields(&refused), ["room.room_type_id", "room.room_number", "room.floor"]);

    let counts: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from hotel), (select count(*) from room_type), (select count(*) from room)",
    )
    .fetch_one(fixture.database.pool())
    .await
    .unwrap();
    assert_eq!(counts, (1, 0, 0));
}

#[tokio::test]
async fn update_hotel_changes_and_validates_masked_fields_only() {
    let fixture = fixture().await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    let address = proto::Address { city: "Faro".into(), street: "ignored\0".into(), ..Default::default() };
    let change = proto::Hotel {
        hotel_id: made.hotel_id,
        display_name: "Casa do Mar".into(),
        address: Some(address),
        time_zone: "ignored".into(),
        currency_code: "JPY".into(),
        ..Default::default()
    };
    let changed = fixture.update_hotel(change, &["displayName", "address.city", "location"]).await.unwrap();
    let mut expected = proto::Hotel {
        display_name: "Casa do Mar".into(),
        location: None,
        etag: changed.etag.clone(),
        update_time: changed.update_time,
        ..made.clone()
    };
    expected.address.as_mut().unwrap().city = "Faro".into();
    assert_eq!(changed, expected);
    assert_ne!(changed.etag, made.etag);
    assert_eq!(fixture.get_hotel(made.hotel_id).await.unwrap(), changed);

    // An update with the values that were read keeps the etag.
    assert_eq!(fixture.update_hotel(changed.clone(), &[]).await.unwrap(), changed);

    for path in ["hotel_id", "etag", "currencyCode", "create_time", "address.planet", "unknown"] {
        let refused = fixture.update_hotel(changed.clone(), &[path]).await.unwrap_err();
        assert_eq!(fields(&refused), ["update_mask"], "{path}");
    }
}

#[tokio::test]
async fn times_of_the_day_that_are_not_sent_are_the_defaults() {
    let fixture = fixture().await;
    let defaults = proto::Hotel { check_in_time: String::new(), day_rollover: String::new(), ..hotel() };
    let made = fixture.create_hotel(defaults).await.unwrap();
    assert_eq!((made.check_in_time.as_str(), made.day_rollover.as_str()), ("15:00", "00:00"));
    let change = proto::Hotel { hotel_id: made.hotel_id, day_rollover: "06:00".into(), ..Default::default() };
    let changed = fixture.update_hotel(change, &["day_rollover"]).await.unwrap();
    assert_eq!((changed.check_in_time.as_str(), changed.day_rollover.as_str()), ("15:00", "06:00"));
}

#[tokio::test]
async fn update_hotel_with_another_currency_is_refused() {
    let fixture = fixture().await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    let refused = fixture.update_hotel(proto::Hotel { currency_code: "USD".into(), ..made.clone() }, &[]).await;
    assert_eq!(fields(&refused.unwrap_err()), ["hotel.currency_code"]);
    let same = proto::Hotel { currency_code: String::new(), star_rating: 5, ..made.clone() };
    assert_eq!(fixture.update_hotel(same, &[]).await.unwrap().currency_code, "EUR");
    let forced = sqlx::query("update hotel set currency_code = 'USD'").execute(fixture.database.pool()).await;
    assert_eq!(forced.unwrap_err().as_database_error().unwrap().constraint(), Some("hotel_currency_code_fixed"));
}

#[tokio::test]
async fn update_room_type_and_room_enforce_unique_names_and_references() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let double = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap();
    let suite = fixture.create_room_type(hotel_id, room_type("Suite")).await.unwrap();
    let refused = fixture.create_room_type(hotel_id, room_type("Suite")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNameTaken);

    let update = |room_type: proto::RoomType| UpdateRoomTypeRequest {
        hotel_id,
        room_type_id: room_type.room_type_id,
        room_type: Some(room_type),
        update_mask: None,
    };
    let renamed = update(proto::RoomType { display_name: "Suite".into(), ..double.clone() });
    let refused = fixture.admin.update_room_type(staff(&[hotel_id], renamed)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNameTaken);
    let larger = update(proto::RoomType { max_occupancy: 3, ..double.clone() });
    let larger = fixture.admin.update_room_type(staff(&[hotel_id], larger)).await.unwrap().into_inner();
    assert_eq!(larger.max_occupancy, 3);

    let first = fixture.create_room(hotel_id, room(double.room_type_id, "101")).await.unwrap();
    let refused = fixture.create_room(hotel_id, room(suite.room_type_id, "101")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomNumberTaken);
    let update = |room: proto::Room| UpdateRoomRequest {
        hotel_id,
        room_id: first.room_id,
        room: Some(room),
        update_mask: Some(FieldMask { paths: vec!["roomTypeId".into()] }),
    };
    let moved = fixture.admin.update_room(staff(&[hotel_id], update(room(suite.room_type_id, "")))).await.unwrap();
    let moved = moved.into_inner();
    assert_eq!((moved.room_type_id, &*moved.room_number), (suite.room_type_id, "101"));
    let refused = fixture.admin.update_room(staff(&[hotel_id], update(room(999, "")))).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);
}

#[tokio::test]
async fn list_hotels_pages_are_complete_without_duplicates_and_filtered() {
    let fixture = fixture().await;
    let mut evora = Vec::new();
    for number in 0..9 {
        let city = ["ÉVORA", "évora", "Porto"][number % 3];
        let address = proto::Address { city: city.into(), country_code: "PT".into(), ..Default::default() };
        let star_rating = i32::try_from(number % 6).unwrap();
        let made = proto::Hotel { address: Some(address), star_rating, ..hotel() };
        let hotel_id = fixture.create_hotel(made).await.unwrap().hotel_id;
        if city != "Porto" {
            evora.push(hotel_id);
        }
    }
    let deleted = evora.remove(0);
    let request = DeleteHotelRequest { hotel_id: deleted, etag: String::new() };
    fixture.admin.delete_hotel(admin(request)).await.unwrap();

    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListHotelsRequest { page_size: 2, page_token, city: "Évora".into(), ..Default::default() };
        let answer = fixture.hotels.list_hotels(Request::new(request)).await.unwrap().into_inner();
        assert!(answer.hotels.len() <= 2);
        seen.extend(answer.hotels.iter().map(|hotel| hotel.hotel_id));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let other = ListHotelsRequest { page_token: page_token.clone(), city: "Porto".into(), ..Default::default() };
        let refused = fixture.hotels.list_hotels(Request::new(other)).await.unwrap_err();
        assert_eq!(fields(&refused), ["page_token"]);
    }
    assert_eq!(seen, evora);

    let count =
        async |request| fixture.hotels.list_hotels(Request::new(request)).await.unwrap().into_inner().hotels.len();
    assert_eq!(count(ListHotelsRequest { min_star_rating: 4, ..Default::default() }).await, 2);
    assert_eq!(count(ListHotelsRequest { country_code: "PT".into(), ..Default::default() }).await, 8);
    assert_eq!(count(ListHotelsRequest { country_code: "ES".into(), ..Default::default() }).await, 0);

    for (request, field) in [
        (ListHotelsRequest { page_size: -1, ..Default::default() }, "page_size"),
        (ListHotelsRequest { page_token: "x".into(), ..Default::default() }, "page_token"),
        (ListHotelsRequest { country_code: "pt".into(), ..Default::default() }, "country_code"),
        (ListHotelsRequest { country_code: "ZZ".into(), ..Default::default() }, "country_code"),
        (ListHotelsRequest { min_star_rating: 6, ..Default::default() }, "min_star_rating"),
        (ListHotelsRequest { city: "a\0".into(), ..Default::default() }, "city"),
    ] {
        assert_eq!(fields(&fixture.hotels.list_hotels(Request::new(request)).await.unwrap_err()), [field]);
    }
}

#[tokio::test]
async fn list_rooms_filters_by_type_and_list_room_types_by_occupancy() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let double = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    let family = proto::RoomType { max_occupancy: 5, ..room_type("Family") };
    let family = fixture.create_room_type(hotel_id, family).await.unwrap().room_type_id;
    for number in 0..5 {
        let room_type_id = if number < 3 { double } else { family };
        fixture.create_room(hotel_id, room(room_type_id, &number.to_string())).await.unwrap();
    }
    let list = ListRoomTypesRequest { hotel_id, min_occupancy: 3, ..Default::default() };
    let types = fixture.hotels.list_room_types(Request::new(list)).await.unwrap().into_inner().room_types;
    assert_eq!(types.iter().map(|room_type| room_type.room_type_id).collect::<Vec<_>>(), [family]);

    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = ListRoomsRequest { hotel_id, page_size: 2, page_token, room_type_id: double };
        let answer = fixture.hotels.list_rooms(Request::new(list)).await.unwrap().into_inner();
        seen.extend(answer.rooms.into_iter().map(|room| room.room_number));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["0", "1", "2"]);
}
