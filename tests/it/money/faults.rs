//! The fault matrix: at every step of pay-in, the end of a hold, refund, pay-out and a partner's sale the process is
//! killed, right before it and right after it, with either provider; or the provider answers late, twice, out of order or
//! never. In the end there is one charge, and one state.

mod answers;
mod end;
mod hold;
mod partner;
mod pay_out;
mod shop;
mod story;
mod stripe;

use std::{os::unix::process::ExitStatusExt, time::Instant};

use staymesh_devenv::Signal;
use staymesh_mesh::fault::Step;

use crate::support::{OwnMesh, eventually, operate};
use shop::{Shop, settings};
use story::Story;

/// The services with fault points, and their steps.
const STEPS: [(&str, &[Step]); 2] =
    [("payment", staymesh_payment::fault_points::ALL), ("reservation", staymesh_reservation::fault_points::ALL)];

#[tokio::test(flavor = "multi_thread")]
async fn at_whatever_step_a_service_dies_there_is_one_charge_and_one_end() {
    let mesh = OwnMesh::start(settings()).await;
    let mut shop = Shop::on(&mesh).await;
    for (service, steps) in STEPS {
        for step in steps {
            for point in step.points() {
                die_at(&shop, service, &point, Story::through(*step)).await;
            }
        }
        operate(&mesh, |local| restart(local, service, &[]));
    }
    for step in staymesh_payment::fault_points::PAYOUT {
        for point in step.points() {
            let started = Instant::now();
            pay_out::die_at(&mut shop, step.0, &point).await;
            println!("{point}: in {} ms", started.elapsed().as_millis());
        }
    }
    assert_clean(&shop).await;
}

/// `staymesh check` finds nothing, and every process is well.
async fn assert_clean(shop: &Shop<'_>) {
    let (clean, found) = tokio::task::block_in_place(|| super::check::check(&shop.world));
    assert!(clean, "{found:#}");
    shop.books.assert_balanced().await;
    operate(shop.mesh(), staymesh_localmesh::LocalMesh::check);
}

/// Lives through a story in which a service dies at this point and comes back.
async fn die_at(shop: &Shop<'_>, service: &str, point: &str, story: Story) {
    let started = Instant::now();
    let own = story.settings();
    let faulty = [own, &[("STAYMESH_FAULT", point)]].concat();
    operate(shop.mesh(), |local| restart(local, service, &faulty));
    let (told, ()) = tokio::join!(story.live(shop), come_back(shop, service, point, own));
    story.assert_ended(shop, &told, point).await;
    println!("{point}: {story:?} in {} ms", started.elapsed().as_millis());
}

/// Waits until the service has died at this point, and starts it again.
async fn come_back(shop: &Shop<'_>, service: &str, point: &str, settings: &[(&str, &str)]) {
    await_death(shop, service, point).await;
    shop.end_leases(service).await;
    operate(shop.mesh(), |local| local.restart_with(service, settings));
}

/// Waits until the service has died at this point.
async fn await_death(shop: &Shop<'_>, service: &str, point: &str) {
    let status = eventually(&format!("{service} comes to {point}"), async || {
        operate(shop.mesh(), |local| local.service(service)?.exit_status())
    })
    .await;
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{point}");
    let last_words = operate(shop.mesh(), |local| local.service(service).map(|process| process.log_tail()));
    assert!(last_words.contains(&format!("dying at {point},")), "{point}: {last_words}");
}

/// Starts a service again that may be running.
fn restart(local: &mut staymesh_localmesh::LocalMesh, service: &str, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    local.service(service)?.kill_now()?;
    local.restart_with(service, settings)
}
