//! The fault matrix of changes: the process is killed immediately before and after every step of a change with a charge and
//! of a change with a refund. The guest has the old booking or the new one, never neither and never both, and pays once.

mod end;
mod scenario;

use std::time::Instant;

use staymesh_mesh::fault::Step;
use staymesh_payment::fault_points as payment;
use staymesh_reservation::fault_points as reservation;

use super::{
    assert_clean,
    outcome::await_outboxes,
    restart, restart_after_death,
    shop::{Shop, settings},
};
use crate::support::{PrivateMesh, operate};
use scenario::Scenario;

/// The services with crash points in a change, and the steps of the change itself.
const CHANGE: [(&str, &[&[Step]]); 2] =
    [("payment", &[payment::CHANGE]), ("reservation", &[reservation::CHANGE, reservation::PARTNER_CHANGE])];

/// The services, and the steps of the payments and refunds that a change may lead through.
const MONEY: [(&str, &[&[Step]]); 2] = [("payment", &[payment::ALL]), ("reservation", &[reservation::ALL])];

/// Where a process dies, and in which change.
#[derive(Clone, Copy)]
struct Case {
    service: &'static str,
    step: Step,
    scenario: Scenario,
}

/// Every step with each scenario that leads through it.
fn cases(steps: [(&'static str, &'static [&'static [Step]]); 2]) -> Vec<Case> {
    let steps =
        steps.into_iter().flat_map(|(service, lists)| lists.concat().into_iter().map(move |step| (service, step)));
    let through = |(service, step): (&'static str, Step)| {
        let scenarios = Scenario::ALL.into_iter().filter(move |scenario| scenario.steps().contains(&step.0));
        scenarios.map(move |scenario| Case { service, step, scenario })
    };
    steps.flat_map(through).collect()
}

/// Every step of a change: with the charge and with the refund that lead through it, or else with another scenario.
fn short_matrix() -> Vec<Case> {
    let all = cases(CHANGE);
    let mut short = Vec::new();
    for step in CHANGE.into_iter().flat_map(|(_, lists)| lists.concat()) {
        let through: Vec<Case> = all.iter().copied().filter(|case| case.step == step).collect();
        let first = *through.first().unwrap_or_else(|| panic!("no scenario leads through {}", step.0));
        let plain: Vec<Case> = through.into_iter().filter(|case| case.scenario.is_plain()).collect();
        short.extend(if plain.is_empty() { vec![first] } else { plain });
    }
    short
}

/// Every step of a change, of its payment and of its refunds, with every scenario that leads through it.
fn whole_matrix() -> Vec<Case> {
    let cases = [cases(CHANGE), cases(MONEY)].concat();
    let expected: usize = Scenario::ALL.into_iter().map(|scenario| scenario.steps().len()).sum();
    assert_eq!(cases.len(), expected, "every step of a scenario is one of a service");
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_step_of_a_change_leaves_the_old_booking_or_the_new_one_and_one_charge() {
    run(&short_matrix()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; the command is in CONTRIBUTING.md"]
async fn crash_at_any_step_of_any_change_its_payment_and_its_refunds_leaves_one_booking_and_one_charge() {
    run(&whole_matrix()).await;
}

async fn run(matrix: &[Case]) {
    let mesh = PrivateMesh::start(settings()).await;
    let shop = Shop::on(&mesh).await;
    println!(
        "{:32} {:18} {:>7} {:>9} {:>9} {:>7} {:>6}",
        "killed at", "change", "booking", "charged", "refunded", "owed", "ms"
    );
    for case in matrix {
        for point in case.step.points() {
            die_at(&shop, *case, &point).await;
        }
    }
    println!("{} crash points", matrix.len() * 2);
    assert_clean(&shop).await;
}

/// Changes a paid booking while a service is killed at this crash point and restarted.
async fn die_at(shop: &Shop<'_>, Case { service, scenario, .. }: Case, point: &str) {
    let started = Instant::now();
    let own = scenario.settings();
    if !own.is_empty() {
        operate(shop.mesh(), |local| restart(local, "payment", own));
    }
    let booked = scenario.book(shop).await;
    await_outboxes(shop).await;
    let faulty = [own, &[("STAYMESH_FAULT", point)]].concat();
    operate(shop.mesh(), |local| restart(local, service, &faulty));
    let changes = async {
        tokio::join!(scenario.change(shop, &booked), restart_after_death(shop, service, point, own));
        end::assert_is(shop, &booked, &scenario.end(), point).await;
    };
    tokio::select! {
        () = changes => {}
        () = end::watch(shop, &booked, point) => {}
    }
    assert_clean(shop).await;
    let end = scenario.end();
    let (booking, charged, refunded) = (if end.changed { "new" } else { "old" }, end.charged(), end.refunded());
    let (change, owed, took) = (format!("{scenario:?}"), end.owed, started.elapsed().as_millis());
    println!("{point:32} {change:18} {booking:>7} {charged:>9} {refunded:>9} {owed:>7} {took:>6}");
}
