//! Cancellation policies: what staff set, and the terms of a stay that follow.

use staymesh_api::{
    rate::v1::{
        self as proto, GetRoomRateRequest, PriceStayRequest, cancellation_tier::Deadline, penalty::Kind,
        pricing_service_server::PricingService, rate_admin_service_server::RateAdminService,
    },
    r#type::v1::Money,
};
use staymesh_mesh::Reason;
use tonic::Request;

use crate::testing::{
    Fixture, HOTEL, always, demand, euros, fields, fixture, free_until_days_before, lisbon, percentage, policy, rate,
    reason, share, staff,
};

fn hours_before(hours: i32, anchor: proto::Anchor, penalty: proto::Penalty) -> proto::CancellationTier {
    let deadline = Deadline::HoursBefore(proto::HoursBefore { hours, anchor: anchor.into() });
    proto::CancellationTier { deadline: Some(deadline), penalty: Some(penalty) }
}

fn nights(count: i32) -> proto::Penalty {
    proto::Penalty { kind: Some(Kind::Nights(count)) }
}

fn fixed(amount: Option<Money>) -> proto::Penalty {
    proto::Penalty { kind: amount.map(Kind::Fixed) }
}

fn with(policy: proto::CancellationPolicy) -> proto::RoomRate {
    proto::RoomRate { cancellation_policy: Some(policy), ..rate("100.00") }
}

/// The terms of two nights in one room of room type 1 from 2099-03-01.
async fn terms(fixture: &Fixture) -> proto::CancellationTerms {
    let request = PriceStayRequest {
        hotel_id: HOTEL,
        check_in: "2099-03-01".into(),
        check_out: "2099-03-03".into(),
        rooms: 1,
        room_types: vec![demand(1, &[0; 2])],
        hotel_time: Some(lisbon()),
    };
    let prices = fixture.pricing.price_stay(Request::new(request)).await.unwrap().into_inner().prices;
    prices.into_iter().next().unwrap().cancellation_terms.unwrap()
}

/// Deadline in seconds since 1970, and what is kept.
fn kept(terms: &proto::CancellationTerms) -> Vec<(Option<i64>, &str)> {
    let kept = |of: &'_ proto::CancellationDeadline| of.deadline.map(|deadline| deadline.seconds);
    terms.deadlines.iter().map(|of| (kept(of), of.penalty.as_ref().unwrap().amount.as_str())).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "deadlines are optional in the contract")]
fn seconds(text: &str) -> Option<i64> {
    Some(text.parse::<jiff::Timestamp>().unwrap().as_second())
}

#[tokio::test]
async fn policy_with_every_form_of_tier_is_returned_as_it_was_set() {
    let fixture = fixture().await;
    let wanted = proto::CancellationPolicy {
        no_show_penalty: Some(share(10_000)),
        penalty_base: proto::PenaltyBase::WithoutTaxes.into(),
        free_hours_after_booking: 4,
        free_weeks_before: 8,
        same_day_until: "20:00".into(),
        non_refundable: vec![proto::NightRange { from_date: "2027-06-10".into(), until_date: "2027-06-12".into() }],
        early_departure_penalty: Some(nights(1)),
        ..policy(vec![
            free_until_days_before(7, "18:00"),
            hours_before(72, proto::Anchor::ArrivalTime, fixed(euros("20.00"))),
            hours_before(24, proto::Anchor::StartOfDay, nights(1)),
            always(8_000),
        ])
    };
    let set = fixture.set_rate(1, with(wanted.clone())).await.unwrap();
    assert_eq!(set.cancellation_policy, Some(wanted.clone()));
    let request = GetRoomRateRequest { hotel_id: HOTEL, room_type_id: 1 };
    let read = fixture.admin.get_room_rate(staff(request)).await.unwrap().into_inner();
    assert_eq!(read.cancellation_policy, Some(wanted));
}

#[tokio::test]
async fn terms_of_a_stay_are_instants_and_amounts_with_taxes() {
    let fixture = fixture().await;
    fixture.set_taxes(vec![percentage("VAT", 600)]).await.unwrap();
    let tiers = vec![
        free_until_days_before(2, "18:00"),
        hours_before(24, proto::Anchor::StartOfDay, nights(1)),
        always(10_000),
    ];
    fixture.set_rate(1, with(policy(tiers))).await.unwrap();
    let terms = terms(&fixture).await;
    let expected =
        [(seconds("2099-02-27T18:00:00Z"), "0.00"), (seconds("2099-02-28T00:00:00Z"), "106.00"), (None, "212.00")];
    assert_eq!(kept(&terms), expected);
    assert!(terms.refundable);
    assert_eq!(terms.no_show_penalty, euros("212.00"));
    assert_eq!(terms.cancel_before.map(|time| time.seconds), seconds("2099-03-02T00:00:00Z"));
}

