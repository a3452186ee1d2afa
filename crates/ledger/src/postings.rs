//! The postings of each business event, as pure functions.

use staymesh_domain::{Currency, HotelId, Money, PaymentId, ReservationId};
use uuid::Uuid;

use crate::{Account, Split};

/// The business event that a posting records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A guest owes for a reservation. The source is the payment.
    Sale,
    /// The money was collected, by the provider or at the hotel's desk. The source is the payment.
    Charge,
    /// A guest is owed a refund. The source is the refund.
    RefundOwed,
    /// The guest was refunded, by the provider or at the hotel's desk. The source is the refund.
    RefundPaid,
    /// A partner owes for a reservation. The source is the reservation.
    PartnerSale,
    /// What a partner owes for a reservation changes. The source is the change.
    PartnerChange,
    /// A partner is credited for a cancelled reservation. The source is the reservation.
    PartnerCredit,
    /// A partner paid to the chain's bank account. The source is the partner payment.
    PartnerPaid,
    /// A hotel was paid. The source is the payout.
    Payout,
}

impl Kind {
    /// The database's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Charge => "CHARGE",
            Self::RefundOwed => "REFUND_OWED",
            Self::RefundPaid => "REFUND_PAID",
            Self::PartnerSale => "PARTNER_SALE",
            Self::PartnerChange => "PARTNER_CHANGE",
            Self::PartnerCredit => "PARTNER_CREDIT",
            Self::PartnerPaid => "PARTNER_PAID",
            Self::Payout => "PAY_OUT",
        }
    }
}

/// An entry of a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// The amount in minor units of the posting's currency; a debit is positive, a credit negative.
    pub minor: i64,
}

/// A ledger transaction: entries that sum to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The business event.
    pub kind: Kind,
    /// The id of the object that caused it. Kind and source together are unique: the idempotency key.
    pub source_id: Uuid,
    /// The reservation; `None` for a posting about several, such as a payout.
    pub reservation_id: Option<ReservationId>,
    /// The currency of all lines.
    pub currency: Currency,
    /// The entries, none of which is zero.
    pub lines: Vec<Line>,
}

/// Who holds the money that a guest pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// The chain, at the payment provider or with a partner. It owes the hotel its share.
    Chain,
    /// The hotel, which was paid at its desk. It keeps its own share and the taxes, and owes the commission.
    Hotel,
}

/// A sale of a reservation, or the part of it that is reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sold {
    /// The reservation. Its id also names the hotel.
    pub reservation_id: ReservationId,
    /// Who gets how much.
    pub split: Split,
    /// Who holds the money.
    pub holder: Holder,
}

impl Sold {
    /// What a refund of `amount` reverses of this sale, when `before` was refunded earlier; see [`Split::refund`].
    pub fn refund(&self, before: Money, amount: Money) -> Option<Self> {
        let split = self.split.refund(before, amount)?;
        Some(Self { split, ..*self })
    }

    /// The guest owes the sale. Posted together with the [`charge`](Self::charge) when the payment is confirmed.
    pub fn sale(&self, payment: PaymentId) -> Posting {
        self.owed_by(Account::GuestReceivable, Kind::Sale, payment.as_uuid())
    }

    /// The holder collected the total from the guest.
    pub fn charge(&self, payment: PaymentId) -> Posting {
        let minor = self.split.total().minor();
        let lines = [(self.money(), minor), (Account::GuestReceivable, -minor)];
        self.posting(Kind::Charge, payment.as_uuid(), lines)
    }

    /// The guest is owed this refund.
    pub fn refund_owed(&self, refund_id: Uuid) -> Posting {
        self.reversed_for(Account::Refunds, Kind::RefundOwed, refund_id)
    }

    /// The holder gave `amount` of it back to the guest.
    pub fn refund_paid(&self, refund_id: Uuid, amount: Money) -> Posting {
        let lines = [(Account::Refunds, amount.minor()), (self.money(), -amount.minor())];
        self.posting(Kind::RefundPaid, refund_id, lines)
    }

