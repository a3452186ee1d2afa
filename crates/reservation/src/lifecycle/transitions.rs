//! The legal transitions of a reservation: the one table that the trigger `reservation_legal_transition`, the invariant
//! checker, the contract and the documentation are tested against.

use crate::model::{CancellationReason, Reservation, Status};

/// A legal transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
    /// What else must be true of the reservation.
    pub condition: Condition,
}

/// What a transition requires besides the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// A payment is noted: there is money that was refunded.
    PaymentNoted,
    /// The cancellation reason is `hold_expired`: a late payment takes the rooms again (ADR 0003); or it is `no_show`, which
    /// is taken back.
    Revivable,
}

/// Every legal transition. Staying in a status is not a transition.
pub const TRANSITIONS: [Transition; 6] = [
    Transition::new(Status::PendingPayment, Status::Paid, Condition::None),
    Transition::new(Status::PendingPayment, Status::Rejected, Condition::None),
    Transition::new(Status::PendingPayment, Status::Cancelled, Condition::None),
    Transition::new(Status::Paid, Status::Cancelled, Condition::None),
    Transition::new(Status::Cancelled, Status::Refunded, Condition::PaymentNoted),
    Transition::new(Status::Cancelled, Status::Paid, Condition::Revivable),
];

impl Transition {
    const fn new(from: Status, to: Status, condition: Condition) -> Self {
        Self { from, to, condition }
    }

    /// The transition between two statuses; `None` when it is illegal.
    pub fn between(from: Status, to: Status) -> Option<Self> {
        TRANSITIONS.into_iter().find(|transition| (transition.from, transition.to) == (from, to))
    }

    /// Whether `reservation`, as it is before the transition, meets the condition.
    pub fn is_allowed(self, reservation: &Reservation) -> bool {
        match self.condition {
            Condition::None => true,
            Condition::PaymentNoted => reservation.payment_id.is_some(),
            Condition::Revivable => matches!(
                reservation.cancellation_reason,
                Some(CancellationReason::HoldExpired | CancellationReason::NoShow)
            ),
        }
    }
}

impl Status {
    /// Whether a transition to `to` is legal, under its condition if it has one.
    pub fn can_become(self, to: Self) -> bool {
        Transition::between(self, to).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn table() -> BTreeSet<(String, String)> {
        TRANSITIONS.iter().map(|t| (t.from.contract_name().into(), t.to.contract_name().into())).collect()
    }

    /// The transitions in lines of the form `A -> B | C   remark`, whatever stands before `A` and whichever arrow.
    fn arrows(text: &str) -> BTreeSet<(String, String)> {
        let is_status = |word: &str| Status::ALL.iter().any(|status| status.contract_name() == word);
        let mut found = BTreeSet::new();
        for line in text.lines() {
            let Some((from, to)) = line.split_once("-->").or_else(|| line.split_once("->")) else { continue };
            let Some(from) = from.split_whitespace().last().filter(|from| is_status(from)) else { continue };
            let targets = to.split_whitespace().take_while(|word| *word == "|" || is_status(word));
            found.extend(targets.filter(|word| *word != "|").map(|to| (from.to_owned(), to.to_owned())));
        }
        found
    }

    #[test]
    fn contract_lists_the_transitions_of_the_table() {
        let proto = include_str!("../../../../proto/staymesh/reservation/v1/reservation.proto");
        assert_eq!(arrows(proto), table());
    }

    #[test]
    fn architecture_lists_the_transitions_of_the_table() {
        let text = include_str!("../../../../docs/ARCHITECTURE.md");
        let (_, section) = text.split_once("## The states of a reservation").expect("the section");
        let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
        assert_eq!(arrows(section), table());
    }

    #[test]
    fn module_documentation_lists_the_transitions_of_the_table() {
        assert_eq!(arrows(include_str!("mod.rs")), table());
    }

    #[test]
    fn terminal_statuses_and_repeats_have_no_transition() {
        for status in Status::ALL {
            assert!(!status.can_become(status), "{status:?}");
            assert!(!Status::Refunded.can_become(status) && !Status::Rejected.can_become(status), "{status:?}");
            assert!(!status.can_become(Status::PendingPayment), "{status:?}");
        }
    }
}
