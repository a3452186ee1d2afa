//! The ledger postings of payments and refunds.

use sqlx::PgPool;
use staymesh_domain::HotelId;
use staymesh_ledger::{Account, wallets};
use staymesh_mesh::{Problem, Reason, auth::Role};
use staymesh_psp::{Checkout, CheckoutStatus};

use crate::{
    clients::reservations::MockReservationClient,
    model::Booking,
    model::{Payment, Status},
    store::payments,
    testing::{
        MockPsp, booking, caller, complete_refund, database, eur, open, receive_event, request_refund, reservation_id,
        service,
    },
};

/// Balances in cents: guests, provider, hotel, commission, taxes, refunds.
async fn balances(pool: &PgPool) -> [i128; 6] {
    let hotel = HotelId::try_from(7).unwrap();
    let accounts = [
        Account::GuestReceivable,
        Account::PspClearing,
        Account::HotelPayable(hotel),
        Account::CommissionRevenue,
        Account::TaxPayable(hotel),
        Account::Refunds,
    ];
    let mut balances = [0; 6];
    for (balance, account) in balances.iter_mut().zip(accounts) {
        *balance = wallets::balance(pool, &account, "EUR".parse().unwrap()).await.unwrap();
    }
    balances
}

async fn transactions(pool: &PgPool) -> Vec<String> {
    let sql = "select kind from ledger_transaction order by transaction_id";
    sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn payment_and_full_refund_are_posted_once_and_balance_to_zero() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    assert_eq!(balances(pool).await, [0; 6], "nothing is posted before the payment");
    for _ in 0..2 {
        receive_event(pool, &payment, "checkout.paid").await;
        // 7.00 of taxes, and 15 % of the rest.
        assert_eq!(balances(pool).await, [0, 10_000, -7905, -1395, -700, 0]);
    }
    let first = request_refund(pool, &payment, 3_333).await;
    assert_eq!(balances(pool).await, [0, 10_000, -5270, -930, -467, -3333]);
    let second = request_refund(pool, &payment, 6_667).await;
    assert_eq!(balances(pool).await, [0, 10_000, 0, 0, 0, -10_000]);
    for _ in 0..2 {
        complete_refund(pool, &payment, second).await;
        assert_eq!(balances(pool).await, [0, 3_333, 0, 0, 0, -3333]);
    }
    complete_refund(pool, &payment, first).await;
    assert_eq!(balances(pool).await, [0; 6]);
    let kinds = ["SALE", "CHARGE", "REFUND_OWED", "REFUND_OWED", "REFUND_PAID", "REFUND_PAID"];
    assert_eq!(transactions(pool).await, kinds);
}

#[tokio::test]
async fn failed_and_expired_payments_are_not_posted() {
    let database = database().await;
    for kind in ["checkout.failed", "checkout.expired"] {
        receive_event(database.pool(), &open(database.pool()).await, kind).await;
    }
    assert!(transactions(database.pool()).await.is_empty());
}

async fn created(pool: &PgPool, found: Booking, basis_points: u16) -> Result<Payment, Reason> {
    let (mut reservations, mut psp) = (MockReservationClient::new(), MockPsp::new());
    reservations.expect_get().returning(move |_| {
        let found = found.clone();
        Ok(Some(found))
    });
    psp.expect_create_checkout().returning(|order| {
        let (session, url) = (format!("cs_{}", order.payment_id), "https://psp.example/p".to_owned());
        Box::pin(async move { Ok(Checkout { session, url, status: CheckoutStatus::Open, amount: order.amount }) })
    });
    let mut service = service(pool, reservations, psp);
    service.commission_basis_points = basis_points;
    let created = service.create(&caller("guest-1", Role::Guest, &[]), reservation_id(), 1, String::new()).await;
    created.map_err(|error| Problem::from(error).reason())
}

#[tokio::test]
async fn create_fixes_taxes_of_reservation_and_configured_commission() {
    let database = database().await;
    let pool = database.pool();
    let payment = created(pool, booking(), 1500).await.unwrap();
    assert_eq!(
        (payment.split.hotel(), payment.split.tax(), payment.split.commission()),
        (eur(7905), eur(700), eur(1395))
    );
    let check_out: String =
        sqlx::query_scalar("select check_out::text from payment_order").fetch_one(pool).await.unwrap();
    assert_eq!(check_out, "2030-05-04");
    let all_ours = created(pool, booking(), 10_000).await.unwrap();
    assert_eq!((all_ours.split.hotel(), all_ours.split.commission()), (eur(0), eur(9300)));
    let untaxed = Booking { taxes: eur(0), ..booking() };
    assert_eq!(created(pool, untaxed, 0).await.unwrap().split.hotel(), eur(10_000));
}

#[tokio::test]
async fn create_with_taxes_above_total_fails() {
    let database = database().await;
    let overtaxed = Booking { taxes: eur(10_001), ..booking() };
    assert_eq!(created(database.pool(), overtaxed, 1500).await.unwrap_err(), Reason::Internal);
    let count: i64 = sqlx::query_scalar("select count(*) from payment_order").fetch_one(database.pool()).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn rolled_back_status_change_is_not_posted() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    let mut transaction = pool.begin().await.unwrap();
    let locked = payments::lock(&mut transaction, payment.payment_id).await.unwrap().unwrap();
    assert!(crate::service::checkout::apply(&mut transaction, &locked, CheckoutStatus::Paid).await.unwrap());
    transaction.rollback().await.unwrap();
    assert!(transactions(pool).await.is_empty());
    assert_eq!(crate::testing::now(pool, payment.payment_id).await.status, Status::Pending);
}
