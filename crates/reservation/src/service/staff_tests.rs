//! Staff book for callers and walk-ins, and waive penalties (PARTNER-SPEC 10 and 6, rule 13), with a real database.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_mesh::{Caller, Problem, Reason};
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use staymesh_testkit::TestDatabase;

use super::{
    BookingRequest, BookingService,
    testing::{guest, hotel_in, id, service, staff},
};
use crate::{
    clients::MockRateClient,
    error::ReservationError,
    lifecycle::{ByHotel, Command, Waiver},
    model::{CancellationReason, Guest, PaymentMode, Reservation, Status},
    offer_token::Offer,
    quote::tests::{euros, quote},
    testing::{hotel_id, lines},
};

struct Desk {
    service: BookingService,
    offer: Offer,
    database: TestDatabase,
}

/// A hotel with an offer that its staff made for a room of 100.00.
async fn desk() -> Desk {
    let (service, request, database) = service(hotel_in("Etc/UTC"), MockRateClient::new()).await;
    let now = Timestamp::now();
    let reservation_id = ReservationId::generate(hotel_id(7), now);
    let mut rooms = lines(id(1), request.stay, 1, &quote(10_000));
    // Not refundable.
    rooms[0].quote.terms.deadlines.retain(|deadline| deadline.until.is_none());
    rooms[0].quote.terms.deadlines.iter_mut().for_each(|deadline| deadline.penalty = euros(10_000));
    Desk { service, offer: Offer::new(reservation_id, "hotel:7".into(), rooms, now), database }
}

fn origin() -> Origin {
    Origin {
        role: ActorRole::Staff,
        actor: "user:staff".into(),
        method: "staymesh.reservation.v1.ReservationService/CreateReservation".into(),
        request_id: "r".into(),
        gateway: Gateway::Internal,
    }
}

impl Desk {
    async fn book(&self, caller: &Caller, email: &str) -> Result<Reservation, ReservationError> {
        let request = BookingRequest {
            reservation_id: self.offer.reservation_id,
            offer_token: self.service.offers.sign(&self.offer).expect("signed"),
            guest: Guest { full_name: "A walk-in".into(), email: email.into() },
            payment_mode: PaymentMode::GuestPays,
            client_reference: None,
            hold: None,
            room_guests: vec![],
            source: None,
        };
        Origin::scope(Some(origin()), self.service.create(caller, request, Timestamp::now())).await
    }

    /// A paid booking without an e-mail address.
    async fn paid(&self) -> Reservation {
        let booking = self.book(&staff(7), "").await.expect("booked");
        let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: booking.quote.total };
        self.service.on_payment(booking.id, pay, Timestamp::now()).await.expect("paid").reservation
    }

    async fn waive(&self, caller: &Caller, keep: i64, reason: &str) -> Result<Reservation, ReservationError> {
        let waiver = Waiver { keep: euros(keep), reason: reason.into() };
        let cancel = self.service.cancel_waiving(caller, self.offer.reservation_id, waiver, None, Timestamp::now());
        Origin::scope(Some(origin()), cancel).await
    }

    /// Types of the audited objects, in order.
    async fn audited(&self) -> Vec<String> {
        sqlx::query_scalar("select object_type from audit_record order by audit_id")
            .fetch_all(self.database.pool())
            .await
            .expect("records")
    }

    /// The refunds that the payment service is told of.
    async fn refunds(&self) -> Vec<String> {
        sqlx::query_scalar("select payload ->> 'refund_amount' from outbox where kind = 'reservation.cancelled'")
            .fetch_all(self.database.pool())
            .await
            .expect("events")
    }
}

fn reason(refused: Result<Reservation, ReservationError>) -> Reason {
    Problem::from(refused.expect_err("refused")).reason()
}

#[tokio::test]
async fn booking_of_staff_belongs_to_the_hotel_needs_no_email_and_is_audited_once() {
    let desk = desk().await;
    let booked = desk.book(&staff(7), "").await.expect("booked");
    assert_eq!((booked.owner.as_str(), booked.guest.email.as_str()), ("hotel:7", ""));
    assert_eq!((booked.status, booked.hold_expire_time.is_some()), (Status::PendingPayment, true));
    // A colleague repeats the request.
    let colleague = Caller { subject: "user:colleague".into(), ..staff(7) };
    assert_eq!(desk.book(&colleague, "").await.expect("a repeat").id, booked.id);
    assert_eq!(reason(desk.book(&colleague, "other@example.com").await), Reason::ReservationIdReused);
    assert_eq!(desk.audited().await, ["reservation"]);
    let owned = desk.service.get(&colleague, booked.id).await.map(|found| found.id);
    assert_eq!(owned.expect("their hotel's"), booked.id);
}

#[tokio::test]
async fn offer_of_staff_is_of_no_use_to_others() {
    let desk = desk().await;
    for other in [staff(8), guest("user:1"), guest("hotel:8")] {
        assert_eq!(reason(desk.book(&other, "a@example.com").await), Reason::OfferTampered, "{}", other.subject);
    }
    let refused = desk.book(&staff(7), "").await.map(|booking| booking.status);
    assert_eq!(refused.expect("the hotel's own"), Status::PendingPayment);
}

