//! Payments at the desk (PARTNER-SPEC 10): the hotel has the money, the chain its commission.

use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use sqlx::PgPool;
use staymesh_domain::{HotelTime, ReservationId};
use staymesh_ledger::{Account, wallets};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role};
use staymesh_psp::{Checkout, CheckoutStatus};

use super::changes::assert_clean;
use crate::{
    clients::{hotels::MockHotelClient, reservations::MockReservationClient},
    error::PaymentError,
    jobs::payouts,
    model::{Booking, DeskPayment, Payment, PaymentMethod, PaymentMode, ReservationStatus, Status},
    service::Payments,
    store::payments,
    testing::{
        MockPsp, booking, caller, database, eur, new_payment, now, opened, outbox, receive_event, reservation_id,
        service, session_of,
    },
};

pub(super) fn clerk() -> Caller {
    caller("user:staff", Role::Staff, &[7])
}

/// What the desk took for the booking itself: 100.00 in cash.
pub(super) fn cash(minor: i64) -> DeskPayment {
    DeskPayment { revision: 1, method: PaymentMethod::Cash, amount: eur(minor), reference: Some("R-17".into()) }
}

/// A service whose reservation has this state, and whose provider closes pages with this status.
pub(super) fn desk(pool: &PgPool, booking: Booking, closes: CheckoutStatus) -> Payments<MockPsp> {
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(move |_| Ok(Some(booking.clone())));
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().returning(|order| {
        let (session, url) = (session_of(order.payment_id), format!("https://psp.example/{}", order.payment_id));
        let opened = Checkout { session, url, status: CheckoutStatus::Open, amount: order.amount };
        Box::pin(async move { Ok(opened) })
    });
    psp.expect_expire_checkout().returning(move |session| {
        let ended = Checkout { session, url: String::new(), status: closes, amount: eur(10_000) };
        Box::pin(async move { Ok(ended) })
    });
    service(pool, reservations, psp)
}

async fn balance(pool: &PgPool, account: Account) -> i128 {
    wallets::balance(pool, &account, "EUR".parse().unwrap()).await.unwrap()
}

async fn all(pool: &PgPool, id: ReservationId) -> Vec<Payment> {
    payments::of_reservation(pool, id).await.unwrap()
}

fn reason(error: PaymentError) -> Reason {
    Problem::from(error).reason()
}

#[tokio::test]
async fn payment_at_the_desk_is_paid_at_once_tells_the_reservation_and_leaves_the_commission_due() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    let paid = service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap();
    assert_eq!((paid.status, paid.method, paid.amount), (Status::Paid, PaymentMethod::Cash, eur(10_000)));
    assert_eq!((paid.revision, paid.desk_reference.as_deref(), paid.psp_session.as_deref()), (1, Some("R-17"), None));
    assert_eq!(service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap(), paid, "a repeat");
    assert_eq!(outbox(pool).await, ["payment.paid"]);
    let hotel = id.hotel_id();
    assert_eq!(balance(pool, Account::HotelCash(hotel)).await, 1_395, "15 % of 93.00");
    assert_eq!(balance(pool, Account::CommissionRevenue).await, -1_395);
    for none in
        [Account::HotelPayable(hotel), Account::TaxPayable(hotel), Account::PspClearing, Account::GuestReceivable]
    {
        assert_eq!(balance(pool, none.clone()).await, 0, "{none:?}");
    }
    assert_clean(pool).await;
    let options =
        payouts::Options { until: jiff::civil::date(2031, 1, 1), hotel: None, dry_run: false, retry_failed: false };
    let mut found = Vec::new();
    payouts::run(pool, &options, |progress| found.extend(progress.found.cloned())).await.unwrap();
    assert!(found.is_empty(), "no payout of money that the hotel has: {found:?}");
}

#[rstest]
#[case::other_amount(DeskPayment { amount: eur(9_999), ..cash(10_000) })]
#[case::other_method(DeskPayment { method: PaymentMethod::CardTerminal, ..cash(10_000) })]
#[case::other_reference(DeskPayment { reference: None, ..cash(10_000) })]
#[tokio::test]
async fn repeat_with_other_content_is_refused_and_changes_nothing(#[case] other: DeskPayment) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap();
    let refused = service.record_desk_payment(&clerk(), id, &other).await.map_err(reason);
    assert_eq!(refused, Err(Reason::ReservationNotPayable));
    assert_eq!(all(pool, id).await.len(), 1);
}

#[rstest]
#[case::less_than_due(booking(), clerk(), cash(9_999), Reason::InvalidField)]
#[case::of_another_hotel(booking(), caller("user:staff", Role::Staff, &[8]), cash(10_000), Reason::ReservationNotFound)]
#[case::of_a_guest(booking(), caller("guest-1", Role::Guest, &[]), cash(10_000), Reason::ReservationNotFound)]
#[case::hold_is_over(
    Booking { hold_expire_time: Some(Timestamp::now() - SignedDuration::from_secs(1)), ..booking() },
    clerk(), cash(10_000), Reason::HoldExpired
)]
#[case::cancelled(
    Booking { status: ReservationStatus::Cancelled, ..booking() },
    clerk(), cash(10_000), Reason::ReservationNotPayable
)]
#[case::partner_collects(
    Booking { payment_mode: PaymentMode::PartnerCollects, ..booking() },
    clerk(), cash(10_000), Reason::ReservationNotPayable
)]
#[case::no_change_is_pending(booking(), clerk(), DeskPayment { revision: 2, ..cash(10_000) }, Reason::ChangeNotPending)]
#[tokio::test]
async fn what_is_not_due_to_this_desk_is_refused_and_nothing_is_recorded(
    #[case] booking: Booking,
    #[case] caller: Caller,
    #[case] taken: DeskPayment,
    #[case] expected: Reason,
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking, CheckoutStatus::Expired);
    assert_eq!(service.record_desk_payment(&caller, id, &taken).await.map_err(reason), Err(expected));
    assert!(all(pool, id).await.is_empty());
}

