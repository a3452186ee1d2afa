//! Decisions of the payment service, with a real database and writer, at the request and by the relay.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::{ReservationId, StayDates};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role};
use staymesh_store::outbox::Wake;
use tonic::Status as GrpcStatus;

use super::SaleDecision;
use crate::{
    LongHolds, calendar,
    clients::{MockHotelClient, MockPaymentClient, MockRateClient},
    error::ReservationError,
    events::SOLD_BY_PARTNER,
    lifecycle::Command,
    model::{CancellationReason, Guest, PaymentMode, Reservation, Status},
    offer_token::{Offer, OfferSigner},
    quote::tests::quote,
    service::{BookingRequest, BookingService, Dependencies, UnpaidLimits},
    testing::{TOTAL, World, hotel_id, lines, room_type},
    writer::{Writer, apply},
};

const HOTEL: i32 = 7;
const HOLD: Duration = Duration::from_mins(15);

/// What the payment service answers.
const RECORDS: u8 = 0;
const REFUSES: u8 = 1;
const UNAVAILABLE: u8 = 2;

struct Shop {
    world: World,
    service: BookingService,
    answer: Arc<AtomicU8>,
}

/// A night with two rooms on sale, and a payment service that can be told what to answer.
async fn shop(answer: u8) -> Shop {
    let world = World::new().await;
    world.sell(HOTEL, night(), 1, 2).await.expect("inventory");
    let answer = Arc::new(AtomicU8::new(answer));
    let mut payments = MockPaymentClient::new();
    let answers = answer.clone();
    payments.expect_record_partner_sale().returning(move |sale| {
        assert!(sale.limited, "the credit limit decides");
        match answers.load(Ordering::Relaxed) {
            RECORDS => Ok(()),
            REFUSES => Err(Problem::new(Reason::PartnerCreditExceeded, "pay first").with("limit", "1.00").into()),
            _ => Err(GrpcStatus::unavailable("gone")),
        }
    });
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, lanes) = Writer::new(&world.store, 1);
    for lane in lanes {
        tokio::spawn(lane);
    }
    let service = BookingService::new(Dependencies {
        store: world.store.clone(),
        writer,
        hotels: Box::new(MockHotelClient::new()),
        rates: Box::new(MockRateClient::new()),
        payments: Arc::new(payments),
        offers: OfferSigner::new(&keys),
        hold: HOLD,
        unpaid: UnpaidLimits { share: 1, ..UnpaidLimits::unlimited() },
        long_holds: LongHolds::default(),
        wake: Wake::default(),
    });
    Shop { world, service, answer }
}

fn night() -> Date {
    calendar::today(Timestamp::now()).saturating_add(30.days())
}

fn partner() -> Caller {
    Caller {
        subject: "client:acme".into(),
        role: Role::Partner,
        hotel_ids: vec![],
        email_verified: false,
        session: "s".into(),
    }
}

impl Shop {
    /// A request for both rooms of the night: whole nights are sold although only a share of them may be held unpaid.
    fn order(&self) -> impl Fn() -> BookingRequest {
        let (id, now) = (ReservationId::generate(hotel_id(HOTEL), Timestamp::now()), Timestamp::now());
        let stay = StayDates::new(night(), night().saturating_add(1.days())).expect("a stay");
        let offer = Offer::new(id, partner().subject, lines(room_type(), stay, 2, &quote(TOTAL)), now);
        let offer_token = self.service.offers.sign(&offer).expect("signed");
        move || BookingRequest {
            reservation_id: id,
            offer_token: offer_token.clone(),
            guest: Guest { full_name: "A guest".into(), email: "guest@example.com".into() },
            payment_mode: PaymentMode::PartnerCollects,
            client_reference: None,
            hold: None,
            room_guests: vec![],
            source: None,
        }
    }

    async fn book(&self, order: &impl Fn() -> BookingRequest) -> Result<Reservation, ReservationError> {
        self.service.create(&partner(), order(), Timestamp::now()).await
    }

    async fn now(&self, id: ReservationId) -> Reservation {
        self.world.store.get(id).await.expect("read").expect("it exists")
    }

