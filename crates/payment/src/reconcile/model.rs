//! Findings, and the cases that are made of them.

use jiff::{Timestamp, civil::Date};
use staymesh_psp::settlement::MovementKind;
use uuid::Uuid;

macro_rules! named {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $variant_doc])+ $variant,)+ }

        impl $name {
            /// Every variant.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The database's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The variant with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    };
}

named! {
    /// The kind of difference.
    CaseKind {
        /// Posted in the ledger, without a settlement line.
        MissingAtPsp = "MISSING_AT_PSP",
        /// A settlement line without a posting or a known id.
        MissingHere = "MISSING_HERE",
        /// The amounts differ.
        Amount = "AMOUNT",
        /// The currencies differ.
        Currency = "CURRENCY",
        /// The provider moved the money more than once.
        Duplicate = "DUPLICATE",
        /// The provider moved the money, but it is not recorded as moved.
        Status = "STATUS",
        /// A wallet is not the sum of its entries.
        Wallet = "WALLET",
        /// A payment and its reservation contradict each other.
        Reservation = "RESERVATION",
    }
}

named! {
    /// What a case is about.
    Subject {
        /// A charge of a guest.
        Charge = "CHARGE",
        /// A refund to a guest.
        Refund = "REFUND",
        /// A transfer to a hotel.
        Transfer = "TRANSFER",
        /// The wallet of an account.
        Wallet = "WALLET",
        /// A payment compared with its reservation.
        Payment = "PAYMENT",
        /// A movement that the ledger does not book.
        Other = "OTHER",
    }
}

named! {
    /// The state of a case.
    State {
        /// Without an owner.
        Open = "OPEN",
        /// Assigned to its owner.
        Assigned = "ASSIGNED",
        /// Closed; see [`Resolution`].
        Resolved = "RESOLVED",
    }
}

named! {
    /// Why a case was resolved.
    Resolution {
        /// A later run did not find the difference.
        Gone = "GONE",
        /// An administrator resolved it.
        Settled = "SETTLED",
    }
}

named! {
    /// The step that a replay repeats.
    Replay {
        /// Fetch the checkout from the provider and apply its status.
        Checkout = "CHECKOUT",
        /// Request the refund again, with the same idempotency key.
        Refund = "REFUND",
        /// Request the transfer again, with the same idempotency key.
        Transfer = "TRANSFER",
        /// Redeliver the dead letters of the payment.
        Outbox = "OUTBOX",
        /// Delete the wallet, so that it is summed from the beginning.
        Wallet = "WALLET",
    }
}

impl From<MovementKind> for Subject {
    fn from(kind: MovementKind) -> Self {
        match kind {
            MovementKind::Charge => Self::Charge,
            MovementKind::Refund => Self::Refund,
            MovementKind::Transfer => Self::Transfer,
            MovementKind::Other => Self::Other,
        }
    }
}

/// An amount in minor units, and its currency.
pub type Sum = (i64, String);

/// A difference that a run found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of difference.
    pub kind: CaseKind,
    /// What it is about.
    pub subject: Subject,
    /// Our id of the subject if there is one, otherwise the provider's.
    pub subject_id: String,
    /// The date of the settlement line, or else of the posting or change, in UTC.
    pub day: Date,
    /// The provider's id, if known.
    pub psp_id: Option<String>,
    /// The id of the payment, refund or transfer.
    pub source_id: Option<Uuid>,
    /// The payment.
    pub payment_id: Option<Uuid>,
    /// The reservation.
    pub reservation_id: Option<Uuid>,
    /// The recorded amount.
    pub expected: Option<Sum>,
    /// The provider's amount.
    pub found: Option<Sum>,
    /// The difference in words.
    pub detail: String,
    /// The step that a replay repeats, if any.
    pub replay: Option<Replay>,
}

/// Selects cases; `None` matches all.
#[derive(Debug, Clone, Copy, Default)]
pub struct CaseFilter {
    /// The state.
    pub state: Option<State>,
    /// The kind.
    pub kind: Option<CaseKind>,
    /// The day of the finding, in UTC.
    pub day: Option<Date>,
}

/// A finding that finance follows up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id.
    pub case_id: Uuid,
    /// The latest finding.
    pub finding: Finding,
    /// Its state.
    pub state: State,
    /// Who is responsible for it.
    pub owner: Option<String>,
    /// What was done about it; set when it is resolved.
    pub note: String,
    /// Why it was resolved.
    pub resolution: Option<Resolution>,
    /// Incremented with every change of state.
    pub version: i32,
    /// When it was first found.
    pub create_time: Timestamp,
    /// When it was last found.
    pub find_time: Timestamp,
    /// When its state last changed.
    pub update_time: Timestamp,
    /// When it was last replayed.
    pub replay_time: Option<Timestamp>,
}

impl Case {
    /// Whether a replay is possible.
    pub fn can_replay(&self) -> bool {
        self.finding.replay.is_some() && self.state != State::Resolved
    }

    /// The etag, which changes with the state.
    pub fn etag(&self) -> String {
        self.version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names between the parentheses of this constraint in the last migration that has it, in its order.
    fn names_in_database(constraint: &str) -> Vec<String> {
        let sql = concat!(
            include_str!("../../../../migrations/payment/0008_reconciliation.sql"),
            include_str!("../../../../migrations/payment/0013_other_movements.sql"),
        );
        let check = sql.rsplit_once(&format!("constraint {constraint}")).unwrap().1;
        let list = check.split_once(" in (").unwrap().1.split_once(')').unwrap().0;
        list.split(',').map(|name| name.trim().trim_matches('\'').to_owned()).collect()
    }

    #[test]
    fn names_match_the_database_constraints() {
        macro_rules! same {
            ($name:ident, $constraint:literal) => {
                let names: Vec<&str> = $name::ALL.iter().map(|one| one.as_str()).collect();
                assert_eq!(names_in_database($constraint), names);
                assert!(names.iter().zip($name::ALL).all(|(name, one)| $name::from_name(name) == Some(*one)));
                assert_eq!($name::from_name("nothing"), None);
            };
        }
        same!(CaseKind, "reconciliation_case_class_is_known");
        same!(Subject, "reconciliation_case_subject_is_known");
        same!(State, "reconciliation_case_state_is_known");
        same!(Resolution, "reconciliation_case_resolution_is_known");
        same!(Replay, "reconciliation_case_replay_is_known");
    }
}
