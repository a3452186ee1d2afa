use jiff::civil::{Date, date};
use staymesh_api::{
    rate::v1::{
        self as proto, GetRoomRateRequest, GetTaxesRequest, ListNightlyPricesRequest, PriceStayRequest,
        SetNightlyPricesRequest, SetRoomRateRequest, SetTaxesRequest, pricing_service_server::PricingService,
        rate_admin_service_server::RateAdminService,
    },
    r#type::v1::Money,
};
use staymesh_domain::Page;
use staymesh_mesh::Reason;
use tonic::Request;

use crate::testing::{Fixture, HOTEL, demand, euros, fee, fields, fixture, percentage, rate, reason, staff, staff_of};

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
    assert_eq!(first.cancellation_policy, rate("1").cancellation_policy);
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
async fn prices_and_fees_above_the_limit_are_refused() {
    let fixture = fixture().await;
    fixture.set_rate(1, rate("200000000.00")).await.unwrap();
    let refused = fixture.set_rate(1, rate("200000000.01")).await.unwrap_err();
    assert_eq!(fields(&refused), ["rate.base_price.amount"]);
    let refused = fixture.set_nights(1, "2027-03-01", "2027-03-02", euros("200000000.01")).await.unwrap_err();
    assert_eq!(fields(&refused), ["price.amount"]);
    let refused = fixture.set_taxes(vec![fee("City", euros("200000000.01"))]).await.unwrap_err();
    assert_eq!(fields(&refused), ["taxes[0].per_room_night.amount"]);
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
    ] {
        let refused = fixture.pricing.price_stay(Request::new(request)).await.unwrap_err();
        assert_eq!(fields(&refused), [expected]);
    }
}

#[tokio::test]
async fn get_room_rate_returns_what_was_set() {
    let fixture = fixture().await;
    let get = |room_type_id| fixture.admin.get_room_rate(staff(GetRoomRateRequest { hotel_id: HOTEL, room_type_id }));
    assert_eq!(reason(&get(1).await.unwrap_err()), Reason::RateNotFound);
    let set = fixture.set_rate(1, rate("120.5")).await.unwrap();
    let expected = proto::RoomRate { hotel_id: HOTEL, room_type_id: 1, etag: set.etag.clone(), ..rate("120.50") };
    assert_eq!(set, expected);
    assert_eq!(get(1).await.unwrap().into_inner(), set.clone());
    // Setting the current rate again keeps the etag.
    assert_eq!(fixture.set_rate(1, set.clone()).await.unwrap(), set);
}

