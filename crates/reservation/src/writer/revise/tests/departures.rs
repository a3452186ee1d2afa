//! Guests who leave early.

use staymesh_domain::{EarlyDeparture as Rule, Penalty, PenaltyBase};

use super::{arrivals::arrive, *};
use crate::{lifecycle::Waiver, quote::Night as PricedNight, room_status::RoomStatus};

/// A room from night 10 to 14 at 100.00 each; of nights not slept so much is kept.
fn four_nights(penalty: Penalty) -> RoomLine {
    let mut line = line(10, 4, 40_000, 100);
    line.quote.nights = line.stay.nights().map(|date| PricedNight { date, price: euros(10_000) }).collect();
    line.quote.terms.early_departure = Rule { penalty, base: PenaltyBase::WithTaxes };
    line
}

/// Its guests are in the house; the first of nights not slept is kept.
async fn in_house(world: &World) -> Reservation {
    let booking = paid(world, vec![four_nights(Penalty::Nights(1))]).await;
    arrive(world, &booking, 1).await;
    booking
}

fn leave(day: i32, waiver: Option<Waiver>) -> RevisionCommand {
    let today = first().saturating_add(day.days());
    RevisionCommand::DepartEarly {
        departure: EarlyDeparture { positions: BTreeSet::new(), today, waiver },
        request_id: Uuid::new_v4(),
        content_hash: [3; 32],
        expected_refund: None,
    }
}

/// PARTNER-SPEC 10, example 4: 4 nights paid 400.00, left on 12: 100.00 are kept, 100.00 refunded, 200.00 earned.
#[tokio::test]
async fn nights_from_today_on_go_back_on_sale_and_one_is_kept() {
    let world = hotel(1).await;
    let booking = in_house(&world).await;
    let order = leave(12, None);
    let left = run(&world.store, booking.id, order.clone()).await.expect("left").reservation;
    assert_eq!(reserved(&world, 10, 4).await, [1, 1, 0, 0]);
    assert_eq!((left.quote.total, left.retained), (euros(20_000), euros(10_000)));
    assert_eq!((left.stay, left.lines[0].status), (stay(10, 2), RoomStatus::Completed));
    assert_eq!((left.status, left.revision), (crate::model::Status::Paid, 2));
    let settled = events(&world, CHANGE_APPLIED).await;
    assert_eq!(
        (settled.len(), &settled[0]["refund_amount"], &settled[0]["revision"]),
        (1, &"100.00".into(), &2.into())
    );
    let revisions = world.store.revisions(booking.id, 1, 10).await.expect("revisions");
    assert_eq!((revisions[0].reason.as_str(), revisions[0].total), ("left_early", euros(30_000)));
    assert_clean(&world).await;

    let again = run(&world.store, booking.id, order.clone()).await.expect("a repeat");
    assert_eq!((again.outcome, again.reservation.revision), (RevisionOutcome::Nothing, 2));
    let RevisionCommand::DepartEarly { departure, request_id, .. } = order else { panic!("another command") };
    let other = RevisionCommand::DepartEarly { departure, request_id, content_hash: [4; 32], expected_refund: None };
    let reused = run(&world.store, booking.id, other).await;
    assert!(matches!(reused, Err(ReservationError::RequestIdReused)), "{reused:?}");
}

#[tokio::test]
async fn departure_is_refused_with_another_refund_than_expected_and_before_arrival() {
    let world = hotel(1).await;
    let booking = in_house(&world).await;
    let RevisionCommand::DepartEarly { departure, request_id, content_hash, .. } = leave(12, None) else { panic!() };
    let expected_refund = Some(euros(20_000));
    let order = RevisionCommand::DepartEarly { departure, request_id, content_hash, expected_refund };
    match run(&world.store, booking.id, order).await {
        Err(ReservationError::CancelTermsChanged { refund }) => assert_eq!(refund, euros(10_000)),
        other => panic!("{other:?}"),
    }
    let waived = Waiver { keep: euros(10_001), reason: "goodwill".into() };
    assert!(matches!(run(&world.store, booking.id, leave(12, Some(waived))).await, Err(ReservationError::Field(_))));
    let waived = Waiver { keep: euros(0), reason: "goodwill".into() };
    let left = run(&world.store, booking.id, leave(12, Some(waived))).await.expect("left").reservation;
    assert_eq!(left.retained, euros(0));
    let stored: (i64, i64, String) = sqlx::query_as("select kept_minor, policy_minor, reason from departure_waiver")
        .fetch_one(world.database.pool())
        .await
        .expect("one waiver");
    assert_eq!(stored, (0, 10_000, "goodwill".into()));
    let waiting = paid(&world, vec![line(12, 2, 20_000, 30)]).await;
    let refused = run(&world.store, waiting.id, leave(12, None)).await;
    assert!(matches!(refused, Err(ReservationError::IllegalRoomTransition { .. })), "{refused:?}");
    assert_clean(&world).await;
}

