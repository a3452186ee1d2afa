//! Offers and order forms, with mocked clients and a real database.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{ToSpan, civil::date};
use staymesh_domain::DateRange;
use staymesh_mesh::Reason;
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    MIGRATOR, calendar,
    clients::{MockHotelClient, MockPaymentClient, MockRateClient, RoomTypePrice},
    offer_token::OfferSigner,
    quote::{QuoteError, tests::quote},
    service::{Dependencies, UnpaidLimits},
    store::{InventoryChange, Store},
    writer::Writer,
};

fn id(id: i32) -> RoomTypeId {
    RoomTypeId::try_from(id).expect("an id")
}

fn night(day: i8, total: i32, reserved: i32, left: i32) -> NightLeft {
    NightLeft {
        room_type_id: id(3),
        stay_date: date(2030, 1, day),
        total_inventory: total,
        total_reserved: reserved,
        rooms_left: left,
    }
}

#[test]
fn rooms_left_is_the_minimum_over_nights_and_0_with_a_night_missing() {
    let stay = StayDates::parse("2030-01-01", "2030-01-03").expect("a stay");
    let both = [night(1, 10, 2, 9), night(2, 10, 11, 0)];
    let summary = summarize(id(3), &both, stay);
    assert_eq!((summary.rooms_left, summary.sold_percent), (0, vec![20, 110]));
    assert_eq!(summarize(id(3), &both[..1], stay).rooms_left, 0);
    assert_eq!(summarize(id(3), &[], stay).rooms_left, 0);
}

#[test]
fn night_with_inventory_0_counts_as_fully_sold() {
    assert_eq!(sold_percent(&night(1, 0, 0, 0)), 100);
}

fn room_type(room_type: i32, max_occupancy: i32) -> RoomTypeInfo {
    RoomTypeInfo { room_type_id: id(room_type), display_name: format!("type {room_type}"), max_occupancy }
}

/// One night without taxes, in cents.
fn price(room_type_id: RoomTypeId, minor: i64) -> RoomTypePrice {
    RoomTypePrice { room_type_id, quote: quote(minor) }
}

/// A service with room types 1 to 3, of which 3 is sold out, and a request for one night.
async fn service(hotels: MockHotelClient, rates: MockRateClient) -> (BookingService, StayRequest, TestDatabase) {
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
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, _) = Writer::new(&store, 1);
    let service = BookingService::new(Dependencies {
        store,
        writer,
        hotels: Box::new(hotels),
        rates: Box::new(rates),
        payments: std::sync::Arc::new(MockPaymentClient::new()),
        offers: OfferSigner::new(&keys),
        hold: std::time::Duration::from_mins(15),
        unpaid: UnpaidLimits::unlimited(),
        wake: Wake::default(),
    });
    let request =
        StayRequest { hotel_id, stay, rooms: RoomCount::ONE, guests: GuestCount::try_from(2).expect("guests") };
    (service, request, database)
}

#[tokio::test]
async fn offers_list_free_fitting_priced_room_types_cheapest_first() {
    let mut hotels = MockHotelClient::new();
    // Type 4 has no inventory.
    hotels
        .expect_room_types()
        .returning(|_| Ok(vec![room_type(1, 2), room_type(2, 2), room_type(3, 2), room_type(4, 2)]));
    let mut rates = MockRateClient::new();
    rates
        .expect_price()
        .withf(|_, _, _, demand| demand.iter().map(|d| d.room_type_id).eq([id(1), id(2)]))
        .once()
        .returning(|_, _, _, _| Ok(vec![price(id(1), 9_000), price(id(2), 8_000)]));
    let (service, request, _database) = service(hotels, rates).await;
    let offers = service.offers(request).await.expect("offers");
    let shown: Vec<_> =
        offers.iter().map(|o| (o.room_type.room_type_id, o.quote.total.minor(), o.rooms_left)).collect();
    assert_eq!(shown, [(id(2), 8000, 5), (id(1), 9000, 5)]);
}

