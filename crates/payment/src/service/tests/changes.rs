//! Payments, refunds and settlements of changes (PARTNER-SPEC 7.12-7.17).

use jiff::{SignedDuration, Timestamp, civil::date};
use rstest::rstest;
use sqlx::PgPool;
use staymesh_domain::{Money, ReservationId};
use staymesh_ledger::Split;
use staymesh_mesh::{Problem, Reason, auth::Role};
use staymesh_psp::{Checkout, CheckoutStatus};

use super::relay::{quiet, start};
use crate::{
    check,
    clients::reservations::MockReservationClient,
    error::PaymentError,
    model::{
        Booking, ChangeSettlement, NewPayment, Payment, PaymentMode, PendingChange, RefundReason, ReservationStatus,
        Status,
    },
    service::Payments,
    store::{payments, refunds},
    testing::{
        MockPsp, booking, caller, complete_refund, database, eur, gives_back, new_payment, now, opened, outbox, reads,
        receive_event, reservation_id, service, session_of, simulator,
    },
};

/// Opens the payment of a revision with a checkout page.
pub(super) async fn page(pool: &PgPool, id: ReservationId, revision: i32, minor: i64) -> Payment {
    let split = Split::with_commission(eur(minor), eur(minor / 11), 1500).unwrap();
    let new = NewPayment { revision, amount: eur(minor), split, ..new_payment(id) };
    let payment = opened(pool, &new).await;
    let url = format!("https://psp.example/{}", payment.payment_id);
    payments::save_checkout(pool, payment.payment_id, &session_of(payment.payment_id), &url).await.unwrap()
}

/// The paid payment of a revision.
pub(crate) async fn paid(pool: &PgPool, id: ReservationId, revision: i32, minor: i64) -> Payment {
    let payment = page(pool, id, revision, minor).await;
    receive_event(pool, &payment, "checkout.paid").await;
    now(pool, payment.payment_id).await
}

pub(crate) fn applied(revision: i32, minor: i64) -> ChangeSettlement {
    ChangeSettlement { revision, refund: eur(minor), sale: None, dropped: false }
}

pub(super) fn dropped(revision: i32) -> ChangeSettlement {
    ChangeSettlement { dropped: true, ..applied(revision, 0) }
}

/// A service whose reservation has this state, and whose provider closes pages with this status.
fn with(pool: &PgPool, booking: Booking, closes: CheckoutStatus) -> Payments<MockPsp> {
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().returning(|order| {
        let session = session_of(order.payment_id);
        let url = format!("https://psp.example/{}", order.payment_id);
        let opened = Checkout { session, url, status: CheckoutStatus::Open, amount: order.amount };
        Box::pin(async move { Ok(opened) })
    });
    psp.expect_expire_checkout().returning(move |session| {
        let ended = Checkout { session, url: String::new(), status: closes, amount: eur(16_500) };
        Box::pin(async move { Ok(ended) })
    });
    service(pool, reads(booking), psp)
}

pub(crate) fn settling(pool: &PgPool) -> Payments<MockPsp> {
    with(pool, confirmed(None), CheckoutStatus::Expired)
}

/// A booking of 352.00 with 32.00 of taxes, with this due of a pending change 2.
fn confirmed(due: Option<i64>) -> Booking {
    let create_time = Timestamp::now();
    let expire_time = create_time + SignedDuration::from_mins(15);
    let pending_change = due.map(|due| PendingChange { revision: 2, due: eur(due), expire_time, create_time });
    let (total, taxes) = (eur(35_200), eur(3_200));
    Booking { status: ReservationStatus::Paid, total, taxes, pending_change, hold_expire_time: None, ..booking() }
}

/// A pending change of fifteen minutes that ends then.
fn change_ending(expire_time: Timestamp) -> PendingChange {
    let create_time = expire_time - SignedDuration::from_mins(15);
    PendingChange { revision: 2, due: eur(1), expire_time, create_time }
}

async fn create(service: &Payments<MockPsp>, id: ReservationId, revision: i32) -> Result<Payment, PaymentError> {
    service.create(&caller("guest-1", Role::Guest, &[]), id, revision, String::new()).await
}

/// The refunds of a payment in cents, by their reasons.
pub(super) async fn refunds_of(pool: &PgPool, payment: &Payment) -> Vec<(RefundReason, i64)> {
    let made = refunds::of_payments(pool, &[payment.payment_id]).await.unwrap();
    made.into_iter().map(|refund| (refund.reason, refund.amount.minor())).collect()
}

