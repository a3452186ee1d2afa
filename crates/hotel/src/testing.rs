//! Fixtures shared by the tests of this crate.

use std::sync::Arc;

use prost_types::FieldMask;
use staymesh_api::hotel::v1::{
    self as proto, CreateHotelRequest, CreateRoomRequest, CreateRoomTypeRequest, GetHotelRequest, UpdateHotelRequest,
    hotel_admin_service_server::HotelAdminService, hotel_service_server::HotelService,
};
use staymesh_domain::HotelId;
use staymesh_mesh::{Caller, Problem, Reason, auth::Role};
use staymesh_testkit::TestDatabase;
use tonic::{Request, Status};

use crate::{
    MIGRATOR,
    clients::reservation::MockReservationClient,
    grpc::{HotelAdminHandler, HotelHandler},
    service::CatalogService,
};

/// The handlers of a hotel service with a database of its own.
pub(crate) struct Fixture {
    pub(crate) hotels: HotelHandler,
    pub(crate) admin: HotelAdminHandler,
    pub(crate) database: TestDatabase,
}

/// A hotel service whose reservation service retires every inventory.
pub(crate) async fn fixture() -> Fixture {
    let mut reservations = MockReservationClient::new();
    reservations.expect_retire_inventory().returning(|_, _| Ok(()));
    fixture_with(reservations).await
}

pub(crate) async fn fixture_with(reservations: MockReservationClient) -> Fixture {
    let database = TestDatabase::new("hotel", &MIGRATOR).await.unwrap();
    let catalog = Arc::new(CatalogService::new(database.pool().clone(), Box::new(reservations)));
    Fixture { hotels: HotelHandler::new(Arc::clone(&catalog)), admin: HotelAdminHandler::new(catalog), database }
}

impl Fixture {
    pub(crate) async fn create_hotel(&self, hotel: proto::Hotel) -> Result<proto::Hotel, Status> {
        let request = CreateHotelRequest { hotel: Some(hotel), request_id: String::new() };
        Ok(self.admin.create_hotel(admin(request)).await?.into_inner())
    }

    pub(crate) async fn create_room_type(
        &self,
        hotel_id: i32,
        room_type: proto::RoomType,
    ) -> Result<proto::RoomType, Status> {
        let request = CreateRoomTypeRequest { hotel_id, room_type: Some(room_type), request_id: String::new() };
        Ok(self.admin.create_room_type(staff(&[hotel_id], request)).await?.into_inner())
    }

    pub(crate) async fn create_room(&self, hotel_id: i32, room: proto::Room) -> Result<proto::Room, Status> {
        let request = CreateRoomRequest { hotel_id, room: Some(room), request_id: String::new() };
        Ok(self.admin.create_room(staff(&[hotel_id], request)).await?.into_inner())
    }

    pub(crate) async fn get_hotel(&self, hotel_id: i32) -> Result<proto::Hotel, Status> {
        let answer = self.hotels.get_hotel(Request::new(GetHotelRequest { hotel_id })).await?;
        Ok(answer.into_inner())
    }

    pub(crate) async fn update_hotel(&self, hotel: proto::Hotel, mask: &[&str]) -> Result<proto::Hotel, Status> {
        let update_mask = FieldMask { paths: mask.iter().map(ToString::to_string).collect() };
        let hotel_id = hotel.hotel_id;
        let request = UpdateHotelRequest { hotel_id, hotel: Some(hotel), update_mask: Some(update_mask) };
        Ok(self.admin.update_hotel(staff(&[hotel_id], request)).await?.into_inner())
    }
}

/// A request of an administrator.
pub(crate) fn admin<T>(message: T) -> Request<T> {
    by(Role::Admin, &[], message)
}

/// A request of staff of these hotels.
pub(crate) fn staff<T>(hotel_ids: &[i32], message: T) -> Request<T> {
    by(Role::Staff, hotel_ids, message)
}

/// A request of a caller with this role and these hotels.
pub(crate) fn by<T>(role: Role, hotel_ids: &[i32], message: T) -> Request<T> {
    let mut request = Request::new(message);
    let (subject, session) = (format!("{role:?}"), "session".to_owned());
    let hotel_ids = hotel_ids.iter().map(|id| HotelId::try_from(*id).unwrap()).collect();
    request.extensions_mut().insert(Caller { subject, role, hotel_ids, email_verified: false, session });
    request
}

/// A hotel with every field set.
pub(crate) fn hotel() -> proto::Hotel {
    proto::Hotel {
        display_name: "Casa do Rio".into(),
        description: "By the river.\nQuiet.".into(),
        address: Some(proto::Address {
            street: "Rua Nova 1".into(),
            city: "Évora".into(),
            postal_code: "7000-001".into(),
            country_code: "PT".into(),
        }),
        location: Some(proto::GeoPoint { latitude: 38.571_432_1, longitude: -7.913_502_3 }),
        time_zone: "Europe/Lisbon".into(),
        check_in_time: "14:00".into(),
        day_rollover: "04:00".into(),
        currency_code: "EUR".into(),
        star_rating: 4,
        amenities: vec!["pool".into(), "garden".into()],
        photo_urls: vec!["https://images.example.com/casa/1.jpg".into()],
        age_bands: vec![age_band("INFANT", 0, 2), age_band("CHILD", 3, 11)],
        min_child_age: 1,
        room_required_at_check_in: true,
        ..Default::default()
    }
}

pub(crate) fn age_band(code: &str, min_age: i32, max_age: i32) -> proto::AgeBand {
    proto::AgeBand { code: code.into(), min_age, max_age }
}

pub(crate) fn room_type(display_name: &str) -> proto::RoomType {
    proto::RoomType {
        display_name: display_name.into(),
        description: "With a view.".into(),
        beds: vec![proto::Bed { kind: proto::BedKind::Queen.into(), count: 1 }],
        max_occupancy: 2,
        amenities: vec!["balcony".into()],
        photo_urls: vec![],
        ..Default::default()
    }
}

pub(crate) fn room(room_type_id: i32, room_number: &str) -> proto::Room {
    proto::Room { room_type_id, room_number: room_number.into(), floor: 1, ..Default::default() }
}

/// The reason of an error.
pub(crate) fn reason(status: &Status) -> Reason {
    Problem::reason_of(status).unwrap_or_else(|| panic!("{status:?} has no reason"))
}

/// The fields that an `INVALID_FIELD` error names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    use tonic_types::StatusExt;
    let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("{status:?} has no BadRequest"));
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}
