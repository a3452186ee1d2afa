//! Order forms, with mocked clients and a real database.

use std::time::Duration;

use jiff::ToSpan;
use staymesh_domain::{ChildRules, DateRange, Misfit};
use tokio::sync::Barrier;

use super::*;
use crate::{
    clients::{MockHotelClient, MockRateClient, RateClient, RoomTypePrice},
    fit::RoomMisfit,
    room_line::ShortRoom,
    service::testing::{guest, hotel_in, hotel_info, id, price, room_type, rooms, service},
    store::InventoryChange,
};

fn now() -> Timestamp {
    Timestamp::now()
}

/// A price for each room type.
fn priced(demand: &[RoomTypeDemand]) -> Vec<RoomTypePrice> {
    demand.iter().map(|of| price(of.room_type_id, 9_000)).collect()
}

#[tokio::test]
async fn prepare_signs_the_offer_for_its_caller_and_holds_no_rooms() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let mut rates = MockRateClient::new();
    rates.expect_price().returning(|_, _, _, demand| Ok(priced(&demand)));
    let (service, request, _database) = service(hotels, rates).await;
    let form = service.prepare(&guest("me"), rooms(&request, &[(1, 2), (2, 1), (1, 1)]), now()).await.expect("a form");
    let read = service.offers.verify(&form.token).expect("ours");
    let shown: Vec<_> = read
        .lines
        .iter()
        .map(|line| (line.room_type_id.get(), line.party.adults(), line.quote.total.minor()))
        .collect();
    assert_eq!((read.owner.as_str(), shown), ("me", vec![(1, 2, 9_000), (2, 1, 9_000), (1, 1, 9_000)]));
    let left = service.availability(request.hotel_id, request.stay, &[id(1)]).await.expect("read");
    assert_eq!(left[0].rooms_left, 5);

    let sold_out = service.prepare(&guest("me"), rooms(&request, &[(1, 1), (3, 1)]), now()).await;
    let Err(ReservationError::SoldOut { room, rooms_left, .. }) = sold_out else { panic!("sold out") };
    assert_eq!((room, rooms_left), (Some(ShortRoom { index: 1, room_type_id: id(3) }), Some(0)));
    let six = service.prepare(&guest("me"), rooms(&request, &[(1, 1); 6]), now()).await;
    assert!(matches!(six, Err(ReservationError::SoldOut { room: Some(ShortRoom { index: 5, .. }), .. })), "of five");
    let not_on_sale = service.prepare(&guest("me"), rooms(&request, &[(1, 1), (4, 1)]), now()).await;
    assert!(matches!(not_on_sale, Err(ReservationError::NotOnSale)));
    let crowded = service.prepare(&guest("me"), rooms(&request, &[(1, 2), (1, 3)]), now()).await;
    let Err(ReservationError::Misfit(misfit)) = crowded else { panic!("three fit into a room for two") };
    assert_eq!(misfit, RoomMisfit { room: 1, misfit: Misfit::TooManyAdults { adults: 3, max_adults: 2 } });
}

#[tokio::test]
async fn closed_night_is_refused_with_its_room_before_a_sold_out_one() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let (service, request, database) = service(hotels, MockRateClient::new()).await;
    sqlx::query("update room_type_inventory set stop_sell = true where room_type_id = 2")
        .execute(database.pool())
        .await
        .expect("closed");
    let refused = service.prepare(&guest("me"), rooms(&request, &[(1, 1), (3, 1), (2, 1)]), now()).await;
    let Err(ReservationError::StopSell { room, stay_date }) = refused else { panic!("closed") };
    assert_eq!(room, Some(ShortRoom { index: 2, room_type_id: id(2) }));
    assert_eq!(stay_date, Some(request.stay.check_in()));
}

#[tokio::test]
async fn each_party_of_a_booking_is_judged_by_its_own_room_type() {
    let mut hotels = MockHotelClient::new();
    hotels.expect_hotel().times(3).returning(|_| Ok(hotel_info("Europe/Lisbon", ChildRules::default())));
    // Room type n sleeps n. Each call reads the hotel and each of its two room types once.
    hotels
        .expect_room_type()
        .times(6)
        .returning(|_, room_type_id| Ok(room_type(room_type_id.get(), room_type_id.get())));
    let mut rates = MockRateClient::new();
    rates.expect_price().returning(|_, _, _, demand| Ok(priced(&demand)));
    let (service, request, _database) = service(hotels, rates).await;
    let prepare = async |wanted: &[(i32, i32)]| {
        let form = service.prepare(&guest("me"), rooms(&request, wanted), now()).await;
        form.map(|form| form.sum.quote.total.minor())
    };
    assert_eq!(prepare(&[(2, 2), (1, 1), (2, 1)]).await.expect("all fit"), 27_000);
    for (wanted, room) in [([(2, 2), (1, 2)], 1), ([(1, 2), (2, 2)], 0)] {
        let Err(ReservationError::Misfit(misfit)) = prepare(&wanted).await else {
            panic!("two fit into a room for one")
        };
        assert_eq!(misfit, RoomMisfit { room, misfit: Misfit::TooManyAdults { adults: 2, max_adults: 1 } });
    }
}

/// A rate service that answers once two calls are open. A night is 90 euros.
struct RatesOfTwoCalls(Barrier);

#[tonic::async_trait]
impl RateClient for RatesOfTwoCalls {
    async fn price(
        &self,
        _: HotelId,
        stay: StayDates,
        _: HotelTime,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<RoomTypePrice>, Problem> {
        self.0.wait().await;
        Ok(demand.iter().map(|of| price(of.room_type_id, 9_000 * i64::from(stay.night_count()))).collect())
    }
}

#[tokio::test]
async fn rooms_with_different_dates_are_priced_at_the_same_time_each_for_its_dates() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let (service, request, _database) = service(hotels, RatesOfTwoCalls(Barrier::new(2))).await;
    let (first, end) = (request.stay.check_out(), request.stay.check_out().saturating_add(2.days()));
    let inventory = InventoryChange {
        room_type_id: id(1),
        nights: DateRange::new(first, end).expect("a range"),
        total_inventory: 5,
        overbooking_percent: None,
        for_future_nights: false,
        etag: String::new(),
    };
    service.store.set_inventory(request.hotel_id, &[inventory]).await.expect("inventory");
    let mut wanted = rooms(&request, &[(1, 2), (1, 2), (2, 2)]);
    wanted.rooms[1].stay = StayDates::new(first, end).expect("a stay");
    wanted.stay = StayDates::new(request.stay.check_in(), end).expect("a stay");
    let me = guest("me");
    let prepared = service.prepare(&me, wanted, now());
    let form = tokio::time::timeout(Duration::from_secs(30), prepared).await.expect("both calls open").expect("a form");
    let totals: Vec<_> = form.offer.lines.iter().map(|line| line.quote.total.minor()).collect();
    assert_eq!(totals, [9_000, 18_000, 9_000]);
}
