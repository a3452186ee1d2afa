//! The fault matrix: the process is killed immediately before and after every step of pay-in, hold expiry, refund, payout,
//! partner sale and change, with each provider; or the provider's response is late, repeated, out of order or lost. Every run
//! ends with one charge and one final state.

mod changes;
mod hold;
mod outcome;
mod partner;
mod payout;
mod provider_responses;
mod scenario;
mod shop;
mod stripe;

use std::{os::unix::process::ExitStatusExt, time::Instant};

use staymesh_devenv::Signal;
use staymesh_mesh::fault::Step;

use crate::support::{PrivateMesh, eventually, operate};
use scenario::Scenario;
use shop::{Shop, settings};

/// The services with fault points, and their steps.
const STEPS: [(&str, &[Step]); 2] =
    [("payment", staymesh_payment::fault_points::ALL), ("reservation", staymesh_reservation::fault_points::ALL)];

#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_step_leaves_one_charge_and_one_final_state() {
    let mesh = PrivateMesh::start(settings()).await;
    let mut shop = Shop::on(&mesh).await;
    for (service, steps) in STEPS {
        for step in steps {
            for point in step.points() {
                die_at(&shop, service, &point, Scenario::through(*step)).await;
            }
        }
        operate(&mesh, |local| restart(local, service, &[]));
    }
    for step in staymesh_payment::fault_points::PAYOUT {
        for point in step.points() {
            let started = Instant::now();
            payout::die_at(&mut shop, step.0, &point).await;
            println!("{point}: in {} ms", started.elapsed().as_millis());
        }
    }
    assert_clean(&shop).await;
}

/// Asserts that `staymesh check` finds nothing and every process runs.
async fn assert_clean(shop: &Shop<'_>) {
    let (clean, found) = tokio::task::block_in_place(|| super::check::check(&shop.world));
    assert!(clean, "{found:#}");
    shop.books.assert_balanced().await;
    operate(shop.mesh(), staymesh_localmesh::LocalMesh::check);
}

/// Runs a scenario in which a service is killed at this crash point and restarted.
async fn die_at(shop: &Shop<'_>, service: &str, point: &str, scenario: Scenario) {
    let started = Instant::now();
    let own = scenario.settings();
    let faulty = [own, &[("STAYMESH_FAULT", point)]].concat();
    operate(shop.mesh(), |local| restart(local, service, &faulty));
    let (facts, ()) = tokio::join!(scenario.run(shop), restart_after_death(shop, service, point, own));
    scenario.assert_ended(shop, &facts, point).await;
    println!("{point}: {scenario:?} in {} ms", started.elapsed().as_millis());
}

/// Waits until the service has died at this crash point, and restarts it.
async fn restart_after_death(shop: &Shop<'_>, service: &str, point: &str, settings: &[(&str, &str)]) {
    await_death(shop, service, point).await;
    shop.end_leases(service).await;
    operate(shop.mesh(), |local| local.restart_with(service, settings));
}

/// Waits until the service has died at this crash point.
async fn await_death(shop: &Shop<'_>, service: &str, point: &str) {
    let status = eventually(&format!("{service} comes to {point}"), async || {
        operate(shop.mesh(), |local| local.service(service)?.exit_status())
    })
    .await;
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{point}");
    let log_tail = operate(shop.mesh(), |local| local.service(service).map(|process| process.log_tail()));
    assert!(log_tail.contains(&format!("killed at crash point {point} ")), "{point}: {log_tail}");
}

/// Restarts a service that may be running.
fn restart(local: &mut staymesh_localmesh::LocalMesh, service: &str, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    local.service(service)?.kill_now()?;
    local.restart_with(service, settings)
}