#[test]
fn pages_of_offers_have_each_room_type_once_cheapest_first_also_at_equal_prices() {
    let offers = || {
        let line = |(room_type_id, minor): (i32, i64)| OfferLine {
            room_type: room_type(room_type_id, 2),
            rooms_left: 1,
            quote: quote(minor),
        };
        Vec::from([(4, 8_000), (1, 9_000), (2, 9_000), (3, 9_000), (5, 9_001)].map(line))
    };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = Page::parse(2, &token, &["search"]).expect("a page");
        let (lines, next) = page_of(&page, offers());
        assert!((1..=2).contains(&lines.len()));
        seen.extend(lines.iter().map(|line| line.room_type.room_type_id.get()));
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [4, 1, 2, 3, 5]);
    assert!(
        Page::<(i64, i32)>::parse(2, &page_of(&Page::parse(1, "", &["search"]).expect("a page"), offers()).1, &[])
            .is_err()
    );
}

#[tokio::test]
async fn offers_without_fitting_room_type_call_no_rate_service() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 1)]));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    assert!(service.offers(request).await.expect("offers").is_empty());
}

#[tokio::test]
async fn prepare_signs_the_offer_for_its_caller_and_holds_no_rooms() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let mut rates = MockRateClient::new();
    rates.expect_price().returning(|_, _, _, demand| Ok(vec![price(demand[0].room_type_id, 9_000)]));
    let (service, request, _database) = service(hotels, rates).await;
    let form = service.prepare("me".into(), request, id(1), Timestamp::now()).await.expect("a form");
    let read = service.offers.verify(&form.token).expect("ours");
    assert_eq!((read.owner.as_str(), read.quote.total.minor()), ("me", 9000));
    let left = service.availability(request.hotel_id, request.stay, &[id(1)]).await.expect("read");
    assert_eq!(left[0].rooms_left, 5);

    let sold_out = service.prepare("me".into(), request, id(3), Timestamp::now()).await;
    assert!(matches!(sold_out, Err(ReservationError::SoldOut { .. })));
    let not_on_sale = service.prepare("me".into(), request, id(4), Timestamp::now()).await;
    assert!(matches!(not_on_sale, Err(ReservationError::NotOnSale)));
    let crowd = StayRequest { guests: GuestCount::try_from(3).expect("guests"), ..request };
    let crowded = service.prepare("me".into(), crowd, id(1), Timestamp::now()).await;
    assert!(matches!(crowded, Err(ReservationError::TooManyGuests { max_occupancy: 2, .. })));
}

#[tokio::test]
async fn offers_with_invalid_price_fail_internally_and_with_rate_outage_name_the_dependency() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 2)]));
    let mut rates = MockRateClient::new();
    rates.expect_price().once().returning(|_, _, _, _| Err(ReservationError::from(QuoteError::Sum).into()));
    rates.expect_price().returning(|_, _, _, _| {
        Err(Problem::from_dependency("rate", &tonic::Status::unavailable("connection refused")))
    });
    let (service, request, _database) = service(hotels, rates).await;
    let reason = |error| Problem::from(error).reason();
    assert_eq!(service.offers(request).await.map(|_| ()).map_err(reason), Err(Reason::Internal));
    assert_eq!(service.offers(request).await.map(|_| ()).map_err(reason), Err(Reason::DependencyUnavailable));
}

#[tokio::test]
async fn search_calls_the_hotel_service_only_when_nothing_is_on_sale() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_room_types().once().returning(|_| Err(Problem::new(Reason::HotelNotFound, "there is no such hotel")));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    assert_eq!(service.search(request.hotel_id, request.stay, &[]).await.expect("known").len(), 3);
    let unknown = HotelId::try_from(8).expect("an id");
    let refused = service.search(unknown, request.stay, &[]).await.map_err(|error| Problem::from(error).reason());
    assert_eq!(refused, Err(Reason::HotelNotFound));
}
