//! Refunds of payments at the desk: never sent to the provider, and recorded by staff.

use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use staymesh_ledger::{Account, wallets};
use staymesh_mesh::{Problem, Reason, auth::Role};
use staymesh_psp::CheckoutStatus;

use super::{
    changes::{applied, assert_clean, paid, refunds_of},
    desk::{cash, clerk, desk},
    relay::{quiet, start},
};
use crate::{
    clients::reservations::MockReservationClient,
    model::{Booking, DeskPayment, Payment, PaymentMethod, PendingChange, RefundReason, ReservationStatus, Status},
    store::refunds,
    testing::{MockPsp, booking, caller, database, eur, gives_back, now, outbox, reservation_id},
};

/// The only refund of a payment.
async fn refund_id(pool: &PgPool, payment: &Payment) -> uuid::Uuid {
    let made = refunds::of_payments(pool, &[payment.payment_id]).await.unwrap();
    let [refund] = made.as_slice() else { panic!("{made:?}") };
    refund.refund_id
}

async fn on_cash(pool: &PgPool, payment: &Payment) -> i128 {
    wallets::balance(pool, &Account::HotelCash(payment.hotel_id()), "EUR".parse().unwrap()).await.unwrap()
}

/// A no-show or a cancellation that keeps 30.00 of 100.00.
#[tokio::test]
async fn refund_of_an_ended_stay_waits_for_the_desk_and_is_settled_exactly_once_recorded() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    let payment = service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap();
    let settled = service.settle_cancellation(id, gives_back(7_000)).await.unwrap().unwrap();
    assert_eq!((settled.status, settled.refund_requested), (Status::Refunding, eur(7_000)));
    assert_eq!(outbox(pool).await, ["payment.paid"], "nothing goes to the provider");
    assert_clean(pool).await;
    let refund = refund_id(pool, &payment).await;
    let given = service.record_desk_refund(&clerk(), payment.payment_id, refund, Some("R-18")).await.unwrap();
    assert_eq!((given.status, given.refunded), (Status::Refunded, eur(7_000)));
    assert_eq!(outbox(pool).await, ["payment.paid", "payment.refunded"]);
    let again = service.record_desk_refund(&clerk(), payment.payment_id, refund, Some("R-18")).await.unwrap();
    assert_eq!(again, given);
    let other = service.record_desk_refund(&clerk(), payment.payment_id, refund, None).await;
    assert_eq!(Problem::from(other.unwrap_err()).reason(), Reason::RequestIdReused);
    // 30.00 are kept, of which 2.10 are taxes: 15 % of 27.90, less what the refund rounded down.
    assert_eq!(on_cash(pool, &payment).await, 419, "the commission of what is kept");
    assert_clean(pool).await;
}

#[tokio::test]
async fn refund_is_recorded_by_staff_of_the_hotel_for_a_payment_at_the_desk_only() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    let at_provider = paid(pool, reservation_id(), 1, 10_000).await;
    let payment = service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap();
    service.settle_cancellation(id, gives_back(10_000)).await.unwrap();
    let refund = refund_id(pool, &payment).await;
    let others = caller("user:staff", Role::Staff, &[8]);
    let reason = |result: Result<Payment, _>| Problem::from(result.unwrap_err()).reason();
    let refused = service.record_desk_refund(&others, payment.payment_id, refund, None).await;
    assert_eq!(reason(refused), Reason::PaymentNotFound);
    let refused = service.record_desk_refund(&clerk(), at_provider.payment_id, refund, None).await;
    assert_eq!(reason(refused), Reason::InvalidField);
    let refused = service.record_desk_refund(&clerk(), payment.payment_id, uuid::Uuid::now_v7(), None).await;
    assert_eq!(reason(refused), Reason::InvalidField);
    service.record_desk_refund(&clerk(), payment.payment_id, refund, None).await.unwrap();
    assert_eq!(on_cash(pool, &payment).await, 0);
    assert_clean(pool).await;
}

/// The hold expired while the guest counted the money, and the rooms are gone.
#[tokio::test]
async fn payment_that_the_reservation_does_not_accept_is_owed_to_the_guest() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    let payment = service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap();
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(|_, _, _, _| Ok(true));
    let _relay = start(pool, reservations, MockPsp::new());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(refunds_of(pool, &payment).await, [(RefundReason::RoomsGone, 10_000)]);
    assert_eq!(now(pool, payment.payment_id).await.status, Status::Refunding, "until staff give it back");
    assert_clean(pool).await;
}

/// PARTNER-SPEC 7, example 1: 352.00 paid on the page, 165.00 for one more night at the desk.
#[tokio::test]
async fn difference_of_a_change_is_paid_at_the_desk_and_goes_back_before_older_payments() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let first = paid(pool, id, 1, 35_200).await;
    let create_time = Timestamp::now();
    let expire_time = create_time + SignedDuration::from_mins(15);
    let pending_change = Some(PendingChange { revision: 2, due: eur(16_500), create_time, expire_time });
    let (status, total, taxes) = (ReservationStatus::Paid, eur(35_200), eur(3_200));
    let changing = Booking { status, total, taxes, pending_change, hold_expire_time: None, ..booking() };
    let service = desk(pool, changing, CheckoutStatus::Expired);
    let taken = DeskPayment { revision: 2, method: PaymentMethod::CardTerminal, ..cash(16_500) };
    let difference = service.record_desk_payment(&clerk(), id, &taken).await.unwrap();
    assert_eq!((difference.revision, difference.split.tax()), (2, eur(1_500)));
    service.settle_change(id, &applied(2, 0)).await.unwrap();
    service.settle_cancellation(id, gives_back(20_000)).await.unwrap();
    assert_eq!(refunds_of(pool, &difference).await, [(RefundReason::Cancellation, 16_500)]);
    assert_eq!(refunds_of(pool, &first).await, [(RefundReason::Cancellation, 3_500)]);
    let to_provider = outbox(pool).await.into_iter().filter(|kind| kind == "refund.requested").count();
    assert_eq!(to_provider, 1, "only the share of the older payment");
    let refund = refund_id(pool, &difference).await;
    service.record_desk_refund(&clerk(), difference.payment_id, refund, None).await.unwrap();
    assert_clean(pool).await;
}
