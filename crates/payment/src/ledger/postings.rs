//! What is posted when. No SQL here.

use staymesh_domain::{Currency, HotelId, Money, PaymentId, ReservationId};
use uuid::Uuid;

use super::{Account, Parts};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A guest owes for a booking. The source is the payment.
    Sale,
    /// The provider took the money. The source is the payment.
    Charge,
    /// Some of a sale is to go back. The source is the refund.
    RefundOwed,
    /// The provider has paid back. The source is the refund.
    RefundPaid,
    /// A partner owes for a booking. The source is the reservation.
    PartnerSale,
    /// Some of a partner's sale is credited. The source is the reservation.
    PartnerCredit,
    /// A hotel was paid. The source is the pay-out.
    PayOut,
}

impl Kind {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Charge => "CHARGE",
            Self::RefundOwed => "REFUND_OWED",
            Self::RefundPaid => "REFUND_PAID",
            Self::PartnerSale => "PARTNER_SALE",
            Self::PartnerCredit => "PARTNER_CREDIT",
            Self::PayOut => "PAY_OUT",
        }
    }
}

/// An amount on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where.
    pub account: Account,
    /// How much, in minor units; a debit is positive, a credit negative.
    pub minor: i64,
}

/// A transaction of the ledger: lines that sum to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// What happened.
    pub kind: Kind,
    /// What it comes from; with the kind it makes the posting happen once.
    pub source_id: Uuid,
    /// The booking; none for what belongs to no single one.
    pub reservation_id: Option<ReservationId>,
    /// Of all lines.
    pub currency: Currency,
    /// None of them is zero.
    pub lines: Vec<Line>,
}

/// What was sold, or what goes back of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sold {
    /// The booking, and by it the hotel.
    pub reservation_id: ReservationId,
    /// Of the parts.
    pub currency: Currency,
    /// Who gets what.
    pub parts: Parts,
}

impl Sold {
    /// What goes back of this sale with a refund of `amount`, when `before` went back earlier; see [`Parts::refund`].
    pub fn refund(&self, before: i64, amount: i64) -> Option<Self> {
        let parts = self.parts.refund(before, amount)?;
        Some(Self { parts, ..*self })
    }

    /// A guest bought this. Posted together with the [`charge`](Self::charge), when the payment has been made.
    pub fn sale(&self, payment: PaymentId) -> Posting {
        self.owed_by(Account::GuestReceivable, Kind::Sale, payment.as_uuid())
    }

    /// The provider took the money for all of this.
    pub fn charge(&self, payment: PaymentId) -> Posting {
        self.moved(Account::PspClearing, Account::GuestReceivable, Kind::Charge, payment.as_uuid())
    }

    /// This is to go back to the guest.
    pub fn refund_owed(&self, refund_id: Uuid) -> Posting {
        self.given_up_for(Account::Refunds, Kind::RefundOwed, refund_id)
    }

    /// A partner sold this and collects the money for it.
    pub fn partner_sale(&self, partner: &str) -> Posting {
        let partner = Account::PartnerReceivable(partner.to_owned());
        self.owed_by(partner, Kind::PartnerSale, self.reservation_id.as_uuid())
    }

    /// This is credited to the partner, because the booking was cancelled.
    pub fn partner_credit(&self, partner: &str) -> Posting {
        let partner = Account::PartnerReceivable(partner.to_owned());
        self.given_up_for(partner, Kind::PartnerCredit, self.reservation_id.as_uuid())
    }

    /// Who gets the parts.
    fn payees(&self) -> [(Account, i64); 3] {
        let hotel = self.reservation_id.hotel_id();
        let Parts { hotel: hotel_minor, tax, commission } = self.parts;
        [
            (Account::HotelPayable(hotel), hotel_minor),
            (Account::CommissionRevenue, commission),
            (Account::TaxPayable(hotel), tax),
        ]
    }

    fn owed_by(&self, debtor: Account, kind: Kind, source_id: Uuid) -> Posting {
        let credits = self.payees().map(|(account, minor)| (account, -minor));
        self.posting(kind, source_id, [(debtor, self.parts.total())].into_iter().chain(credits))
    }

    fn given_up_for(&self, creditor: Account, kind: Kind, source_id: Uuid) -> Posting {
        self.posting(kind, source_id, self.payees().into_iter().chain([(creditor, -self.parts.total())]))
    }

    fn moved(&self, to: Account, from: Account, kind: Kind, source_id: Uuid) -> Posting {
        let minor = self.parts.total();
        self.posting(kind, source_id, [(to, minor), (from, -minor)])
    }

    fn posting(&self, kind: Kind, source_id: Uuid, lines: impl IntoIterator<Item = (Account, i64)>) -> Posting {
        let reservation_id = Some(self.reservation_id);
        Posting { kind, source_id, reservation_id, currency: self.currency, lines: lines_of(lines) }
    }
}

/// The provider has paid so much back.
pub fn refund_paid(refund_id: Uuid, reservation_id: ReservationId, currency: Currency, minor: i64) -> Posting {
    let lines = [(Account::Refunds, minor), (Account::PspClearing, -minor)];
    Posting {
        kind: Kind::RefundPaid,
        source_id: refund_id,
        reservation_id: Some(reservation_id),
        currency,
        lines: lines_of(lines),
    }
}

/// A hotel was paid `amount`, out of what the provider has.
pub fn pay_out(payout_id: Uuid, hotel: HotelId, amount: Money) -> Posting {
    let lines = [(Account::HotelPayable(hotel), amount.minor()), (Account::PspClearing, -amount.minor())];
    Posting {
        kind: Kind::PayOut,
        source_id: payout_id,
        reservation_id: None,
        currency: amount.currency(),
        lines: lines_of(lines),
    }
}

