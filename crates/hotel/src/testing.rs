//! What the tests of this crate share.

use std::sync::Arc;

use staymesh_api::hotel::v1 as proto;
use staymesh_domain::HotelId;
use staymesh_mesh::{Caller, Problem, Reason, auth::Role};
use staymesh_testkit::TestDatabase;
use tonic::{Request, Status};

use crate::{
    MIGRATOR,
    grpc::{Admin, Reads},
    inventory::MockInventory,
    service::Hotels,
};

/// A service on a database of its own.
pub(crate) struct House {
    pub(crate) reads: Reads,
    pub(crate) admin: Admin<MockInventory>,
    pub(crate) database: TestDatabase,
}

/// A service whose inventory lets everything be retired.
pub(crate) async fn house() -> House {
    let mut inventory = MockInventory::new();
    inventory.expect_retire().returning(|_, _| Box::pin(async { Ok(()) }));
    house_with(inventory).await
}

pub(crate) async fn house_with(inventory: MockInventory) -> House {
    let database = TestDatabase::new("hotel", &MIGRATOR).await.unwrap();
    let hotels = Arc::new(Hotels::new(database.pool().clone(), inventory));
    House { reads: Reads::new(database.pool().clone()), admin: Admin::new(hotels), database }
}

/// A request of an administrator.
pub(crate) fn admin<T>(message: T) -> Request<T> {
    by(Role::Admin, &[], message)
}

/// A request of staff of these hotels.
pub(crate) fn staff<T>(hotel_ids: &[i32], message: T) -> Request<T> {
    by(Role::Staff, hotel_ids, message)
}

pub(crate) fn by<T>(role: Role, hotel_ids: &[i32], message: T) -> Request<T> {
    let mut request = Request::new(message);
    let (subject, session) = (format!("{role:?}"), "session".to_owned());
    let hotel_ids = hotel_ids.iter().map(|id| HotelId::try_from(*id).unwrap()).collect();
    request.extensions_mut().insert(Caller { subject, role, hotel_ids, session });
    request
}

/// A hotel that has all there is to have.
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
        currency_code: "EUR".into(),
        star_rating: 4,
        amenities: vec!["pool".into(), "garden".into()],
        photo_urls: vec!["https://images.example.com/casa/1.jpg".into()],
        ..Default::default()
    }
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

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> Reason {
    Problem::reason_of(status).unwrap_or_else(|| panic!("{status:?} has no reason"))
}

/// The fields that a refusal names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    use tonic_types::StatusExt;
    let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("{status:?} names no field"));
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}
