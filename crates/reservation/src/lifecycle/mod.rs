//! The state machine of a reservation: what each command does in each status. Pure; no I/O.
//!
//! ```text
//! PENDING_PAYMENT -> PAID | REJECTED | CANCELLED
//! PAID            -> CANCELLED
//! CANCELLED       -> REFUNDED   a payment arrived and was refunded
//! CANCELLED       -> PAID       a payment arrived after the hold expired, or a no-show is taken back, and the rooms were still free
//! ```
//!
//! [`TRANSITIONS`] is the table of these. Commands are idempotent and may arrive twice, late, or out of order; [`decide`]
//! says what they then do. The database refuses every other transition by itself.

mod after;
mod by_hotel;
mod cancel_quote;
mod changeable;
mod hold;
mod no_show;
mod transitions;
mod waiver;

use jiff::{SignedDuration, Timestamp, civil::Date};
use staymesh_domain::{FieldError, Money, PaymentId};

use crate::{
    error::ReservationError,
    model::{CancellationReason, PaymentMode, Reservation, Status},
    room_line::RoomLine,
};

pub use by_hotel::ByHotel;
pub use cancel_quote::CancelQuote;
pub(crate) use changeable::{
    arrival_ends_change, is_of_stays_in_house, require_changeable, require_possible, require_rooms_not_arrived,
    require_standing,
};
pub(crate) use hold::require_payable;
pub(crate) use no_show::require_late_arrival_over;
pub use transitions::{Condition, TRANSITIONS, Transition};
pub use waiver::Waiver;

/// A command on a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The guest, the partner or hotel staff cancel it.
    Cancel,
    /// As [`Self::Cancel`], but only if exactly this is refunded.
    CancelExpecting(Money),
    /// Staff cancel it and keep less than its policy, if exactly this is refunded, where it is given.
    CancelWaiving(Waiver, Option<Money>),
    /// The hotel cancels it and keeps nothing, if exactly this is refunded, where it is given.
    CancelByHotel(ByHotel, Option<Money>),
    /// As [`Self::Cancel`], but only if it still is this revision, and if exactly this is refunded when it is given.
    CancelRevision {
        /// The revision.
        revision: i32,
        /// The refund.
        refund: Option<Money>,
    },
    /// The partner who holds it unpaid collects the money.
    Collect,
    /// Who holds it unpaid gives it up.
    Release,
    /// The hold is to end so much later, once.
    Extend(SignedDuration),
    /// Hotel staff report that the guests never arrived.
    MarkNoShow,
    /// Hotel staff take the report of a no-show back on this date of the hotel, before its penalty is settled.
    UndoNoShow(Date),
    /// The expiry job found its hold expired.
    Expire,
    /// The payment service received money for it.
    ConfirmPayment {
        /// The payment.
        payment_id: PaymentId,
        /// The amount paid.
        amount: Money,
    },
    /// The payment service received money for it when check-in could no longer happen at the hotel: all of it goes back.
    RefusePayment {
        /// The payment.
        payment_id: PaymentId,
        /// The amount paid.
        amount: Money,
    },
    /// The payment service recorded the sale of a partner who collects.
    ConfirmSale,
    /// The payment service refused the sale, because the partner would owe more than its credit limit.
    RefuseSale,
    /// The payment service reports that the payment was finally rejected.
    RejectPayment,
    /// The payment service refunded money of it.
    ConfirmRefund {
        /// The payment.
        payment_id: PaymentId,
        /// The amount refunded.
        amount: Money,
    },
}

/// What a change does to the rooms of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rooms {
    /// Nothing.
    Keep,
    /// Nothing, if every night has a room left; else the change is refused as sold out.
    KeepIfLeft,
    /// They are released.
    Release,
    /// They are reserved again, if every night still has enough; else the payment is refunded.
    Retake,
    /// They are reserved again, if every night from this date on still has enough; else the change is refused as sold out.
    /// Closed nights and past ones are no obstacle.
    RetakeIfLeft(Date),
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes: the command is a repeat, or has become irrelevant.
    Nothing,
    /// The payment cannot be used and must be refunded in full.
    RefundPayment {
        /// The payment to note with the reservation; `None` when another one is noted.
        note: Option<PaymentId>,
    },
    /// The reservation changes.
    Change(Change),
}

/// A change of a reservation, written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new status.
    pub status: Status,
    /// Why, when it is cancelled.
    pub cancellation_reason: Option<CancellationReason>,
    /// What happens to the rooms.
    pub rooms: Rooms,
    /// The payment that pays for it.
    pub payment_id: Option<PaymentId>,
    /// The amount refunded.
    pub refunded: Option<Money>,
    /// Published to the payment service in event `reservation.cancelled`: what it refunds of the money it has or will
    /// receive, or credits to the partner who collects. `None` publishes nothing.
    pub settle: Option<Money>,
    /// Whether the confirmed payment cannot be used and must be refunded in full.
    pub refund_payment: bool,
    /// The partner collects from now on: its sale is published.
    pub collect: bool,
    /// The new end of the hold, which is extended.
    pub hold_expire_time: Option<Timestamp>,
}

