//! Which nights may change, with mocked clients and a real database.

use jiff::{ToSpan, civil::date};
use staymesh_domain::DateRange;

use super::*;
use crate::{
    clients::MockRateClient,
    service::testing::{hotel_in, id, service},
};

#[rstest::rstest]
#[case::over_in_auckland("Pacific/Auckland", &[0])]
#[case::not_over_in_honolulu("Pacific/Honolulu", &[])]
#[tokio::test]
async fn inventory_can_be_set_from_today_at_the_hotel(#[case] zone: &'static str, #[case] past: &[usize]) {
    let now: Timestamp = "2030-01-01T21:50:00Z".parse().expect("a time");
    let (service, request, _database) = service(hotel_in(zone), MockRateClient::new()).await;
    let change = |from: jiff::civil::Date| InventoryChange {
        room_type_id: id(1),
        nights: DateRange::new(from, from.saturating_add(1.day())).expect("a range"),
        total_inventory: 1,
        overbooking_percent: None,
        for_future_nights: false,
        etag: String::new(),
    };
    let changes = [change(date(2030, 1, 1)), change(date(2030, 1, 2))];
    assert_eq!(service.past_changes(request.hotel_id, &changes, now).await.expect("known"), past);
}
