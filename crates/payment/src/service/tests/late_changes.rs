//! Payments of changes that were given up, second payments of a revision, and orders that ended without money, beside those
//! that pay.

use rstest::rstest;

use super::{
    changes::{applied, assert_clean, dropped, page, paid, refunds_of, settling},
    relay::{quiet, start},
};
use crate::{
    clients::reservations::MockReservationClient,
    model::{RefundReason, Status},
    testing::{MockPsp, database, eur, gives_back, now, receive_event, reservation_id},
};

/// A charge that comes after its change was given up will be refunded in full, so a later change takes nothing from it.
#[tokio::test]
async fn change_gives_back_from_what_pays_and_not_from_the_charge_of_a_dropped_change() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let first = paid(pool, id, 1, 35_200).await;
    sqlx::query("update outbox set delivered_at = now()").execute(pool).await.unwrap();
    let change = page(pool, id, 2, 16_500).await;
    let service = settling(pool);
    service.settle_change(id, &dropped(2)).await.unwrap();
    receive_event(pool, &change, "checkout.paid").await;
    assert_eq!(now(pool, change.payment_id).await.status, Status::Paid);
    service.settle_change(id, &applied(3, 5_000)).await.unwrap();
    assert_eq!(refunds_of(pool, &first).await, [(RefundReason::Change { revision: 3 }, 5_000)]);

    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(|_, _, _, revision| Ok(revision == 2));
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|order| Box::pin(async move { Ok(format!("re_{}", order.refund_id)) }));
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, change.payment_id).await.refunded, eur(16_500), "all of the charge");
    assert_eq!(now(pool, first.payment_id).await.refunded, eur(5_000), "and what the change gave back");
    assert_clean(pool).await;
}

/// The message of a change may come after the charge of the next one, which is given up: its money goes back by itself.
#[tokio::test]
async fn change_gives_back_nothing_from_the_charge_of_a_later_change() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let first = paid(pool, id, 1, 35_200).await;
    let later = page(pool, id, 3, 16_500).await;
    receive_event(pool, &later, "checkout.paid").await;
    let service = settling(pool);
    service.settle_change(id, &applied(2, 20_000)).await.unwrap();
    assert_eq!(refunds_of(pool, &first).await, [(RefundReason::Change { revision: 2 }, 20_000)]);
    service.settle_change(id, &dropped(3)).await.unwrap();
    assert_eq!(now(pool, later.payment_id).await.refund_requested, eur(16_500), "all of the charge, once");
    assert_clean(pool).await;
}

/// Two payments of one revision may be paid: the page of the first closed, and its money came after all. The reservation
/// accepts one of them; until its answer comes both count, and a change may be settled meanwhile.
#[rstest]
#[case::first_is_refused(true)]
#[case::second_is_refused(false)]
#[tokio::test]
async fn refund_of_a_change_is_not_lost_with_the_second_payment_of_a_revision(#[case] first_is_refused: bool) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let booking = paid(pool, id, 1, 35_200).await;
    let late = page(pool, id, 2, 16_500).await;
    receive_event(pool, &late, "checkout.expired").await;
    let other = paid(pool, id, 2, 16_500).await;
    receive_event(pool, &late, "checkout.paid").await;
    let (refused, accepted) = if first_is_refused { (late, other) } else { (other, late) };
    assert_ne!(refused.payment_id, accepted.payment_id);
    settling(pool).settle_change(id, &applied(3, 20_000)).await.unwrap();
    assert!(now(pool, refused.payment_id).await.refund_requested.minor() > 0, "the change takes from both");

    let mut reservations = MockReservationClient::new();
    let unusable = refused.payment_id;
    reservations.expect_confirm_payment().times(3).returning(move |_, payment, _, _| Ok(payment == unusable));
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|order| Box::pin(async move { Ok(format!("re_{}", order.refund_id)) }));
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, refused.payment_id).await.refunded, eur(16_500), "all of the refused one");
    let [kept, other] = [now(pool, booking.payment_id).await.refunded, now(pool, accepted.payment_id).await.refunded];
    assert_eq!(kept.minor() + other.minor(), 20_000, "and all that the change gives back, of the others");
    assert_clean(pool).await;
}

/// The settlement of a change may come before that of the one before it, which was given up after it was paid.
#[tokio::test]
async fn refund_of_a_change_is_not_lost_with_the_payment_of_one_that_was_given_up_before() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let booking = paid(pool, id, 1, 35_200).await;
    let change = paid(pool, id, 2, 16_500).await;
    let service = settling(pool);
    for _ in 0..2 {
        service.settle_change(id, &applied(3, 20_000)).await.unwrap();
        assert_eq!(now(pool, booking.payment_id).await.refund_requested, eur(3_500));
    }
    for _ in 0..2 {
        service.settle_change(id, &dropped(2)).await.unwrap();
        assert_eq!(now(pool, change.payment_id).await.refund_requested, eur(16_500), "all of it");
        assert_eq!(now(pool, booking.payment_id).await.refund_requested, eur(20_000), "and what the change gives back");
    }
    assert_clean(pool).await;
}

#[tokio::test]
async fn hundred_orders_that_ended_without_money_do_not_hide_the_paid_ones() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let first = paid(pool, id, 1, 35_200).await;
    for revision in 2..=101 {
        let expired = page(pool, id, revision, 16_500).await;
        receive_event(pool, &expired, "checkout.expired").await;
    }
    let last = paid(pool, id, 102, 16_500).await;
    settling(pool).settle_cancellation(id, gives_back(51_700)).await.unwrap();
    for payment in [first, last] {
        assert_eq!(now(pool, payment.payment_id).await.refund_requested, payment.amount);
    }
    assert_clean(pool).await;
}
