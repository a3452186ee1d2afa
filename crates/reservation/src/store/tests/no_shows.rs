//! No-shows: rooms are released once and the penalty is charged once, also with concurrent commands.

use sqlx::AssertSqlSafe;

use super::*;
use crate::model::CancellationReason;

impl World {
    /// A paid reservation with a late penalty of 30 %.
    async fn paid(&self, from: i32, until: i32, rooms: i32) -> NewReservation {
        let order = self.order(from, until, rooms).priced(Quote { late_penalty_percent: 30, ..quote() });
        self.book(&order).await.expect("booked");
        let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
        self.apply(order.id, pay, Timestamp::now()).await.expect("paid");
        order
    }

    /// The refunds published to the payment service.
    async fn refunds(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select payload ->> 'refund_amount' from outbox where kind = 'reservation.cancelled' order by event_id",
        )
        .fetch_all(self.pool())
        .await
        .expect("the outbox")
    }
}

/// When the check-in date begins in UTC-12: noon UTC.
fn check_in(order: &NewReservation) -> Timestamp {
    calendar::begins(order.stay.check_in()).expect("in range")
}

#[tokio::test]
async fn repeated_no_show_releases_rooms_and_publishes_the_refund_once() {
    let world = Arc::new(World::with_rooms(10).await);
    let (order, neighbour) = (world.paid(0, 3, 2).await, world.paid(2, 4, 1).await);
    assert_eq!(world.reserved().await[..5], [2, 2, 3, 1, 0]);
    let reports = (0..20).map(|_| {
        let (world, order) = (world.clone(), order.clone());
        tokio::spawn(async move { world.apply(order.id, Command::MarkNoShow, check_in(&order)).await })
    });
    for outcome in join_all(reports).await {
        let booking = outcome.expect("no panic").expect("no-show").reservation;
        assert_eq!(
            (booking.status, booking.cancellation_reason),
            (Status::Cancelled, Some(CancellationReason::NoShow))
        );
        assert!(booking.paid_time.is_some() && booking.payment_id.is_some(), "it was paid");
    }
    assert_eq!(world.reserved().await[..5], [0, 0, 1, 1, 0]);
    assert_eq!(world.refunds().await, ["210.00"]);
    let steps = "select count(*) from reservation_transition where status = 'cancelled'";
    assert_eq!(world.count(steps).await, 1);
    assert_eq!(world.store.get(neighbour.id).await.expect("read").expect("is there").status, Status::Paid);
}

#[tokio::test]
async fn concurrent_cancel_and_no_show_apply_exactly_one() {
    const BOOKINGS: i32 = 20;
    let world = Arc::new(World::with_rooms(50).await);
    let mut races = Vec::new();
    for n in 0..BOOKINGS {
        let order = world.paid(0, 2, 1).await;
        for command in
            if n % 2 == 0 { [Command::Cancel, Command::MarkNoShow] } else { [Command::MarkNoShow, Command::Cancel] }
        {
            let (world, order) = (world.clone(), order.clone());
            races.push((
                order.id,
                command.clone(),
                tokio::spawn(async move { world.apply(order.id, command, check_in(&order)).await }),
            ));
        }
    }
    for (id, command, race) in races {
        let outcome = race.await.expect("no panic");
        let reason = world.store.get(id).await.expect("read").expect("is there").cancellation_reason;
        match (reason, outcome) {
            // A cancel succeeds in either order; a no-show after a cancel is refused.
            (Some(reason), Ok(applied)) => assert_eq!(applied.reservation.cancellation_reason, Some(reason)),
            (
                Some(CancellationReason::Requested),
                Err(ReservationError::NotEligibleForNoShow { status: Status::Cancelled, reason: Some(known) }),
            ) if command == Command::MarkNoShow => assert_eq!(known, CancellationReason::Requested),
            other => panic!("{command:?}: {other:?}"),
        }
    }
    assert_eq!(world.reserved().await, [0; 10]);
    assert_eq!(world.refunds().await, vec!["210.00"; 20], "one event of each");
}

#[tokio::test]
async fn refused_no_show_changes_nothing() {
    let world = World::with_rooms(10).await;
    let (paid, held) = (world.paid(0, 2, 1).await, world.order(0, 2, 1));
    world.book(&held).await.expect("booked");
    let late = calendar::begins(paid.stay.check_out().saturating_add(1.day())).expect("in range");
    for (order, moment) in [(&paid, Timestamp::now()), (&paid, late), (&held, check_in(&held))] {
        let refused = world.apply(order.id, Command::MarkNoShow, moment).await.expect_err("refused");
        assert!(
            matches!(refused, ReservationError::NoShowOutOfTime { .. } | ReservationError::NotEligibleForNoShow { .. }),
            "{refused:?}"
        );
    }
    let unknown = ReservationId::generate(world.hotel, Timestamp::now());
    let refused = world.apply(unknown, Command::MarkNoShow, check_in(&paid)).await;
    assert!(matches!(refused, Err(ReservationError::NotFound)));
    assert_eq!(world.reserved().await[..2], [2, 2]);
    assert_eq!(world.refunds().await, <[String; 0]>::default());
}

#[tokio::test]
async fn database_accepts_no_show_only_from_paid_and_keeps_it_final() {
    let world = World::with_rooms(10).await;
    let (missed, cancelled, paid) = (world.paid(0, 1, 1).await, world.paid(0, 1, 1).await, world.paid(0, 1, 1).await);
    let held = world.order(0, 1, 1);
    world.book(&held).await.expect("booked");
    world.apply(missed.id, Command::MarkNoShow, check_in(&missed)).await.expect("no-show");
    world.apply(cancelled.id, Command::Cancel, check_in(&cancelled)).await.expect("cancelled");
    let refused = async |order: &NewReservation, set: &str| {
        let sql = format!("update reservation set {set} where reservation_id = $1");
        let outcome = sqlx::query(AssertSqlSafe(sql)).bind(order.id.as_uuid()).execute(world.pool()).await;
        let error = outcome.expect_err(set);
        error.as_database_error().and_then(sqlx::error::DatabaseError::constraint).map(str::to_owned)
    };
    let no_show = "status = 'cancelled', hold_expire_time = null, cancellation_reason = 'no_show'";
    for (order, set, constraint) in [
        (&cancelled, "cancellation_reason = 'no_show'", "reservation_no_show_is_final"),
        (&held, no_show, "reservation_no_show_is_final"),
        (&paid, "cancellation_reason = 'no_show'", "reservation_no_show_is_final"),
        (&missed, "cancellation_reason = 'requested'", "reservation_no_show_is_final"),
        (&missed, "cancellation_reason = 'hold_expired'", "reservation_no_show_is_final"),
        (&missed, "status = 'paid', cancellation_reason = null", "reservation_legal_transition"),
        (&paid, "status = 'cancelled', cancellation_reason = 'late'", "reservation_cancellation_has_a_reason"),
        (&paid, "status = 'cancelled'", "reservation_cancellation_has_a_reason"),
    ] {
        assert_eq!(refused(order, set).await.as_deref(), Some(constraint), "{set}");
    }
    let refund = "update reservation set status = 'refunded', refunded_minor = 1 where reservation_id = $1";
    sqlx::query(refund).bind(missed.id.as_uuid()).execute(world.pool()).await.expect("its money goes back");
}
