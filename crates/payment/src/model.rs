//! Payments and refunds, and what may become of them.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, Money, PaymentId, ReservationId};
use staymesh_ledger::{Sold, Split};
use staymesh_psp::CheckoutStatus;
use uuid::Uuid;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Nobody has paid yet.
    Pending,
    /// The money has arrived.
    Paid,
    /// The provider refused it for good.
    Failed,
    /// Nobody paid in time, or the reservation ended before anybody did.
    Expired,
    /// A refund is on its way.
    Refunding,
    /// Every refund that was asked for has arrived.
    Refunded,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Paid, Self::Failed, Self::Expired, Self::Refunding, Self::Refunded];

    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether a payment may go from this status to the other. The database refuses the rest by itself; a test keeps
    /// the two equal.
    pub const fn can_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Paid | Self::Failed | Self::Expired)
                | (Self::Expired | Self::Failed, Self::Paid)
                | (Self::Paid | Self::Refunded, Self::Refunding)
                | (Self::Refunding, Self::Refunded)
        )
    }

    /// The status after the provider reports this status of the checkout; `None` if the report is a duplicate, or older
    /// than the current status: money that was received stays, and an end without money stays until money is received.
    pub const fn after_checkout(self, checkout: CheckoutStatus) -> Option<Self> {
        let next = match checkout {
            CheckoutStatus::Open | CheckoutStatus::InReview => return None,
            CheckoutStatus::Paid => Self::Paid,
            CheckoutStatus::Failed => Self::Failed,
            CheckoutStatus::Expired => Self::Expired,
        };
        if self.can_become(next) { Some(next) } else { None }
    }

    /// Whether money has come, of which some may be left to pay back.
    pub const fn has_money(self) -> bool {
        matches!(self, Self::Paid | Self::Refunding | Self::Refunded)
    }
}

/// The payment of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id, and the provider's idempotency key for its checkout.
    pub payment_id: PaymentId,
    /// What is paid for.
    pub reservation_id: ReservationId,
    /// Who booked: the subject of the token.
    pub owner: String,
    /// What is to be paid.
    pub amount: Money,
    /// Who gets what of it.
    pub split: Split,
    /// Where it stands.
    pub status: Status,
    /// Where the provider's page sends the guest afterwards; empty for nowhere.
    pub return_url: String,
    /// The provider's id of the checkout, once known.
    pub psp_session: Option<String>,
    /// The provider's page, once known.
    pub checkout_url: Option<String>,
    /// Until when the page takes money.
    pub expire_time: Timestamp,
    /// What is or will be paid back.
    pub refund_requested: Money,
    /// What has been paid back.
    pub refunded: Money,
    /// Since when the provider has been deciding; kept when it has.
    pub in_review_since: Option<Timestamp>,
    /// When a card was last declined; kept when another was taken.
    pub declined_at: Option<Timestamp>,
    /// Whether the reservation service has said that the reservation ended; if so it waits for word of what went back.
    pub reservation_ended: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub status_changed_at: Timestamp,
}

impl Payment {
    /// The hotel that is paid.
    pub fn hotel_id(&self) -> HotelId {
        self.reservation_id.hotel_id()
    }

    /// The sale, for the ledger.
    pub fn sold(&self) -> Sold {
        Sold { reservation_id: self.reservation_id, split: self.split }
    }

    /// What has come and is not on its way back, in minor units.
    pub fn left_minor(&self) -> i64 {
        if self.status.has_money() { self.amount.minor() - self.refund_requested.minor() } else { 0 }
    }
}

/// A payment to be.
#[derive(Debug, Clone)]
pub struct NewPayment {
    /// See [`Payment`].
    pub payment_id: PaymentId,
    /// See [`Payment`].
    pub reservation_id: ReservationId,
    /// See [`Payment`].
    pub owner: String,
    /// See [`Payment`].
    pub amount: Money,
    /// See [`Payment`]. Together they are the amount.
    pub split: Split,
    /// The day of leaving: after it the hotel is paid.
    pub check_out: Date,
    /// See [`Payment`].
    pub return_url: String,
    /// See [`Payment`].
    pub expire_time: Timestamp,
    /// When to ask the provider for it, if it said nothing until then.
    pub check_at: Timestamp,
}

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundReason {
    /// The reservation was cancelled; the policy says how much.
    Cancellation,
    /// It was paid when the rooms could not be given any more.
    RoomsGone,
    /// An administrator asked.
    Requested,
}

