//! What a plan says of the reservation afterwards is what the statements write: the model of the protocol relies on it.

use super::*;
use crate::protocol::{self, AppliedChanges, Message, Revise};

/// What the rules read of a reservation, but for its times and its version, which the database writes.
fn agreed(booking: &Reservation) -> String {
    let pending = booking.pending.as_ref().map(|pending| (pending.revision, &pending.change, &pending.held));
    let dropped: Vec<_> = booking.dropped.iter().map(|room| (room.position, room.line.stay)).collect();
    format!(
        "{:?}",
        (booking.revision, booking.status, booking.placed(), dropped, booking.stay, &booking.quote, booking.retained)
    ) + &format!("{:?}", (pending, booking.payment_id))
}

async fn settled(world: &World) -> usize {
    events(world, CHANGE_APPLIED).await.len() + events(world, CHANGE_DROPPED).await.len()
}

/// What is planned for a command, and what it did to the database.
async fn compare(
    world: &World,
    booking: &Reservation,
    command: RevisionCommand,
    applied: &AppliedChanges,
) -> Reservation {
    let revise_it = match command.clone() {
        RevisionCommand::Apply { change, base, expire_time, .. } => Revise::Apply { change, base, expire_time },
        RevisionCommand::CancelRooms { positions, .. } => Revise::CancelRooms(positions),
        RevisionCommand::Confirm { revision, payment } => Revise::Confirm(revision, payment),
        RevisionCommand::Drop { revision } | RevisionCommand::Refuse { revision, .. } => Revise::GiveUp(revision),
        RevisionCommand::DepartEarly { .. } => panic!("is tested by departures"),
    };
    let (before, events_before) = (reserved(world, 0, 8).await, settled(world).await);
    let planned = protocol::revise(booking, &revise_it, applied, Timestamp::now(), |_| 9).expect("planned");
    let written = run(&world.store, booking.id, command).await.expect("written");
    assert_eq!(agreed(&planned.reservation), agreed(&written.reservation));
    assert_eq!(planned.refund_required, written.outcome == RevisionOutcome::RefundPayment);
    let first_day = crate::night::day_of(first());
    let change = |night: i32| planned.rooms.get(&(HOTEL, room_type().get(), first_day + night)).copied().unwrap_or(0);
    let expected: Vec<i32> = (0..8).zip(&before).map(|(night, rooms)| rooms + change(night)).collect();
    assert_eq!(reserved(world, 0, 8).await, expected);
    let of_changes = |message: &&Message| matches!(message, Message::ChangeSettled { .. });
    assert_eq!(settled(world).await - events_before, planned.messages.iter().filter(of_changes).count());
    written.reservation
}

#[tokio::test]
async fn planned_reservation_rooms_and_events_are_what_the_database_has() {
    let world = hotel(9).await;
    let booked = paid(&world, vec![line(0, 1, 10_000, 30), line(1, 2, 20_000, 30)]).await;
    let (none, payment) = (AppliedChanges::new(), Some((PaymentId::new(), euros(5_000))));
    let dearer = |booking: &Reservation, night: i32| {
        let rooms = vec![placed(1, line(night, 1, 15_000, 30)), placed(2, line(1, 2, 20_000, 30))];
        replace(booking, rooms, 0)
    };
    let held = compare(&world, &booked, dearer(&booked, 3), &none).await;
    let dropped = compare(&world, &held, RevisionCommand::Drop { revision: 2 }, &none).await;
    let late = RevisionCommand::Confirm { revision: 2, payment };
    let dropped = compare(&world, &dropped, late, &none).await;
    let held = compare(&world, &dropped, dearer(&dropped, 4), &none).await;
    let confirm = RevisionCommand::Confirm { revision: 3, payment };
    let moved = compare(&world, &held, confirm.clone(), &none).await;
    let applied = AppliedChanges::from([(3, payment.map(|(id, _)| id))]);
    let moved = compare(&world, &moved, confirm, &applied).await;
    let cheaper = vec![placed(1, line(5, 1, 9_000, 30)), placed(2, line(1, 2, 20_000, 30))];
    let swapped = compare(&world, &moved, replace(&moved, cheaper, 1_000), &applied).await;
    let cancel = |position| RevisionCommand::CancelRooms {
        positions: [position].into(),
        content_hash: [2; 32],
        expected_refund: None,
    };
    let one_room = compare(&world, &swapped, cancel(2), &applied).await;
    compare(&world, &one_room, cancel(2), &applied).await;

    // A reservation that ends gives its pending change up.
    let held = run(&world.store, one_room.id, replace(&one_room, vec![placed(1, line(6, 1, 15_000, 30))], 0)).await;
    let held = held.expect("held").reservation;
    let planned = protocol::carry_out(&held, Command::Cancel, Timestamp::now(), |_| 9).expect("planned");
    let ended = apply(&world.store, held.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled").reservation;
    let of = |booking: &Reservation| (booking.revision, booking.status, booking.pending.clone(), booking.retained);
    assert_eq!(of(&planned.reservation), of(&ended));
    assert_eq!(planned.rooms.values().sum::<i32>(), -2);
    let [Message::ChangeSettled { revision: 6, dropped: true, .. }, Message::Ended(end)] = planned.messages[..] else {
        panic!("{:?}", planned.messages)
    };
    assert_eq!(end.refund, euros(9_000));
    assert_eq!(reserved(&world, 0, 8).await, [0; 8]);
    assert_clean(&world).await;
}
