//! Offers and order forms, with mocked clients and a real database.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, ToSpan, civil::date};
use staymesh_domain::{AgeBand, AgeBands, DateRange, Misfit, Occupancy, Party};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    MIGRATOR, calendar,
    clients::{MockHotelClient, MockPaymentClient, MockRateClient, RoomTypeDemand, RoomTypePrice},
    offer_token::OfferSigner,
    quote::{QuoteError, tests::quote},
    room_line::ShortRoom,
    service::{Dependencies, RoomRequest, RoomsRequest, UnpaidLimits},
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
    RoomTypeInfo {
        room_type_id: id(room_type),
        display_name: format!("type {room_type}"),
        occupancy: Occupancy::of_adults(max_occupancy),
    }
}

/// One night without taxes, in cents.
fn price(room_type_id: RoomTypeId, minor: i64) -> RoomTypePrice {
    RoomTypePrice { room_type_id, quote: quote(minor) }
}

fn parties(occupancies: &[&str]) -> Parties {
    let parties = occupancies.iter().map(|occupancy| occupancy.parse().expect("a party"));
    Parties::new(parties.collect()).expect("parties")
}

/// A client of the hotel service that knows these room types, and whose hotel says nothing about children.
fn hotels(room_types: Vec<RoomTypeInfo>) -> MockHotelClient {
    let mut hotels = MockHotelClient::new();
    hotels.expect_child_rules().returning(|_| Ok(ChildRules::default()));
    hotels.expect_room_types().returning(move |_| Ok(room_types.clone()));
    hotels
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
    let request = StayRequest { hotel_id, stay, parties: parties(&["2"]) };
    (service, request, database)
}

fn now() -> Timestamp {
    Timestamp::now()
}

/// Rooms of these types with so many adults each, for the dates of the request.
fn rooms(request: &StayRequest, rooms: &[(i32, i32)]) -> RoomsRequest {
    let room = |(room_type, adults): &(i32, i32)| RoomRequest {
        room_type_id: id(*room_type),
        stay: request.stay,
        party: Party::new(*adults, vec![]).expect("a party"),
    };
    RoomsRequest { hotel_id: request.hotel_id, stay: request.stay, rooms: rooms.iter().map(room).collect() }
}

