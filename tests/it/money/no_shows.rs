//! Guests that never came: charged the penalty that was signed into the offer, once, whoever collects.

use futures::future::{join, join_all};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::StayDates;
use staymesh_payment::jobs::payouts::default_cutoff;
use staymesh_reservation::lifecycle::no_show_window;

use super::{
    Sale, check,
    letters::job,
    partners::{await_line, balances, euros, name_of, owned, sell},
};
use crate::support::{
    Answer, Books, HotelFixture, OwnMesh, Provider, Rest, Stay, World, assert_nothing_parked, await_payment, database,
};

const NO_SHOW: &str = "CANCELLATION_REASON_NO_SHOW";
const REQUESTED: &str = "CANCELLATION_REASON_REQUESTED";

async fn report(house: &Rest, reservation_id: &str) -> Answer {
    let path = format!("/v1/reservations/{reservation_id}:markNoShow");
    house.call_until_answered(Method::POST, &path, Some(json!({}))).await
}

/// Three nights for 330.00 that have begun, paid, in a hotel that keeps this share when it is too late.
async fn paid(world: &World<'_>, provider: &Provider, penalty: i32) -> Sale {
    let hotel = world.hotel_with_penalty(penalty).await;
    Sale::open_at(world, hotel, Stay::begun(3)).await.pay(world, provider).await
}

#[rstest]
// Of what is kept a tenth of 110 % is taxes, 15 % of the rest are earned, and the rest is the hotel's.
#[case::the_penalty_is_kept(
    30, Some("231.00"),
    &[("COMMISSION_REVENUE", -1_350), ("HOTEL_PAYABLE", -7_650), ("PSP_CLEARING", 9_900), ("TAX_PAYABLE", -900)]
)]
#[case::nothing_is_kept(0, Some("330.00"), &[])]
#[case::all_is_kept(
    100, None,
    &[("COMMISSION_REVENUE", -4_500), ("HOTEL_PAYABLE", -25_500), ("PSP_CLEARING", 33_000), ("TAX_PAYABLE", -3_000)]
)]
#[tokio::test(flavor = "multi_thread")]
async fn who_paid_and_never_came_gets_the_rest_back(
    #[case] penalty: i32,
    #[case] back: Option<&str>,
    #[case] kept: &[(&str, i64)],
) {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = paid(&world, &provider, penalty).await;
    let staff = world.staff(&[sale.hotel.hotel_id]).await;
    // Ten at once, and one more when all is done, are as good as one.
    for answer in join_all((0..10).map(|_| report(&staff, &sale.reservation_id))).await {
        assert_eq!(answer.ok()["cancellation_reason"], NO_SHOW);
    }
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    let mut history = vec!["pending_payment", "paid", "cancelled"];
    if let Some(back) = back {
        history.push("refunded");
        assert_eq!(sale.await_status(&world, "REFUNDED").await["cancellation_reason"], NO_SHOW);
        let payment = await_payment(&sale.guest, &sale.payment, "REFUNDED").await;
        assert_eq!((&payment["amount"], &payment["refunded_amount"]), (&euros("330.00"), &euros(back)));
    }
    let ended = report(&staff, &sale.reservation_id).await.ok();
    assert_eq!(sale.cancel().await, ended, "cancelling what is over changes nothing");
    sale.await_all_told(&world).await;
    assert_eq!(sale.status().await, if back.is_some() { "REFUNDED" } else { "CANCELLED" });
    assert_eq!(provider.row(&sale.payment).await.status, if back.is_some() { "REFUNDED" } else { "PAID" });
    assert_eq!(balances(&provider.pool, &sale.reservation_id).await, owned(kept));
    assert_eq!(Books::of(world.mesh).await.history(&sale.reservation_id).await, history);
    assert_eq!(provider.told(&sale.payment, "refund.requested").await, i64::from(back.is_some()));
}

#[rstest]
#[case(30, "154.00", "66.00", &[
    ("COMMISSION_REVENUE", -900), ("HOTEL_PAYABLE", -5_100), ("PARTNER_RECEIVABLE", 6_600), ("TAX_PAYABLE", -600)
])]
#[case(0, "220.00", "0.00", &[])]
#[case(100, "0.00", "220.00", &[
    ("COMMISSION_REVENUE", -3_000), ("HOTEL_PAYABLE", -17_000), ("PARTNER_RECEIVABLE", 22_000), ("TAX_PAYABLE", -2_000)
])]
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_who_collects_owes_the_penalty_alone(
    #[case] penalty: i32,
    #[case] credited: &str,
    #[case] left: &str,
    #[case] rest: &[(&str, i64)],
) {
    let world = World::shared().await;
    let ledger = database(world.mesh, "payment").await;
    let stay = Stay::begun(2);
    let hotel = world.hotel_with_penalty(penalty).await;
    let partner = world.partner().await;
    let id = sell(&world, &partner, hotel, &stay).await;
    let name = name_of(&world, &id).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    for _ in 0..2 {
        assert_eq!(report(&staff, &id).await.ok()["cancellation_reason"], NO_SHOW);
    }
    let line = await_line(&world, &name, &id, |line| !line["cancel_time"].is_null()).await;
    assert_eq!((&line["credited_amount"], &line["owed_amount"]), (&euros(credited), &euros(left)));
    assert_eq!(balances(&ledger, &id).await, owned(rest));
    let seen = partner.get(&format!("/v1/reservations/{id}")).await.ok();
    assert_eq!(
        (&seen["status"], &seen["cancellation_reason"]),
        (&json!("RESERVATION_STATUS_CANCELLED"), &json!(NO_SHOW))
    );
}

