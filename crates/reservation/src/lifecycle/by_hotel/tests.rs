//! What a hotel cancels is refunded in full, whatever the terms keep.

use jiff::Timestamp;
use rstest::rstest;
use staymesh_domain::{PaymentId, StayDates};

use super::*;
use crate::{
    lifecycle::{Command, decide},
    model::PaymentMode,
    quote::tests::{euros, quote},
    room_status::RoomStatus,
    testing::{lines, order_of, reservation_of, room_type},
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A room of 300.00 that is not refundable.
fn booking(status: Status, cancellation_reason: Option<CancellationReason>) -> Reservation {
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let mut rooms = lines(room_type(), stay, 1, &quote(30_000));
    rooms[0].quote.terms.deadlines.retain(|deadline| deadline.until.is_none());
    rooms[0].quote.terms.deadlines.iter_mut().for_each(|deadline| deadline.penalty = euros(30_000));
    let booked = at("2029-12-01T12:00:00Z");
    let payment_id = (status != Status::PendingPayment).then(PaymentId::new);
    Reservation { status, cancellation_reason, payment_id, ..reservation_of(&order_of(rooms, booked), booked) }
}

fn cancelled(booking: &Reservation, expected: Option<i64>) -> Result<Decision, ReservationError> {
    let why = ByHotel { reason: "overbooked by a group".into(), relocated_to: None };
    // A guest could not cancel any more.
    decide(booking, &Command::CancelByHotel(why, expected.map(euros)), at("2030-01-02T20:00:00Z"))
}

#[rstest]
#[case::paid(Status::Paid, PaymentMode::GuestPays, 30_000)]
#[case::owed_by_a_partner(Status::Paid, PaymentMode::PartnerCollects, 30_000)]
#[case::unpaid(Status::PendingPayment, PaymentMode::GuestPays, 0)]
fn all_is_refunded_and_nothing_is_kept(#[case] status: Status, #[case] payment_mode: PaymentMode, #[case] refund: i64) {
    let booking = Reservation { payment_mode, ..booking(status, None) };
    let Ok(Decision::Change(change)) = cancelled(&booking, Some(refund)) else { panic!("it is cancelled") };
    assert_eq!((change.status, change.cancellation_reason), (Status::Cancelled, Some(CancellationReason::ByHotel)));
    // A late payment of an unpaid one is refunded in full, too.
    assert_eq!((change.settle, change.rooms), (Some(euros(30_000)), Rooms::Release));
    let other = cancelled(&booking, Some(12_345));
    assert!(matches!(other, Err(ReservationError::CancelTermsChanged { refund: due }) if due == euros(refund)));
}

#[rstest]
#[case(Status::Cancelled, Some(CancellationReason::Requested))]
#[case(Status::Cancelled, Some(CancellationReason::HoldExpired))]
#[case(Status::Refunded, Some(CancellationReason::NoShow))]
#[case(Status::Rejected, None)]
fn what_ended_otherwise_is_not_cancelled_by_the_hotel(
    #[case] status: Status,
    #[case] reason: Option<CancellationReason>,
) {
    let refused = cancelled(&booking(status, reason), None);
    assert!(matches!(refused, Err(ReservationError::IllegalTransition { .. })), "{refused:?}");
}

#[test]
fn repeat_changes_nothing_and_guests_who_arrived_stay() {
    for status in [Status::Cancelled, Status::Refunded] {
        let ended = booking(status, Some(CancellationReason::ByHotel));
        assert_eq!(cancelled(&ended, Some(1)).expect("a repeat"), Decision::Nothing);
    }
    let mut arrived = booking(Status::Paid, None);
    arrived.lines[0].status = RoomStatus::InHouse;
    assert!(matches!(cancelled(&arrived, None), Err(ReservationError::CheckedIn)));
    let why = ByHotel { reason: "overbooked by a group".into(), relocated_to: None };
    assert!(!format!("{why:?}").contains("group"));
}
