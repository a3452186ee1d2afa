//! Offers, with mocked clients and a real database.

use jiff::civil::date;
use staymesh_domain::{AgeBand, AgeBands, Misfit, Occupancy};
use staymesh_mesh::{Problem, Reason};

use super::*;
use crate::{
    clients::{MockHotelClient, MockRateClient},
    quote::{QuoteError, tests::quote},
    service::testing::{guest, hotel_in, hotel_info, id, parties, price, room_type, rooms, service},
};

fn night(day: i8, total: i32, reserved: i32, left: i32) -> NightLeft {
    NightLeft {
        room_type_id: id(3),
        stay_date: date(2030, 1, day),
        usable_rooms: total,
        total_reserved: reserved,
        rooms_left: left,
        stop_sell: false,
    }
}

#[test]
fn stay_over_a_closed_night_has_no_rooms_left_and_names_the_night() {
    let stay = StayDates::parse("2030-01-01", "2030-01-03").expect("a stay");
    let nights = [night(1, 10, 2, 9), NightLeft { stop_sell: true, ..night(2, 10, 1, 10) }];
    let summary = summarize(id(3), &nights, stay);
    assert_eq!((summary.rooms_left, summary.stop_sell), (0, vec![date(2030, 1, 2)]));
    assert_eq!(summary.sold_percent, [20, 10], "prices do not depend on it");
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

/// A client of the hotel service that knows these room types. A call reads the hotel once.
fn hotels(room_types: Vec<RoomTypeInfo>) -> MockHotelClient {
    let mut hotels = MockHotelClient::new();
    hotels.expect_hotel().once().returning(|_| Ok(hotel_info("Europe/Lisbon", ChildRules::default())));
    hotels.expect_room_types().returning(move |_| Ok(room_types.clone()));
    hotels
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
    let offers = service.offers(&request, Timestamp::now()).await.expect("offers");
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
    let offers = service.offers(&request, Timestamp::now()).await.expect("offers");
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
    rates.expect_price().returning(|_, _, _, _| Ok(vec![price(id(1), 9_000)]));
    let (service, request, _database) = service(hotels(vec![room_type(1, 2)]), rates).await;
    let request = StayRequest { parties: parties(&["2", "1-7"]), ..request };
    let offers = service.offers(&request, Timestamp::now()).await.expect("offers");
    let totals: Vec<_> = offers.lines.iter().map(|line| line.quote.total.minor()).collect();
    assert_eq!((totals, offers.children_priced_as_adults), (vec![18_000], true), "one room for each party");
}

#[tokio::test]
async fn offers_with_invalid_price_fail_internally_and_with_rate_outage_name_the_dependency() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 2)]));
    let mut rates = MockRateClient::new();
    rates.expect_price().once().returning(|_, _, _, _| Err(ReservationError::from(QuoteError::Sum).into()));
    rates.expect_price().returning(|_, _, _, _| {
        Err(Problem::from_dependency("rate", &tonic::Status::unavailable("connection refused")))
    });
    let (service, request, _database) = service(hotels, rates).await;
    let reason = |error| Problem::from(error).reason();
    assert_eq!(service.offers(&request, Timestamp::now()).await.map(|_| ()).map_err(reason), Err(Reason::Internal));
    assert_eq!(
        service.offers(&request, Timestamp::now()).await.map(|_| ()).map_err(reason),
        Err(Reason::DependencyUnavailable)
    );
}

#[tokio::test]
async fn search_of_single_adults_calls_the_hotel_service_only_when_nothing_is_on_sale() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_room_types().once().returning(|_| Err(Problem::new(Reason::HotelNotFound, "there is no such hotel")));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let request = StayRequest { parties: parties(&["1", "1"]), ..request };
    let (left, misfits) = service.search(&request, &[], Timestamp::now()).await.expect("known");
    assert_eq!((left.len(), misfits.len()), (3, 0));
    let unknown = StayRequest { hotel_id: HotelId::try_from(8).expect("an id"), ..request };
    let refused = service.search(&unknown, &[], Timestamp::now()).await.map_err(|error| Problem::from(error).reason());
    assert_eq!(refused, Err(Reason::HotelNotFound));
}

#[tokio::test]
async fn search_judges_parties_when_rooms_are_left() {
    let mut hotels = MockHotelClient::new();
    let bands = vec![AgeBand { code: "CHILD".into(), min_age: 0, max_age: 11 }];
    let rules = ChildRules { age_bands: AgeBands::new(bands).expect("bands"), min_child_age: 6 };
    hotels.expect_hotel().once().returning(move |_| Ok(hotel_info("Europe/Lisbon", rules.clone())));
    let family = Occupancy { max_adults: 2, base: 2, max_children: 1, ..Occupancy::of_adults(3) };
    let family = RoomTypeInfo { occupancy: family, ..room_type(2, 3) };
    hotels.expect_room_types().once().returning(move |_| Ok(vec![room_type(1, 2), family.clone()]));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let request = StayRequest { parties: parties(&["2-6"]), ..request };
    let (_, misfits) = service.search(&request, &[], Timestamp::now()).await.expect("judged");
    let reasons = |misfits: &[RoomMisfit]| misfits.iter().map(|misfit| misfit.parts().0).collect::<Vec<_>>();
    let reasons: Vec<_> = misfits.iter().map(|(room_type, misfits)| (*room_type, reasons(misfits))).collect();
    assert_eq!(reasons, [(id(1), vec![Reason::TooManyChildren, Reason::TooManyGuests])]);
    // No room type has six rooms left: the hotel service is not asked.
    let request = StayRequest { parties: parties(&["2"; 6]), ..request };
    assert!(service.search(&request, &[], Timestamp::now()).await.expect("read").1.is_empty());
}

#[rstest::rstest]
// 10:50 in Auckland: the night of the date before is over there, though not in UTC.
#[case::over_at_the_hotel("Pacific/Auckland", "2030-01-01T21:50:00Z", false)]
#[case::not_over_in_honolulu("Pacific/Honolulu", "2030-01-01T21:50:00Z", true)]
#[case::until_midnight("Europe/Lisbon", "2030-01-01T23:59:59Z", true)]
#[case::from_midnight_on("Europe/Lisbon", "2030-01-02T00:00:00Z", false)]
#[tokio::test]
async fn stay_is_offered_until_its_first_day_ends_at_the_hotel(
    #[case] zone: &'static str,
    #[case] now: &str,
    #[case] offered: bool,
) {
    let now: Timestamp = now.parse().expect("a time");
    let mut hotels = hotel_in(zone);
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 2)]));
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let request = StayRequest { stay, ..request };
    let past =
        |refused: ReservationError| matches!(refused, ReservationError::Field(field) if field.field == "check_in");
    assert_eq!(service.offers(&request, now).await.map_or_else(|e| !past(e), |_| true), offered);
    let searched = service.search(&request, &[], now).await;
    assert_eq!(searched.map_or_else(|e| !past(e), |_| true), offered);
    let prepared =
        service.prepare(&guest("me"), rooms(&request, &[(1, 2)]), now).await.map(drop).expect_err("not on sale");
    assert_eq!(!past(prepared), offered);
}