#[tokio::test]
async fn offers_list_free_fitting_priced_room_types_cheapest_first() {
    // Type 4 has no inventory.
    let hotels = hotels((1..=4).map(|number| room_type(number, 2)).collect());
    let mut rates = MockRateClient::new();
    rates
        .expect_price()
        .withf(|_, _, _, demand| demand.iter().map(|d| d.room_type_id).eq([id(1), id(2)]))
        .once()
        .returning(|_, _, _, _| Ok(vec![price(id(1), 9_000), price(id(2), 8_000)]));
    let (service, request, _database) = service(hotels, rates).await;
    let offers = service.offers(&request).await.expect("offers");
    let shown: Vec<_> =
        offers.lines.iter().map(|o| (o.room_type.room_type_id, o.quote.total.minor(), o.rooms_left)).collect();
    assert_eq!(shown, [(id(2), 8000, 5), (id(1), 9000, 5)]);
    assert!(offers.unsuitable.is_empty() && !offers.children_priced_as_adults);
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
async fn offers_without_fitting_room_type_say_why_and_call_no_rate_service() {
    // Type 3 is sold out, and its misfit is known all the same.
    let hotels = hotels(vec![room_type(3, 1), room_type(1, 1)]);
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let request = StayRequest { parties: parties(&["1", "2"]), ..request };
    let offers = service.offers(&request).await.expect("offers");
    assert!(offers.lines.is_empty());
    let misfit = |misfit| RoomMisfit { room: 1, misfit };
    let misfits = [
        misfit(Misfit::TooManyAdults { adults: 2, max_adults: 1 }),
        misfit(Misfit::TooManyGuests { guests: 2, max_occupancy: 1 }),
    ];
    let unsuitable: Vec<_> = offers.unsuitable.iter().map(|u| (u.room_type.room_type_id, &*u.misfits)).collect();
    assert_eq!(unsuitable, [(id(1), &misfits[..]), (id(3), &misfits[..])]);
}

#[tokio::test]
async fn offers_name_rooms_that_price_children_as_adults() {
    let mut rates = MockRateClient::new();
    rates.expect_price().returning(|_, _, rooms, _| {
        assert_eq!(rooms.get(), 1, "each room is priced by itself, as in a booking");
        Ok(vec![price(id(1), 9_000)])
    });
    let (service, request, _database) = service(hotels(vec![room_type(1, 2)]), rates).await;
    let request = StayRequest { parties: parties(&["2", "1-7"]), ..request };
    let offers = service.offers(&request).await.expect("offers");
    let totals: Vec<_> = offers.lines.iter().map(|line| line.quote.total.minor()).collect();
    assert_eq!((totals, offers.children_priced_as_adults), (vec![18_000], true), "one room for each party");
}

#[tokio::test]
async fn prepare_signs_the_offer_for_its_caller_and_holds_no_rooms() {
    let mut hotels = hotels(vec![]);
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let mut rates = MockRateClient::new();
    let priced = |demand: Vec<RoomTypeDemand>| demand.iter().map(|of| price(of.room_type_id, 9_000)).collect();
    rates.expect_price().returning(move |_, _, _, demand| Ok(priced(demand)));
    let (service, request, _database) = service(hotels, rates).await;
    let form = service.prepare("me".into(), rooms(&request, &[(1, 2), (2, 1), (1, 1)]), now()).await.expect("a form");
    let read = service.offers.verify(&form.token).expect("ours");
    let shown: Vec<_> = read
        .lines
        .iter()
        .map(|line| (line.room_type_id.get(), line.party.adults(), line.quote.total.minor()))
        .collect();
    assert_eq!((read.owner.as_str(), shown), ("me", vec![(1, 2, 9_000), (2, 1, 9_000), (1, 1, 9_000)]));
    let left = service.availability(request.hotel_id, request.stay, &[id(1)]).await.expect("read");
    assert_eq!(left[0].rooms_left, 5);

    let sold_out = service.prepare("me".into(), rooms(&request, &[(1, 1), (3, 1)]), now()).await;
    let Err(ReservationError::SoldOut { room, rooms_left, .. }) = sold_out else { panic!("sold out") };
    assert_eq!((room, rooms_left), (Some(ShortRoom { index: 1, room_type_id: id(3) }), Some(0)));
    let six = service.prepare("me".into(), rooms(&request, &[(1, 1); 6]), now()).await;
    assert!(matches!(six, Err(ReservationError::SoldOut { room: Some(ShortRoom { index: 5, .. }), .. })), "of five");
    let not_on_sale = service.prepare("me".into(), rooms(&request, &[(1, 1), (4, 1)]), now()).await;
    assert!(matches!(not_on_sale, Err(ReservationError::NotOnSale)));
    let crowded = service.prepare("me".into(), rooms(&request, &[(1, 2), (1, 3)]), now()).await;
    let Err(ReservationError::Misfit(misfit)) = crowded else { panic!("three fit into a room for two") };
    assert_eq!(misfit, RoomMisfit { room: 1, misfit: Misfit::TooManyAdults { adults: 3, max_adults: 2 } });
}

#[tokio::test]
async fn each_party_of_a_booking_is_judged_by_its_own_room_type() {
    let mut hotels = hotels(vec![]);
    hotels
        .expect_room_type()
        .times(6)
        .returning(|_, room_type_id| Ok(room_type(room_type_id.get(), room_type_id.get())));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let fit = async |rooms: &[(i32, &str)]| {
        let parties = parties(&rooms.iter().map(|(_, party)| *party).collect::<Vec<_>>());
        let rooms: Vec<_> = rooms.iter().map(|(number, _)| id(*number)).zip(parties.as_slice()).collect();
        service.require_parties_fit(request.hotel_id, &rooms).await
    };
    let room_types = fit(&[(2, "2"), (1, "1"), (2, "1-9")]).await.expect("all fit");
    assert_eq!(room_types.into_keys().collect::<Vec<_>>(), [id(1), id(2)], "each room type is read once");
    for (rooms, room) in [([(2, "2"), (1, "2")], 1), ([(1, "2"), (2, "2")], 0)] {
        let Err(ReservationError::Misfit(misfit)) = fit(&rooms).await else { panic!("two fit into a room for one") };
        assert_eq!(misfit, RoomMisfit { room, misfit: Misfit::TooManyAdults { adults: 2, max_adults: 1 } });
    }
}

#[tokio::test]
async fn offers_with_invalid_price_fail_internally_and_with_rate_outage_name_the_dependency() {
    let hotels = hotels(vec![room_type(1, 2)]);
    let mut rates = MockRateClient::new();
    rates.expect_price().once().returning(|_, _, _, _| Err(ReservationError::from(QuoteError::Sum).into()));
    rates.expect_price().returning(|_, _, _, _| {
        Err(Problem::from_dependency("rate", &tonic::Status::unavailable("connection refused")))
    });
    let (service, request, _database) = service(hotels, rates).await;
    let reason = |error| Problem::from(error).reason();
    assert_eq!(service.offers(&request).await.map(|_| ()).map_err(reason), Err(Reason::Internal));
    assert_eq!(service.offers(&request).await.map(|_| ()).map_err(reason), Err(Reason::DependencyUnavailable));
}

#[tokio::test]
async fn search_of_single_adults_calls_the_hotel_service_only_when_nothing_is_on_sale() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_room_types().once().returning(|_| Err(Problem::new(Reason::HotelNotFound, "there is no such hotel")));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let request = StayRequest { parties: parties(&["1", "1"]), ..request };
    let (left, misfits) = service.search(&request, &[]).await.expect("known");
    assert_eq!((left.len(), misfits.len()), (3, 0));
    let unknown = StayRequest { hotel_id: HotelId::try_from(8).expect("an id"), ..request };
    let refused = service.search(&unknown, &[]).await.map_err(|error| Problem::from(error).reason());
    assert_eq!(refused, Err(Reason::HotelNotFound));
}