/// Same-day bookings are paid after the time of check-in, too.
#[tokio::test]
async fn payment_is_taken_until_the_business_day_of_check_in_ends() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let utc = HotelTime::parse("Etc/UTC", "15:00", "00:00").unwrap();
    let today = utc.today(Timestamp::now()).unwrap();
    for (check_in, expected) in
        [(today, Ok(Status::Paid)), (today.yesterday().unwrap(), Err(Reason::ReservationNotPayable))]
    {
        let check_out = today.tomorrow().unwrap();
        let mut service = desk(pool, Booking { check_in, check_out, ..booking() }, CheckoutStatus::Expired);
        let mut hotels = MockHotelClient::new();
        let time = utc.clone();
        hotels.expect_hotel_time().returning(move |_| Ok(time.clone()));
        service.hotels = Arc::new(hotels);
        let id = if expected.is_ok() { id } else { reservation_id() };
        let taken = service.record_desk_payment(&clerk(), id, &cash(10_000)).await;
        assert_eq!(taken.map(|payment| payment.status).map_err(reason), expected, "{check_in}");
    }
}

#[rstest]
#[case::closed(CheckoutStatus::Expired, Ok(Status::Paid))]
#[case::paid_meanwhile(CheckoutStatus::Paid, Err(Reason::ReservationNotPayable))]
#[case::in_review(CheckoutStatus::InReview, Err(Reason::ReservationNotPayable))]
#[tokio::test]
async fn open_page_is_closed_first_and_what_was_paid_there_is_not_taken_again(
    #[case] closes: CheckoutStatus,
    #[case] expected: Result<Status, Reason>,
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), closes);
    let guest = caller("guest-1", Role::Guest, &[]);
    let page = service.create(&guest, id, 1, String::new()).await.unwrap();
    let taken = service.record_desk_payment(&clerk(), id, &cash(10_000)).await;
    assert_eq!(taken.map(|payment| payment.status).map_err(reason), expected);
    let with_money = all(pool, id).await.into_iter().filter(|payment| payment.status.has_money()).count();
    assert_eq!(with_money, usize::from(closes != CheckoutStatus::InReview));
    assert_ne!(now(pool, page.payment_id).await.method, PaymentMethod::Cash);
    assert_clean(pool).await;
}

/// Money once: sixteen desks and guests at the same time.
#[tokio::test]
async fn desks_and_guests_that_race_leave_one_payment_with_money() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    let (staff, guest) = (clerk(), caller("guest-1", Role::Guest, &[]));
    let race = (0..16).map(async |number| match number % 4 {
        0 => service.create(&guest, id, 1, String::new()).await,
        _ => service.record_desk_payment(&staff, id, &cash(10_000)).await,
    });
    join_all(race).await;
    // A page that was opened after the first attempts may have kept them out; one more closes it.
    let taken = service.record_desk_payment(&staff, id, &cash(10_000)).await.unwrap();
    let with_money: Vec<_> = all(pool, id).await.into_iter().filter(|payment| payment.status.has_money()).collect();
    assert_eq!(with_money, [taken]);
    assert_clean(pool).await;
}

/// The provider reports a payment on a page that it had closed: both have money, and the reservation accepts one.
#[tokio::test]
async fn late_payment_on_a_closed_page_is_recorded_beside_the_payment_at_the_desk() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let page = opened(pool, &new_payment(id)).await;
    let url = "https://psp.example/p";
    payments::save_checkout(pool, page.payment_id, &session_of(page.payment_id), url).await.unwrap();
    let service = desk(pool, booking(), CheckoutStatus::Expired);
    let taken = service.record_desk_payment(&clerk(), id, &cash(10_000)).await.unwrap();
    receive_event(pool, &page, "checkout.paid").await;
    let statuses: Vec<_> =
        all(pool, id).await.into_iter().map(|payment| (payment.payment_id, payment.status)).collect();
    assert_eq!(statuses, [(page.payment_id, Status::Paid), (taken.payment_id, Status::Paid)]);
    assert_eq!(outbox(pool).await, ["payment.paid", "payment.paid"], "the reservation service decides");
    assert_clean(pool).await;
}

#[tokio::test]
async fn staff_of_the_hotel_open_the_page_for_the_guest() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let service = desk(pool, Booking { owner: "hotel:7".into(), ..booking() }, CheckoutStatus::Expired);
    let page = service.create(&clerk(), id, 1, String::new()).await.unwrap();
    assert_eq!((page.status, page.owner.as_str()), (Status::Pending, "hotel:7"));
    let other = service.create(&caller("user:staff", Role::Staff, &[8]), id, 1, String::new()).await.map_err(reason);
    assert_eq!(other, Err(Reason::ReservationNotFound));
}
