//! Outbox events of this service: what it publishes to the payment service, and mails to guests.
//!
//! The aggregate of every event is the reservation, so events of one reservation are delivered in order. Mails have an
//! aggregate of their own ([`mail_aggregate`]), so that money does not wait for a mail server. Payloads are persisted JSON:
//! a field may be added, never renamed.

use serde::{Deserialize, Serialize};
use staymesh_domain::{Money, MoneyError, ReservationId, StayDates, UserId, format_date};
use uuid::Uuid;

use crate::{
    lifecycle::Change,
    model::{CancellationReason, NewReservation, PaymentMode, Reservation, Status},
    quote::{Quote, QuoteError},
};

/// Kind of [`SoldByPartner`].
pub(crate) const SOLD_BY_PARTNER: &str = "reservation.sold_by_partner";
/// Kind of [`Cancelled`].
pub(crate) const CANCELLED: &str = "reservation.cancelled";

/// Kind of [`ChangeSettled`]: a change was applied.
pub(crate) const CHANGE_APPLIED: &str = "change.applied";
/// Kind of [`ChangeSettled`]: a change that waited for its payment was given up.
pub(crate) const CHANGE_DROPPED: &str = "change.dropped";
/// Kind of [`ChangeSoldByPartner`].
pub(crate) const CHANGE_SOLD_BY_PARTNER: &str = "change.sold_by_partner";

/// How the kinds of mails begin.
pub(crate) const MAILS: &str = "mail.";
/// Kind: mail the confirmation of a booking. Payload: [`BookingMail`].
pub(crate) const BOOKING_CONFIRMED: &str = "mail.booking_confirmed";
/// Kind: mail a change of a paid booking. Payload: [`BookingMail`] with its change.
pub(crate) const BOOKING_CHANGED: &str = "mail.booking_changed";
/// Kind: mail the cancellation of a paid booking. Payload: [`BookingMail`].
pub(crate) const BOOKING_CANCELLED: &str = "mail.booking_cancelled";

/// What a partner who collects owes for a reservation. Amounts are decimal strings in `currency` (ISO 4217).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The partner's subject, `client:ID`.
    pub(crate) partner: String,
    pub(crate) currency: String,
    /// Total price, taxes included.
    pub(crate) amount: String,
    /// Taxes and fees within `amount`.
    pub(crate) taxes: String,
    /// `yyyy-mm-dd`.
    pub(crate) check_out: String,
}

impl Terms {
    /// `None` when the guest pays.
    fn of(mode: PaymentMode, owner: &str, quote: &Quote, stay: StayDates) -> Result<Option<Self>, MoneyError> {
        if mode == PaymentMode::GuestPays {
            return Ok(None);
        }
        Ok(Some(Self {
            partner: owner.to_owned(),
            currency: quote.currency().code().to_owned(),
            amount: quote.total.amount(),
            taxes: quote.tax()?.amount(),
            check_out: format_date(stay.check_out()),
        }))
    }

    /// Of a reservation as it is: what changes keep of dropped rooms is owed, too. `None` when the guest pays.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn of_reservation(booking: &Reservation) -> Result<Option<Self>, QuoteError> {
        Self::after(booking, &booking.quote, booking.retained, booking.stay)
    }

    /// Of a reservation that costs `quote` for `stay`, of which `retained` is kept for dropped rooms; `None` when the guest
    /// pays.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn after(
        booking: &Reservation,
        quote: &Quote,
        retained: Money,
        stay: StayDates,
    ) -> Result<Option<Self>, QuoteError> {
        let amount = quote.total.checked_add(retained)?.amount();
        let terms = Self::of(booking.payment_mode, &booking.owner, quote, stay)?;
        Ok(terms.map(|terms| Self { amount, ..terms }))
    }
}

/// Payload: a partner who collects made a reservation.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldByPartner {
    pub(crate) reservation_id: ReservationId,
    pub(crate) terms: Terms,
    /// Whether the partner's credit limit decides whether the reservation stands. Absent for no: earlier releases confirmed
    /// the reservation when they created it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) limited: bool,
}

impl SoldByPartner {
    /// The event of a new reservation; `None` when the guest pays.
    ///
    /// # Errors
    /// When the taxes do not add up within the range of [`Money`].
    pub(crate) fn of(order: &NewReservation) -> Result<Option<Self>, MoneyError> {
        let terms = Terms::of(order.payment_mode, &order.owner, &order.quote, order.stay)?;
        let limited = order.hold_expire_time.is_some();
        Ok(terms.map(|terms| Self { reservation_id: order.id, terms, limited }))
    }

    /// The event of a reservation that awaits its decision or was refused, once more; `None` otherwise.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn undecided(booking: &Reservation) -> Result<Option<Self>, MoneyError> {
        if !matches!(booking.status, Status::PendingPayment | Status::Rejected) {
            return Ok(None);
        }
        let terms = Terms::of(booking.payment_mode, &booking.owner, &booking.quote, booking.stay)?;
        Ok(terms.map(|terms| Self { reservation_id: booking.id, terms, limited: true }))
    }
}

/// Payload: a reservation ended by cancellation, no-show or an expired hold.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cancelled {
    pub(crate) reservation_id: ReservationId,
    pub(crate) refund_currency: String,
    /// What the payment service gives back in all of the money it has or will receive, as a decimal string.
    pub(crate) refund_amount: String,
    /// Whether the hold expired: a late payment may revive the reservation.
    /// Absent for no, so that other events keep the form that earlier releases wrote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hold_expired: bool,
    /// The terms of a partner sale, repeated: the sale's own event may be a dead letter and then arrives later than
    /// this one. Absent when the guest pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partner_sale: Option<Terms>,
}

