//! The end of a hold: whatever dies meanwhile, and if the money comes just then, there is one charge or none, and one end.

use std::time::Instant;

use jiff::{Timestamp, tz::TimeZone};
use staymesh_devenv::{Signal, wait::wait_until};

use super::{
    assert_clean, await_death, come_back,
    end::{self, End},
    restart,
    shop::{Shop, settings},
};
use crate::support::{OwnMesh, operate};

/// Long enough to open a page in and to pay on it, on a busy machine.
const HOLD: &str = "12s";
/// A bound on hanging, not a promise of speed.
const JOB_LIMIT: std::time::Duration = std::time::Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_once_whatever_dies_and_if_the_money_comes_just_then() {
    let settings = [settings(), vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())]].concat();
    let mesh = OwnMesh::start(settings).await;
    let shop = Shop::on(&mesh).await;
    for step in staymesh_reservation::fault_points::HOLD {
        for point in step.points() {
            nobody_pays(&shop, &point).await;
            money_comes_just_then(&shop, &point).await;
        }
    }
    assert_clean(&shop).await;
    assert_reconciled(&shop);
}

/// The hold runs out, and the service dies over it.
async fn nobody_pays(shop: &Shop<'_>, point: &str) {
    let started = Instant::now();
    operate(shop.mesh(), |local| restart(local, "reservation", &[("STAYMESH_FAULT", point)]));
    let sale = shop.open(&shop.book().await, "").await;
    come_back(shop, "reservation", point, &[]).await;
    let end = End { payment: "EXPIRED", events: &["checkout.expired"], history: &["pending_payment", "cancelled"] };
    end::assert_is(shop, &sale, &end, point).await;
    println!("{point}: nobody pays, in {} ms", started.elapsed().as_millis());
}

/// The guest pays in time, but word of it comes while the service lies dead over the end of the hold.
async fn money_comes_just_then(shop: &Shop<'_>, point: &str) {
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
    // When the end of the hold was not written, it may be written now or be too late: either is one end.
    let ended = shop.books.history(&sale.reservation_id).await.len() == 3;
    assert!(ended || point.ends_with(".before"), "{point}");
    let history: &[&str] = if ended { &["pending_payment", "cancelled", "paid"] } else { &["pending_payment", "paid"] };
    end::assert_is(shop, &sale, &End { payment: "PAID", events: &["checkout.paid"], history }, point).await;
    println!("{point}: paid just then, ended before: {ended}, in {} ms", started.elapsed().as_millis());
}

/// The reconciliation finds nothing: neither in the ledger, nor between payments and their bookings.
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
