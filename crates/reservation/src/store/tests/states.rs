//! What becomes of a booking, and what the database lets nobody do.

use super::*;

#[tokio::test]
async fn cancelling_gives_the_rooms_back_once_however_often_it_is_asked() {
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
async fn late_money_takes_the_rooms_again_or_is_sent_back() {
    let world = World::with_rooms(1).await;
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let confirm = |payment_id| Command::ConfirmPayment { payment_id, amount: total() };

    let first = world.book(&world.order(0, 2, 1)).await.expect("booked");
    let expired = world.apply(first.id, Command::Expire, later).await.expect("expires").reservation;
    assert_eq!(expired.status, Status::Cancelled);
    assert_eq!(world.reserved().await[..2], [0, 0]);
    let paid = world.apply(first.id, confirm(PaymentId::new()), later).await.expect("retaken");
    assert_eq!((paid.reservation.status, paid.send_money_back), (Status::Paid, false));
    assert_eq!(world.reserved().await[..2], [1, 1]);

    world.set_inventory(0, 2, 2, 0).await.expect("inventory");
    let second = world.book(&world.order(0, 2, 1)).await.expect("booked");
    world.apply(second.id, Command::Expire, later).await.expect("expires");
    world.book(&world.order(1, 2, 1)).await.expect("somebody else takes a night");
    let payment_id = PaymentId::new();
    for _ in 0..2 {
        let late = world.apply(second.id, confirm(payment_id), later).await.expect("decided");
        assert_eq!((late.reservation.status, late.send_money_back), (Status::Cancelled, true));
    }
    assert_eq!(world.reserved().await[..2], [1, 2]);
    let refund = Command::ConfirmRefund { payment_id, amount: total() };
    let refunded = world.apply(second.id, refund, later).await.expect("refunded").reservation;
    assert_eq!(refunded.status, Status::Refunded);
}

#[tokio::test]
async fn the_database_refuses_every_illegal_transition_by_itself() {
    let world = World::with_rooms(100).await;
    let legal = |from: Status, to: Status| {
        from == to
            || matches!(
                (from, to),
                (Status::PendingPayment, Status::Paid | Status::Rejected | Status::Cancelled)
                    | (Status::Paid, Status::Cancelled)
                    | (Status::Cancelled, Status::Refunded)
            )
    };
    for from in Status::ALL {
        for to in Status::ALL {
            let booking = world.book(&world.order(0, 1, 1)).await.expect("booked");
            reach(&world, &booking, from).await;
            // Everything that the other constraints ask for is given, so that only the transition can be refused.
            let outcome = sqlx::query(
                "update reservation set status = $2, payment_id = gen_random_uuid(), paid_at = now(),
                     refunded_minor = 1, hold_expire_time = now(),
                     cancellation_reason = case when $2 in ('cancelled', 'refunded') then 'requested' end
                 where reservation_id = $1",
            )
            .bind(booking.id.as_uuid())
            .bind(to.as_str())
            .execute(world.pool())
            .await;
            let refused = outcome.err().and_then(|error| {
                let error = error.as_database_error()?;
                error.constraint().map(str::to_owned)
            });
            let expected = (!legal(from, to)).then(|| "reservation_legal_transition".to_owned());
            assert_eq!(refused, expected, "{from:?} -> {to:?}");
        }
    }
}

async fn reach(world: &World, booking: &Reservation, status: Status) {
    let payment_id = PaymentId::new();
    let pay = Command::ConfirmPayment { payment_id, amount: total() };
    let refund = Command::ConfirmRefund { payment_id, amount: total() };
    let way: Vec<Command> = match status {
        Status::PendingPayment => vec![],
        Status::Paid => vec![pay],
        Status::Cancelled => vec![Command::Cancel],
        Status::Rejected => vec![Command::RejectPayment],
        Status::Refunded => vec![pay, Command::Cancel, refund],
    };
    let mut now = booking.status;
    for command in way {
        now = world.apply(booking.id, command, Timestamp::now()).await.expect("a legal way").reservation.status;
    }
    assert_eq!(now, status);
}

#[tokio::test]
async fn terms_do_not_change_and_nothing_is_deleted() {
    let world = World::with_rooms(10).await;
    world.book(&world.order(0, 1, 1)).await.expect("booked");
    for sql in [
        "update reservation set rooms = 2",
        "update reservation set total_minor = 1",
        "update reservation set check_out = check_out + 1",
        "delete from reservation",
    ] {
        assert!(sqlx::query(sql).execute(world.pool()).await.is_err(), "{sql}");
    }
}
