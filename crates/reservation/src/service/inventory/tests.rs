//! Which nights may change, with mocked clients and a real database.

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::date};
use staymesh_domain::DateRange;
use staymesh_mesh::{Problem, Reason};

use super::*;
use crate::{
    clients::MockRateClient,
    service::testing::{hotel_in, id, room_type, service},
};

#[rstest::rstest]
#[case::over_in_auckland("Pacific/Auckland", &[0])]
#[case::not_over_in_honolulu("Pacific/Honolulu", &[])]
#[tokio::test]
async fn inventory_can_be_set_from_today_at_the_hotel(#[case] zone: &'static str, #[case] past: &[usize]) {
    let now: Timestamp = "2030-01-01T21:50:00Z".parse().expect("a time");
    let (service, request, _database) = service(hotel_in(zone), MockRateClient::new()).await;
    let night = |from: jiff::civil::Date| DateRange::new(from, from.saturating_add(1.day())).expect("a range");
    let nights = [night(date(2030, 1, 1)), night(date(2030, 1, 2))];
    assert_eq!(service.past_nights(request.hotel_id, &nights, now).await.expect("known"), past);
}

#[tokio::test]
async fn stop_sell_of_the_whole_hotel_closes_all_of_its_room_types_and_an_unknown_one_is_refused() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_types().returning(|_| Ok([1, 2].map(|id| room_type(id, 2)).into()));
    hotels.expect_room_type().returning(|_, _| Err(Problem::new(Reason::RoomTypeNotFound, "no")));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let nights = DateRange::new(request.stay.check_in(), request.stay.check_out()).expect("a range");
    let change = |room_types: &[i32]| StopSellChange {
        room_types: room_types.iter().copied().map(id).collect(),
        nights,
        stop_sell: true,
        etags: BTreeMap::new(),
    };
    let unknown = service.set_stop_sell(request.hotel_id, change(&[1, 3])).await.map_err(Problem::from);
    assert_eq!(unknown.expect_err("refused").reason(), Reason::RoomTypeNotFound);
    let set = service.set_stop_sell(request.hotel_id, change(&[])).await.expect("closed");
    assert_eq!((set.nights, set.etags.len()), (2, 2));
    let left = service.availability(request.hotel_id, request.stay, &[]).await.expect("read");
    let closed: Vec<_> =
        left.iter().map(|left| (left.room_type_id.get(), left.rooms_left, left.stop_sell.len())).collect();
    assert_eq!(closed, [(1, 0, 1), (2, 0, 1), (3, 0, 0)]);
}
