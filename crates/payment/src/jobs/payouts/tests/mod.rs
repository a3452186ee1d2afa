//! The job on a real database. Delivery to the provider is tested in `service::tests`.

mod cutoff;
mod guards;
mod mixes;
mod run;

use jiff::{
    Timestamp,
    civil::{Date, date},
};
use sqlx::PgPool;
use staymesh_domain::{HotelId, Money, ReservationId};
use staymesh_ledger::{self as ledger, Account, Split, wallets};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{Found, Options, run};
use crate::{
    model::{NewPayment, Payment, Status},
    store::{payments, payouts},
    testing::{MockPsp, booking, eur, new_payment, opened, reads, reservation_id, service},
};

/// A date after all stays of these tests.
pub(crate) const AFTER: Date = date(2031, 1, 1);

pub(crate) fn hotel(number: i32) -> HotelId {
    HotelId::try_from(number).unwrap()
}

pub(crate) fn everything() -> Options {
    Options { until: AFTER, hotel: None, dry_run: false, retry_failed: false }
}

/// A paid stay at this hotel.
pub(crate) async fn sold_at(pool: &PgPool, hotel_id: i32, total: Money, tax: i64, check_out: Date) -> Payment {
    let reservation_id = ReservationId::generate(hotel(hotel_id), Timestamp::now());
    let tax = Money::from_minor(tax, total.currency()).unwrap();
    let split = Split::with_commission(total, tax, 1500).unwrap();
    let new = NewPayment { amount: total, split, check_out, ..new_payment(reservation_id) };
    let payment = opened(pool, &new).await;
    let mut transaction = pool.begin().await.unwrap();
    payments::set_status(&mut transaction, payment.payment_id, Status::Paid).await.unwrap();
    let sold = payment.sold();
    assert!(ledger::post(&mut transaction, &sold.sale(payment.payment_id)).await.unwrap());
    assert!(ledger::post(&mut transaction, &sold.charge(payment.payment_id)).await.unwrap());
    transaction.commit().await.unwrap();
    payment
}

/// A paid stay of 100.00 at hotel 7, of which 79.05 are due to the hotel.
pub(crate) async fn sold(pool: &PgPool) -> Payment {
    let id = reservation_id();
    assert_eq!(id.hotel_id(), hotel(7));
    sold_at(pool, 7, eur(10_000), 700, date(2030, 5, 4)).await
}

pub(crate) async fn refund(pool: &PgPool, payment: &Payment, amount: Money) {
    let service = service(pool, reads(booking()), MockPsp::new());
    service.refund(payment.payment_id, Some(amount), false, Uuid::new_v4()).await.unwrap();
}

pub(crate) async fn send_to(pool: &PgPool, hotel_id: i32, destination: &str) {
    payouts::set_destination(pool, hotel(hotel_id), destination, "admin").await.unwrap();
}

pub(crate) async fn make_payouts(pool: &PgPool, options: &Options) -> Vec<Found> {
    let mut all = Vec::new();
    run(pool, options, |at| all.extend(at.found.cloned())).await.unwrap();
    all
}

/// A payout of everything that hotel 7 is owed.
pub(crate) async fn requested(pool: &PgPool) -> Uuid {
    send_to(pool, 7, "acct_7").await;
    match make_payouts(pool, &everything()).await.as_slice() {
        [Found::Paid { payout_id: Some(id), hotel_id, .. }] if *hotel_id == hotel(7) => *id,
        other => panic!("{other:?}"),
    }
}

/// What a hotel is owed, by the ledger.
pub(crate) async fn owed(pool: &PgPool, hotel_id: i32) -> i128 {
    -wallets::balance(pool, &Account::HotelPayable(hotel(hotel_id)), "EUR".parse().unwrap()).await.unwrap()
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// The constraint that rejects a transaction of these statements; `None` if it commits.
async fn refused(pool: &PgPool, statements: &[&'static str]) -> Option<String> {
    let work = async {
        let mut transaction = pool.begin().await?;
        for sql in statements {
            sqlx::query(*sql).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    };
    let error: StoreError = work.await.err()?.into();
    Some(error.constraint().unwrap_or_else(|| panic!("not a constraint: {error:?}")).to_owned())
}