/// Each of two rooms of the hotel is left and booked again at once: no night is sold twice, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn departures_race_each_other_and_bookings_of_their_nights() {
    let world = std::sync::Arc::new(hotel(1).await);
    let booking = in_house(&world).await;
    let leaves = (0..4).map(|_| {
        let (world, id) = (world.clone(), booking.id);
        tokio::spawn(async move { run(&world.store, id, leave(12, None)).await.expect("answered").outcome })
    });
    let leaves: Vec<_> = leaves.collect();
    let books = (0..4).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            let order = order(vec![line(12, 2, 20_000, 30)]);
            book_each(&world.store, std::slice::from_ref(&order)).await.expect("answered").pop().expect("one").is_ok()
        })
    });
    let books: Vec<_> = books.collect();
    let mut changed = 0;
    for outcome in leaves {
        changed += usize::from(outcome.await.expect("no panic") == RevisionOutcome::Changed);
    }
    let mut booked = 0;
    for outcome in books {
        booked += i32::from(outcome.await.expect("no panic"));
    }
    assert_eq!(changed, 1, "the guests leave once");
    assert!(booked <= 1, "their nights are sold once at most");
    assert_eq!(reserved(&world, 10, 4).await, [1, 1, booked, booked]);
    assert_eq!(events(&world, CHANGE_APPLIED).await.len(), 1);
    assert_clean(&world).await;
}

/// Guests who were checked out before their last night leave no night sold, and what is expected counts.
#[tokio::test]
async fn departure_after_check_out_gives_the_nights_back_and_refuses_what_nothing_is_left_for() {
    let world = hotel(1).await;
    let booking = in_house(&world).await;
    let out = crate::service::StepOrder::all(crate::room_step::RoomStep::CheckOut);
    crate::service::step_rooms(&world.store, booking.id, out, stay(12, 1).check_in(), "staff")
        .await
        .expect("checked out");
    let left = run(&world.store, booking.id, leave(12, None)).await.expect("left").reservation;
    assert_eq!(reserved(&world, 10, 4).await, [1, 1, 0, 0]);
    assert_eq!((left.stay, left.retained), (stay(10, 2), euros(10_000)));
    let again = run(&world.store, booking.id, leave(12, None)).await.expect("nothing is left");
    assert_eq!(again.outcome, RevisionOutcome::Nothing);
    let RevisionCommand::DepartEarly { departure, request_id, content_hash, .. } = leave(12, None) else { panic!() };
    let expected_refund = Some(euros(10_000));
    let order = RevisionCommand::DepartEarly { departure, request_id, content_hash, expected_refund };
    match run(&world.store, booking.id, order).await {
        Err(ReservationError::CancelTermsChanged { refund }) => assert_eq!(refund, euros(0)),
        other => panic!("{other:?}"),
    }
    assert_clean(&world).await;
}

/// Guests in room 1 until 12, who were to move to room 2 until 14, leave on 11.
#[tokio::test]
async fn departure_drops_a_named_room_to_which_the_guests_were_to_move() {
    let world = hotel(1).await;
    let nights = |from: i32| {
        let mut line = line(from, 2, 20_000, 100);
        line.quote.nights = line.stay.nights().map(|date| PricedNight { date, price: euros(10_000) }).collect();
        line.quote.terms.early_departure = Rule { penalty: Penalty::Percent(5_000), base: PenaltyBase::WithTaxes };
        line
    };
    let booking = paid(&world, vec![nights(10), nights(12)]).await;
    let both = || {
        let RevisionCommand::DepartEarly { departure, request_id, content_hash, expected_refund } = leave(11, None)
        else {
            panic!()
        };
        let departure = EarlyDeparture { positions: [1, 2].into(), ..departure };
        RevisionCommand::DepartEarly { departure, request_id, content_hash, expected_refund }
    };
    let refused = run(&world.store, booking.id, both()).await;
    assert!(matches!(refused, Err(ReservationError::IllegalRoomTransition { .. })), "no guest has come: {refused:?}");
    arrive(&world, &booking, 1).await;
    let left = run(&world.store, booking.id, both()).await.expect("left").reservation;
    assert_eq!(reserved(&world, 10, 4).await, [1, 0, 0, 0]);
    assert_eq!((left.positions, left.stay, left.retained), (vec![1], stay(10, 1), euros(15_000)));
    assert_eq!(events(&world, CHANGE_APPLIED).await[0]["refund_amount"], "150.00");
    assert_clean(&world).await;
}

/// A change that waits for its payment ends with the departure, and gives back what it held.
#[tokio::test]
async fn departure_gives_up_a_change_that_waits_for_its_payment() {
    let world = hotel(1).await;
    let booking = paid(&world, vec![four_nights(Penalty::Full)]).await;
    run(&world.store, booking.id, replace(&booking, vec![placed(1, line(10, 5, 50_000, 100))], 0)).await.expect("held");
    arrive(&world, &booking, 1).await;
    assert_eq!(reserved(&world, 10, 5).await, [1, 1, 1, 1, 1]);
    let left = run(&world.store, booking.id, leave(11, None)).await.expect("left").reservation;
    assert_eq!(reserved(&world, 10, 5).await, [1, 0, 0, 0, 0]);
    assert_eq!((left.pending, left.revision, left.retained), (None, 3, euros(30_000)));
    assert_eq!(events(&world, CHANGE_DROPPED).await.len(), 1);
    assert_clean(&world).await;
}
