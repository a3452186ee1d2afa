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
    /// A partner's sale is not in the ledger as it was made.
    PartnerSaleDiffers,
    /// What is credited of a partner's sale is not in the ledger as it was decided.
    PartnerCreditDiffers,
    /// More is credited than was sold.
    PartnerCreditAboveSale,
    /// A pay-out is not the sum of its lines, or has not as many as it says.
    PayOutDiffers,
    /// A pay-out settles what its hotel has not earned, or not yet.
    PayOutNotEarned,
    /// A pay-out settles an entry that another line settles, too.
    PayOutSettlesTwice,
    /// More than one transfer of a pay-out has paid or may pay.
    PayOutPaidTwice,
    /// A pay-out has no transfer, or one is missing in between.
    PayOutNotAskedFor,
    /// A pay-out that is paid is not in the ledger with its amount and hotel, or one that is not paid is.
    PayOutPostingDiffers,
    /// What a hotel is owed is not what is still to be paid out.
    PayableDiffers,
    /// A wallet and the entries since are not the sum of the account's entries.
    WalletDiffers,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::TransactionUnbalanced,
        Self::TransactionNotWhole,
        Self::SourceMissing,
        Self::PaymentDiffers,
        Self::RefundDiffers,
        Self::RefundAbovePayment,
        Self::RefundSumsDiffer,
        Self::PartnerSaleDiffers,
        Self::PartnerCreditDiffers,
        Self::PartnerCreditAboveSale,
        Self::PayOutDiffers,
        Self::PayOutNotEarned,
        Self::PayOutSettlesTwice,
        Self::PayOutPaidTwice,
        Self::PayOutNotAskedFor,
        Self::PayOutPostingDiffers,
        Self::PayableDiffers,
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
            Self::PartnerSaleDiffers => "partner_sale_differs",
            Self::PartnerCreditDiffers => "partner_credit_differs",
            Self::PartnerCreditAboveSale => "partner_credit_above_sale",
            Self::PayOutDiffers => "pay_out_differs",
            Self::PayOutNotEarned => "pay_out_not_earned",
            Self::PayOutSettlesTwice => "pay_out_settles_twice",
            Self::PayOutPaidTwice => "pay_out_paid_twice",
            Self::PayOutNotAskedFor => "pay_out_not_asked_for",
            Self::PayOutPostingDiffers => "pay_out_posting_differs",
            Self::PayableDiffers => "payable_differs",
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
            Self::PartnerSaleDiffers | Self::PartnerCreditDiffers | Self::PartnerCreditAboveSale => "reservation",
            Self::PayOutDiffers
            | Self::PayOutNotEarned
            | Self::PayOutSettlesTwice
            | Self::PayOutPaidTwice
            | Self::PayOutNotAskedFor
            | Self::PayOutPostingDiffers => "pay-out",
            Self::PayableDiffers | Self::WalletDiffers => "account",
        }
    }
}

/// Something that is not as it must be. Names no guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What is wrong.
    pub kind: Kind,
    /// Of the transaction, payment, reservation, pay-out or account, as the kind has it.
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
    /// Partners' sales that were looked at.
    pub partner_sales: u64,
    /// Pay-outs that were looked at.
    pub pay_outs: u64,
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

    /// How many rows were looked at.
    pub(super) const fn seen(&self) -> u64 {
        self.transactions + self.payments + self.partner_sales + self.pay_outs + self.accounts
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
