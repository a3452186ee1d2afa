//! A booking service with mocked clients and a real database, for tests.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, ToSpan};
use staymesh_domain::{ChildRules, DateRange, HotelId, HotelTime, Occupancy, Parties, Party, RoomTypeId, StayDates};
use staymesh_mesh::{Caller, auth::Role};
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;

use super::{BookingService, Dependencies, RoomRequest, RoomsRequest, UnpaidLimits, offers::StayRequest};
use crate::{
    LongHolds, MIGRATOR, calendar,
    clients::{HotelInfo, MockHotelClient, MockPaymentClient, RateClient, RoomTypeInfo, RoomTypePrice},
    offer_token::OfferSigner,
    quote::tests::quote,
    store::{InventoryChange, Store},
    writer::Writer,
};

/// A guest with this subject.
pub(super) fn guest(subject: &str) -> Caller {
    let (subject, hotel_ids, session) = (subject.into(), vec![], "session".into());
    Caller { subject, role: Role::Guest, hotel_ids, email_verified: true, session }
}

/// Staff of this hotel.
pub(super) fn staff(hotel: i32) -> Caller {
    let hotel_ids = vec![HotelId::try_from(hotel).expect("an id")];
    Caller { role: Role::Staff, hotel_ids, ..guest("user:staff") }
}

pub(super) fn id(id: i32) -> RoomTypeId {
    RoomTypeId::try_from(id).expect("an id")
}

pub(crate) fn room_type(room_type: i32, max_occupancy: i32) -> RoomTypeInfo {
    RoomTypeInfo {
        room_type_id: id(room_type),
        display_name: format!("type {room_type}"),
        occupancy: Occupancy::of_adults(max_occupancy),
    }
}

/// One night without taxes, in cents.
pub(super) fn price(room_type_id: RoomTypeId, minor: i64) -> RoomTypePrice {
    RoomTypePrice { room_type_id, quote: quote(minor) }
}

/// A hotel in this zone, with days that end at midnight.
pub(crate) fn hotel_info(zone: &str, child_rules: ChildRules) -> HotelInfo {
    let time = HotelTime::parse(zone, "15:00", "00:00").expect("a calendar");
    HotelInfo { time, child_rules, room_required_at_check_in: false }
}

/// A client of the hotel service whose hotel is in this zone and has no rules for children.
pub(super) fn hotel_in(zone: &'static str) -> MockHotelClient {
    let mut hotels = MockHotelClient::new();
    hotels.expect_hotel().returning(move |_| Ok(hotel_info(zone, ChildRules::default())));
    hotels.expect_hotel_time().returning(move |_| Ok(hotel_info(zone, ChildRules::default()).time));
    hotels
}

pub(super) fn parties(occupancies: &[&str]) -> Parties {
    let parties = occupancies.iter().map(|occupancy| occupancy.parse().expect("a party"));
    Parties::new(parties.collect()).expect("parties")
}

/// A service with room types 1 to 3, of which 3 is sold out, and a request for one night.
pub(super) async fn service(
    hotels: MockHotelClient,
    rates: impl RateClient + 'static,
) -> (BookingService, StayRequest, TestDatabase) {
    let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
    let store = Store::new(database.pool().clone());
    let check_in = calendar::today(Timestamp::now()).saturating_add(30.days());
    let stay = StayDates::new(check_in, check_in.saturating_add(1.days())).expect("a stay");
    let hotel_id = HotelId::try_from(7).expect("an id");
    let changes: Vec<_> = [(1, 5), (2, 5), (3, 0)]
        .into_iter()
        .map(|(room_type, total_inventory)| InventoryChange {
            room_type_id: id(room_type),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory,
            overbooking_percent: Some(0),
            for_future_nights: false,
            etag: String::new(),
        })
        .collect();
    store.set_inventory(hotel_id, &changes).await.expect("inventory");
    let service = desk_service(store, hotels, rates);
    let request = StayRequest { hotel_id, stay, parties: parties(&["2"]) };
    (service, request, database)
}

/// Rooms of these types with so many adults each, for the dates of the request.
pub(super) fn rooms(request: &StayRequest, rooms: &[(i32, i32)]) -> RoomsRequest {
    let room = |(room_type, adults): &(i32, i32)| RoomRequest {
        room_type_id: id(*room_type),
        stay: request.stay,
        party: Party::new(*adults, vec![]).expect("a party"),
    };
    RoomsRequest {
        hotel_id: request.hotel_id,
        stay: request.stay,
        rooms: rooms.iter().map(room).collect(),
        group_block: None,
    }
}

/// A service over a store.
pub(crate) fn desk_service(store: Store, hotels: MockHotelClient, rates: impl RateClient + 'static) -> BookingService {
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, lanes) = Writer::new(&store, 1);
    for lane in lanes {
        tokio::spawn(lane);
    }
    BookingService::new(Dependencies {
        store,
        writer,
        hotels: Box::new(hotels),
        rates: Box::new(rates),
        payments: std::sync::Arc::new(MockPaymentClient::new()),
        offers: OfferSigner::new(&keys),
        hold: std::time::Duration::from_mins(15),
        unpaid: UnpaidLimits::unlimited(),
        long_holds: LongHolds::default(),
        wake: Wake::default(),
    })
}
