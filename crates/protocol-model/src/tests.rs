//! The small bounds of each model, and that planted faults are found.

use rstest::rstest;

use super::*;
use crate::{
    change::{Bounds as ChangeBounds, Changes},
    partner::{Bounds as PartnerBounds, Partner},
};

/// Explores a model and requires that every property holds.
macro_rules! assert_holds {
    ($model:expr, $at_least:expr) => {{
        let report = explore($model.expect("a model"));
        println!("{} states, {} steps deep, in {:.1?}", report.states, report.depth, report.duration);
        assert!(report.holds(), "{report:#?}");
        assert!(report.states > $at_least, "{} states", report.states);
    }};
}

fn assert_finds(report: &Report, property: &str) {
    let violated: Vec<_> = report.violated.iter().map(|(property, _)| *property).collect();
    assert!(violated.contains(&property), "{violated:?} after {} states", report.states);
}

#[test]
fn every_property_of_a_booking_holds_within_the_small_bounds() {
    assert_holds!(Protocol::new(Bounds::SMALL, None), 10_000);
}

#[rstest]
#[case::refunds(Fault::RefundsAreRepeated, "never more is refunded than was charged")]
#[case::pages(Fault::PagesAreRepeated, "a payment is charged at most once")]
#[case::rooms(Fault::LateConfirmIgnoresRooms, "no room is sold twice")]
#[case::outbox(Fault::OutboxForgets, "when all is quiet, the money kept is what the booking says")]
fn planted_fault_of_a_booking_is_found(#[case] fault: Fault, #[case] property: &str) {
    assert_finds(&explore(Protocol::new(Bounds::SMALL, Some(fault)).expect("a model")), property);
}

#[rstest]
#[case::charge(ChangeBounds::CHARGE, 1_000)]
#[case::cancelled_room(ChangeBounds::CANCELLED_ROOM, 1_000)]
#[case::paid_twice(ChangeBounds::PAID_TWICE, 1_000)]
#[case::refund(ChangeBounds::REFUND, 1_000)]
#[case::administrator(ChangeBounds::ADMINISTRATOR, 1_000)]
fn every_property_of_changes_holds_within_the_small_bounds(#[case] bounds: ChangeBounds, #[case] states: usize) {
    assert_holds!(Changes::new(bounds, None), states);
}

const MONEY: &str = "when all is quiet, the money kept is what the revisions say";
const ROOMS: &str = "rooms are those of the revision and what its pending change holds";

#[rstest]
#[case::held(ChangeBounds::CHARGE, Fault::HeldRoomsStay, ROOMS)]
#[case::released(ChangeBounds::CHARGE, Fault::ChangeReleasesTwice, ROOMS)]
#[case::kept(ChangeBounds::CHARGE, Fault::UnusablePaymentIsKept, MONEY)]
#[case::outbox(ChangeBounds::CHARGE, Fault::OutboxForgets, MONEY)]
#[case::repeated(ChangeBounds::REFUND, Fault::SettlementIsRepeated, MONEY)]
#[case::refused(ChangeBounds::PAID_TWICE, Fault::RefusalForgetsChanges, MONEY)]
#[case::policy(ChangeBounds::ADMINISTRATOR, Fault::PolicyIsNoLimit, MONEY)]
fn planted_fault_of_a_change_is_found(#[case] bounds: ChangeBounds, #[case] fault: Fault, #[case] property: &str) {
    assert_finds(&explore(Changes::new(bounds, Some(fault)).expect("a model")), property);
}

#[test]
fn every_property_of_a_partners_changes_holds_within_the_small_bounds() {
    assert_holds!(Partner::new(PartnerBounds::SMALL, None), 1_000);
}

#[rstest]
#[case::credit(Fault::CreditIsNoLimit, "the partner never owes more than its limit")]
#[case::undone(Fault::AmendmentIsNotUndone, "when all is quiet, the partner owes what the revisions say")]
fn planted_fault_of_a_partners_change_is_found(#[case] fault: Fault, #[case] property: &str) {
    assert_finds(&explore(Partner::new(PartnerBounds::SMALL, Some(fault)).expect("a model")), property);
}