#[tokio::test]
async fn set_room_rate_reports_every_invalid_field_and_changes_nothing() {
    let fixture = fixture().await;
    let rule = |sold_percent, price_change_percent| proto::OccupancyRule { sold_percent, price_change_percent };
    let wrong = proto::RoomRate {
        base_price: euros("-1"),
        occupancy_rules: vec![rule(0, 401), rule(50, 1), rule(50, -91)],
        cancellation_policy: Some(proto::CancellationPolicy {
            free_until_hours_before: Some(-1),
            late_penalty_percent: Some(101),
        }),
        ..Default::default()
    };
    let refused = fixture.set_rate(1, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "rate.base_price.amount",
            "rate.occupancy_rules[0].sold_percent",
            "rate.occupancy_rules[0].price_change_percent",
            "rate.occupancy_rules[2].sold_percent",
            "rate.occupancy_rules[2].price_change_percent",
            "rate.cancellation_policy.free_until_hours_before",
            "rate.cancellation_policy.late_penalty_percent",
        ]
    );
    for nothing in ["0", "0.00"] {
        assert_eq!(fields(&fixture.set_rate(1, rate(nothing)).await.unwrap_err()), ["rate.base_price.amount"]);
    }
    let missing = proto::RoomRate { base_price: None, ..rate("1") };
    assert_eq!(fields(&fixture.set_rate(1, missing).await.unwrap_err()), ["rate.base_price"]);
    // No policy, or half of one, is no free cancellation.
    let field = "rate.cancellation_policy";
    let half = proto::CancellationPolicy { free_until_hours_before: Some(48), late_penalty_percent: None };
    for (cancellation_policy, field) in
        [(None, field.to_owned()), (Some(half), format!("{field}.late_penalty_percent"))]
    {
        let refused = fixture.set_rate(1, proto::RoomRate { cancellation_policy, ..rate("1") }).await.unwrap_err();
        assert_eq!(fields(&refused), [field]);
    }
    let many = proto::RoomRate { occupancy_rules: (1..=21).map(|sold| rule(sold, 1)).collect(), ..rate("1") };
    assert_eq!(fields(&fixture.set_rate(1, many).await.unwrap_err()), ["rate.occupancy_rules"]);
    let request = SetRoomRateRequest { hotel_id: HOTEL, room_type_id: 0, rate: Some(rate("1")) };
    assert_eq!(fields(&fixture.admin.set_room_rate(staff(request)).await.unwrap_err()), ["room_type_id"]);
    let rows: i64 =
        sqlx::query_scalar("select count(*) from room_rate").fetch_one(fixture.database.pool()).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn admin_calls_authorize_before_they_validate() {
    let fixture = fixture().await;
    let request = SetRoomRateRequest { hotel_id: HOTEL, room_type_id: -1, rate: None };
    let refused = fixture.admin.set_room_rate(staff_of(HOTEL + 1, request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
    let request = SetNightlyPricesRequest { hotel_id: HOTEL, ..Default::default() };
    let refused = fixture.admin.set_nightly_prices(staff_of(HOTEL + 1, request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
    let request = SetTaxesRequest { hotel_id: HOTEL, taxes: vec![proto::Tax::default(); 30], etag: String::new() };
    let refused = fixture.admin.set_taxes(staff_of(HOTEL + 1, request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
    let request = GetTaxesRequest { hotel_id: HOTEL };
    let refused = fixture.admin.get_taxes(staff_of(HOTEL + 1, request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::AccessDenied);
}

async fn listed(fixture: &Fixture, page_size: i32) -> Vec<String> {
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListNightlyPricesRequest {
            hotel_id: HOTEL,
            room_type_id: 1,
            from_date: "2027-03-01".into(),
            until_date: "2027-04-01".into(),
            page_size,
            page_token,
        };
        let answer = fixture.admin.list_nightly_prices(staff(request)).await.unwrap().into_inner();
        seen.extend(answer.nights.into_iter().map(|night| night.stay_date));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return seen;
        }
    }
}

#[tokio::test]
async fn nightly_prices_are_set_by_weekday_listed_and_cleared() {
    let fixture = fixture().await;
    let weekends = |price| SetNightlyPricesRequest {
        hotel_id: HOTEL,
        room_type_id: 1,
        from_date: "2027-03-01".into(),
        until_date: "2027-03-15".into(),
        weekdays: vec![6, 7],
        price,
        etag: String::new(),
    };
    let refused = fixture.admin.set_nightly_prices(staff(weekends(euros("200")))).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RateNotFound);
    let unpriced = ListNightlyPricesRequest { hotel_id: HOTEL, room_type_id: 1, ..Default::default() };
    let refused = fixture.admin.list_nightly_prices(staff(unpriced)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RateNotFound);

    fixture.set_rate(1, rate("100")).await.unwrap();
    assert!(listed(&fixture, 10).await.is_empty());
    for _ in 0..2 {
        let set = fixture.admin.set_nightly_prices(staff(weekends(euros("200")))).await.unwrap().into_inner();
        assert_eq!(set.nights, 4);
    }
    let expected = ["2027-03-06", "2027-03-07", "2027-03-13", "2027-03-14"];
    for page_size in [1, 2, 3, 4, 50] {
        assert_eq!(listed(&fixture, page_size).await, expected);
    }
    for _ in 0..2 {
        assert_eq!(fixture.set_nights(1, "2027-03-01", "2027-03-14", None).await.unwrap(), 13);
    }
    assert_eq!(listed(&fixture, 10).await, ["2027-03-14"]);
}

#[tokio::test]
async fn list_nightly_prices_refuses_forged_page_tokens() {
    let fixture = fixture().await;
    fixture.set_rate(1, rate("100")).await.unwrap();
    for date in [Date::MIN, Date::MAX, date(1999, 12, 31)] {
        let filters = ["nightly_prices", "7", "1", "", ""];
        let (_, page_token) = Page::<Date>::parse(1, "", &filters).unwrap().cut(vec![date, date], |date| *date);
        let request = ListNightlyPricesRequest { hotel_id: HOTEL, room_type_id: 1, page_token, ..Default::default() };
        let refused = fixture.admin.list_nightly_prices(staff(request)).await.unwrap_err();
        assert_eq!(fields(&refused), ["page_token"], "{date}");
    }
}

#[tokio::test]
async fn set_nightly_prices_reports_the_invalid_field_and_changes_nothing() {
    let fixture = fixture().await;
    fixture.set_rate(1, rate("100")).await.unwrap();
    let nights = |from: &str, until: &str, weekdays: &[i32], price| SetNightlyPricesRequest {
        hotel_id: HOTEL,
        room_type_id: 1,
        from_date: from.into(),
        until_date: until.into(),
        weekdays: weekdays.to_vec(),
        price,
        etag: String::new(),
    };
    for (request, expected) in [
        (nights("", "2027-03-02", &[], euros("1")), "from_date"),
        (nights("2027-03-02", "2027-03-02", &[], euros("1")), "until_date"),
        (nights("2000-01-01", "2199-12-31", &[], euros("1")), "until_date"),
        (nights("2027-03-01", "2027-03-02", &[8], euros("1")), "weekdays[0]"),
        (nights("2027-03-01", "2027-03-02", &[1, 0], euros("1")), "weekdays[1]"),
        (nights("2027-03-01", "2027-03-02", &[1; 8], euros("1")), "weekdays"),
        (nights("2027-03-01", "2027-03-02", &[], euros("-1")), "price.amount"),
        (nights("2027-03-01", "2027-03-02", &[], euros("0")), "price.amount"),
        (nights("2027-03-01", "2027-03-02", &[], euros("1.234")), "price.amount"),
    ] {
        assert_eq!(fields(&fixture.admin.set_nightly_prices(staff(request)).await.unwrap_err()), [expected]);
    }
    let dollars = Some(Money { currency_code: "USD".into(), amount: "1".into() });
    let refused = fixture.set_nights(1, "2027-03-01", "2027-03-02", dollars).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CurrencyMismatch);
    assert!(listed(&fixture, 10).await.is_empty());
}

#[tokio::test]
async fn set_taxes_replaces_all_taxes() {
    let fixture = fixture().await;
    let get = async || {
        let answer = fixture.admin.get_taxes(staff(GetTaxesRequest { hotel_id: HOTEL })).await.unwrap();
        answer.into_inner().taxes
    };
    assert!(get().await.is_empty());
    let both = vec![fee("City", euros("2.00")), percentage("VAT", 600)];
    for _ in 0..2 {
        assert_eq!(fixture.set_taxes(both.clone()).await.unwrap(), both);
        assert_eq!(get().await, both);
    }
    let dollars = Some(Money { currency_code: "USD".into(), amount: "1".into() });
    let refused = fixture.set_taxes(vec![percentage("VAT", 1), fee("City", dollars)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CurrencyMismatch);
    let wrong = vec![
        percentage("", 0),
        percentage("VAT", 10_001),
        percentage("VAT", 1),
        fee("None", None),
        fee("City", euros("x")),
    ];
    let refused = fixture.set_taxes(wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "taxes[0].display_name",
            "taxes[0].basis_points",
            "taxes[1].basis_points",
            "taxes[2].display_name",
            "taxes[3]",
            "taxes[4].per_room_night.amount",
        ]
    );
    assert_eq!(fields(&fixture.set_taxes(vec![percentage("VAT", 1); 21]).await.unwrap_err())[0], "taxes");
    assert_eq!(get().await, both);
    fixture.set_taxes(vec![]).await.unwrap();
    assert!(get().await.is_empty());
}

#[tokio::test]
async fn set_taxes_with_an_old_etag_is_refused() {
    let fixture = fixture().await;
    let set = async |taxes: Vec<proto::Tax>, etag: &str| {
        let request = SetTaxesRequest { hotel_id: HOTEL, taxes, etag: etag.to_owned() };
        fixture.admin.set_taxes(staff(request)).await.map(|answer| answer.into_inner().etag)
    };
    let read = fixture.admin.get_taxes(staff(GetTaxesRequest { hotel_id: HOTEL })).await.unwrap().into_inner();
    let first = set(vec![percentage("VAT", 600)], &read.etag).await.unwrap();
    assert_ne!(first, read.etag);
    // The second editor started from the same version.
    let refused = set(vec![percentage("City", 100)], &read.etag).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::EtagMismatch);
    // Equal taxes keep the etag; without one, any version is replaced.
    assert_eq!(set(vec![percentage("VAT", 600)], &first).await.unwrap(), first);
    assert_ne!(set(vec![], "").await.unwrap(), first);
}

#[tokio::test]
async fn set_nightly_prices_with_an_old_etag_is_refused() {
    let fixture = fixture().await;
    fixture.set_rate(1, rate("100")).await.unwrap();
    let set = async |price: Option<Money>, etag: &str| {
        let request = SetNightlyPricesRequest {
            hotel_id: HOTEL,
            room_type_id: 1,
            from_date: "2027-03-01".into(),
            until_date: "2027-03-03".into(),
            weekdays: vec![],
            price,
            etag: etag.to_owned(),
        };
        fixture.admin.set_nightly_prices(staff(request)).await.map(|answer| answer.into_inner().etag)
    };
    let request = ListNightlyPricesRequest { hotel_id: HOTEL, room_type_id: 1, ..Default::default() };
    let read = fixture.admin.list_nightly_prices(staff(request)).await.unwrap().into_inner().etag;
    let first = set(euros("90"), &read).await.unwrap();
    assert_ne!(first, read);
    for price in [euros("80"), None] {
        assert_eq!(reason(&set(price, &read).await.unwrap_err()), Reason::EtagMismatch);
    }
    assert_eq!(set(euros("90"), &first).await.unwrap(), first);
    assert_ne!(set(None, "").await.unwrap(), first);
}