    /// Rooms of the night that are held or sold.
    async fn taken(&self) -> i64 {
        self.world.count("select sum(total_reserved)::bigint from room_type_inventory").await
    }

    /// Delivers the first event, as the relay does. `None`: the payment service is unavailable.
    async fn deliver(&self) -> Option<SaleDecision> {
        let (kind, payload): (String, Value) =
            sqlx::query_as("select kind, payload from outbox order by event_id limit 1")
                .fetch_one(self.world.pool())
                .await
                .expect("an event");
        assert_eq!(kind, SOLD_BY_PARTNER);
        let sale = serde_json::from_value(payload).expect("the event of the sale");
        self.service.decide_sale(sale, Timestamp::now()).await.ok()
    }
}

/// What changes of a reservation.
fn is(booking: &Reservation) -> (ReservationId, Status, Timestamp, Option<Timestamp>) {
    (booking.id, booking.status, booking.update_time, booking.hold_expire_time)
}

fn refusal<T: std::fmt::Debug>(refused: Result<T, ReservationError>) -> Reason {
    Problem::from(refused.expect_err("refused")).reason()
}

#[tokio::test]
async fn recorded_sale_is_paid_at_once_and_relay_repeats_it_without_effect() {
    let shop = shop(RECORDS).await;
    let order = shop.order();
    let booked = shop.book(&order).await.expect("booked");
    assert_eq!((booked.status, booked.hold_expire_time, booked.paid_time.is_some()), (Status::Paid, None, true));
    assert_eq!(shop.taken().await, 2);
    assert!(matches!(shop.deliver().await, Some(SaleDecision::Recorded(again)) if is(&again) == is(&booked)));
    assert_eq!(is(&shop.now(booked.id).await), is(&booked));
    assert_eq!(is(&shop.book(&order).await.expect("a repeat")), is(&booked));
}

#[tokio::test]
async fn refused_sale_is_rejected_and_releases_its_rooms_for_the_next() {
    let shop = shop(REFUSES).await;
    let order = shop.order();
    for _ in 0..2 {
        assert_eq!(refusal(shop.book(&order).await), Reason::PartnerCreditExceeded);
        let ended = shop.now(order().reservation_id).await;
        assert_eq!((ended.status, ended.cancellation_reason), (Status::Rejected, None));
        assert_eq!(shop.taken().await, 0);
    }
    assert!(matches!(shop.deliver().await, Some(SaleDecision::Refused(_))));
    // The partner has paid and books again.
    shop.answer.store(RECORDS, Ordering::Relaxed);
    assert_eq!(shop.book(&shop.order()).await.expect("booked").status, Status::Paid);
}

#[rstest]
#[case::recorded(RECORDS, Status::Paid, 2)]
#[case::refused(REFUSES, Status::Rejected, 0)]
#[tokio::test]
async fn sale_that_was_not_decided_is_decided_by_the_relay(
    #[case] answer: u8,
    #[case] status: Status,
    #[case] taken: i64,
) {
    let shop = shop(UNAVAILABLE).await;
    let order = shop.order();
    let held = shop.book(&order).await.expect("held");
    assert_eq!((held.status, held.hold_expire_time.is_some()), (Status::PendingPayment, true));
    assert_eq!(shop.taken().await, 2);
    assert!(shop.deliver().await.is_none());
    assert_eq!(is(&shop.now(held.id).await), is(&held));

    shop.answer.store(answer, Ordering::Relaxed);
    assert!(shop.deliver().await.is_some(), "a refusal is delivered, too");
    assert_eq!((shop.now(held.id).await.status, shop.taken().await), (status, taken));
    assert_eq!(shop.book(&order).await.is_ok(), answer == RECORDS);
}

#[tokio::test]
async fn repeat_of_the_request_completes_a_missing_decision() {
    let shop = shop(UNAVAILABLE).await;
    let order = shop.order();
    let held = shop.book(&order).await.expect("held");
    shop.answer.store(RECORDS, Ordering::Relaxed);
    let booked = shop.book(&order).await.expect("booked");
    assert_eq!((booked.id, booked.status), (held.id, Status::Paid));
}

