//! Offers and order forms, with the neighbours mocked and the database real.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{ToSpan, civil::date};
use staymesh_api::{
    rate::v1::{NightPrice, StayPrice},
    r#type::v1::Money,
};
use staymesh_domain::DateRange;
use staymesh_mesh::{Problem, Reason};
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    MIGRATOR, extend,
    offer_token::OfferSigner,
    service::{
        UnpaidRooms,
        neighbours::{MockHotels, MockRates},
    },
    store::{InventoryChange, Store},
    writer::Writer,
};

fn night(day: i8, total: i32, reserved: i32, left: i32) -> NightLeft {
    NightLeft {
        room_type_id: 3,
        stay_date: date(2030, 1, day),
        total_inventory: total,
        total_reserved: reserved,
        rooms_left: left,
    }
}

#[test]
fn the_night_with_the_fewest_rooms_counts_and_a_missing_night_is_none() {
    let stay = StayDates::parse("2030-01-01", "2030-01-03").expect("a stay");
    let both = [night(1, 10, 2, 9), night(2, 10, 11, 0)];
    let summary = summarize(3, &both, stay);
    assert_eq!((summary.rooms_left, summary.sold_percent), (0, vec![20, 110]));
    assert_eq!(summarize(3, &both[..1], stay).rooms_left, 0);
    assert_eq!(summarize(3, &[], stay).rooms_left, 0);
}

#[test]
fn a_night_with_nothing_for_sale_counts_as_sold() {
    assert_eq!(sold_percent(&night(1, 0, 0, 0)), 100);
}

fn room_type(id: i32, max_occupancy: i32) -> RoomTypeInfo {
    RoomTypeInfo { room_type_id: id, display_name: format!("type {id}"), max_occupancy }
}

fn euros(amount: &str) -> Money {
    Money { currency_code: "EUR".into(), amount: amount.into() }
}

/// One night without taxes.
fn price(room_type_id: i32, amount: &str) -> StayPrice {
    StayPrice {
        room_type_id,
        nights: vec![NightPrice { stay_date: "2030-01-01".into(), price: Some(euros(amount)) }],
        subtotal: Some(euros(amount)),
        total: Some(euros(amount)),
        ..StayPrice::default()
    }
}

/// A service with room types 1 to 3, of which 3 is sold out, and the wish for one night.
async fn service(hotels: MockHotels, rates: MockRates) -> (Service, Wish, TestDatabase) {
    let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
    let store = Store::new(database.pool().clone());
    let check_in = extend::today(Timestamp::now()).saturating_add(30.days());
    let stay = StayDates::new(check_in, check_in.saturating_add(1.days())).expect("a stay");
    let hotel_id = HotelId::try_from(7).expect("an id");
    let changes: Vec<_> = [(1, 5), (2, 5), (3, 0)]
        .into_iter()
        .map(|(id, total_inventory)| InventoryChange {
            room_type_id: RoomTypeId::try_from(id).expect("an id"),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory,
            overbooking_percent: 0,
            for_future_nights: false,
        })
        .collect();
    store.set_inventory(hotel_id, &changes).await.expect("inventory");
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, _) = Writer::new(&store, 1);
    let service = Service {
        store,
        bookings: Box::new(writer),
        hotels: Box::new(hotels),
        rates: Box::new(rates),
        offers: OfferSigner::new(&keys),
        hold: std::time::Duration::from_mins(15),
        unpaid: UnpaidRooms::unlimited(),
        wake: Wake::default(),
    };
    let wish = Wish { hotel_id, stay, rooms: RoomCount::ONE, guests: GuestCount::try_from(2).expect("guests") };
    (service, wish, database)
}

