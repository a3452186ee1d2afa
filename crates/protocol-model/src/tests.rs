//! The small bounds, and that planted faults are found.

use rstest::rstest;

use super::*;

#[test]
fn every_property_holds_within_the_small_bounds() {
    let report = explore(Protocol::new(Bounds::SMALL, None).expect("a model"));
    println!("{} states, {} steps deep, in {:.1?}", report.states, report.depth, report.duration);
    assert!(report.holds(), "{report:#?}");
    assert!(report.states > 10_000, "{} states", report.states);
}

#[rstest]
#[case::refunds(Fault::RefundsAreRepeated, "never more is refunded than was charged")]
#[case::pages(Fault::PagesAreRepeated, "a payment is charged at most once")]
#[case::rooms(Fault::LateConfirmIgnoresRooms, "no room is sold twice")]
#[case::outbox(Fault::OutboxForgets, "when all is quiet, the money kept is what the booking says")]
fn planted_fault_is_found(#[case] fault: Fault, #[case] property: &str) {
    let report = explore(Protocol::new(Bounds::SMALL, Some(fault)).expect("a model"));
    let violated: Vec<_> = report.violated.iter().map(|(property, _)| *property).collect();
    assert!(violated.contains(&property), "{violated:?} after {} states", report.states);
}