    /// The partner owes the sale, because it collects the money from the guest.
    pub fn partner_sale(&self, partner: &str) -> Posting {
        let partner = Account::PartnerReceivable(partner.to_owned());
        self.owed_by(partner, Kind::PartnerSale, self.reservation_id.as_uuid())
    }

    /// The partner owes this more, or less where a share is negative, because the reservation changed.
    pub fn partner_change(&self, partner: &str, change_id: Uuid) -> Posting {
        let partner = Account::PartnerReceivable(partner.to_owned());
        self.owed_by(partner, Kind::PartnerChange, change_id)
    }

    /// The partner is credited this after a cancellation.
    pub fn partner_credit(&self, partner: &str) -> Posting {
        let partner = Account::PartnerReceivable(partner.to_owned());
        self.reversed_for(partner, Kind::PartnerCredit, self.reservation_id.as_uuid())
    }

    /// The account that the money of a guest is on.
    fn money(&self) -> Account {
        match self.holder {
            Holder::Chain => Account::PspClearing,
            Holder::Hotel => Account::HotelCash(self.reservation_id.hotel_id()),
        }
    }

    /// The accounts that a sale credits. A hotel that holds the money itself keeps its share and the taxes.
    fn payees(&self) -> [(Account, i64); 3] {
        let hotel = self.reservation_id.hotel_id();
        let (share, commission, tax) =
            (self.split.hotel().minor(), self.split.commission().minor(), self.split.tax().minor());
        let (hotel_gets, tax) = match self.holder {
            Holder::Chain => ((Account::HotelPayable(hotel), share), tax),
            Holder::Hotel => ((Account::HotelCash(hotel), share + tax), 0),
        };
        [hotel_gets, (Account::CommissionRevenue, commission), (Account::TaxPayable(hotel), tax)]
    }

    fn owed_by(&self, debtor: Account, kind: Kind, source_id: Uuid) -> Posting {
        let credits = self.payees().map(|(account, minor)| (account, -minor));
        self.posting(kind, source_id, [(debtor, self.split.total().minor())].into_iter().chain(credits))
    }

    fn reversed_for(&self, creditor: Account, kind: Kind, source_id: Uuid) -> Posting {
        self.posting(kind, source_id, self.payees().into_iter().chain([(creditor, -self.split.total().minor())]))
    }

    fn posting(&self, kind: Kind, source_id: Uuid, lines: impl IntoIterator<Item = (Account, i64)>) -> Posting {
        let reservation_id = Some(self.reservation_id);
        Posting { kind, source_id, reservation_id, currency: self.split.currency(), lines: lines_of(lines) }
    }
}

/// The hotel was paid `amount` from the balance at the provider.
pub fn payout(payout_id: Uuid, hotel: HotelId, amount: Money) -> Posting {
    let lines = [(Account::HotelPayable(hotel), amount.minor()), (Account::PspClearing, -amount.minor())];
    Posting {
        kind: Kind::Payout,
        source_id: payout_id,
        reservation_id: None,
        currency: amount.currency(),
        lines: lines_of(lines),
    }
}

/// The partner paid `amount` of what it owes to the chain's bank account.
pub fn partner_paid(partner_payment_id: Uuid, partner: &str, amount: Money) -> Posting {
    let partner = Account::PartnerReceivable(partner.to_owned());
    let lines = [(Account::Bank, amount.minor()), (partner, -amount.minor())];
    Posting {
        kind: Kind::PartnerPaid,
        source_id: partner_payment_id,
        reservation_id: None,
        currency: amount.currency(),
        lines: lines_of(lines),
    }
}

