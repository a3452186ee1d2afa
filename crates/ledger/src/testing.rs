//! Fixtures of this crate's tests.

use jiff::Timestamp;
use sqlx::migrate::Migrator;
use staymesh_domain::{HotelId, Money, ReservationId};
use staymesh_testkit::TestDatabase;

/// The ledger's tables are in the database of the payment service.
pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/payment");

pub(crate) async fn database() -> TestDatabase {
    TestDatabase::new("payment", &MIGRATOR).await.unwrap()
}

pub(crate) fn money(minor: i64, currency: &str) -> Money {
    Money::from_minor(minor, currency.parse().unwrap()).unwrap()
}

pub(crate) fn eur(minor: i64) -> Money {
    money(minor, "EUR")
}

pub(crate) fn reservation_id() -> ReservationId {
    ReservationId::generate(HotelId::try_from(7).unwrap(), Timestamp::now())
}