/// Without those that are nothing.
fn lines_of(lines: impl IntoIterator<Item = (Account, i64)>) -> Vec<Line> {
    lines.into_iter().filter(|(_, minor)| *minor != 0).map(|(account, minor)| Line { account, minor }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::split::tests::any_parts, *};
    use crate::testing::{eur, reservation_id};

    fn sold(parts: Parts, currency: &str) -> Sold {
        Sold { reservation_id: reservation_id(), currency: currency.parse().unwrap(), parts }
    }

    fn lines(posting: &Posting) -> Vec<(&'static str, i64)> {
        posting.lines.iter().map(|line| (line.account.kind(), line.minor)).collect()
    }

    #[test]
    fn a_payment_that_goes_back_leaves_nothing_behind() {
        let sold = sold(Parts::new(11_900, 1900, 1500).unwrap(), "EUR");
        let (payment, refund) = (PaymentId::new(), Uuid::now_v7());
        let parts = [("HOTEL_PAYABLE", -8500), ("COMMISSION_REVENUE", -1500), ("TAX_PAYABLE", -1900)];
        let sale = sold.sale(payment);
        assert_eq!(lines(&sale)[0], ("GUEST_RECEIVABLE", 11_900));
        assert_eq!(lines(&sale)[1..], parts);
        let hotels: Vec<_> = sale.lines.iter().map(|line| line.account.hotel_id().map(HotelId::get)).collect();
        assert_eq!(hotels, [None, Some(7), None, Some(7)]);
        assert_eq!(lines(&sold.charge(payment)), [("PSP_CLEARING", 11_900), ("GUEST_RECEIVABLE", -11_900)]);
        let owed = sold.refund(0, 11_900).unwrap().refund_owed(refund);
        assert_eq!(lines(&owed)[..3], parts.map(|(account, minor)| (account, -minor)));
        assert_eq!(lines(&owed)[3], ("REFUNDS", -11_900));
        let paid = refund_paid(refund, sold.reservation_id, sold.currency, 11_900);
        assert_eq!(lines(&paid), [("REFUNDS", 11_900), ("PSP_CLEARING", -11_900)]);
        assert_eq!((owed.source_id, paid.source_id, sale.source_id), (refund, refund, payment.as_uuid()));
    }

    #[test]
    fn parts_that_are_nothing_have_no_line() {
        let sale = sold(Parts::new(100, 0, 0).unwrap(), "JPY").sale(PaymentId::new());
        assert_eq!(lines(&sale), [("GUEST_RECEIVABLE", 100), ("HOTEL_PAYABLE", -100)]);
        let all_tax = sold(Parts::new(100, 100, 0).unwrap(), "JPY").sale(PaymentId::new());
        assert_eq!(lines(&all_tax), [("GUEST_RECEIVABLE", 100), ("TAX_PAYABLE", -100)]);
    }

    #[test]
    fn a_partner_owes_what_it_sold_and_a_hotel_is_paid() {
        let sold = sold(Parts::new(100, 10, 9).unwrap(), "EUR");
        let sale = sold.partner_sale("client:x");
        assert_eq!(sale.lines[0].account.partner(), Some("client:x"));
        assert_eq!(sale.source_id, sold.reservation_id.as_uuid());
        let credit = sold.refund(0, 100).unwrap().partner_credit("client:x");
        assert_eq!(lines(&credit).last(), Some(&("PARTNER_RECEIVABLE", -100)));
        let paid = pay_out(Uuid::now_v7(), sold.reservation_id.hotel_id(), eur(81));
        assert_eq!((lines(&paid), paid.reservation_id), (vec![("HOTEL_PAYABLE", 81), ("PSP_CLEARING", -81)], None));
    }

    proptest! {
        #[test]
        fn every_posting_sums_to_zero_and_has_no_empty_line(
            parts in any_parts(),
            // No decimals, two and three.
            currency in prop::sample::select(vec!["JPY", "EUR", "KWD"]),
            cut in any::<prop::sample::Index>(),
        ) {
            let sold = sold(parts, currency);
            let total = parts.total();
            let first = i64::try_from(cut.index(usize::try_from(total).unwrap()) + 1).unwrap();
            let money = Money::from_minor(total, sold.currency).unwrap();
            let (payment, refund) = (PaymentId::new(), Uuid::now_v7());
            let refunds = [sold.refund(0, first), sold.refund(first, total - first)].map(Option::unwrap);
            let mut postings = vec![
                sold.sale(payment), sold.charge(payment), refund_paid(refund, sold.reservation_id, sold.currency, total),
                sold.partner_sale("p"), pay_out(refund, sold.reservation_id.hotel_id(), money),
            ];
            postings.extend(refunds.iter().flat_map(|part| [part.refund_owed(refund), part.partner_credit("p")]));
            for posting in &postings {
                prop_assert_eq!(posting.lines.iter().map(|line| i128::from(line.minor)).sum::<i128>(), 0);
                prop_assert!(posting.lines.iter().all(|line| line.minor != 0));
                prop_assert_eq!(posting.currency.code(), currency);
            }
            // The sale and its refunds leave nothing on any account of the payees.
            let owed = refunds.map(|part| part.refund_owed(refund));
            for account in sold.payees().map(|(account, _)| account) {
                let on = |posting: &Posting| -> i64 {
                    posting.lines.iter().filter(|line| line.account == account).map(|line| line.minor).sum()
                };
                prop_assert_eq!(on(&postings[0]) + on(&owed[0]) + on(&owed[1]), 0);
            }
        }
    }
}
