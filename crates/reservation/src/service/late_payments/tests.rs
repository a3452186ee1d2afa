use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil::date};
use rstest::rstest;
use staymesh_domain::{PaymentId, StayDates};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::outbox::Wake;

use crate::{
    LongHolds,
    clients::{MockHotelClient, MockPaymentClient, MockRateClient},
    lifecycle::Command,
    model::{NewReservation, Status},
    offer_token::OfferSigner,
    quote::tests::quote,
    service::{BookingService, Dependencies, UnpaidLimits},
    testing::{TOTAL, World, lines, order_of, room_type, total},
    writer::{Writer, apply},
};

/// A world where the nights of 1 and 2 January 2030 are on sale, the rules, and a held reservation of the first night.
async fn held(hotels: MockHotelClient) -> (World, BookingService, NewReservation) {
    let world = World::new().await;
    world.sell(7, date(2030, 1, 1), 2, 5).await.expect("inventory");
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, lanes) = Writer::new(&world.store, 1);
    for lane in lanes {
        tokio::spawn(lane);
    }
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let order = order_of(lines(room_type(), stay, 1, &quote(TOTAL)), Timestamp::now());
    writer.book(order.clone()).await.expect("booked");
    let service = BookingService::new(Dependencies {
        store: world.store.clone(),
        writer,
        hotels: Box::new(hotels),
        rates: Box::new(MockRateClient::new()),
        payments: std::sync::Arc::new(MockPaymentClient::new()),
        offers: OfferSigner::new(&keys),
        hold: Duration::from_mins(15),
        unpaid: UnpaidLimits::unlimited(),
        long_holds: LongHolds::default(),
        wake: Wake::default(),
    });
    (world, service, order)
}

/// A hotel in this zone, whose days end at 04:00.
fn at(zone: &'static str) -> MockHotelClient {
    let mut hotels = MockHotelClient::new();
    hotels
        .expect_hotel_time()
        .returning(move |_| Ok(staymesh_domain::HotelTime::parse(zone, "15:00", "04:00").expect("a calendar")));
    hotels
}

#[rstest]
#[case::before_it_ends_anywhere(MockHotelClient::new(), "2030-01-01T23:59:59+14:00", true)]
#[case::in_auckland_in_time(at("Pacific/Auckland"), "2030-01-02T03:59:59+13:00", true)]
#[case::in_auckland_next_morning(at("Pacific/Auckland"), "2030-01-02T10:50:00+13:00", false)]
#[case::in_honolulu_at_the_same_time(at("Pacific/Honolulu"), "2030-01-02T10:50:00+13:00", true)]
#[case::after_it_ended_everywhere(MockHotelClient::new(), "2030-01-02T18:00:00Z", false)]
#[tokio::test]
async fn payment_is_accepted_until_check_in_ends_at_the_hotel(
    #[case] hotels: MockHotelClient,
    #[case] now: &str,
    #[case] accepted: bool,
    #[values(false, true)] expired: bool,
) {
    let now: Timestamp = now.parse().expect("a time");
    let (world, service, order) = held(hotels).await;
    if expired {
        apply(&world.store, order.id, &Command::Expire, now).await.expect("expired");
    }
    let payment_id = PaymentId::new();
    for _ in 0..2 {
        let applied = service.confirm_payment(order.id, payment_id, total(), now).await.expect("applied");
        let status = if accepted { Status::Paid } else { Status::Cancelled };
        assert_eq!((applied.reservation.status, applied.refund_required), (status, !accepted));
        assert_eq!(applied.reservation.payment_id, Some(payment_id));
    }
    let held = "select sum(total_reserved)::bigint from room_type_inventory";
    assert_eq!(world.count(held).await, i64::from(accepted));
    if !accepted {
        let refund = Command::ConfirmRefund { payment_id, amount: total() };
        let refunded = apply(&world.store, order.id, &refund, now).await.expect("applied");
        assert_eq!(refunded.reservation.status, Status::Refunded);
    }
}

#[tokio::test]
async fn payment_for_a_deleted_hotel_is_refunded_and_an_outage_is_retried() {
    let now: Timestamp = "2030-01-02T00:00:00Z".parse().expect("a time");
    for (reason, refunded) in [(Reason::HotelNotFound, true), (Reason::DependencyUnavailable, false)] {
        let mut hotels = MockHotelClient::new();
        hotels.expect_hotel_time().returning(move |_| Err(Problem::new(reason, "no")));
        let (_world, service, order) = held(hotels).await;
        let applied = service.confirm_payment(order.id, PaymentId::new(), total(), now).await;
        assert_eq!(applied.is_ok_and(|applied| applied.refund_required), refunded, "{reason:?}");
        let status = service.store.get(order.id).await.expect("read").expect("exists").status;
        assert_eq!(status, if refunded { Status::Cancelled } else { Status::PendingPayment });
    }
}