#[tokio::test]
async fn only_what_is_free_fits_and_has_a_rate_is_offered_cheapest_first() {
    let mut hotels = MockHotels::new();
    // Type 4 has no inventory.
    hotels
        .expect_room_types()
        .returning(|_| Ok(vec![room_type(1, 2), room_type(2, 2), room_type(3, 2), room_type(4, 2)]));
    let mut rates = MockRates::new();
    rates
        .expect_price()
        .withf(|_, _, _, demand| demand.iter().map(|d| d.room_type_id).eq([1, 2]))
        .once()
        .returning(|_, _, _, _| Ok(vec![price(1, "90.00"), price(2, "80.00")]));
    let (service, wish, _database) = service(hotels, rates).await;
    let offers = service.offers(wish).await.expect("offers");
    let shown: Vec<_> = offers.iter().map(|o| (o.room_type.room_type_id, o.quote.total_minor, o.rooms_left)).collect();
    assert_eq!(shown, [(2, 8000, 5), (1, 9000, 5)]);
}

#[tokio::test]
async fn when_nothing_fits_nobody_is_asked_for_prices() {
    let mut hotels = MockHotels::new();
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 1)]));
    let (service, wish, _database) = service(hotels, MockRates::new()).await;
    assert!(service.offers(wish).await.expect("offers").is_empty());
}

#[tokio::test]
async fn an_order_form_is_signed_for_its_caller_and_holds_nothing() {
    let mut hotels = MockHotels::new();
    hotels.expect_room_type().returning(|_, id| Ok(room_type(id.get(), 2)));
    let mut rates = MockRates::new();
    rates.expect_price().returning(|_, _, _, demand| Ok(vec![price(demand[0].room_type_id, "90.00")]));
    let (service, wish, _database) = service(hotels, rates).await;
    let id = |n| RoomTypeId::try_from(n).expect("an id");
    let form = service.prepare("me".into(), wish, id(1), Timestamp::now()).await.expect("a form");
    let read = service.offers.verify(&form.token).expect("ours");
    assert_eq!((read.owner.as_str(), read.quote.total_minor), ("me", 9000));
    let left = service.availability(wish.hotel_id, wish.stay, &[1]).await.expect("read");
    assert_eq!(left[0].rooms_left, 5);

    let sold_out = service.prepare("me".into(), wish, id(3), Timestamp::now()).await;
    assert!(matches!(sold_out, Err(ReservationError::SoldOut { .. })));
    let not_on_sale = service.prepare("me".into(), wish, id(4), Timestamp::now()).await;
    assert!(matches!(not_on_sale, Err(ReservationError::NotOnSale)));
    let crowd = Wish { guests: GuestCount::try_from(3).expect("guests"), ..wish };
    let crowded = service.prepare("me".into(), crowd, id(1), Timestamp::now()).await;
    assert!(matches!(crowded, Err(ReservationError::TooManyGuests { max_occupancy: 2, .. })));
}

#[tokio::test]
async fn a_price_that_does_not_add_up_is_not_shown_and_a_dead_neighbour_is_named() {
    let mut hotels = MockHotels::new();
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 2)]));
    let mut rates = MockRates::new();
    rates
        .expect_price()
        .once()
        .returning(|_, _, _, _| Ok(vec![StayPrice { total: Some(euros("89.99")), ..price(1, "90.00") }]));
    rates
        .expect_price()
        .returning(|_, _, _, _| Err(Problem::from_dependency("rate", &tonic::Status::unavailable("away"))));
    let (service, wish, _database) = service(hotels, rates).await;
    let reason = |error| Problem::from(error).reason();
    assert_eq!(service.offers(wish).await.map(|_| ()).map_err(reason), Err(Reason::Internal));
    assert_eq!(service.offers(wish).await.map(|_| ()).map_err(reason), Err(Reason::DependencyUnavailable));
}

#[tokio::test]
async fn whether_a_hotel_exists_is_asked_only_when_it_has_nothing_for_sale() {
    let mut hotels = MockHotels::new();
    hotels.expect_room_types().once().returning(|_| Err(Problem::new(Reason::HotelNotFound, "there is no such hotel")));
    let (service, wish, _database) = service(hotels, MockRates::new()).await;
    assert_eq!(service.search(wish.hotel_id, wish.stay, &[]).await.expect("known").len(), 3);
    let nobody = HotelId::try_from(8).expect("an id");
    let refused = service.search(nobody, wish.stay, &[]).await.map_err(|error| Problem::from(error).reason());
    assert_eq!(refused, Err(Reason::HotelNotFound));
}
