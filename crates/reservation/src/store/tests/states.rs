//! Statuses: repeated and late commands, and what the database refuses by itself.

use std::collections::BTreeSet;

use super::*;
use crate::lifecycle::Transition;

#[tokio::test]
async fn repeated_cancel_releases_rooms_once() {
    let world = Arc::new(World::with_rooms(10).await);
    let booking = world.book(&world.order(0, 2, 3)).await.expect("booked");
    let cancels = (0..20).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.apply(booking.id, Command::Cancel, Timestamp::now()).await })
    });
    for outcome in join_all(cancels).await {
        assert_eq!(outcome.expect("no panic").expect("cancelled").reservation.status, Status::Cancelled);
    }
    assert_eq!(world.reserved().await, [0; 10]);
    assert_eq!(world.count("select count(*) from outbox").await, 1);
    assert_eq!(world.count("select count(*) from reservation_transition").await, 2);
}

#[tokio::test]
async fn late_payment_retakes_rooms_or_requires_refund() {
    let world = World::with_rooms(1).await;
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let confirm = |payment_id| Command::ConfirmPayment { payment_id, amount: total() };

    let first = world.book(&world.order(0, 2, 1)).await.expect("booked");
    let expired = world.apply(first.id, Command::Expire, later).await.expect("expires").reservation;
    assert_eq!(expired.status, Status::Cancelled);
    assert_eq!(world.reserved().await[..2], [0, 0]);
    let paid = world.apply(first.id, confirm(PaymentId::new()), later).await.expect("retaken");
    assert_eq!((paid.reservation.status, paid.refund_required), (Status::Paid, false));
    assert_eq!(world.reserved().await[..2], [1, 1]);

    world.set_inventory(0, 2, 2, 0).await.expect("inventory");
    let second = world.book(&world.order(0, 2, 1)).await.expect("booked");
    world.apply(second.id, Command::Expire, later).await.expect("expires");
    world.book(&world.order(1, 2, 1)).await.expect("another reservation takes a night");
    let payment_id = PaymentId::new();
    for _ in 0..2 {
        let late = world.apply(second.id, confirm(payment_id), later).await.expect("decided");
        assert_eq!((late.reservation.status, late.refund_required), (Status::Cancelled, true));
    }
    assert_eq!(world.reserved().await[..2], [1, 2]);
    let refund = Command::ConfirmRefund { payment_id, amount: total() };
    let refunded = world.apply(second.id, refund, later).await.expect("refunded").reservation;
    assert_eq!(refunded.status, Status::Refunded);
}

#[tokio::test]
async fn statements_write_what_the_decision_makes_of_a_reservation() {
    let world = World::with_rooms(10).await;
    let (payment_id, later) = (PaymentId::new(), Timestamp::now() + SignedDuration::from_mins(16));
    let confirm = |payment_id| Command::ConfirmPayment { payment_id, amount: total() };
    let refund = Command::ConfirmRefund { payment_id, amount: total() };
    for commands in [
        vec![Command::Expire, confirm(payment_id), Command::Cancel, refund.clone()],
        vec![Command::Cancel, confirm(payment_id), confirm(PaymentId::new()), refund],
        vec![Command::RejectPayment],
    ] {
        let mut booking = world.book(&world.order(0, 2, 1)).await.expect("booked");
        for command in commands {
            let decided = crate::protocol::carry_out(&booking, command.clone(), later, |_| 10).expect("decided");
            let applied = world.apply(booking.id, command, later).await.expect("applied");
            let rules = |booking: &Reservation| {
                let (reason, held) = (booking.cancellation_reason, booking.hold_expire_time);
                (booking.status, reason, booking.payment_id, booking.paid_time.is_some(), held)
            };
            assert_eq!(rules(&decided.reservation), rules(&applied.reservation));
            assert_eq!(decided.refund_required, applied.refund_required);
            booking = applied.reservation;
        }
    }
}

#[tokio::test]
async fn trigger_accepts_exactly_the_transitions_of_the_table() {
    let world = World::with_rooms(100).await;
    // Each status as it is reached by commands; a cancelled one is reached in all ways that conditions distinguish.
    let starts = [
        vec![],
        vec![Step::Pay],
        vec![Step::Reject],
        vec![Step::Cancel],
        vec![Step::Expire],
        vec![Step::Pay, Step::Cancel],
        vec![Step::Pay, Step::NoShow],
        vec![Step::Pay, Step::Cancel, Step::Refund],
    ];
    let mut seen = BTreeSet::new();
    for start in starts {
        for to in Status::ALL {
            let booking = reach(&world, &start).await;
            seen.insert(booking.status.as_str());
            let transition = Transition::between(booking.status, to);
            let legal = booking.status == to || transition.is_some_and(|transition| transition.is_allowed(&booking));
            let expected = (!legal).then(|| "reservation_legal_transition".to_owned());
            assert_eq!(refusal(&world, &booking, to).await, expected, "{start:?} {:?} -> {to:?}", booking.status);
        }
    }
    assert_eq!(seen.len(), Status::ALL.len(), "every status is a start");
}