impl Change {
    fn to(status: Status, rooms: Rooms) -> Self {
        let (cancellation_reason, payment_id, refunded, settle) = (None, None, None, None);
        let (refund_payment, collect, hold_expire_time) = (false, false, None);
        Self {
            status,
            cancellation_reason,
            rooms,
            payment_id,
            refunded,
            settle,
            refund_payment,
            collect,
            hold_expire_time,
        }
    }
}

/// What a command does to a reservation at `now`.
///
/// # Errors
/// When the transition is illegal, outside its time window, or the amount is not the reservation's total.
pub fn decide(booking: &Reservation, command: &Command, now: Timestamp) -> Result<Decision, ReservationError> {
    match command {
        Command::Cancel => cancel(booking, None, None, now),
        Command::CancelExpecting(refund) => cancel(booking, None, Some(*refund), now),
        Command::CancelWaiving(waiver, expected) => cancel(booking, Some(waiver), *expected, now),
        Command::CancelByHotel(_, expected) => by_hotel::cancel(booking, *expected),
        Command::CancelRevision { revision, .. } if *revision != booking.revision => {
            Err(ReservationError::RevisionMismatch { base: *revision, current: booking.revision })
        }
        Command::CancelRevision { refund, .. } => cancel(booking, None, *refund, now),
        Command::Collect => hold::collect(booking, now),
        Command::Release => hold::release(booking, now),
        Command::Extend(by) => hold::extend(booking, *by, now),
        Command::MarkNoShow => no_show::mark(booking, now),
        Command::UndoNoShow(today) => no_show::undo(booking, *today),
        Command::Expire => Ok(expire(booking, now)),
        Command::ConfirmPayment { payment_id, amount } => confirm_payment(booking, *payment_id, *amount),
        Command::RefusePayment { payment_id, amount } => refuse_payment(booking, *payment_id, *amount),
        Command::ConfirmSale => decide_sale(booking, Status::Paid, Rooms::Keep),
        Command::RefuseSale => decide_sale(booking, Status::Rejected, Rooms::Release),
        Command::RejectPayment => Ok(reject_payment(booking)),
        Command::ConfirmRefund { payment_id, amount } => confirm_refund(booking, *payment_id, *amount),
    }
}

/// A cancellation, by the policy or by the waiver of staff, if it refunds what is `expected`, which is nothing of what is not
/// paid. A repeat expects nothing.
fn cancel(
    booking: &Reservation,
    waiver: Option<&Waiver>,
    expected: Option<Money>,
    now: Timestamp,
) -> Result<Decision, ReservationError> {
    require_no_arrival(&booking.lines)?;
    if booking.status == Status::Paid && now >= booking.quote.terms.cancel_before {
        return Err(ReservationError::StayHasBegun);
    }
    let unpaid = Money::zero(booking.quote.currency());
    let (refund, settle) = match booking.status {
        // Cancelled after its hold expired: a late payment must no longer take the rooms again.
        Status::Cancelled if booking.cancellation_reason == Some(CancellationReason::HoldExpired) => {
            (unpaid, booking.quote.total)
        }
        Status::Cancelled | Status::Refunded => return Ok(Decision::Nothing),
        Status::Rejected => return Err(illegal(booking, Status::Cancelled)),
        // Closes the checkout page. A payment that arrives all the same is refunded in full.
        Status::PendingPayment => (unpaid, booking.quote.total),
        // Refunded to the guest, or credited to the partner.
        Status::Paid => {
            let (total, by_terms) = (booking.quote.total, RoomLine::refund(&booking.lines, booking.create_time, now)?);
            let refund = match waiver {
                Some(waiver) => total.checked_sub(waiver.kept_of(total.checked_sub(by_terms)?)?)?,
                None => by_terms,
            };
            (refund, refund)
        }
    };
    if waiver.is_some() && booking.status != Status::Paid {
        return Err(FieldError::new("waive", "is for a paid reservation; nothing is kept of this one").into());
    }
    if expected.is_some_and(|expected| expected != refund) {
        return Err(ReservationError::CancelTermsChanged { refund });
    }
    let settle = Some(settle);
    let rooms = if booking.status.holds_rooms() { Rooms::Release } else { Rooms::Keep };
    Ok(Decision::Change(Change {
        cancellation_reason: Some(CancellationReason::Requested),
        settle,
        ..Change::to(Status::Cancelled, rooms)
    }))
}

fn expire(booking: &Reservation, now: Timestamp) -> Decision {
    let expired = booking.hold_expire_time.is_some_and(|end| end <= now);
    if booking.status != Status::PendingPayment || !expired {
        return Decision::Nothing;
    }
    Decision::Change(Change {
        cancellation_reason: Some(CancellationReason::HoldExpired),
        // Closes the checkout page and refunds nothing. A payment that was made in time but is confirmed late takes the
        // rooms again; only when they are sold is it refunded, in response to `ConfirmPayment`.
        // The sale of a partner who collects is not revived: if it was recorded meanwhile, it is credited in full.
        settle: Some(match booking.payment_mode {
            PaymentMode::GuestPays => Money::zero(booking.quote.currency()),
            PaymentMode::PartnerCollects => booking.quote.total,
        }),
        ..Change::to(Status::Cancelled, Rooms::Release)
    })
}

