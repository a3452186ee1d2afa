//! Crashes during hold expiry, also with a concurrent payment: at most one charge and one final state.

use std::time::Instant;

use jiff::{Timestamp, tz::TimeZone};
use staymesh_devenv::{Signal, wait::wait_until};

use super::{
    assert_clean, await_death,
    outcome::{self, Outcome},
    restart, restart_after_death,
    shop::{Shop, settings},
};
use crate::support::{PrivateMesh, operate};

/// Long enough to open a checkout page and pay on it, on a busy machine.
const HOLD: &str = "12s";
/// Timeout that only detects a hang.
const JOB_LIMIT: std::time::Duration = std::time::Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn crash_during_hold_expiry_leaves_one_final_state_even_with_concurrent_payment() {
    let settings = [settings(), vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())]].concat();
    let mesh = PrivateMesh::start(settings).await;
    let shop = Shop::on(&mesh).await;
    for step in staymesh_reservation::fault_points::HOLD {
        for point in step.points() {
            expire_unpaid(&shop, &point).await;
            pay_during_expiry(&shop, &point).await;
        }
    }
    assert_clean(&shop).await;
    assert_reconciled(&shop);
}

/// The hold expires, and the service dies during expiry.
async fn expire_unpaid(shop: &Shop<'_>, point: &str) {
    let started = Instant::now();
    operate(shop.mesh(), |local| restart(local, "reservation", &[("STAYMESH_FAULT", point)]));
    let sale = shop.open(&shop.book().await, "").await;
    restart_after_death(shop, "reservation", point, &[]).await;
    let end = Outcome { payment: "EXPIRED", events: &["checkout.expired"], history: &["pending_payment", "cancelled"] };
    outcome::assert_is(shop, &sale, &end, point).await;
    println!("{point}: expired unpaid in {} ms", started.elapsed().as_millis());
}

/// The guest pays in time, but the event arrives while the service is down during expiry of the hold.
async fn pay_during_expiry(shop: &Shop<'_>, point: &str) {
    let started = Instant::now();
    operate(shop.mesh(), |local| restart(local, "reservation", &[("STAYMESH_FAULT", point)]));
    let sale = shop.open(&shop.book().await, "").await;
    operate(shop.mesh(), |local| local.service("payment")?.signal(Signal::STOP));
    shop.use_good_card(&sale).await;
    await_death(shop, "reservation", point).await;
    operate(shop.mesh(), |local| local.service("payment")?.signal(Signal::CONT));
    shop.await_payment(&sale, "PAID").await;
    shop.end_leases("reservation").await;
    operate(shop.mesh(), |local| local.restart("reservation"));
    shop.end_leases("payment").await;

    shop.await_state(&sale, "PAID", "paid").await;
    // If expiry was not committed, it may be committed now or be too late: both are one final state.
    let ended = shop.books.history(&sale.reservation_id).await.len() == 3;
    assert!(ended || point.ends_with(".before"), "{point}");
    let history: &[&str] = if ended { &["pending_payment", "cancelled", "paid"] } else { &["pending_payment", "paid"] };
    outcome::assert_is(shop, &sale, &Outcome { payment: "PAID", events: &["checkout.paid"], history }, point).await;
    println!("{point}: paid just then, ended before: {ended}, in {} ms", started.elapsed().as_millis());
}

/// Asserts that reconciliation finds no case, neither in the ledger nor between payments and reservations.
fn assert_reconciled(shop: &Shop<'_>) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date().to_string();
    let (status, log) = operate(shop.mesh(), |local| {
        let launch = local.job_of("payment", &["reconcile", "--day", &today, "--partial", "--grace", "1ms"])?;
        let mut process = launch.log(local.logs().join("reconcile-holds.log")).spawn()?;
        let status = wait_until("the day is reconciled", JOB_LIMIT, || process.exit_status())?;
        anyhow::Ok((status, process.log_tail()))
    });
    assert!(status.success(), "{log}");
}
