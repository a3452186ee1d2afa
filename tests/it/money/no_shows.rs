//! No-shows: the penalty of the signed offer is charged once, for guest-paid and partner-collected reservations.

use futures::future::{join, join_all};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Time},
};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::{HotelTime, StayDates};
use staymesh_payment::jobs::payouts::default_cutoff;

use super::{
    Sale, check,
    dead_letters::job,
    partners::{await_line, balances, euros, name_of, owned, sell},
};
use crate::support::{
    Answer, Books, HotelFixture, PrivateMesh, Provider, Rest, Stay, World, assert_no_dead_letters, await_payment,
    database,
};

const NO_SHOW: &str = "CANCELLATION_REASON_NO_SHOW";
const REQUESTED: &str = "CANCELLATION_REASON_REQUESTED";

/// Reports a no-show, and lets the hotel's business day end.
async fn report(world: &World<'_>, house: &Rest, reservation_id: &str) -> Answer {
    let answer = report_today(house, reservation_id).await;
    end_day(world, reservation_id).await;
    answer
}

async fn report_today(house: &Rest, reservation_id: &str) -> Answer {
    let path = format!("/v1/reservations/{reservation_id}:markNoShow");
    house.call_until_answered(Method::POST, &path, Some(json!({}))).await
}

/// Makes the settlement of a no-show due, as when the hotel's business day ends.
async fn end_day(world: &World<'_>, reservation_id: &str) {
    sqlx::query("update outbox set next_attempt_at = now() where aggregate_id = $1::uuid and attempts = 0")
        .bind(reservation_id)
        .execute(&database(world.mesh, "reservation").await)
        .await
        .expect("the outbox");
}

/// A paid stay of three nights for 330.00 that has begun, in a hotel with this late penalty in per cent.
async fn paid(world: &World<'_>, provider: &Provider, penalty: i32) -> Sale {
    let hotel = world.hotel_with_penalty(penalty).await;
    Sale::open_at(world, hotel, Stay::begun(3)).await.pay(world, provider).await
}