#[tokio::test]
async fn search_judges_parties_when_rooms_are_left() {
    let mut hotels = MockHotelClient::new();
    let bands = vec![AgeBand { code: "CHILD".into(), min_age: 0, max_age: 11 }];
    let rules = ChildRules { age_bands: AgeBands::new(bands).expect("bands"), min_child_age: 6 };
    hotels.expect_child_rules().once().returning(move |_| Ok(rules.clone()));
    let family = Occupancy { max_adults: 2, base: 2, max_children: 1, ..Occupancy::of_adults(3) };
    let family = RoomTypeInfo { occupancy: family, ..room_type(2, 3) };
    hotels.expect_room_types().once().returning(move |_| Ok(vec![room_type(1, 2), family.clone()]));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let request = StayRequest { parties: parties(&["2-6"]), ..request };
    let (_, misfits) = service.search(&request, &[]).await.expect("judged");
    let reasons = |misfits: &[RoomMisfit]| misfits.iter().map(|misfit| misfit.parts().0).collect::<Vec<_>>();
    let reasons: Vec<_> = misfits.iter().map(|(room_type, misfits)| (*room_type, reasons(misfits))).collect();
    assert_eq!(reasons, [(id(1), vec![Reason::TooManyChildren, Reason::TooManyGuests])]);
    // No room type has six rooms left: the hotel service is not asked.
    let request = StayRequest { parties: parties(&["2"; 6]), ..request };
    assert!(service.search(&request, &[]).await.expect("read").1.is_empty());
}
