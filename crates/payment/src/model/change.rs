//! What a change of a reservation does to its money, and how refunds are spread over the payments of a reservation.

use staymesh_domain::{Money, MoneyError};

use super::{PartnerTerms, Payment};

/// A change that was applied or dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSettlement {
    /// The revision that the change makes, more than 1.
    pub revision: i32,
    /// What the change gives back in all, not negative; zero if it was dropped.
    pub refund: Money,
    /// The terms of the whole sale after the change; `None` if the guest pays.
    pub sale: Option<PartnerTerms>,
    /// Whether the change expired or was given up.
    pub dropped: bool,
}

/// A payment of a reservation, and what its refunds were for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The payment.
    pub payment: Payment,
    /// Its refunds that count toward what the end of the reservation gives back: those of the end itself, and those that
    /// an administrator requested without goodwill.
    pub counted: Money,
    /// Whether the reservation service did not accept it, so that all of it goes back.
    pub refused: bool,
}

impl Standing {
    /// Whether it pays for the reservation.
    pub const fn pays(&self) -> bool {
        self.payment.status.has_money() && !self.refused
    }

    /// Whether it paid the difference of the change that makes this revision. If the change is given up, it goes back.
    pub const fn paid_for(&self, revision: i32) -> bool {
        self.payment.status.has_money() && self.payment.revision == revision
    }
}

/// The share of `amount` that each payment gives back, where `refundable` is what is left of each, newest first: all of
/// the newest before any of the next. Together the shares are `amount`, or all that is refundable.
///
/// # Errors
/// If currencies differ.
pub fn newest_first(amount: Money, refundable: &[Money]) -> Result<Vec<Money>, MoneyError> {
    let mut left = amount;
    let share = |refundable: &Money| {
        let share = if refundable.minor() < left.minor() { *refundable } else { left };
        left = left.checked_sub(share)?;
        Ok(share)
    };
    refundable.iter().map(share).collect()
}

/// What is left to give back of `due`, what the end of a reservation gives back in all, after the counted refunds of the
/// payments that pay for it: zero if they reach it.
///
/// # Errors
/// If currencies differ.
pub fn kept_back(due: Money, standings: &[Standing]) -> Result<Money, MoneyError> {
    let counted = standings.iter().filter(|standing| standing.pays()).map(|standing| standing.counted);
    let left = due.checked_sub(Money::sum(due.currency(), counted)?)?;
    Ok(if left.is_negative() { Money::zero(due.currency()) } else { left })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::eur;

    #[test]
    fn newest_payment_gives_back_before_older_ones() {
        let spread = |amount, refundable: &[i64]| -> Vec<i64> {
            let refundable: Vec<_> = refundable.iter().copied().map(eur).collect();
            newest_first(eur(amount), &refundable).unwrap().iter().map(|share| share.minor()).collect()
        };
        // 352.00 were paid, and 165.00 for one more night.
        assert_eq!(spread(51_700, &[16_500, 35_200]), [16_500, 35_200]);
        assert_eq!(spread(20_000, &[16_500, 35_200]), [16_500, 3_500]);
        assert_eq!(spread(16_500, &[16_500, 35_200]), [16_500, 0]);
        assert_eq!(spread(0, &[16_500, 35_200]), [0, 0]);
        assert_eq!(spread(60_000, &[16_500, 35_200]), [16_500, 35_200], "never more than is left");
        assert!(spread(1, &[]).is_empty());
    }

    #[test]
    fn other_currency_is_an_error() {
        let yen = Money::parse("JPY", "5").unwrap();
        assert!(newest_first(eur(10), &[yen]).is_err());
        assert!(kept_back(yen, &[]).is_ok());
    }

    proptest! {
        #[test]
        fn shares_are_exact_and_none_is_more_than_its_payment(
            amount in 0..=3_000_000_i64,
            refundable in prop::collection::vec(0..=1_000_000_i64, 0..6),
        ) {
            let left: Vec<Money> = refundable.iter().copied().map(eur).collect();
            let shares = newest_first(eur(amount), &left).unwrap();
            prop_assert_eq!(shares.len(), refundable.len());
            let sum: i64 = shares.iter().map(|share| share.minor()).sum();
            prop_assert_eq!(sum, amount.min(refundable.iter().sum()));
            for (place, (share, most)) in shares.iter().zip(&refundable).enumerate() {
                prop_assert!((0..=*most).contains(&share.minor()));
                // An older payment gives only when the newer ones have given all.
                if share.minor() > 0 {
                    prop_assert!(shares[..place].iter().map(|share| share.minor()).eq(refundable[..place].iter().copied()));
                }
            }
        }
    }
}
