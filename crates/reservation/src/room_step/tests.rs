//! Which rooms a step changes, by status and by date.

use jiff::{Timestamp, civil::date};
use rstest::rstest;
use staymesh_domain::StayDates;

use super::*;
use crate::testing::{lines, order_of, reservation_of, room_type, total};

/// Two rooms from 12 to 15 January, paid; the second arrives a day later.
fn booking() -> Reservation {
    let now = Timestamp::UNIX_EPOCH;
    let stay = StayDates::parse("2030-01-12", "2030-01-15").expect("a stay");
    let mut lines = lines(room_type(), stay, 2, &crate::quote::tests::quote(total().minor()));
    lines[1].stay = StayDates::parse("2030-01-13", "2030-01-15").expect("a stay");
    Reservation { status: Status::Paid, ..reservation_of(&order_of(lines, now), now) }
}

fn changed(booking: &Reservation, step: RoomStep, positions: &[i32], day: i8) -> Result<Vec<i32>, ReservationError> {
    let arrivals = BTreeMap::from([(1, date(2030, 1, 12))]);
    changed_rooms(booking, step, positions, date(2030, 1, day), &arrivals)
}

#[rstest]
#[case(11, None)]
#[case(12, Some(vec![1]))]
#[case(13, Some(vec![1, 2]))]
#[case(14, Some(vec![1, 2]))]
#[case(15, None)]
fn check_in_is_possible_from_arrival_until_the_last_night(#[case] day: i8, #[case] expected: Option<Vec<i32>>) {
    let outcome = changed(&booking(), RoomStep::CheckIn, &[], day);
    match expected {
        Some(rooms) => assert_eq!(outcome.expect("in time"), rooms),
        None => assert!(matches!(outcome, Err(ReservationError::CheckInOutOfTime { .. })), "{outcome:?}"),
    }
}

#[test]
fn check_in_of_a_named_room_before_its_own_arrival_is_refused() {
    let refused = changed(&booking(), RoomStep::CheckIn, &[1, 2], 12).expect_err("the second arrives on the 13th");
    let ReservationError::CheckInOutOfTime { from, until, today } = refused else { panic!("{refused:?}") };
    assert_eq!((from, until, today), (date(2030, 1, 13), date(2030, 1, 15), date(2030, 1, 12)));
}

#[test]
fn undo_is_possible_on_the_day_of_check_in_only() {
    let mut booking = booking();
    booking.lines[0].status = RoomStatus::InHouse;
    assert_eq!(changed(&booking, RoomStep::UndoCheckIn, &[1], 12).expect("the same day"), [1]);
    let late = changed(&booking, RoomStep::UndoCheckIn, &[1], 13);
    assert!(matches!(late, Err(ReservationError::CheckInOutOfTime { .. })), "{late:?}");
}

#[test]
fn repeated_step_changes_nothing_and_unknown_rooms_are_refused() {
    let mut booking = booking();
    booking.lines[0].status = RoomStatus::InHouse;
    assert_eq!(changed(&booking, RoomStep::CheckIn, &[1, 1], 12).expect("a repeat"), [0; 0]);
    assert_eq!(changed(&booking, RoomStep::CheckOut, &[1, 1], 13).expect("once"), [1]);
    assert!(matches!(changed(&booking, RoomStep::CheckIn, &[3], 12), Err(ReservationError::Field(_))));
    booking.lines[0].status = RoomStatus::Completed;
    let refused = changed(&booking, RoomStep::CheckIn, &[1], 12);
    assert!(matches!(refused, Err(ReservationError::IllegalRoomTransition { .. })), "{refused:?}");
    booking.status = Status::PendingPayment;
    let refused = changed(&booking, RoomStep::CheckIn, &[1], 12);
    assert!(matches!(refused, Err(ReservationError::IllegalTransition { .. })), "{refused:?}");
}
