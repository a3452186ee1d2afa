//! Lines of the provider, differences, and the cases that are made of them.

use jiff::{Timestamp, civil::Date};
use staymesh_psp::settlement::MovementKind;
use uuid::Uuid;

macro_rules! named {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $variant_doc])+ $variant,)+ }

        impl $name {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    };
}

named! {
    /// What is different.
    Class {
        /// It was posted here, and the provider has no line for it.
        MissingAtPsp = "MISSING_AT_PSP",
        /// The provider has a line for what is not known here.
        MissingHere = "MISSING_HERE",
        /// The amounts differ.
        Amount = "AMOUNT",
        /// The currencies differ.
        Currency = "CURRENCY",
        /// The provider has moved the money more than once.
        Duplicate = "DUPLICATE",
        /// The provider has moved the money, and here it is not written down as moved.
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
        /// Money of a guest.
        Charge = "CHARGE",
        /// Money back to a guest.
        Refund = "REFUND",
        /// Money to a hotel.
        Transfer = "TRANSFER",
        /// What an account comes to.
        Wallet = "WALLET",
        /// A payment beside its reservation.
        Payment = "PAYMENT",
        /// Money that has moved for a reason that is booked nowhere here.
        Other = "OTHER",
    }
}

named! {
    /// Where a case stands.
    State {
        /// Nobody looks after it.
        Open = "OPEN",
        /// Its owner does.
        Assigned = "ASSIGNED",
        /// It is over.
        Resolved = "RESOLVED",
    }
}

named! {
    /// Why a case is over.
    Resolution {
        /// It was not found any more.
        Gone = "GONE",
        /// Somebody said so.
        Settled = "SETTLED",
    }
}

named! {
    /// What can be done again to put a difference right.
    Replay {
        /// Ask the provider how the checkout stands, and take it in.
        Checkout = "CHECKOUT",
        /// Ask the provider for the refund again, with the key it knows.
        Refund = "REFUND",
        /// Ask the provider for the transfer again, with the key it knows.
        Transfer = "TRANSFER",
        /// Send what was set aside on its way again.
        Outbox = "OUTBOX",
        /// Add the wallet up from the beginning.
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

/// A difference, as a run finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is different.
    pub class: Class,
    /// About what.
    pub subject: Subject,
    /// Our id of it where there is one, and otherwise the provider's.
    pub subject_id: String,
    /// Of the line, or of the posting or change that there is none for.
    pub day: Date,
    /// The provider's id.
    pub psp_id: Option<String>,
    /// The payment, refund or transfer.
    pub source_id: Option<Uuid>,
    /// The payment.
    pub payment_id: Option<Uuid>,
    /// The booking.
    pub reservation_id: Option<Uuid>,
    /// What is written here.
    pub expected: Option<Sum>,
    /// What was found.
    pub found: Option<Sum>,
    /// In words.
    pub detail: String,
    /// What can be done again.
    pub replay: Option<Replay>,
}

/// A difference that somebody must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id.
    pub case_id: Uuid,
    /// What was found last.
    pub finding: Finding,
    /// Where it stands.
    pub state: State,
    /// Who looks after it, or did when it was resolved.
    pub owner: Option<String>,
    /// What was done about it.
    pub note: String,
    /// Why it is over.
    pub resolution: Option<Resolution>,
    /// Counts its changes of state.
    pub version: i32,
    /// When it was first found.
    pub created_at: Timestamp,
    /// When it was last found.
    pub found_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// When something was last done again about it.
    pub replayed_at: Option<Timestamp>,
}

impl Case {
    /// Whether there is something to do again, and reason to.
    pub fn can_replay(&self) -> bool {
        self.finding.replay.is_some() && self.state != State::Resolved
    }

    /// Changes with its state.
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
    fn names_are_those_of_the_database() {
        macro_rules! same {
            ($name:ident, $constraint:literal) => {
                let names: Vec<&str> = $name::ALL.iter().map(|one| one.as_str()).collect();
                assert_eq!(names_in_database($constraint), names);
                assert!(names.iter().zip($name::ALL).all(|(name, one)| $name::from_name(name) == Some(*one)));
                assert_eq!($name::from_name("nothing"), None);
            };
        }
        same!(Class, "reconciliation_case_class_is_known");
        same!(Subject, "reconciliation_case_subject_is_known");
        same!(State, "reconciliation_case_state_is_known");
        same!(Resolution, "reconciliation_case_resolution_is_known");
        same!(Replay, "reconciliation_case_replay_is_known");
    }
}