#[tokio::test]
async fn sale_recorded_after_the_hold_expired_is_credited_and_not_revived() {
    let shop = shop(UNAVAILABLE).await;
    let held = shop.book(&shop.order()).await.expect("held");
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    apply(&shop.world.store, held.id, &Command::Expire, later).await.expect("expired");
    shop.answer.store(RECORDS, Ordering::Relaxed);
    assert!(matches!(shop.deliver().await, Some(SaleDecision::Recorded(_))));
    let ended = shop.now(held.id).await;
    assert_eq!(ended.status, Status::Cancelled);
    assert_eq!(ended.cancellation_reason, Some(CancellationReason::HoldExpired));
    assert_eq!(shop.taken().await, 0);
    // This event follows that of the sale, so that the sale is credited whenever it was recorded.
    let (kind, payload): (String, Value) =
        sqlx::query_as("select kind, payload from outbox order by event_id offset 1")
            .fetch_one(shop.world.pool())
            .await
            .expect("the next event");
    assert_eq!((kind.as_str(), &payload["refund_amount"]), ("reservation.cancelled", &json!("100.00")));
    assert_eq!(payload["partner_sale"]["partner"], "client:acme");
}

/// A hold that the partner made for a guest who would pay, and then sells itself.
async fn hold(shop: &Shop) -> ReservationId {
    let now = Timestamp::now();
    let stay = StayDates::new(night(), night().saturating_add(1.days())).expect("a stay");
    let order = crate::model::NewReservation {
        id: ReservationId::generate(hotel_id(HOTEL), now),
        owner: partner().subject,
        ..crate::testing::order_of(lines(room_type(), stay, 1, &quote(TOTAL)), now)
    };
    let made = crate::writer::book_each(&shop.world.store, std::slice::from_ref(&order)).await.expect("decided").pop();
    made.expect("an outcome").expect("booked");
    order.id
}

#[tokio::test]
async fn resumed_hold_of_a_partner_who_collects_is_decided_by_its_credit() {
    let shop = shop(RECORDS).await;
    let resume = async |id| shop.service.resume(&partner(), id, PaymentMode::PartnerCollects, Timestamp::now()).await;
    let sold = hold(&shop).await;
    for _ in 0..2 {
        let resumed = resume(sold).await.expect("recorded");
        assert_eq!((resumed.status, resumed.payment_mode), (Status::Paid, PaymentMode::PartnerCollects));
    }
    let refused = shop.service.resume(&partner(), sold, PaymentMode::GuestPays, Timestamp::now()).await;
    assert_eq!(Problem::from(refused.expect_err("sold")).reason(), Reason::IllegalTransition);

    shop.answer.store(REFUSES, Ordering::Relaxed);
    let refused = hold(&shop).await;
    for _ in 0..2 {
        let error = resume(refused).await.expect_err("refused");
        assert_eq!(Problem::from(error).reason(), Reason::PartnerCreditExceeded);
    }
    assert_eq!((shop.now(refused).await.status, shop.taken().await), (Status::Rejected, 1));
    let guest = Caller { role: Role::Guest, ..partner() };
    let error = shop.service.resume(&guest, sold, PaymentMode::PartnerCollects, Timestamp::now()).await;
    assert_eq!(Problem::from(error.expect_err("no partner")).reason(), Reason::AccessDenied);
}

#[tokio::test]
async fn resumed_hold_is_completed_by_the_relay_after_an_outage() {
    let shop = shop(UNAVAILABLE).await;
    let id = hold(&shop).await;
    let resumed = shop.service.resume(&partner(), id, PaymentMode::PartnerCollects, Timestamp::now()).await;
    assert_eq!(resumed.expect("undecided").status, Status::PendingPayment);
    shop.answer.store(RECORDS, Ordering::Relaxed);
    assert!(matches!(shop.deliver().await, Some(SaleDecision::Recorded(_))));
    assert_eq!(shop.now(id).await.status, Status::Paid);
}
