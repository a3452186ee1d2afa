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

pub(super) async fn arrive(world: &World, booking: &Reservation, position: i16) {
    let order = StepOrder { positions: &[position.into()], ..StepOrder::all(RoomStep::CheckIn) };
    let today = booking.lines[0].stay.check_in();
    step_rooms(&world.store, booking.id, order, today, "staff").await.expect("checked in");
}