#[tokio::test]
async fn waiver_refunds_the_rest_is_audited_and_a_repeat_is_compared_with_the_whole_of_it() {
    let desk = desk().await;
    desk.paid().await;
    assert_eq!(reason(desk.waive(&staff(8), 2_000, "illness").await), Reason::ReservationNotFound);
    assert_eq!(reason(desk.waive(&staff(7), 10_001, "illness").await), Reason::InvalidField);
    assert!(desk.refunds().await.is_empty());
    let cancelled = desk.waive(&staff(7), 2_000, "illness").await.expect("cancelled");
    assert_eq!(cancelled.status, Status::Cancelled);
    assert_eq!(desk.waive(&staff(7), 2_000, "illness").await.expect("a repeat").version, cancelled.version);
    assert_eq!(reason(desk.waive(&staff(7), 0, "illness").await), Reason::IllegalTransition);
    assert_eq!(reason(desk.waive(&staff(7), 2_000, "weather").await), Reason::IllegalTransition);
    assert_eq!(desk.refunds().await, ["80.00"]);
    assert_eq!(desk.audited().await, ["reservation", "reservation", "cancellation_waiver"]);
    let shown: String = sqlx::query_scalar("select string_agg(audit_record::text, ' ') from audit_record")
        .fetch_one(desk.database.pool())
        .await
        .expect("records");
    assert!(!shown.contains("illness") && shown.contains("policy_minor"), "{shown}");
    let stored: (i64, i64, String) = sqlx::query_as("select kept_minor, policy_minor, reason from cancellation_waiver")
        .fetch_one(desk.database.pool())
        .await
        .expect("a waiver");
    assert_eq!(stored, (2_000, 10_000, "illness".into()));
}

/// PARTNER-SPEC 6, edge cases: a full refund, and a reason of its own.
#[tokio::test]
async fn hotel_cancels_with_a_full_refund_until_the_check_out_date_is_over_and_a_repeat_is_compared() {
    let desk = desk().await;
    let booking = desk.paid().await;
    let other = |hotel| Some(ReservationId::generate(hotel_id(hotel), Timestamp::now()));
    let why = |reason: &str, relocated_to| ByHotel { reason: reason.into(), relocated_to };
    let cancel = async |by: &Caller, why: ByHotel, now| {
        Origin::scope(Some(origin()), desk.service.cancel_by_hotel(by, booking.id, why, None, now)).await
    };
    let last_day = booking.stay.check_out().at(23, 59, 59, 0).to_zoned(jiff::tz::TimeZone::UTC).expect("a time");
    let (last_moment, relocated_to) = (last_day.timestamp(), other(8));
    let overbooked = why("overbooked by a group", relocated_to);
    let (by, late) = (staff(7), last_moment + SignedDuration::from_secs(1));
    assert_eq!(reason(cancel(&staff(8), overbooked.clone(), last_moment).await), Reason::ReservationNotFound);
    assert_eq!(reason(cancel(&by, why("overbooked", other(7)), last_moment).await), Reason::InvalidField);
    assert_eq!(reason(cancel(&by, overbooked.clone(), late).await), Reason::IllegalTransition);
    assert!(desk.refunds().await.is_empty());
    let cancelled = cancel(&by, overbooked.clone(), last_moment).await.expect("cancelled");
    assert_eq!(
        (cancelled.status, cancelled.cancellation_reason),
        (Status::Cancelled, Some(CancellationReason::ByHotel))
    );
    assert_eq!(cancel(&by, overbooked, late).await.expect("a repeat").version, cancelled.version);
    for changed in [why("closed", relocated_to), why("overbooked by a group", None)] {
        assert_eq!(reason(cancel(&by, changed, last_moment).await), Reason::IllegalTransition);
    }
    assert_eq!(desk.refunds().await, ["100.00"]);
    assert_eq!(desk.audited().await, ["reservation", "reservation", "hotel_cancellation"]);
    let shown: String = sqlx::query_scalar("select string_agg(audit_record::text, ' ') from audit_record")
        .fetch_one(desk.database.pool())
        .await
        .expect("records");
    assert!(!shown.contains("by a group") && shown.contains("cancelled_by_hotel"), "{shown}");
}

/// Cancellations with different waivers, and without one, race: one takes effect, and the money follows that one.
#[tokio::test]
async fn cancellations_with_and_without_waivers_that_race_refund_once() {
    let desk = desk().await;
    let booking = desk.paid().await;
    let by = staff(7);
    let race = (0..12_i64).map(async |number| match number % 4 {
        0 => desk.service.cancel(&by, booking.id, None, Timestamp::now()).await.map(|_| None),
        keep => desk.waive(&by, keep * 1_000, "illness").await.map(|_| Some(keep * 1_000)),
    });
    let outcomes = join_all(race).await;
    let refunds = desk.refunds().await;
    assert_eq!(refunds.len(), 1);
    let kept = 10_000 - Money::parse("EUR", &refunds[0]).expect("an amount").minor();
    // A plain cancellation repeats any other; a waiver only itself.
    for outcome in outcomes {
        match outcome {
            Ok(Some(keep)) => assert_eq!(keep, kept),
            Ok(None) => {}
            Err(error) => assert!(matches!(error, ReservationError::IllegalTransition { .. }), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn unpaid_booking_cannot_be_waived_and_expires_as_any_hold() {
    let desk = desk().await;
    let booking = desk.book(&staff(7), "").await.expect("booked");
    assert_eq!(reason(desk.waive(&staff(7), 0, "illness").await), Reason::InvalidField);
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let expired = desk.service.on_payment(booking.id, Command::Expire, later).await.expect("expired").reservation;
    assert_eq!(expired.status, Status::Cancelled);
}