pub(crate) async fn assert_clean(pool: &PgPool) {
    let report = check::run(pool, &check::Options::default(), |_| {}).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.listed);
}

/// PARTNER-SPEC 7, example 1: 352.00 paid, one more night, 165.00 due.
#[tokio::test]
async fn payment_of_pending_change_is_its_due_and_idempotent_by_revision() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    paid(pool, id, 1, 35_200).await;
    let service = with(pool, confirmed(Some(16_500)), CheckoutStatus::Expired);
    let first = create(&service, id, 2).await.unwrap();
    assert_eq!((first.revision, first.amount, first.status), (2, eur(16_500), Status::Pending));
    assert_eq!((first.split.tax(), first.split.commission()), (eur(1_500), eur(2_250)), "shares of the difference");
    assert!(first.expire_time < Timestamp::now() + SignedDuration::from_mins(15), "closes before the change ends");
    assert_eq!(create(&service, id, 2).await.unwrap(), first);
    let paid_again = create(&service, id, 1).await.map_err(|error| Problem::from(error).reason());
    assert_eq!(paid_again.unwrap_err(), Reason::ReservationNotPayable, "the booking itself is paid");
}

#[rstest]
#[case::none_pending(confirmed(None), 2, Reason::ChangeNotPending)]
#[case::another_pending(confirmed(Some(16_500)), 3, Reason::ChangeNotPending)]
#[case::nothing_due(confirmed(Some(0)), 2, Reason::ChangeNotPending)]
#[case::cancelled(Booking { status: ReservationStatus::Cancelled, ..confirmed(Some(16_500)) }, 2, Reason::ChangeNotPending)]
#[case::expired(
    Booking { pending_change: Some(change_ending(Timestamp::UNIX_EPOCH)), ..confirmed(None) },
    2,
    Reason::ChangeNotPending
)]
#[case::ends_within_the_margin_of_the_page(
    Booking { pending_change: Some(change_ending(Timestamp::now() + SignedDuration::from_mins(1))), ..confirmed(None) },
    2,
    Reason::ChangeNotPending
)]
#[case::partner_collects(
    Booking { payment_mode: PaymentMode::PartnerCollects, ..confirmed(Some(16_500)) },
    2,
    Reason::ReservationNotPayable
)]
#[tokio::test]
async fn payment_of_change_that_does_not_wait_is_refused(
    #[case] booking: Booking,
    #[case] revision: i32,
    #[case] reason: Reason,
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = with(pool, booking, CheckoutStatus::Expired);
    let error = create(&service, id, revision).await.unwrap_err();
    assert_eq!(Problem::from(error).reason(), reason);
    assert!(payments::of_reservation(pool, id).await.unwrap().is_empty(), "nothing is written");
}

#[tokio::test]
async fn open_page_of_a_dropped_change_is_closed_before_that_of_the_next_opens() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    paid(pool, id, 1, 35_200).await;
    let stale = page(pool, id, 2, 9_900).await;
    let pending = confirmed(Some(16_500)).pending_change.map(|change| PendingChange { revision: 3, ..change });
    let service = with(pool, Booking { pending_change: pending, ..confirmed(None) }, CheckoutStatus::Expired);
    let next = create(&service, id, 3).await.unwrap();
    assert_eq!((next.revision, next.amount, next.status), (3, eur(16_500), Status::Pending));
    assert_eq!(now(pool, stale.payment_id).await.status, Status::Expired);
}

#[rstest]
#[case::applied(false, 0)]
#[case::gone(true, 16_500)]
#[tokio::test]
async fn payment_of_change_is_confirmed_with_its_revision_or_refunded_in_full(#[case] gone: bool, #[case] back: i64) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (psp, _running) = simulator(None).await;
    let first = paid(pool, id, 1, 35_200).await;
    sqlx::query("update outbox set delivered_at = now()").execute(pool).await.unwrap();
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(|_| Ok(Some(confirmed(Some(16_500)))));
    let asking = service(pool, reservations, psp.clone());
    let guest = caller("guest-1", Role::Guest, &[]);
    let change = asking.create(&guest, id, 2, "https://hotel.example/".into()).await.unwrap();
    let page = change.checkout_url.clone().unwrap();
    assert!(reqwest::Client::new().post(format!("{page}/pay")).send().await.unwrap().status().is_success());
    // Every event is lost: the sweep learns of it.
    asking.check_due(Timestamp::now() + SignedDuration::from_mins(2)).await.unwrap();
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(move |_, _, amount, revision| {
        assert_eq!((amount, revision), (eur(16_500), 2));
        Ok(gone)
    });
    // The reservation stands: it is not told of a refund.
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let change = now(pool, change.payment_id).await;
    assert_eq!((change.refunded, change.reservation_ended), (eur(back), gone));
    assert_eq!(now(pool, first.payment_id).await, first, "the payment of the booking is untouched");
    assert_clean(pool).await;
}