#[tokio::test]
async fn penalties_without_taxes_leave_the_taxes_to_the_guest() {
    let fixture = fixture().await;
    fixture.set_taxes(vec![percentage("VAT", 600)]).await.unwrap();
    let base = proto::PenaltyBase::WithoutTaxes.into();
    let early_departure_penalty = Some(nights(1));
    let wanted =
        proto::CancellationPolicy { penalty_base: base, early_departure_penalty, ..policy(vec![always(10_000)]) };
    fixture.set_rate(1, with(wanted)).await.unwrap();
    let terms = terms(&fixture).await;
    assert_eq!(kept(&terms), [(None, "200.00")]);
    assert!(!terms.refundable);
    let rule = proto::EarlyDeparture { penalty: Some(nights(1)), penalty_base: base };
    assert_eq!(terms.early_departure, Some(rule));
}

#[tokio::test]
async fn policy_that_makes_a_later_cancellation_cheaper_is_refused() {
    let fixture = fixture().await;
    let falling = vec![
        hours_before(20, proto::Anchor::ArrivalTime, share(5_000)),
        // 18:00 of the day before is earlier than 19:00, which is 20 hours before check-in at 15:00.
        free_until_days_before(1, "18:00"),
        always(4_000),
    ];
    let wrong = proto::CancellationPolicy { no_show_penalty: Some(share(3_999)), ..policy(falling) };
    let refused = fixture.set_rate(1, with(wrong)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::PolicyNotMonotone);
    let info = tonic_types::StatusExt::get_details_error_info(&refused).unwrap();
    assert_eq!(info.metadata["fields"], "tiers[1],tiers[1].penalty,tiers[2].penalty,no_show_penalty");
}

#[tokio::test]
async fn policy_that_cannot_be_read_names_every_field() {
    let fixture = fixture().await;
    let unknown = proto::Anchor::Unspecified;
    let wrong = proto::CancellationPolicy {
        no_show_penalty: Some(proto::Penalty { kind: None }),
        non_refundable: vec![proto::NightRange { from_date: "2027-06-10".into(), until_date: "2027-06-10".into() }],
        penalty_base: 9,
        same_day_until: "24:00".into(),
        free_hours_after_booking: 2,
        ..policy(vec![
            free_until_days_before(367, "25:00"),
            hours_before(24, unknown, nights(0)),
            proto::CancellationTier { deadline: None, penalty: None },
        ])
    };
    let refused = fixture.set_rate(1, with(wrong)).await.unwrap_err();
    let expected = [
        "penalty_base",
        "tiers[0].days_before.at",
        "tiers[1].hours_before.anchor",
        "tiers[2].penalty",
        "no_show_penalty",
        "non_refundable[0].until_date",
        "same_day_until",
        "tiers[0].days_before.days",
        "tiers[1].penalty.nights",
        "free_hours_after_booking",
    ];
    assert_eq!(fields(&refused), expected.map(|field| format!("rate.cancellation_policy.{field}")));
    let empty = fixture.set_rate(1, with(policy(vec![]))).await.unwrap_err();
    assert_eq!(fields(&empty), ["rate.cancellation_policy.tiers"]);
    let ends = fixture.set_rate(1, with(policy(vec![free_until_days_before(1, "")]))).await.unwrap_err();
    assert_eq!(fields(&ends), ["rate.cancellation_policy.tiers[0]"]);
}

#[tokio::test]
async fn fixed_penalty_in_another_currency_is_refused() {
    let fixture = fixture().await;
    let dollars = Some(Money { currency_code: "USD".into(), amount: "20".into() });
    let tier = proto::CancellationTier { deadline: None, penalty: Some(fixed(dollars)) };
    let refused = fixture.set_rate(1, with(policy(vec![tier]))).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CurrencyMismatch);
}

/// While the release before still serves, it sets the two numbers and the version, and knows no tiers.
#[tokio::test]
async fn rate_that_the_release_before_sets_has_the_policy_of_its_two_numbers() {
    let fixture = fixture().await;
    fixture.set_rate(1, with(policy(vec![free_until_days_before(2, "00:00"), always(5_000)]))).await.unwrap();
    let numbers: (i32, i32) =
        sqlx::query_as("select free_until_hours_before, late_penalty_percent from room_rate where room_type_id = 1")
            .fetch_one(fixture.database.pool())
            .await
            .unwrap();
    assert_eq!(numbers, (48, 50), "which the release before sells by");
    sqlx::query(
        "update room_rate set free_until_hours_before = 24, late_penalty_percent = 30, version = version + 1
         where room_type_id = 1",
    )
    .execute(fixture.database.pool())
    .await
    .unwrap();
    let expected = [(seconds("2099-02-28T00:00:00Z"), "0.00"), (None, "60.00")];
    assert_eq!(kept(&terms(&fixture).await), expected);
    let request = GetRoomRateRequest { hotel_id: HOTEL, room_type_id: 1 };
    let read = fixture.admin.get_room_rate(staff(request)).await.unwrap().into_inner();
    let tiers = vec![hours_before(24, proto::Anchor::StartOfDay, share(0)), always(3_000)];
    assert_eq!(read.cancellation_policy, Some(policy(tiers)));
    fixture.set_rate(1, read).await.unwrap();
    assert_eq!(kept(&terms(&fixture).await), expected, "set again, with tiers");
}