/// The lines that are not zero.
fn lines_of(lines: impl IntoIterator<Item = (Account, i64)>) -> Vec<Line> {
    lines.into_iter().filter(|(_, minor)| *minor != 0).map(|(account, minor)| Line { account, minor }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        split::tests::any_split,
        testing::{eur, money, reservation_id},
    };

    fn sold(total: i64, tax: i64, commission: i64, currency: &str) -> Sold {
        let money = |minor| money(minor, currency);
        let split = Split::new(money(total), money(tax), money(commission)).unwrap();
        Sold { reservation_id: reservation_id(), split, holder: Holder::Chain }
    }

    fn lines(posting: &Posting) -> Vec<(&'static str, i64)> {
        posting.lines.iter().map(|line| (line.account.kind(), line.minor)).collect()
    }

    #[test]
    fn full_refund_reverses_the_sale() {
        let sold = sold(11_900, 1900, 1500, "EUR");
        let (payment, refund) = (PaymentId::new(), Uuid::now_v7());
        let parts = [("HOTEL_PAYABLE", -8500), ("COMMISSION_REVENUE", -1500), ("TAX_PAYABLE", -1900)];
        let sale = sold.sale(payment);
        assert_eq!(lines(&sale)[0], ("GUEST_RECEIVABLE", 11_900));
        assert_eq!(lines(&sale)[1..], parts);
        let hotels: Vec<_> = sale.lines.iter().map(|line| line.account.hotel_id().map(HotelId::get)).collect();
        assert_eq!(hotels, [None, Some(7), None, Some(7)]);
        assert_eq!(lines(&sold.charge(payment)), [("PSP_CLEARING", 11_900), ("GUEST_RECEIVABLE", -11_900)]);
        let owed = sold.refund(eur(0), eur(11_900)).unwrap().refund_owed(refund);
        assert_eq!(lines(&owed)[..3], parts.map(|(account, minor)| (account, -minor)));
        assert_eq!(lines(&owed)[3], ("REFUNDS", -11_900));
        let paid = sold.refund_paid(refund, eur(11_900));
        assert_eq!(lines(&paid), [("REFUNDS", 11_900), ("PSP_CLEARING", -11_900)]);
        assert_eq!((owed.source_id, paid.source_id, sale.source_id), (refund, refund, payment.as_uuid()));
    }

    /// PARTNER-SPEC 10: money that the hotel takes at its desk is not the chain's; the commission is.
    #[test]
    fn sale_paid_at_the_desk_leaves_the_commission_on_the_cash_of_the_hotel_and_a_refund_takes_it_back() {
        let sold = Sold { holder: Holder::Hotel, ..sold(11_900, 1900, 1500, "EUR") };
        let (payment, refund) = (PaymentId::new(), Uuid::now_v7());
        let (sale, charge) = (sold.sale(payment), sold.charge(payment));
        let owed = [("GUEST_RECEIVABLE", 11_900), ("HOTEL_CASH", -10_400), ("COMMISSION_REVENUE", -1500)];
        assert_eq!(lines(&sale), owed);
        assert_eq!(lines(&charge), [("HOTEL_CASH", 11_900), ("GUEST_RECEIVABLE", -11_900)]);
        assert_eq!(sale.lines[1].account.hotel_id().map(HotelId::get), Some(7));
        let owed = sold.refund(eur(0), eur(11_900)).unwrap().refund_owed(refund);
        assert_eq!(lines(&owed), [("HOTEL_CASH", 10_400), ("COMMISSION_REVENUE", 1500), ("REFUNDS", -11_900)]);
        assert_eq!(lines(&sold.refund_paid(refund, eur(11_900))), [("REFUNDS", 11_900), ("HOTEL_CASH", -11_900)]);
    }

    #[test]
    fn shares_of_zero_have_no_line() {
        let sale = sold(100, 0, 0, "JPY").sale(PaymentId::new());
        assert_eq!(lines(&sale), [("GUEST_RECEIVABLE", 100), ("HOTEL_PAYABLE", -100)]);
        let all_tax = sold(100, 100, 0, "JPY").sale(PaymentId::new());
        assert_eq!(lines(&all_tax), [("GUEST_RECEIVABLE", 100), ("TAX_PAYABLE", -100)]);
    }

    #[test]
    fn partner_sale_credit_and_payout_use_their_accounts() {
        let sold = sold(100, 10, 9, "EUR");
        let sale = sold.partner_sale("client:x");
        assert_eq!(sale.lines[0].account.partner(), Some("client:x"));
        assert_eq!(sale.source_id, sold.reservation_id.as_uuid());
        let credit = sold.refund(eur(0), eur(100)).unwrap().partner_credit("client:x");
        assert_eq!(lines(&credit).last(), Some(&("PARTNER_RECEIVABLE", -100)));
        let paid = payout(Uuid::now_v7(), sold.reservation_id.hotel_id(), eur(81));
        assert_eq!((lines(&paid), paid.reservation_id), (vec![("HOTEL_PAYABLE", 81), ("PSP_CLEARING", -81)], None));
        let paid = partner_paid(Uuid::now_v7(), "client:x", eur(40));
        assert_eq!((lines(&paid), paid.reservation_id), (vec![("BANK", 40), ("PARTNER_RECEIVABLE", -40)], None));
        assert_eq!(paid.lines[1].account, sale.lines[0].account, "it reduces what the sale made the partner owe");
    }

    proptest! {
        #[test]
        fn every_posting_sums_to_zero_and_has_no_zero_line(
            split in any_split(),
            // No decimals, two and three.
            currency in prop::sample::select(vec!["JPY", "EUR", "KWD"]),
            holder in prop::sample::select(vec![Holder::Chain, Holder::Hotel]),
            cut in any::<prop::sample::Index>(),
        ) {
            let in_currency = |amount: Money| money(amount.minor(), currency);
            let [total, tax, commission] = [split.total(), split.tax(), split.commission()].map(in_currency);
            let sold = Sold { reservation_id: reservation_id(), split: Split::new(total, tax, commission).unwrap(), holder };
            let first = i64::try_from(cut.index(usize::try_from(total.minor()).unwrap()) + 1).unwrap();
            let (none, first) = (money(0, currency), money(first, currency));
            let rest = total.checked_sub(first).unwrap();
            let (payment, refund) = (PaymentId::new(), Uuid::now_v7());
            let refunds = [sold.refund(none, first), sold.refund(first, rest)].map(Option::unwrap);
            let mut postings = vec![
                sold.sale(payment), sold.charge(payment), sold.refund_paid(refund, total),
                sold.partner_sale("p"), payout(refund, sold.reservation_id.hotel_id(), total), partner_paid(refund, "p", total),
            ];
            postings.extend(refunds.iter().flat_map(|part| [part.refund_owed(refund), part.partner_credit("p")]));
            for posting in &postings {
                prop_assert_eq!(posting.lines.iter().map(|line| i128::from(line.minor)).sum::<i128>(), 0);
                prop_assert!(posting.lines.iter().all(|line| line.minor != 0));
                prop_assert_eq!(posting.currency.code(), currency);
            }
            // The sale and its refunds leave nothing on any account of the payees.
            let owed = refunds.map(|part| part.refund_owed(refund));
            let on = |account: &Account, posting: &Posting| -> i64 {
                posting.lines.iter().filter(|line| line.account == *account).map(|line| line.minor).sum()
            };
            for account in sold.payees().map(|(account, _)| account) {
                prop_assert_eq!(on(&account, &postings[0]) + on(&account, &owed[0]) + on(&account, &owed[1]), 0);
            }
            // The hotel keeps all but the commission of what it took.
            let cash = Account::HotelCash(sold.reservation_id.hotel_id());
            let kept = if holder == Holder::Hotel { commission.minor() } else { 0 };
            prop_assert_eq!(on(&cash, &postings[0]) + on(&cash, &postings[1]), kept);
        }
    }
}