#[tokio::test]
async fn failed_payment_of_change_is_rejected_with_its_revision() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let change = page(pool, id, 2, 16_500).await;
    receive_event(pool, &change, "checkout.failed").await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_reject_payment().times(1).returning(move |reservation, payment, revision| {
        assert_eq!((reservation, payment, revision), (id, change.payment_id, 2));
        Ok(())
    });
    let _relay = start(pool, reservations, MockPsp::new());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
}

#[tokio::test]
async fn settled_change_refunds_newest_payment_first_and_once() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (first, second) = (paid(pool, id, 1, 35_200).await, paid(pool, id, 2, 16_500).await);
    let service = settling(pool);
    for _ in 0..3 {
        let (payments, sale) = service.settle_change(id, &applied(3, 20_000)).await.unwrap();
        let requested: Vec<_> = payments.iter().map(|p| (p.revision, p.refund_requested.minor())).collect();
        assert_eq!((requested, sale), (vec![(2, 16_500), (1, 3_500)], None));
    }
    let reason = RefundReason::Change { revision: 3 };
    assert_eq!(refunds_of(pool, &second).await, [(reason, 16_500)]);
    assert_eq!(refunds_of(pool, &first).await, [(reason, 3_500)]);
    for other in [applied(3, 19_999), dropped(3)] {
        let error = service.settle_change(id, &other).await.unwrap_err();
        assert_eq!(Problem::from(error).reason(), Reason::RequestIdReused, "{other:?}");
    }
    service.settle_change(id, &applied(4, 0)).await.unwrap();
    service.settle_change(id, &applied(5, 99_999)).await.unwrap();
    assert_eq!(now(pool, first.payment_id).await.refund_requested, eur(35_200), "never more than was paid");
    let dollars = ChangeSettlement { refund: Money::parse("USD", "1").unwrap(), ..applied(6, 0) };
    let error = service.settle_change(id, &dollars).await.unwrap_err();
    assert_eq!(Problem::from(error).reason(), Reason::InvalidField);
    assert_clean(pool).await;
}

#[rstest]
#[case::unpaid(CheckoutStatus::Expired, Status::Expired, 0)]
#[case::paid_before_its_event(CheckoutStatus::Paid, Status::Refunding, 16_500)]
#[tokio::test]
async fn dropped_change_closes_its_page_and_refunds_what_was_paid(
    #[case] closes: CheckoutStatus,
    #[case] status: Status,
    #[case] back: i64,
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let first = paid(pool, id, 1, 35_200).await;
    let change = page(pool, id, 2, 16_500).await;
    let service = with(pool, confirmed(None), closes);
    for _ in 0..2 {
        service.settle_change(id, &dropped(2)).await.unwrap();
    }
    let seen = now(pool, change.payment_id).await;
    assert_eq!((seen.status, seen.refund_requested), (status, eur(back)));
    // Its event comes late.
    receive_event(pool, &change, "checkout.paid").await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().returning(|_, _, _, revision| Ok(revision == 2));
    let mut psp = MockPsp::new();
    psp.expect_refund().times(1).returning(|_| Box::pin(async { Ok("re_1".to_owned()) }));
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, change.payment_id).await.refunded, eur(16_500), "once, in full");
    assert_eq!(now(pool, first.payment_id).await, first);
    assert_clean(pool).await;
}