#[rstest]
// Of the amount kept, 10/110 is taxes, 15 % of the rest is commission, and the remainder is the hotel's.
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
async fn no_show_of_paid_reservation_refunds_all_but_the_penalty(
    #[case] penalty: i32,
    #[case] back: Option<&str>,
    #[case] kept: &[(&str, i64)],
) {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = paid(&world, &provider, penalty).await;
    let staff = world.staff(&[sale.hotel.hotel_id]).await;
    // Ten concurrent reports, and one more afterwards, have the effect of one.
    for answer in join_all((0..10).map(|_| report(&world, &staff, &sale.reservation_id))).await {
        assert_eq!(answer.ok()["cancellation_reason"], NO_SHOW);
    }
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    let mut history = vec!["pending_payment", "paid", "cancelled"];
    if let Some(back) = back {
        history.push("refunded");
        assert_eq!(sale.await_status(&world, "REFUNDED").await["cancellation_reason"], NO_SHOW);
        let status = if back == "330.00" { "REFUNDED" } else { "PARTIALLY_REFUNDED" };
        let payment = await_payment(&sale.guest, &sale.payment, status).await;
        assert_eq!((&payment["amount"], &payment["refunded_amount"]), (&euros("330.00"), &euros(back)));
    }
    let ended = report(&world, &staff, &sale.reservation_id).await.ok();
    assert_eq!(sale.cancel().await, ended, "cancelling what is over changes nothing");
    sale.await_all_delivered(&world).await;
    assert_eq!(sale.status().await, if back.is_some() { "REFUNDED" } else { "CANCELLED" });
    assert_eq!(provider.row(&sale.payment).await.status, if back.is_some() { "REFUNDED" } else { "PAID" });
    assert_eq!(balances(&provider.pool, &sale.reservation_id).await, owned(kept));
    assert_eq!(Books::of(world.mesh).await.history(&sale.reservation_id).await, history);
    assert_eq!(provider.count_events(&sale.payment, "refund.requested").await, i64::from(back.is_some()));
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
async fn no_show_of_partner_sale_leaves_only_the_penalty_owed(
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
        assert_eq!(report(&world, &staff, &id).await.ok()["cancellation_reason"], NO_SHOW);
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

/// Reports and cancels concurrently. Asserts that one succeeds and the other is refused, and returns the final reason.
async fn race(world: &World<'_>, owner: &Rest, reservation_id: &str) -> Value {
    let path = format!("/v1/reservations/{reservation_id}");
    let cancel = owner.call_until_answered(Method::DELETE, &path, None);
    let (reported, cancelled) = join(report(world, &world.admin, reservation_id), cancel).await;
    let read = owner.call_until_answered(Method::GET, &path, None).await.ok();
    let reason = read["cancellation_reason"].clone();
    assert_eq!(cancelled.ok()["cancellation_reason"], reason);
    if reason == NO_SHOW {
        assert_eq!(reported.ok()["cancellation_reason"], NO_SHOW);
    } else {
        assert_eq!(reason, REQUESTED);
        let refused = reported.refused(400, "ILLEGAL_TRANSITION");
        assert_eq!(refused.detail("ErrorInfo")["metadata"]["cancellation_reason"], "REQUESTED");
    }
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_no_show_and_cancellation_end_reservation_once() {
    let mesh = PrivateMesh::start(vec![]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let sales = join_all((0..4).map(|_| paid(&world, &provider, 30))).await;
    let stay = Stay::begun(2);
    let hotel = world.hotel_with_penalty(30).await;
    let partner = world.partner().await;
    // One for each room.
    let sold: Vec<String> = join_all((0..5).map(|_| sell(&world, &partner, hotel, &stay))).await;

    let guests = join_all(sales.iter().map(|sale| race(&world, &sale.guest, &sale.reservation_id)));
    let partners = join_all(sold.iter().map(|id| race(&world, &partner, id)));
    let (reasons, partners_reasons) = join(guests, partners).await;
    for (sale, reason) in sales.iter().zip(reasons) {
        let ended = sale.await_status(&world, "REFUNDED").await;
        assert_eq!(ended["cancellation_reason"], reason);
        sale.await_all_delivered(&world).await;
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
    assert_no_dead_letters(&mesh).await;
    let (clean, found) = tokio::task::block_in_place(|| check::check(&world));
    assert!(clean && found["clean"] == true, "{found:#}");
}

/// Runs the payout job for this hotel with a cut-off after its stays, and returns its output.
fn pay_hotel(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> String {
    let check_out: Date = stay.check_out.parse().expect("a date");
    let (until, hotel) = (check_out.saturating_add(1.day()).to_string(), hotel.hotel_id.to_string());
    let (well, lines) = job(world, "payment", &["payout", "--until", &until, "--hotel", &hotel]);
    assert!(well, "{lines:?}");
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn payout_pays_kept_penalty_and_late_no_show_reduces_next_payout() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let (early, late) = join(paid(&world, &provider, 30), paid(&world, &provider, 30)).await;
    for sale in [&early, &late] {
        let path = format!("/v1/hotels/{}/payoutDestination", sale.hotel.hotel_id);
        world.admin.put(&path, json!({ "destination": "acct_hotel" })).await.ok();
    }
    report(&world, &world.admin, &early.reservation_id).await.ok();
    early.await_all_delivered(&world).await;
    assert!(pay_hotel(&world, early.hotel, &early.stay).contains("EUR 76.50, 2 lines"));

    // The job paid before the regular cut-off: the overpayment is deducted from the next payout.
    assert!(pay_hotel(&world, late.hotel, &late.stay).contains("EUR 255.00, 1 lines"));
    report(&world, &world.admin, &late.reservation_id).await.ok();
    late.await_status(&world, "REFUNDED").await;
    late.await_all_delivered(&world).await;
    assert!(pay_hotel(&world, late.hotel, &late.stay).contains("EUR -178.50 is carried forward"));
    let next = Sale::open_at(&world, late.hotel, late.stay.clone()).await.pay(&world, &provider).await;
    assert!(pay_hotel(&world, late.hotel, &next.stay).contains("EUR 76.50, 2 lines"));
}

#[test]
fn no_show_window_ends_before_payout_cut_off() {
    let stay = StayDates::parse("2030-03-01", "2030-03-03").expect("a stay");
    // The last zone on earth: 48 hours after 00:00 of the check-out date.
    let time = HotelTime::parse("Etc/GMT+12", "15:00", "06:00").expect("a calendar");
    let last =
        time.days_before(stay.check_out(), 0, Time::midnight()).expect("in range") + SignedDuration::from_hours(48);
    // The job pays stays that ended before its cut-off.
    let paid = |now: Timestamp| stay.check_out() < default_cutoff(now);
    let half_a_day = SignedDuration::from_hours(12);
    assert!(!paid(last + half_a_day - SignedDuration::from_nanos(1)), "half a day for the refund to arrive");
    assert!(paid(last + half_a_day));
}

/// Taken back on the day of its report: nothing is refunded, the guests check in, and nothing is left to settle.
#[tokio::test(flavor = "multi_thread")]
async fn no_show_that_is_taken_back_costs_nothing_and_the_guests_check_in() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = paid(&world, &provider, 30).await;
    let (id, staff) = (sale.reservation_id.as_str(), world.staff(&[sale.hotel.hotel_id]).await);
    let path = |method: &str| format!("/v1/reservations/{id}:{method}");
    assert_eq!(report_today(&staff, id).await.ok()["cancellation_reason"], NO_SHOW);
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    // Ten at once have the effect of one.
    let undo = path("undoNoShow");
    for answer in join_all((0..10).map(|_| staff.call_until_answered(Method::POST, &undo, Some(json!({}))))).await {
        let undone = answer.ok();
        assert_eq!(
            (&undone["status"], &undone["cancellation_reason"]),
            (&json!("RESERVATION_STATUS_PAID"), &json!("CANCELLATION_REASON_UNSPECIFIED"))
        );
    }
    assert_eq!(sale.rooms_taken(&world).await, [1; 3]);
    staff.post_until_answered(&path("checkIn"), json!({})).await;
    staff.post(&path("markNoShow"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");
    sale.await_all_delivered(&world).await;
    assert_eq!(provider.row(&sale.payment).await.refund_requested_minor, 0);
    assert_eq!(Books::of(world.mesh).await.history(id).await, ["pending_payment", "paid", "cancelled", "paid"]);

    // Once the day has ended, it is final.
    let late = paid(&world, &provider, 30).await;
    let staff = world.staff(&[late.hotel.hotel_id]).await;
    report(&world, &staff, &late.reservation_id).await.ok();
    late.await_status(&world, "REFUNDED").await;
    let path = format!("/v1/reservations/{}:undoNoShow", late.reservation_id);
    staff.post(&path, json!({})).await.refused(400, "NO_SHOW_SETTLED");
}
