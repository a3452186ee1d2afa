//! The report of a check.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// A kind of violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Debits and credits of a ledger transaction differ in a currency.
    TransactionUnbalanced,
    /// A ledger transaction does not have the number of entries that it declares.
    TransactionNotWhole,
    /// The source of a ledger transaction, or the transaction of an entry, does not exist.
    SourceMissing,
    /// The sale or charge of a payment is posted differently, or posted although the payment is not paid.
    PaymentDiffers,
    /// The refunds of a payment are posted differently.
    RefundDiffers,
    /// The refunds of a payment exceed it.
    RefundAbovePayment,
    /// The refund totals of a payment are not the sums of its refunds.
    RefundSumsDiffer,
    /// What was paid for a reservation less what was refunded is not what the ledger has of it at the provider.
    ReservationMoneyDiffers,
    /// The refunds of a change are not what its settlement gave back.
    ChangeRefundDiffers,
    /// A partner sale is posted differently.
    PartnerSaleDiffers,
    /// The credit of a partner sale is posted differently.
    PartnerCreditDiffers,
    /// The credit of a partner sale exceeds it.
    PartnerCreditAboveSale,
    /// A payout is not the sum of its lines, or does not have the number of lines that it declares.
    PayoutDiffers,
    /// A payout settles an entry that is not due to its hotel.
    PayoutNotEarned,
    /// A payout settles an entry that another line settles, too.
    PayoutSettlesTwice,
    /// More than one transfer of a payout is open or paid.
    PayoutPaidTwice,
    /// A payout has no transfer, or an attempt number is missing.
    PayoutNotAskedFor,
    /// A paid payout is posted differently, or an unpaid one is posted.
    PayoutPostingDiffers,
    /// What a hotel is owed is not the sum of unsettled entries and unpaid payouts.
    PayableDiffers,
    /// A wallet plus the entries since is not the sum of the account's entries.
    WalletDiffers,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::TransactionUnbalanced,
        Self::TransactionNotWhole,
        Self::SourceMissing,
        Self::PaymentDiffers,
        Self::RefundDiffers,
        Self::RefundAbovePayment,
        Self::RefundSumsDiffer,
        Self::ReservationMoneyDiffers,
        Self::ChangeRefundDiffers,
        Self::PartnerSaleDiffers,
        Self::PartnerCreditDiffers,
        Self::PartnerCreditAboveSale,
        Self::PayoutDiffers,
        Self::PayoutNotEarned,
        Self::PayoutSettlesTwice,
        Self::PayoutPaidTwice,
        Self::PayoutNotAskedFor,
        Self::PayoutPostingDiffers,
        Self::PayableDiffers,
        Self::WalletDiffers,
    ];

    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransactionUnbalanced => "transaction_unbalanced",
            Self::TransactionNotWhole => "transaction_not_whole",
            Self::SourceMissing => "source_missing",
            Self::PaymentDiffers => "payment_differs",
            Self::RefundDiffers => "refund_differs",
            Self::RefundAbovePayment => "refund_above_payment",
            Self::RefundSumsDiffer => "refund_sums_differ",
            Self::ReservationMoneyDiffers => "reservation_money_differs",
            Self::ChangeRefundDiffers => "change_refund_differs",
            Self::PartnerSaleDiffers => "partner_sale_differs",
            Self::PartnerCreditDiffers => "partner_credit_differs",
            Self::PartnerCreditAboveSale => "partner_credit_above_sale",
            Self::PayoutDiffers => "payout_differs",
            Self::PayoutNotEarned => "payout_not_earned",
            Self::PayoutSettlesTwice => "payout_settles_twice",
            Self::PayoutPaidTwice => "payout_paid_twice",
            Self::PayoutNotAskedFor => "payout_not_asked_for",
            Self::PayoutPostingDiffers => "payout_posting_differs",
            Self::PayableDiffers => "payable_differs",
            Self::WalletDiffers => "wallet_differs",
        }
    }

    /// The kind with this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What the id of a violation of this kind identifies.
    const fn subject(self) -> &'static str {
        match self {
            Self::TransactionUnbalanced | Self::TransactionNotWhole | Self::SourceMissing => "transaction",
            Self::PaymentDiffers
            | Self::RefundDiffers
            | Self::RefundAbovePayment
            | Self::RefundSumsDiffer
            | Self::ReservationMoneyDiffers
            | Self::ChangeRefundDiffers => "payment",
            Self::PartnerSaleDiffers | Self::PartnerCreditDiffers | Self::PartnerCreditAboveSale => "reservation",
            Self::PayoutDiffers
            | Self::PayoutNotEarned
            | Self::PayoutSettlesTwice
            | Self::PayoutPaidTwice
            | Self::PayoutNotAskedFor
            | Self::PayoutPostingDiffers => "payout",
            Self::PayableDiffers | Self::WalletDiffers => "account",
        }
    }
}

/// A violated invariant. Contains no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The kind.
    pub kind: Kind,
    /// The id of the transaction, payment, reservation, payout or account.
    pub id: String,
    /// The details in words.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.kind.as_str(), self.kind.subject(), self.id, self.detail)
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Ledger transactions checked.
    pub transactions: u64,
    /// Payments checked.
    pub payments: u64,
    /// Partner sales checked.
    pub partner_sales: u64,
    /// Payouts checked.
    pub payouts: u64,
    /// Accounts checked.
    pub accounts: u64,
    /// The number of violations of each kind that has any.
    pub counts: BTreeMap<Kind, u64>,
    /// The first violations of each kind.
    pub listed: Vec<Violation>,
}

impl Report {
    /// Whether there are no violations.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number of rows checked.
    pub(super) const fn seen(&self) -> u64 {
        self.transactions + self.payments + self.partner_sales + self.payouts + self.accounts
    }

    /// The number of violations.
    pub fn violations(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Adds the violations of a page. All are counted, and at most `most` of each kind are listed, to bound memory.
    pub(super) fn add(&mut self, found: Vec<(Kind, u64, Vec<Violation>)>, most: usize) {
        for (kind, count, violations) in found {
            *self.counts.entry(kind).or_default() += count;
            let listed = self.listed.iter().filter(|known| known.kind == kind).count();
            self.listed.extend(violations.into_iter().take(most.saturating_sub(listed)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_serializes_as_its_name() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
