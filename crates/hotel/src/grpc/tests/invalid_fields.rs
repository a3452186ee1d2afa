//! Requests with several wrong fields: each is named, in one response.

use prost_types::FieldMask;
use staymesh_api::hotel::v1::{
    self as proto, hotel_admin_service_server::HotelAdminService, hotel_service_server::HotelService,
};
use tonic::Request;

use crate::testing::{admin, fields, fixture, hotel, room, room_type};

/// The fields that the answer to a request names.
macro_rules! named {
    ($call:expr) => {
        fields(&$call.await.unwrap_err())
    };
}

#[tokio::test]
async fn every_wrong_field_of_a_read_is_named() {
    let hotels = fixture().await.hotels;
    let list = proto::ListHotelsRequest {
        city: "\u{200b}".into(),
        country_code: "xx".into(),
        min_star_rating: 6,
        page_size: -1,
        page_token: "x".into(),
    };
    assert_eq!(
        named!(hotels.list_hotels(Request::new(list))),
        ["city", "country_code", "min_star_rating", "page_size", "page_token"]
    );
    let get = proto::GetRoomTypeRequest { hotel_id: 0, room_type_id: -1 };
    assert_eq!(named!(hotels.get_room_type(Request::new(get))), ["hotel_id", "room_type_id"]);
    let get = proto::GetRoomRequest { hotel_id: 0, room_id: -1 };
    assert_eq!(named!(hotels.get_room(Request::new(get))), ["hotel_id", "room_id"]);
    let list = proto::ListRoomTypesRequest { hotel_id: 0, min_occupancy: -1, page_size: -1, page_token: "x".into() };
    assert_eq!(
        named!(hotels.list_room_types(Request::new(list))),
        ["hotel_id", "min_occupancy", "page_size", "page_token"]
    );
    let list = proto::ListRoomsRequest { hotel_id: 0, room_type_id: -1, page_size: -1, page_token: "x".into() };
    assert_eq!(named!(hotels.list_rooms(Request::new(list))), ["hotel_id", "room_type_id", "page_size", "page_token"]);
}

#[tokio::test]
async fn every_wrong_field_of_a_create_is_named() {
    let handler = fixture().await.admin;
    let request_id = || "x".to_owned();
    let hotel = Some(proto::Hotel { display_name: String::new(), star_rating: 6, min_child_age: 19, ..hotel() });
    let create = proto::CreateHotelRequest { hotel, request_id: request_id() };
    assert_eq!(
        named!(handler.create_hotel(admin(create))),
        ["request_id", "hotel.display_name", "hotel.star_rating", "hotel.min_child_age"]
    );
    let room_type = Some(proto::RoomType { max_occupancy: 0, ..room_type("\u{200d}") });
    let create = proto::CreateRoomTypeRequest { hotel_id: 0, room_type, request_id: request_id() };
    assert_eq!(
        named!(handler.create_room_type(admin(create))),
        ["request_id", "hotel_id", "room_type.display_name", "room_type.max_occupancy"]
    );
    let create = proto::CreateRoomRequest { hotel_id: 0, room: None, request_id: request_id() };
    assert_eq!(named!(handler.create_room(admin(create))), ["request_id", "hotel_id", "room"]);
    let room = Some(proto::Room { floor: 201, ..room(0, "a\nb") });
    let create = proto::CreateRoomRequest { hotel_id: 0, room, request_id: String::new() };
    assert_eq!(
        named!(handler.create_room(admin(create))),
        ["hotel_id", "room.room_type_id", "room.room_number", "room.floor"]
    );
}

#[tokio::test]
async fn every_wrong_field_of_an_update_or_delete_is_named() {
    let handler = fixture().await.admin;
    let mask = || Some(FieldMask { paths: vec!["colour".to_owned()] });
    let update = proto::UpdateHotelRequest { hotel_id: 0, hotel: None, update_mask: mask() };
    assert_eq!(named!(handler.update_hotel(admin(update))), ["hotel_id", "update_mask", "hotel"]);
    let room_type = Some(proto::RoomType { max_occupancy: 0, ..room_type("") });
    let update = proto::UpdateRoomTypeRequest { hotel_id: 0, room_type_id: 0, room_type, update_mask: None };
    assert_eq!(
        named!(handler.update_room_type(admin(update))),
        ["hotel_id", "room_type_id", "room_type.display_name", "room_type.max_occupancy"]
    );
    let update = proto::UpdateRoomRequest { hotel_id: 0, room_id: 0, room: None, update_mask: mask() };
    assert_eq!(named!(handler.update_room(admin(update))), ["hotel_id", "room_id", "update_mask", "room"]);
    let delete = proto::DeleteRoomTypeRequest { hotel_id: 0, room_type_id: 0, etag: String::new() };
    assert_eq!(named!(handler.delete_room_type(admin(delete))), ["hotel_id", "room_type_id"]);
    let delete = proto::DeleteRoomRequest { hotel_id: 0, room_id: 0, etag: String::new() };
    assert_eq!(named!(handler.delete_room(admin(delete))), ["hotel_id", "room_id"]);
}
