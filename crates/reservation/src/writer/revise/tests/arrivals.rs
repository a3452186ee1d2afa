//! Changes of rooms whose guests have arrived, and changes that are paid late.

use super::*;
use crate::{
    room_step::RoomStep,
    service::{StepOrder, step_rooms},
};

/// Guests in the house keep their rooms: a change of the other room is possible, one of theirs is not.
#[tokio::test]
async fn room_whose_guests_have_arrived_is_neither_moved_nor_cancelled() {
    let world = hotel(2).await;
    let booking = paid(&world, vec![line(12, 2, 20_000, 30), line(12, 2, 20_000, 30)]).await;
    arrive(&world, &booking, 1).await;
    let both = vec![placed(1, line(14, 2, 20_000, 30)), placed(2, line(14, 2, 20_000, 30))];
    let refused = run(&world.store, booking.id, replace(&booking, both, 0)).await;
    assert!(matches!(refused, Err(ReservationError::CheckedIn)), "{refused:?}");
    let cancel = |position| RevisionCommand::CancelRooms {
        positions: BTreeSet::from([position]),
        content_hash: [2; 32],
        expected_refund: None,
    };
    let refused = run(&world.store, booking.id, cancel(1)).await;
    assert!(matches!(refused, Err(ReservationError::CheckedIn)), "{refused:?}");
    assert_eq!(reserved(&world, 12, 4).await, [2, 2, 0, 0]);
    run(&world.store, booking.id, cancel(2)).await.expect("the other room is cancelled");
    assert_eq!(reserved(&world, 12, 2).await, [1, 1]);
    assert_clean(&world).await;
}

#[tokio::test]
async fn payment_for_more_nights_is_used_once_the_guests_have_arrived_and_refunded_once_the_stay_has_begun_without_them()
 {
    for arrives in [true, false] {
        let world = hotel(1).await;
        let booking = paid(&world, vec![line(12, 1, 10_000, 30)]).await;
        let change = replace(&booking, vec![placed(1, line(12, 2, 20_000, 30))], 0);
        let pending = run(&world.store, booking.id, change).await.expect("held").reservation.pending.expect("pending");
        let begun = booking.quote.terms.cancel_before;
        assert!(pending.expire_time <= begun, "the change ends before the stay begins");
        let now = if arrives { Timestamp::now() } else { begun };
        if arrives {
            arrive(&world, &booking, 1).await;
        }
        let payment = Some((PaymentId::new(), pending.change.balance));
        let confirm = RevisionCommand::Confirm { revision: pending.revision, payment };
        let outcome = revise(&world.store, &command(booking.id, confirm, now)).await.expect("answered").outcome;
        assert_eq!(outcome, if arrives { RevisionOutcome::Changed } else { RevisionOutcome::RefundPayment });
        assert_eq!(reserved(&world, 12, 2).await, [1, 1], "held until the change is applied or given up");
    }
}

/// The rooms that the guests have are not sold while they sleep in them: what they were to have instead goes back.
#[tokio::test]
async fn check_in_gives_up_a_waiting_change_of_the_room_and_keeps_one_of_another() {
    for arrives in [1, 2] {
        let world = hotel(2).await;
        let booking = paid(&world, vec![line(10, 4, 40_000, 30), line(10, 4, 40_000, 30)]).await;
        let moved = placed(1, line(12, 4, 50_000, 30));
        let change = RoomsChange::new(&booking.placed(), vec![2], vec![moved], euros(0)).expect("a change");
        let RevisionCommand::Apply { base, request_id, content_hash, expire_time, limits, .. } =
            replace(&booking, vec![placed(1, line(10, 4, 40_000, 30))], 0)
        else {
            panic!("another command")
        };
        let wait = RevisionCommand::Apply { change, base, request_id, content_hash, expire_time, limits };
        run(&world.store, booking.id, wait).await.expect("held");
        assert_eq!(reserved(&world, 10, 6).await, [2, 2, 2, 2, 1, 1]);
        arrive(&world, &booking, arrives).await;
        let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
        let ends = arrives == 1;
        assert_eq!(after.pending.is_none(), ends);
        assert_eq!(events(&world, CHANGE_DROPPED).await.len(), usize::from(ends));
        assert_clean(&world).await;
        let pay = RevisionCommand::Confirm { revision: 2, payment: Some((PaymentId::new(), euros(10_000))) };
        let paid = run(&world.store, booking.id, pay).await.expect("answered").outcome;
        assert_eq!(paid, if ends { RevisionOutcome::RefundPayment } else { RevisionOutcome::Changed });
        let rooms = if ends { [2, 2, 2, 2, 0, 0] } else { [1, 1, 2, 2, 1, 1] };
        assert_eq!(reserved(&world, 10, 6).await, rooms);
        assert_clean(&world).await;
    }
}

/// As a replica of the release before checks guests in: it leaves the change.
#[tokio::test]
async fn change_that_a_partner_owes_is_given_up_once_the_guests_have_arrived() {
    let world = hotel(1).await;
    let booking = paid(&world, vec![line(10, 4, 40_000, 30)]).await;
    let change = replace(&booking, vec![placed(1, line(12, 4, 50_000, 30))], 0);
    let mut held = run(&world.store, booking.id, change).await.expect("held").reservation;
    held.payment_mode = crate::model::PaymentMode::PartnerCollects;
    let confirm = |held: &Reservation| RevisionPlan::confirm(held, 2, None, None, Timestamp::now()).expect("decided");
    assert!(matches!(confirm(&held), RevisionPlan::Confirm(_)));
    held.lines[0].status = crate::room_status::RoomStatus::InHouse;
    assert!(matches!(confirm(&held), RevisionPlan::GiveUp(_)));
}

pub(super) async fn arrive(world: &World, booking: &Reservation, position: i16) {
    let order = StepOrder { positions: &[position.into()], ..StepOrder::all(RoomStep::CheckIn) };
    let today = booking.lines[0].stay.check_in();
    step_rooms(&world.store, booking.id, order, today, "staff").await.expect("checked in");
}