impl RefundReason {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancellation => "CANCELLATION",
            Self::RoomsGone => "ROOMS_GONE",
            Self::Requested => "REQUESTED",
        }
    }

    /// The reason of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cancellation, Self::RoomsGone, Self::Requested].into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Money on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its id, and the provider's idempotency key for it.
    pub refund_id: Uuid,
    /// What it goes back from.
    pub payment_id: PaymentId,
    /// Why.
    pub reason: RefundReason,
    /// How much, in the minor units of the payment's currency.
    pub amount_minor: i64,
    /// Whether the provider has confirmed it.
    pub succeeded: bool,
}

/// What was agreed on when a partner sold a reservation that it collects the money for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerTerms {
    /// Who owes it: the subject of the partner's token.
    pub partner: String,
    /// The price with taxes.
    pub amount: Money,
    /// The taxes and fees in it, in the same currency.
    pub taxes: Money,
    /// The day of leaving.
    pub check_out: Date,
}

/// A line of a partner's invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerSale {
    /// What was sold.
    pub reservation_id: ReservationId,
    /// What was agreed on.
    pub terms: PartnerTerms,
    /// Who gets what of it.
    pub split: Split,
    /// What the partner does not owe after all, in the currency of the amount.
    pub credited: Money,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When its cancellation was.
    pub cancelled_at: Option<Timestamp>,
}

impl PartnerSale {
    /// What was sold, as the ledger has it.
    pub fn sold(&self) -> Sold {
        Sold { reservation_id: self.reservation_id, split: self.split }
    }

    /// What is kept as commission.
    pub fn commission(&self) -> Money {
        self.split.commission()
    }

    /// What the partner owes.
    pub fn owed(&self) -> Money {
        self.part(self.terms.amount.minor() - self.credited.minor())
    }

    /// An amount that is not negative and no more than all of it, so it is one.
    fn part(&self, minor: i64) -> Money {
        Money::from_minor(minor, self.terms.amount.currency()).unwrap_or(self.terms.amount)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_word() -> impl Strategy<Value = CheckoutStatus> {
        prop::sample::select(vec![
            CheckoutStatus::Open,
            CheckoutStatus::InReview,
            CheckoutStatus::Paid,
            CheckoutStatus::Failed,
            CheckoutStatus::Expired,
        ])
    }

    fn hear(words: &[CheckoutStatus]) -> Status {
        words.iter().fold(Status::Pending, |status, word| status.after_checkout(*word).unwrap_or(status))
    }

    #[test]
    fn names_come_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.as_str()), Some(status));
        }
        assert_eq!(Status::from_name("paid"), None);
        assert_eq!(RefundReason::from_name("ROOMS_GONE"), Some(RefundReason::RoomsGone));
    }

    proptest! {
        #[test]
        fn once_paid_is_paid_whatever_comes_before_and_after(
            mut words in prop::collection::vec(any_word(), 0..12),
            at in any::<prop::sample::Index>(),
        ) {
            words.insert(at.index(words.len() + 1), CheckoutStatus::Paid);
            prop_assert_eq!(hear(&words), Status::Paid);
        }

        #[test]
        fn without_money_the_first_end_counts(words in prop::collection::vec(any_word(), 0..12)) {
            prop_assume!(!words.contains(&CheckoutStatus::Paid));
            let expected = words.iter().find(|word| !matches!(word, CheckoutStatus::Open | CheckoutStatus::InReview)).map_or(Status::Pending, |word| {
                if *word == CheckoutStatus::Failed { Status::Failed } else { Status::Expired }
            });
            prop_assert_eq!(hear(&words), expected);
        }

        #[test]
        fn hearing_everything_twice_changes_nothing(words in prop::collection::vec(any_word(), 0..12)) {
            let twice: Vec<_> = words.iter().flat_map(|word| [*word, *word]).collect();
            prop_assert_eq!(hear(&twice), hear(&words));
        }

        #[test]
        fn the_provider_never_moves_a_payment_that_is_being_refunded(word in any_word()) {
            prop_assert_eq!(Status::Refunding.after_checkout(word), None);
            prop_assert_eq!(Status::Refunded.after_checkout(word), None);
        }
    }
}
