//! Prices of stays.

use staymesh_api::{
    rate::v1::{self as proto, PriceStayRequest, pricing_service_server::PricingService},
    r#type::v1::Money,
};
use tonic::Request;

use crate::testing::{HOTEL, demand, euros, fee, fields, fixture, lisbon, percentage, rate};

#[tokio::test]
async fn price_stay_returns_nights_taxes_and_total_per_room_type() {
    let fixture = fixture().await;
    fixture.set_rate(1, rate("100.00")).await.unwrap();
    fixture.set_rate(2, rate("80.10")).await.unwrap();
    assert_eq!(fixture.set_nights(1, "2027-03-02", "2027-03-03", euros("150")).await.unwrap(), 1);
    // The night of the check-out date is not part of the stay.
    fixture.set_nights(1, "2027-03-04", "2027-03-05", euros("999")).await.unwrap();
    fixture.set_taxes(vec![percentage("VAT", 600), fee("City", euros("2.00"))]).await.unwrap();

    let prices =
        fixture.price(vec![demand(2, &[0, 0, 90]), demand(3, &[0; 3]), demand(1, &[0, 80, 79])]).await.unwrap();
    let shown: Vec<_> = prices.iter().map(|price| price.room_type_id).collect();
    assert_eq!(shown, [2, 1], "in the order of the request, without the one that has no rate");

    let amount = |money: &Option<Money>| money.as_ref().unwrap().amount.clone();
    let first = &prices[1];
    let nights: Vec<_> = first.nights.iter().map(|night| (&*night.stay_date, amount(&night.price))).collect();
    let expected = [("2027-03-01", "100.00"), ("2027-03-02", "187.50"), ("2027-03-03", "100.00")];
    assert_eq!(nights, expected.map(|(date, amount)| (date, amount.to_owned())));
    assert_eq!(amount(&first.subtotal), "775.00");
    let taxes: Vec<_> = first.taxes.iter().map(|tax| (&*tax.display_name, amount(&tax.amount))).collect();
    assert_eq!(taxes, [("VAT", "46.50".to_owned()), ("City", "12.00".to_owned())]);
    assert_eq!(amount(&first.total), "833.50");
    let terms = first.cancellation_terms.as_ref().unwrap();
    assert_eq!(terms.deadlines.last().unwrap().penalty, euros("416.75"), "half of it");
    // 80.10 plus 25 % is 100.125, rounded half to even.
    assert_eq!(amount(&prices[0].nights[2].price), "100.12");
}

#[tokio::test]
async fn price_stay_leaves_out_room_types_with_a_total_of_zero() {
    let fixture = fixture().await;
    for (room_type_id, base_price) in [(1, "0.01"), (2, "0.06")] {
        let rules = vec![proto::OccupancyRule { sold_percent: 50, price_change_percent: -90 }];
        let cheap = proto::RoomRate { occupancy_rules: rules, ..rate(base_price) };
        fixture.set_rate(room_type_id, cheap).await.unwrap();
    }
    let shown = async |sold: &[i32]| {
        let prices = fixture.price(vec![demand(1, sold), demand(2, sold)]).await.unwrap();
        prices.into_iter().map(|price| (price.room_type_id, price.total.unwrap().amount)).collect::<Vec<_>>()
    };
    // A tenth of 0.01 is rounded to 0.00, a tenth of 0.06 to 0.01; two rooms for three nights.
    assert_eq!(shown(&[50; 3]).await, [(2, "0.06".to_owned())]);
    // One night above zero is enough.
    assert_eq!(shown(&[50, 50, 0]).await, [(1, "0.02".to_owned()), (2, "0.16".to_owned())]);
}

#[tokio::test]
async fn price_stay_beyond_the_largest_amount_leaves_that_room_type_out() {
    let fixture = fixture().await;
    for room_type_id in [1, 2] {
        fixture.set_rate(room_type_id, rate("1")).await.unwrap();
    }
    // A price from before the limit.
    for sql in [
        "alter table room_rate drop constraint room_rate_base_price_in_offers",
        "update room_rate set base_price_minor = 999999999999999 where room_type_id = 2",
    ] {
        sqlx::query(sql).execute(fixture.database.pool()).await.unwrap();
    }
    let prices = fixture.price(vec![demand(1, &[0; 3]), demand(2, &[0; 3])]).await.unwrap();
    assert_eq!(prices.iter().map(|price| price.room_type_id).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn price_stay_reports_the_invalid_field() {
    let fixture = fixture().await;
    let stay = |check_in: &str, check_out: &str, rooms, room_types| PriceStayRequest {
        hotel_id: HOTEL,
        check_in: check_in.into(),
        check_out: check_out.into(),
        rooms,
        room_types,
        hotel_time: Some(lisbon()),
    };
    let one = || vec![demand(1, &[0])];
    for (request, expected) in [
        (stay("2027-03-01", "2027-03-01", 1, one()), "check_out"),
        (stay("2027-02-30", "2027-03-01", 1, one()), "check_in"),
        (stay("2027-03-01", "2199-01-01", 1, one()), "check_out"),
        (stay("2027-03-01", "2027-03-02", 0, one()), "rooms"),
        (stay("2027-03-01", "2027-03-02", -1, one()), "rooms"),
        (stay("2027-03-01", "2027-03-02", 10_000, one()), "rooms"),
        (stay("2027-03-01", "2027-03-02", 1, vec![]), "room_types"),
        (stay("2027-03-01", "2027-03-02", 1, vec![demand(1, &[0]); 101]), "room_types"),
        (stay("2027-03-01", "2027-03-02", 1, vec![demand(0, &[0])]), "room_types[0].room_type_id"),
        (stay("2027-03-01", "2027-03-02", 1, vec![demand(1, &[0, 0])]), "room_types[0].sold_percent"),
        (stay("2027-03-01", "2027-03-02", 1, vec![demand(1, &[-1])]), "room_types[0].sold_percent[0]"),
        (PriceStayRequest { hotel_id: 0, ..stay("2027-03-01", "2027-03-02", 1, one()) }, "hotel_id"),
        (PriceStayRequest { hotel_time: None, ..stay("2027-03-01", "2027-03-02", 1, one()) }, "hotel_time"),
    ] {
        let refused = fixture.pricing.price_stay(Request::new(request)).await.unwrap_err();
        assert_eq!(fields(&refused), [expected]);
    }
}