/// Both at the same moment. Asserts that one was quicker and the other is told so, and yields the reason that stays.
async fn race(house: &Rest, owner: &Rest, reservation_id: &str) -> Value {
    let path = format!("/v1/reservations/{reservation_id}");
    let cancel = owner.call_until_answered(Method::DELETE, &path, None);
    let (reported, cancelled) = join(report(house, reservation_id), cancel).await;
    let read = owner.call_until_answered(Method::GET, &path, None).await.ok();
    let reason = read["cancellation_reason"].clone();
    assert_eq!(cancelled.ok()["cancellation_reason"], reason);
    if reason == NO_SHOW {
        assert_eq!(reported.ok()["cancellation_reason"], NO_SHOW);
    } else {
        assert_eq!(reason, REQUESTED);
        let refused = reported.refused(400, "ILLEGAL_TRANSITION");
        assert_eq!(refused.detail("ErrorInfo")["metadata"]["cancellation_reason"], "requested");
    }
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_quicker_ends_it_once_and_the_books_are_right() {
    let mesh = OwnMesh::start(vec![]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let sales = join_all((0..4).map(|_| paid(&world, &provider, 30))).await;
    let stay = Stay::begun(2);
    let hotel = world.hotel_with_penalty(30).await;
    let partner = world.partner().await;
    // As many as there are rooms.
    let sold: Vec<String> = join_all((0..5).map(|_| sell(&world, &partner, hotel, &stay))).await;

    let guests = join_all(sales.iter().map(|sale| race(&world.admin, &sale.guest, &sale.reservation_id)));
    let partners = join_all(sold.iter().map(|id| race(&world.admin, &partner, id)));
    let (reasons, partners_reasons) = join(guests, partners).await;
    for (sale, reason) in sales.iter().zip(reasons) {
        let ended = sale.await_status(&world, "REFUNDED").await;
        assert_eq!(ended["cancellation_reason"], reason);
        sale.await_all_told(&world).await;
        let row = provider.row(&sale.payment).await;
        assert_eq!((row.refund_requested_minor, row.refunded_minor), (23_100, 23_100));
        assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    }
    let name = name_of(&world, &sold[0]).await;
    for (id, reason) in sold.iter().zip(partners_reasons) {
        let line = await_line(&world, &name, id, |line| !line["cancel_time"].is_null()).await;
        assert_eq!((&line["credited_amount"], &line["owed_amount"]), (&euros("154.00"), &euros("66.00")));
        assert!([NO_SHOW, REQUESTED].contains(&reason.as_str().expect("a text")));
    }
    Books::of(&mesh).await.assert_balanced().await;
    assert_nothing_parked(&mesh).await;
    let (clean, found) = tokio::task::block_in_place(|| check::check(&world));
    assert!(clean && found["clean"] == true, "{found:#}");
}

/// Runs the job for this hotel as if its stays were over, and yields what it printed.
fn pay_out(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> String {
    let check_out: Date = stay.check_out.parse().expect("a date");
    let (until, hotel) = (check_out.saturating_add(1.day()).to_string(), hotel.hotel_id.to_string());
    let (well, lines) = job(world, "payment", &["pay-out", "--until", &until, "--hotel", &hotel]);
    assert!(well, "{lines:?}");
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hotel_is_paid_what_is_kept_and_a_late_word_makes_its_next_pay_out_smaller() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let (early, late) = join(paid(&world, &provider, 30), paid(&world, &provider, 30)).await;
    for sale in [&early, &late] {
        let path = format!("/v1/hotels/{}/payOutDestination", sale.hotel.hotel_id);
        world.admin.put(&path, json!({ "destination": "acct_hotel" })).await.ok();
    }
    report(&world.admin, &early.reservation_id).await.ok();
    early.await_all_told(&world).await;
    assert!(pay_out(&world, early.hotel, &early.stay).contains("EUR 76.50, 2 lines"));

    // The job was told to pay before its time: what it paid too much is kept from what comes next, and not paid again.
    assert!(pay_out(&world, late.hotel, &late.stay).contains("EUR 255.00, 1 lines"));
    report(&world.admin, &late.reservation_id).await.ok();
    late.await_status(&world, "REFUNDED").await;
    late.await_all_told(&world).await;
    assert!(pay_out(&world, late.hotel, &late.stay).contains("EUR -178.50 is carried forward"));
    let next = Sale::open_at(&world, late.hotel, late.stay.clone()).await.pay(&world, &provider).await;
    assert!(pay_out(&world, late.hotel, &next.stay).contains("EUR 76.50, 2 lines"));
}

#[test]
fn nobody_is_reported_after_the_hotel_may_have_been_paid() {
    let stay = StayDates::parse("2030-03-01", "2030-03-03").expect("a stay");
    let last = no_show_window(stay).expect("in range").end;
    // The job pays for stays that ended before its cut-off.
    let paid = |now: Timestamp| stay.check_out() < default_cutoff(now);
    let half_a_day = SignedDuration::from_hours(12);
    assert!(!paid(last + half_a_day - SignedDuration::from_nanos(1)), "half a day is left to bring the word");
    assert!(paid(last + half_a_day));
}
