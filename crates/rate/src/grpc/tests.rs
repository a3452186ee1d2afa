use jiff::civil::{Date, date};
use staymesh_api::{
    rate::v1::{
        self as proto, GetRoomRateRequest, GetTaxesRequest, ListNightlyPricesRequest, SetNightlyPricesRequest,
        SetRoomRateRequest, SetTaxesRequest, rate_admin_service_server::RateAdminService,
    },
    r#type::v1::Money,
};
use staymesh_domain::Page;
use staymesh_mesh::Reason;

use crate::testing::{
    Fixture, HOTEL, always, euros, fee, fields, fixture, free_until_days_before, percentage, policy, rate, reason,
    staff, staff_of,
};

mod policies;
mod pricing;

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
            free_hours_after_booking: 2,
            ..policy(vec![free_until_days_before(-1, "18:00"), always(10_001)])
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
            "rate.cancellation_policy.tiers[0].days_before.days",
            "rate.cancellation_policy.tiers[1].penalty.basis_points",
            "rate.cancellation_policy.free_hours_after_booking",
        ]
    );
    for nothing in ["0", "0.00"] {
        assert_eq!(fields(&fixture.set_rate(1, rate(nothing)).await.unwrap_err()), ["rate.base_price.amount"]);
    }
    let missing = proto::RoomRate { base_price: None, ..rate("1") };
    assert_eq!(fields(&fixture.set_rate(1, missing).await.unwrap_err()), ["rate.base_price"]);
    // No policy is no free cancellation.
    let refused = fixture.set_rate(1, proto::RoomRate { cancellation_policy: None, ..rate("1") }).await.unwrap_err();
    assert_eq!(fields(&refused), ["rate.cancellation_policy"]);
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