#[rstest]
#[case::nothing_before(0, 0, 40_000, &[16_500, 23_500])]
#[case::change_gave_back(10_000, 0, 30_000, &[16_500, 23_500])]
#[case::goodwill_apart(0, 5_000, 40_000, &[16_500, 28_500])]
#[case::all(0, 0, 51_700, &[16_500, 35_200])]
#[case::nothing(0, 0, 0, &[0, 0])]
#[tokio::test]
async fn cancellation_refunds_payments_together_newest_first_and_keeps_the_penalty(
    #[case] changed: i64,
    #[case] goodwill: i64,
    #[case] policy: i64,
    #[case] requested: &[i64],
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (first, second) = (paid(pool, id, 1, 35_200).await, paid(pool, id, 2, 16_500).await);
    let service = settling(pool);
    service.settle_change(id, &applied(3, changed)).await.unwrap();
    if goodwill > 0 {
        service.refund(first.payment_id, Some(eur(goodwill)), true, uuid::Uuid::now_v7()).await.unwrap();
    }
    for _ in 0..2 {
        service.settle_cancellation(id, gives_back(policy)).await.unwrap();
    }
    let seen = [now(pool, second.payment_id).await, now(pool, first.payment_id).await];
    assert_eq!(seen.each_ref().map(|payment| payment.refund_requested.minor()), requested);
    // Kept: what was paid, less what changes gave back, less the policy's refund; goodwill is on top.
    let kept: i64 = 51_700 - seen.iter().map(|payment| payment.refund_requested.minor()).sum::<i64>();
    assert_eq!(kept + goodwill, 51_700 - changed - policy);
    for payment in [&first, &second] {
        let more = service.refund(payment.payment_id, Some(eur(1)), false, uuid::Uuid::now_v7()).await;
        assert_eq!(Problem::from(more.unwrap_err()).reason(), Reason::RefundExceedsPayment, "the policy is the limit");
    }
    assert_clean(pool).await;
}

#[tokio::test]
async fn refund_taken_from_a_payment_that_is_refused_later_is_made_up_from_the_others() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let first = paid(pool, id, 1, 35_200).await;
    sqlx::query("update outbox set delivered_at = now()").execute(pool).await.unwrap();
    // Cancelled while a change is pending, and its page was just paid.
    let change = page(pool, id, 2, 16_500).await;
    let service = with(pool, confirmed(None), CheckoutStatus::Paid);
    service.settle_cancellation(id, gives_back(30_000)).await.unwrap();
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(|_, _, _, _| Ok(true));
    let booked = first.payment_id;
    reservations.expect_confirm_refund().returning(move |_, payment, amount| {
        assert_eq!((payment, amount), (booked, eur(30_000)), "the total of what pays for the reservation");
        Ok(())
    });
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|order| Box::pin(async move { Ok(format!("re_{}", order.refund_id)) }));
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, change.payment_id).await.refunded, eur(16_500), "all of the refused payment");
    assert_eq!(now(pool, first.payment_id).await.refunded, eur(30_000), "the policy's refund");
    assert_clean(pool).await;
}

#[tokio::test]
async fn refunds_of_all_payments_are_reported_in_total_when_the_last_is_complete() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (first, second) = (paid(pool, id, 1, 35_200).await, paid(pool, id, 2, 16_500).await);
    sqlx::query("update outbox set delivered_at = now()").execute(pool).await.unwrap();
    settling(pool).settle_cancellation(id, gives_back(40_000)).await.unwrap();
    assert_eq!(outbox(pool).await, ["refund.requested", "refund.requested"]);
    sqlx::query("update outbox set delivered_at = now()").execute(pool).await.unwrap();
    let booked = first.payment_id;
    let reservations = move |times| {
        let mut reservations = MockReservationClient::new();
        reservations.expect_confirm_refund().times(times).returning(move |_, payment, amount| {
            assert_eq!((payment, amount), (booked, eur(40_000)));
            Ok(())
        });
        reservations
    };
    for (payment, reports) in [(&second, 0), (&first, 1)] {
        let made = refunds::of_payments(pool, &[payment.payment_id]).await.unwrap();
        complete_refund(pool, payment, made[0].refund_id).await;
        let _relay = start(pool, reservations(reports), MockPsp::new());
        assert_eq!(quiet(pool).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn settled_change_needs_the_reservation_for_its_new_check_out() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    paid(pool, id, 1, 35_200).await;
    let longer = Booking { check_out: date(2030, 5, 9), ..confirmed(None) };
    with(pool, longer, CheckoutStatus::Expired).settle_change(id, &applied(2, 0)).await.unwrap();
    let check_out: jiff_sqlx::Date =
        sqlx::query_scalar("select check_out from change_settlement where reservation_id = $1")
            .bind(id.as_uuid())
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(check_out.to_jiff(), date(2030, 5, 9));
}
