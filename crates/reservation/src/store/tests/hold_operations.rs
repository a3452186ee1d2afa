//! Holds that are extended, released and committed, also against their expiry and their payment.

use super::*;

const MORE: Command = Command::Extend(SignedDuration::from_mins(15));

#[tokio::test]
async fn hold_is_extended_once_and_counts_until_its_new_end() {
    let world = World::with_rooms(10).await;
    let booked = world.book(&world.order(0, 2, 1)).await.expect("booked");
    let end = booked.hold_expire_time.expect("a hold");
    for _ in 0..2 {
        let extended = world.apply(booked.id, MORE, Timestamp::now()).await.expect("extended").reservation;
        assert_eq!(extended.hold_expire_time, Some(end + SignedDuration::from_mins(15)));
        assert!(extended.hold_extended && extended.status == Status::PendingPayment);
    }
    let then = end + SignedDuration::from_mins(1);
    assert_eq!(world.apply(booked.id, Command::Expire, then).await.expect("kept").reservation.status, booked.status);
    let then = end + SignedDuration::from_mins(15);
    let expired = world.apply(booked.id, Command::Expire, then).await.expect("expired").reservation;
    assert_eq!(expired.status, Status::Cancelled);
    let late = world.apply(booked.id, MORE, Timestamp::now()).await.map(|_| ());
    assert!(matches!(late, Err(ReservationError::HoldExpired)), "{late:?}");
    assert_eq!(world.reserved().await, [0; 10]);
}

#[tokio::test]
async fn extension_is_refused_while_a_night_of_the_hold_is_sold_out() {
    let world = World::with_rooms(10).await;
    let held = world.book(&world.order(0, 3, 1)).await.expect("booked");
    let others = world.book(&world.order(1, 2, 10)).await.expect("the last rooms of the second night");
    let refused = world.apply(held.id, MORE, Timestamp::now()).await.map(|_| ());
    let night = world.nights(1, 2).check_in();
    assert!(
        matches!(refused, Err(ReservationError::SoldOut { stay_date: Some(date), rooms_left: Some(0), .. }) if date == night),
        "{refused:?}"
    );
    world.apply(others.id, Command::Release, Timestamp::now()).await.expect("released");
    let extended = world.apply(held.id, MORE, Timestamp::now()).await.expect("a room is left").reservation;
    assert!(extended.hold_extended);
    assert_eq!(world.reserved().await[..3], [1, 1, 1]);
}

/// A command that was received before the hold expired, and is decided after: others may have been admitted meanwhile.
#[tokio::test]
async fn hold_that_has_expired_by_the_clock_of_the_database_is_not_extended() {
    let world = World::with_rooms(10).await;
    let end = Timestamp::now() - SignedDuration::from_secs(1);
    let order = NewReservation { hold_expire_time: Some(end), ..world.order(0, 2, 1) };
    world.book(&order).await.expect("booked");
    let refused = world.apply(order.id, MORE, end - SignedDuration::from_secs(1)).await.map(|_| ());
    assert!(matches!(refused, Err(ReservationError::HoldExpired)), "{refused:?}");
    let kept = world.store.get(order.id).await.expect("read").expect("is there");
    assert!(!kept.hold_extended);
}

#[tokio::test]
async fn extension_and_expiry_have_one_winner() {
    let world = Arc::new(World::with_rooms(100).await);
    let mut races = Vec::new();
    for _ in 0..40 {
        let booked = world.book(&world.order(0, 2, 1)).await.expect("booked");
        let (one, other) = (world.clone(), world.clone());
        let end = booked.hold_expire_time.expect("a hold");
        races.push(tokio::spawn(async move {
            let (extended, expired) = tokio::join!(
                one.apply(booked.id, MORE, Timestamp::now()),
                other.apply(booked.id, Command::Expire, end)
            );
            let expired = expired.expect("decided").reservation.status == Status::Cancelled;
            match extended {
                Ok(applied) => {
                    assert!(applied.reservation.hold_extended && !expired);
                    true
                }
                Err(ReservationError::HoldExpired) => {
                    assert!(expired);
                    false
                }
                Err(error) => panic!("{error}"),
            }
        }));
    }
    let kept = join_all(races).await.into_iter().filter(|kept| *kept.as_ref().expect("no panic")).count();
    assert_eq!(world.reserved().await[..2], [i32::try_from(kept).expect("few"); 2]);
}

#[tokio::test]
async fn release_and_payment_have_one_winner_and_a_late_payment_is_refunded() {
    let world = Arc::new(World::with_rooms(100).await);
    let mut races = Vec::new();
    for _ in 0..40 {
        let booked = world.book(&world.order(0, 2, 1)).await.expect("booked");
        let (one, other) = (world.clone(), world.clone());
        let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
        races.push(tokio::spawn(async move {
            let (released, paid) = tokio::join!(
                one.apply(booked.id, Command::Release, Timestamp::now()),
                other.apply(booked.id, pay, Timestamp::now())
            );
            let paid = paid.expect("decided");
            match released {
                Ok(_) => assert!(paid.refund_required, "the payment came second"),
                Err(ReservationError::IllegalTransition { from: Status::Paid, .. }) => assert!(!paid.refund_required),
                Err(error) => panic!("{error}"),
            }
            one.apply(booked.id, Command::Release, Timestamp::now()).await.is_err()
        }));
    }
    let paid = join_all(races).await.into_iter().filter(|paid| *paid.as_ref().expect("no panic")).count();
    assert_eq!(world.reserved().await[..2], [i32::try_from(paid).expect("few"); 2]);
}

#[tokio::test]
async fn partner_that_collects_is_published_once_and_only_while_the_hold_lasts() {
    let world = Arc::new(World::with_rooms(100).await);
    let order = NewReservation { owner: "client:acme".into(), ..world.order(0, 2, 1) };
    world.book(&order).await.expect("booked");
    let repeats = (0..10).map(|_| {
        let (world, id) = (world.clone(), order.id);
        tokio::spawn(async move { world.apply(id, Command::Collect, Timestamp::now()).await })
    });
    for outcome in join_all(repeats).await {
        let now = outcome.expect("no panic").expect("collects").reservation;
        assert_eq!((now.payment_mode, now.status), (PaymentMode::PartnerCollects, Status::PendingPayment));
    }
    let sql = "select count(*) from outbox where kind = 'reservation.sold_by_partner'";
    assert_eq!(world.count(sql).await, 1);
    let sold = world.apply(order.id, Command::ConfirmSale, Timestamp::now()).await.expect("recorded").reservation;
    assert_eq!(sold.status, Status::Paid);
    world.apply(order.id, Command::Collect, Timestamp::now()).await.expect("a repeat");

    let other = world.book(&world.order(0, 2, 1)).await.expect("booked");
    let late = world.apply(other.id, Command::Collect, other.hold_expire_time.expect("a hold")).await.map(|_| ());
    assert!(matches!(late, Err(ReservationError::HoldExpired)), "{late:?}");
    let raw = sqlx::query("update reservation set payment_mode = 'guest_pays'").execute(world.pool()).await;
    let raw = raw.expect_err("a partner collects for good");
    let constraint = raw.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("reservation_terms_are_fixed"));
}
