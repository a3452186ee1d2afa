//! No-shows: rooms are released once and the penalty is charged once, also with concurrent commands.

use sqlx::AssertSqlSafe;

use super::*;
use crate::model::CancellationReason;

impl World {
    /// A paid reservation with a late penalty of 30 %.
    async fn paid(&self, from: i32, until: i32, rooms: i32) -> NewReservation {
        let order = self.order(from, until, rooms);
        let price = quote_for(order.stay, TOTAL, 30);
        let order = order.priced(price);
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

/// The report is taken back on the day of arrival.
fn undo(order: &NewReservation) -> Command {
    Command::UndoNoShow(order.stay.check_in())
}

/// When the day of arrival ends, as a no-show.
fn missed(order: &NewReservation) -> Timestamp {
    order.quote.terms.no_show_from
}

/// The last instant at which the booking can be cancelled.
fn last_moment(order: &NewReservation) -> Timestamp {
    order.quote.terms.cancel_before - SignedDuration::from_micros(1)
}

#[tokio::test]
async fn repeated_no_show_releases_rooms_and_publishes_the_refund_once() {
    let world = Arc::new(World::with_rooms(10).await);
    let (order, neighbour) = (world.paid(0, 3, 2).await, world.paid(2, 4, 1).await);
    assert_eq!(world.reserved().await[..5], [2, 2, 3, 1, 0]);
    let reports = (0..20).map(|_| {
        let (world, order) = (world.clone(), order.clone());
        tokio::spawn(async move { world.apply(order.id, Command::MarkNoShow, missed(&order)).await })
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
            let (world, id) = (world.clone(), order.id);
            // The clocks of two replicas, either side of the end of the day of arrival.
            let at = if command == Command::Cancel { last_moment(&order) } else { missed(&order) };
            races.push((order.id, command.clone(), tokio::spawn(async move { world.apply(id, command, at).await })));
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
    let late = paid.quote.terms.no_show_until + SignedDuration::from_micros(1);
    for (order, moment) in [(&paid, Timestamp::now()), (&paid, late), (&held, missed(&held))] {
        let refused = world.apply(order.id, Command::MarkNoShow, moment).await.expect_err("refused");
        assert!(
            matches!(refused, ReservationError::NoShowOutOfTime { .. } | ReservationError::NotEligibleForNoShow { .. }),
            "{refused:?}"
        );
    }
    let unknown = ReservationId::generate(world.hotel, Timestamp::now());
    let refused = world.apply(unknown, Command::MarkNoShow, missed(&paid)).await;
    assert!(matches!(refused, Err(ReservationError::NotFound)));
    assert_eq!(world.reserved().await[..2], [2, 2]);
    assert_eq!(world.refunds().await, <[String; 0]>::default());
}

#[tokio::test]
async fn database_accepts_no_show_only_from_paid_and_keeps_it_unless_it_is_paid_again() {
    let world = World::with_rooms(10).await;
    let (absent, cancelled, paid) = (world.paid(0, 1, 1).await, world.paid(0, 1, 1).await, world.paid(0, 1, 1).await);
    let held = world.order(0, 1, 1);
    world.book(&held).await.expect("booked");
    world.apply(absent.id, Command::MarkNoShow, missed(&absent)).await.expect("no-show");
    world.apply(cancelled.id, Command::Cancel, last_moment(&cancelled)).await.expect("cancelled");
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
        (&absent, "cancellation_reason = 'requested'", "reservation_no_show_is_final"),
        (&absent, "cancellation_reason = 'hold_expired'", "reservation_no_show_is_final"),
        (&absent, "status = 'paid'", "reservation_cancellation_has_a_reason"),
        (&cancelled, "status = 'paid', cancellation_reason = null", "reservation_legal_transition"),
        (&paid, "status = 'cancelled', cancellation_reason = 'late'", "reservation_cancellation_has_a_reason"),
        (&paid, "status = 'cancelled'", "reservation_cancellation_has_a_reason"),
    ] {
        assert_eq!(refused(order, set).await.as_deref(), Some(constraint), "{set}");
    }
    let refund = "update reservation set status = 'refunded', refunded_minor = 1 where reservation_id = $1";
    sqlx::query(refund).bind(absent.id.as_uuid()).execute(world.pool()).await.expect("its money goes back");
}

impl World {
    /// Reports a no-show on a business day that ends in an hour.
    async fn report_today(&self, order: &NewReservation) {
        let day_ends = Some(Timestamp::now() + SignedDuration::from_hours(1));
        let (id, command, now) = (order.id, Command::MarkNoShow, missed(order));
        let reported = ChangeOrder { id, command, now, trace_parent: None, origin: None, day_ends };
        apply_all(&self.store, &[reported]).await.expect("applied").pop().expect("one").expect("a no-show");
    }
}

#[tokio::test]
async fn no_show_that_is_taken_back_has_its_rooms_again_and_publishes_nothing() {
    let world = World::with_rooms(10).await;
    let order = world.paid(0, 3, 2).await;
    let before = world.store.get(order.id).await.expect("read").expect("is there");
    world.report_today(&order).await;
    assert_eq!((world.reserved().await[..3].to_vec(), world.refunds().await.len()), (vec![0; 3], 1));
    let after = world.apply(order.id, undo(&order), missed(&order)).await.expect("undone").reservation;
    assert_eq!((after.status, after.cancellation_reason, after.paid_time), (Status::Paid, None, before.paid_time));
    let read = world.store.get(order.id).await.expect("read").expect("is there");
    assert!(read.lines.iter().all(|line| line.status == crate::room_status::RoomStatus::Live));
    assert_eq!((world.reserved().await[..3].to_vec(), world.refunds().await), (vec![2; 3], vec![]));
    world.apply(order.id, undo(&order), missed(&order)).await.expect("a repeat changes nothing");
    assert_eq!(world.reserved().await[..3], [2; 3]);
    let check =
        async || crate::check::run(world.pool(), &crate::check::Options::default(), |_| {}).await.expect("checked");
    let report = check().await;
    assert!(report.is_clean(), "{report:?}");
    // What was cancelled for another reason is never paid again.
    for reason in [Some("requested"), None, Some("no_show")] {
        sqlx::query("update reservation_transition set cancellation_reason = $1 where status = 'cancelled'")
            .bind(reason)
            .execute(world.pool())
            .await
            .expect("the history");
        assert_eq!(check().await.is_clean(), reason == Some("no_show"), "{reason:?}");
    }
    // It may be reported again, and then counts.
    world.apply(order.id, Command::MarkNoShow, missed(&order)).await.expect("a no-show");
    assert_eq!(world.refunds().await, ["210.00"]);
}

#[tokio::test]
async fn no_show_is_not_taken_back_when_it_is_settled_or_its_rooms_are_sold() {
    let world = World::with_rooms(1).await;
    let settled = world.paid(0, 2, 1).await;
    world.apply(settled.id, Command::MarkNoShow, missed(&settled)).await.expect("settled at once");
    let refused = world.apply(settled.id, undo(&settled), missed(&settled)).await;
    assert!(matches!(refused, Err(ReservationError::NoShowSettled)), "{refused:?}");
    // A receiver that did not answer may have got it, although such an attempt does not count.
    let tried = world.paid(5, 6, 1).await;
    world.report_today(&tried).await;
    sqlx::query("update outbox set last_error = 'unavailable' where aggregate_id = $1 and attempts = 0")
        .bind(tried.id.as_uuid())
        .execute(world.pool())
        .await
        .expect("the outbox");
    let refused = world.apply(tried.id, undo(&tried), missed(&tried)).await;
    assert!(matches!(refused, Err(ReservationError::NoShowSettled)), "{refused:?}");
    let sold = world.paid(2, 4, 1).await;
    world.report_today(&sold).await;
    world.paid(3, 5, 1).await;
    match world.apply(sold.id, undo(&sold), missed(&sold)).await {
        Err(ReservationError::SoldOut { stay_date, rooms_left, .. }) => {
            assert_eq!((stay_date, rooms_left), (Some(sold.stay.check_in().tomorrow().expect("a date")), Some(0)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.refunds().await.len(), 3, "its settlement still waits");
    assert_eq!(world.reserved().await[..5], [0, 0, 0, 1, 1]);
}

/// What the guests had is theirs again although it is closed, or past and out of order by now; only nights from today on must
/// be left.
#[tokio::test]
async fn no_show_is_taken_back_on_closed_nights_and_when_past_nights_are_not_left() {
    let world = World::with_rooms(1).await;
    let order = world.paid(0, 3, 1).await;
    world.report_today(&order).await;
    world.close(0, 3).await;
    let third = world.nights(2, 3).check_in();
    let block = format!("update room_type_inventory set out_of_order = 1 where stay_date < '{third}'");
    sqlx::query(AssertSqlSafe(block)).execute(world.pool()).await.expect("out of order");
    let on = |night: i32| Command::UndoNoShow(world.nights(night, night + 1).check_in());
    match world.apply(order.id, on(1), missed(&order)).await {
        Err(ReservationError::SoldOut { stay_date, rooms_left, .. }) => {
            assert_eq!((stay_date, rooms_left), (Some(world.nights(1, 2).check_in()), Some(0)));
        }
        other => panic!("{other:?}"),
    }
    let undone = world.apply(order.id, on(2), missed(&order)).await.expect("undone").reservation;
    assert_eq!(undone.status, Status::Paid);
    assert_eq!(world.reserved().await[..4], [1, 1, 1, 0]);
}

/// The report is taken back while relays claim its settlement: it is either published or withdrawn, never both.
#[tokio::test(flavor = "multi_thread")]
async fn undoing_races_the_end_of_the_day() {
    let world = Arc::new(World::with_rooms(10).await);
    for _ in 0..10 {
        let order = world.paid(0, 1, 1).await;
        world.report_today(&order).await;
        let due = "update outbox set next_attempt_at = now(), attempts = attempts + 1
                   where aggregate_id = $1 and kind = 'reservation.cancelled'";
        let claim = sqlx::query(due).bind(order.id.as_uuid()).execute(world.pool());
        let (claimed, undone) = tokio::join!(claim, world.apply(order.id, undo(&order), missed(&order)));
        let published = claimed.expect("claimed").rows_affected() == 1;
        assert_eq!(published, undone.is_err(), "{undone:?}");
    }
}
