//! What a check has found.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A transaction's debits and credits differ in a currency.
    TransactionUnbalanced,
    /// A transaction has not as many entries as it says.
    TransactionNotWhole,
    /// A transaction, or an entry, comes from nothing that there is.
    SourceMissing,
    /// A payment's sale or charge is not in the ledger as it was made, or is there although nobody paid.
    PaymentDiffers,
    /// A payment's refunds are not in the ledger as they were made.
    RefundDiffers,
    /// More goes back than was paid.
    RefundAbovePayment,
    /// What a payment says has been asked back, or has gone back, is not the sum of its refunds.
    RefundSumsDiffer,
    /// A wallet and the entries since are not the sum of the account's entries.
    WalletDiffers,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::TransactionUnbalanced,
        Self::TransactionNotWhole,
        Self::SourceMissing,
        Self::PaymentDiffers,
        Self::RefundDiffers,
        Self::RefundAbovePayment,
        Self::RefundSumsDiffer,
        Self::WalletDiffers,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransactionUnbalanced => "transaction_unbalanced",
            Self::TransactionNotWhole => "transaction_not_whole",
            Self::SourceMissing => "source_missing",
            Self::PaymentDiffers => "payment_differs",
            Self::RefundDiffers => "refund_differs",
            Self::RefundAbovePayment => "refund_above_payment",
            Self::RefundSumsDiffer => "refund_sums_differ",
            Self::WalletDiffers => "wallet_differs",
        }
    }

    /// The kind of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What the id of such a violation is of.
    const fn subject(self) -> &'static str {
        match self {
            Self::TransactionUnbalanced | Self::TransactionNotWhole | Self::SourceMissing => "transaction",
            Self::PaymentDiffers | Self::RefundDiffers | Self::RefundAbovePayment | Self::RefundSumsDiffer => "payment",
            Self::WalletDiffers => "account",
        }
    }
}

/// Something that is not as it must be. Names no guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What is wrong.
    pub kind: Kind,
    /// Of the transaction, the payment or the account, as the kind has it.
    pub id: String,
    /// What was found, for people.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.kind.as_str(), self.kind.subject(), self.id, self.detail)
    }
}

/// What a check has looked at and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Transactions of the ledger that were looked at.
    pub transactions: u64,
    /// Payments that were looked at.
    pub payments: u64,
    /// Accounts that were looked at.
    pub accounts: u64,
    /// How many violations there are of each kind that has some.
    pub counts: BTreeMap<Kind, u64>,
    /// The first violations of each kind.
    pub listed: Vec<Violation>,
}

impl Report {
    /// Whether all is as it must be.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many violations there are.
    pub fn violations(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Counts what a page has of each kind, and lists what there is room for, so that books where everything is wrong
    /// do not fill the memory.
    pub(super) fn add(&mut self, found: Vec<(Kind, u64, Vec<Violation>)>, most: usize) {
        for (kind, count, violations) in found {
            *self.counts.entry(kind).or_default() += count;
            let listed = self.listed.iter().filter(|known| known.kind == kind).count();
            self.listed.extend(violations.into_iter().take(most.saturating_sub(listed)));
        }
    }
}