/// The constraint that refuses a direct update to `to`. The update sets everything that the other constraints require, so
/// that only the transition can be refused. It notes no payment on the way to a refund: that is the table's condition.
async fn refusal(world: &World, booking: &Reservation, to: Status) -> Option<String> {
    let outcome = sqlx::query(
        "update reservation set status = $2, paid_at = now(), refunded_minor = 1, hold_expire_time = now(),
             payment_id = case when $2 = 'paid' then coalesce(payment_id, gen_random_uuid()) else payment_id end,
             cancellation_reason = case when $2 = status then cancellation_reason
                 when $2 in ('cancelled', 'refunded') then coalesce(cancellation_reason, 'requested') end
         where reservation_id = $1",
    )
    .bind(booking.id.as_uuid())
    .bind(to.as_str())
    .execute(world.pool())
    .await;
    let error = outcome.err()?;
    let constraint = error.as_database_error().and_then(sqlx::error::DatabaseError::constraint).map(str::to_owned);
    Some(constraint.unwrap_or_else(|| error.to_string()))
}

/// A command on the way to a status.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pay,
    Reject,
    Cancel,
    Expire,
    NoShow,
    Refund,
}

/// A new reservation after these commands.
async fn reach(world: &World, steps: &[Step]) -> Reservation {
    let mut booking = world.book(&world.order(0, 1, 1)).await.expect("booked");
    let payment_id = PaymentId::new();
    for step in steps {
        let (command, now) = match step {
            Step::Pay => (Command::ConfirmPayment { payment_id, amount: total() }, Timestamp::now()),
            Step::Reject => (Command::RejectPayment, Timestamp::now()),
            Step::Cancel => (Command::Cancel, Timestamp::now()),
            Step::Expire => (Command::Expire, Timestamp::now() + SignedDuration::from_mins(16)),
            Step::NoShow => (Command::MarkNoShow, booking.quote.terms.no_show_from),
            Step::Refund => (Command::ConfirmRefund { payment_id, amount: total() }, Timestamp::now()),
        };
        booking = world.apply(booking.id, command, now).await.expect("a legal command").reservation;
    }
    booking
}

#[tokio::test]
async fn database_refuses_changed_terms_and_deletes() {
    let world = World::with_rooms(10).await;
    world.book(&world.order(0, 1, 1)).await.expect("booked");
    let keep = "insert into reservation_revision select f.* from reservation r, first_revision(r.hotel_id, r.reservation_id) f";
    sqlx::query(keep).execute(world.pool()).await.expect("kept");
    for sql in [
        "update reservation set rooms = 2",
        "update reservation set total_minor = 1",
        "update reservation set check_out = check_out + 1",
        "delete from reservation",
        "update reservation_room set adults = 2",
        "update reservation_room set total_minor = 1",
        "update reservation_room set check_out = check_out + 1",
        "delete from reservation_room",
        "update reservation_revision set reason = 'none'",
        "delete from reservation_revision",
    ] {
        assert!(sqlx::query(sql).execute(world.pool()).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn database_refuses_a_reservation_that_begins_as_none_may_or_whose_id_is_of_another_hotel() {
    let world = World::with_rooms(10).await;
    world.book(&world.order(0, 1, 1)).await.expect("booked");
    // A UUIDv8 that ends with the hotel.
    let id = "(overlay(gen_random_uuid()::text placing '8' from 15 for 1))";
    let id = format!("overlay(overlay({id} placing '8' from 20 for 1) placing lpad(to_hex(hotel_id), 8, '0') from 29)");
    let insert = |id: &str, status: &str| {
        format!(
            "insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
                 guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash,
                 hold_expire_time, paid_at, payment_id, revision)
             select hotel_id, ({id})::uuid, owner, room_type_id, check_in, check_out, rooms, guests, guest_name, guest_email,
                 payment_mode, '{status}', currency, total_minor, price, content_hash, hold_expire_time, now(),
                 gen_random_uuid(), 1
             from reservation limit 1"
        )
    };
    let refused = |sql: String| {
        let pool = world.pool().clone();
        async move {
            let done = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await;
            let error = done.err()?;
            Some(error.as_database_error()?.constraint()?.to_owned())
        }
    };
    assert_eq!(refused(insert(&id, "pending_payment")).await, None);
    // A guest's reservation begins unpaid.
    for status in ["paid", "cancelled", "rejected", "refunded", "none"] {
        let constraint = refused(insert(&id, status)).await;
        assert_eq!(constraint.as_deref(), Some("reservation_legal_transition"), "{status}");
    }
    for other in [
        format!("overlay({id} placing '00000001' from 29)"),
        format!("overlay({id} placing '7' from 15 for 1)"),
        format!("overlay({id} placing 'c' from 20 for 1)"),
    ] {
        let constraint = refused(insert(&other, "pending_payment")).await;
        assert_eq!(constraint.as_deref(), Some("reservation_id_names_its_hotel"), "{other}");
    }
}