/// The payment service has decided the sale of a partner who collects. If the reservation has ended meanwhile, its
/// cancellation credits the sale.
///
/// # Errors
/// [`ReservationError::IllegalTransition`] if the guest pays, or a confirmed reservation would be rejected.
fn decide_sale(booking: &Reservation, to: Status, rooms: Rooms) -> Result<Decision, ReservationError> {
    let refused_late = to == Status::Rejected && booking.status == Status::Paid;
    match booking.status {
        _ if booking.payment_mode == PaymentMode::GuestPays || refused_late => Err(illegal(booking, to)),
        Status::PendingPayment => Ok(Decision::Change(Change::to(to, rooms))),
        _ => Ok(Decision::Nothing),
    }
}

fn confirm_payment(booking: &Reservation, payment_id: PaymentId, amount: Money) -> Result<Decision, ReservationError> {
    // What the first revision costs: payments of changes are confirmed with theirs.
    if amount != booking.first_total {
        return Err(ReservationError::AmountMismatch);
    }
    let paid = |rooms| Ok(Decision::Change(Change { payment_id: Some(payment_id), ..Change::to(Status::Paid, rooms) }));
    match (booking.status, booking.payment_id) {
        // A partner collects: no payment pays for it.
        _ if booking.payment_mode == PaymentMode::PartnerCollects => Ok(Decision::RefundPayment { note: None }),
        // Also when the hold has expired but the expiry job has not released the rooms yet.
        (Status::PendingPayment, _) => paid(Rooms::Keep),
        // A repeat. Any refund was settled with the cancellation.
        (_, Some(known)) if known == payment_id && booking.paid_time.is_some() => Ok(Decision::Nothing),
        // A repeat of a late payment.
        (Status::Refunded, Some(known)) if known == payment_id => Ok(Decision::Nothing),
        (_, Some(known)) if known == payment_id => Ok(Decision::RefundPayment { note: None }),
        (Status::Cancelled, None) if booking.cancellation_reason == Some(CancellationReason::HoldExpired) => {
            paid(Rooms::Retake)
        }
        (Status::Cancelled, None) => Ok(Decision::RefundPayment { note: Some(payment_id) }),
        // Paid by another payment, or rejected.
        _ => Ok(Decision::RefundPayment { note: None }),
    }
}

/// A payment that arrives when check-in can no longer happen. It never makes the reservation PAID: a held one ends, one
/// whose hold expired stays so, and its rooms are not retaken.
fn refuse_payment(booking: &Reservation, payment_id: PaymentId, amount: Money) -> Result<Decision, ReservationError> {
    match confirm_payment(booking, payment_id, amount)? {
        Decision::Change(Change { rooms: Rooms::Retake, .. }) => Ok(Decision::RefundPayment { note: Some(payment_id) }),
        Decision::Change(_) => Ok(Decision::Change(Change {
            cancellation_reason: Some(CancellationReason::HoldExpired),
            payment_id: Some(payment_id),
            // Closes other checkout pages.
            settle: Some(Money::zero(booking.quote.currency())),
            refund_payment: true,
            ..Change::to(Status::Cancelled, Rooms::Release)
        })),
        other => Ok(other),
    }
}

fn reject_payment(booking: &Reservation) -> Decision {
    if booking.status == Status::PendingPayment && booking.payment_mode == PaymentMode::GuestPays {
        return Decision::Change(Change::to(Status::Rejected, Rooms::Release));
    }
    Decision::Nothing
}

fn confirm_refund(booking: &Reservation, payment_id: PaymentId, amount: Money) -> Result<Decision, ReservationError> {
    let total = booking.first_total;
    // A reservation that changed has several payments, which are refunded together.
    let is_too_much = amount.minor() > total.minor() && booking.revision == 1;
    if amount.currency() != total.currency() || amount.minor() < 1 || is_too_much {
        return Err(ReservationError::AmountMismatch);
    }
    if booking.payment_id != Some(payment_id) {
        // Refund of a payment that did not pay for this reservation, or paid for a change: nothing changes here.
        return Ok(Decision::Nothing);
    }
    match booking.status {
        Status::Cancelled => Ok(Decision::Change(Change {
            refunded: Some(amount),
            cancellation_reason: booking.cancellation_reason,
            ..Change::to(Status::Refunded, Rooms::Keep)
        })),
        // An administrator's refund without a cancellation, or a repeat.
        _ => Ok(Decision::Nothing),
    }
}

/// Rooms whose guests have arrived are neither cancelled nor a no-show.
fn require_no_arrival(lines: &[RoomLine]) -> Result<(), ReservationError> {
    let arrived = lines.iter().any(|line| line.status.has_arrived());
    if arrived { Err(ReservationError::CheckedIn) } else { Ok(()) }
}

fn illegal(booking: &Reservation, to: Status) -> ReservationError {
    ReservationError::IllegalTransition { from: booking.status, to }
}

#[cfg(test)]
mod tests;