impl Cancelled {
    /// The event of a reservation that ended for `reason` with `refund`.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn new(
        booking: &Reservation,
        reason: Option<CancellationReason>,
        refund: Money,
    ) -> Result<Self, QuoteError> {
        Ok(Self {
            reservation_id: booking.id,
            refund_currency: refund.currency().code().to_owned(),
            refund_amount: refund.amount(),
            hold_expired: reason == Some(CancellationReason::HoldExpired),
            partner_sale: Terms::of_reservation(booking)?,
        })
    }
}

/// Payload: a change was applied, or given up after it waited for its payment.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSettled {
    pub(crate) reservation_id: ReservationId,
    /// The revision that the change made.
    pub(crate) revision: i32,
    pub(crate) refund_currency: String,
    /// What the change gives back in all, as a decimal string; may be zero.
    pub(crate) refund_amount: String,
    /// Whether it was given up: what was paid for it is given back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dropped: bool,
    /// The terms of the partner sale afterwards. Absent when the guest pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partner_sale: Option<Terms>,
}

impl ChangeSettled {
    /// The event of a change with this balance that made `revision`, after which the reservation costs `quote` for `stay`, of
    /// which `retained` is kept for dropped rooms.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn applied(
        booking: &Reservation,
        revision: i32,
        balance: Money,
        (quote, retained, stay): (&Quote, Money, StayDates),
    ) -> Result<Self, QuoteError> {
        let zero = Money::zero(balance.currency());
        let refund = if balance.is_negative() { zero.checked_sub(balance)? } else { zero };
        Ok(Self {
            reservation_id: booking.id,
            revision,
            refund_currency: refund.currency().code().to_owned(),
            refund_amount: refund.amount(),
            dropped: false,
            partner_sale: Terms::after(booking, quote, retained, stay)?,
        })
    }

    /// The event that the pending change of a reservation was given up; `None` without one.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn dropped(booking: &Reservation) -> Result<Option<Self>, QuoteError> {
        let Some(pending) = &booking.pending else { return Ok(None) };
        let refund = Money::zero(booking.quote.currency());
        Ok(Some(Self {
            reservation_id: booking.id,
            revision: pending.revision,
            refund_currency: refund.currency().code().to_owned(),
            refund_amount: refund.amount(),
            dropped: true,
            partner_sale: Terms::of_reservation(booking)?,
        }))
    }
}

/// Payload: a partner who collects changed a reservation that costs more afterwards. Its credit decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSoldByPartner {
    pub(crate) reservation_id: ReservationId,
    /// The revision that the change will make.
    pub(crate) revision: i32,
    /// What the partner owes after the change.
    pub(crate) terms: Terms,
}

/// Payload: a mail to the guest who booked. It holds no personal data: address and text are looked up when it is sent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BookingMail {
    pub(crate) reservation_id: ReservationId,
    /// What is paid back of a cancelled booking, as a decimal string in the currency of its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refund_amount: Option<String>,
    /// What a change did; absent in other mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<ChangeMail>,
}

/// What a change of a booking did. Amounts are decimal strings in the currency of its price, dates `yyyy-mm-dd`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeMail {
    /// The revision that the change made.
    pub(crate) revision: i32,
    /// What was paid for it; absent if nothing was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paid_amount: Option<String>,
    /// Check-in date before.
    pub(crate) check_in_before: String,
    /// Check-out date before.
    pub(crate) check_out_before: String,
    /// Price before.
    pub(crate) price_before: String,
}

impl BookingMail {
    /// The mail that a change with this balance made `revision` of a reservation of a guest.
    ///
    /// # Errors
    /// When the balance is out of range.
    pub(crate) fn changed(before: &Reservation, revision: i32, balance: Money) -> Result<Option<Self>, MoneyError> {
        if before.owner.parse::<UserId>().is_err() {
            return Ok(None);
        }
        let none = Money::zero(balance.currency());
        let back = if balance.is_negative() { none.checked_sub(balance)? } else { none };
        let paid_amount = (balance.minor() > 0).then(|| balance.amount());
        let change = Some(ChangeMail {
            revision,
            paid_amount,
            check_in_before: format_date(before.stay.check_in()),
            check_out_before: format_date(before.stay.check_out()),
            price_before: before.quote.total.amount(),
        });
        let refund_amount = (back.minor() > 0).then(|| back.amount());
        Ok(Some(Self { reservation_id: before.id, refund_amount, change }))
    }

    /// The mail that a change of a reservation causes, with its kind. A guest gets one when the booking is paid for, and when
    /// a paid one is cancelled. Partners write to their customers themselves; an unpaid hold is no booking yet.
    pub(crate) fn of(before: &Reservation, change: &Change) -> Option<(&'static str, Self)> {
        before.owner.parse::<UserId>().ok()?;
        let reservation_id = before.id;
        match change.status {
            // A no-show that is taken back is no new booking.
            Status::Paid if before.cancellation_reason == Some(CancellationReason::NoShow) => None,
            Status::Paid => Some((BOOKING_CONFIRMED, Self { reservation_id, refund_amount: None, change: None })),
            Status::Cancelled if before.status == Status::Paid => {
                let requested = matches!(
                    change.cancellation_reason,
                    Some(CancellationReason::Requested | CancellationReason::ByHotel)
                );
                let refund_amount = Some(change.settle?.amount());
                requested.then_some((BOOKING_CANCELLED, Self { reservation_id, refund_amount, change: None }))
            }
            _ => None,
        }
    }
}

/// The aggregate of mails about a reservation: its id with every bit inverted, which is the id of no reservation, because
/// the version of a UUID differs.
pub(crate) fn mail_aggregate(id: ReservationId) -> Uuid {
    Uuid::from_u128(!id.as_uuid().as_u128())
}
