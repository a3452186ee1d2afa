//! Cancel quotes: what a cancellation keeps and refunds, and until when. Pure.

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::Money;

use super::require_no_arrival;
use crate::{
    error::ReservationError,
    model::{Reservation, Status},
    room_line::{self, RoomLine},
};

/// The longest time for which a quote is a promise.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// What cancelling rooms of a reservation keeps and refunds at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelQuote {
    /// What is kept of the price.
    pub kept: Money,
    /// What is refunded, or credited to the partner; zero while nothing is paid.
    pub refund: Money,
    /// The deadline that counts, by its index among those of the rooms; `None` while nothing is paid.
    pub tier: Option<usize>,
    /// The next deadline after which more is kept, and how much then.
    pub next: Option<(Timestamp, Money)>,
    /// The last instant for which the quote is a promise.
    pub valid_until: Timestamp,
}

impl CancelQuote {
    /// The quote at `now` of `lines`, which are rooms of `booking`. Nothing is kept and refunded of none.
    ///
    /// # Errors
    /// [`ReservationError::StayHasBegun`], [`ReservationError::CheckedIn`], [`ReservationError::IllegalTransition`] if they
    /// cannot be cancelled, and when an amount is out of range.
    pub fn of(booking: &Reservation, lines: &[RoomLine], now: Timestamp) -> Result<Self, ReservationError> {
        match booking.status {
            Status::PendingPayment => Ok(Self::of_nothing(booking, now)),
            Status::Paid if now >= booking.quote.terms.cancel_before => Err(ReservationError::StayHasBegun),
            Status::Paid => {
                require_no_arrival(lines)?;
                if lines.is_empty() {
                    return Ok(Self::of_nothing(booking, now));
                }
                Self::paid(booking, lines, now)
            }
            from => Err(ReservationError::IllegalTransition { from, to: Status::Cancelled }),
        }
    }

    /// Of what is not paid, and of no room.
    fn of_nothing(booking: &Reservation, now: Timestamp) -> Self {
        let nothing = Money::zero(booking.quote.currency());
        let ends = booking.hold_expire_time.into_iter().chain([now + LONGEST]);
        let valid_until = ends.min().map_or(now, |end| end.max(now));
        Self { kept: nothing, refund: nothing, tier: None, next: None, valid_until }
    }

    fn paid(booking: &Reservation, lines: &[RoomLine], now: Timestamp) -> Result<Self, ReservationError> {
        let sum = RoomLine::sum(lines)?.quote;
        let kept_at = |at| -> Result<Money, ReservationError> {
            let refund = RoomLine::refund(lines, booking.create_time, at)?;
            Ok(sum.total.checked_sub(refund)?)
        };
        let kept = kept_at(now)?;
        let refund = sum.total.checked_sub(kept)?;
        let last = booking.quote.terms.cancel_before - SignedDuration::from_nanos(1);
        let deadlines = room_line::deadlines(lines, &sum.terms, booking.create_time)?;
        let tier = deadlines.iter().position(|deadline| deadline.until.is_none_or(|until| now <= until));
        let ends = deadlines.iter().filter_map(|deadline| deadline.until).filter(|until| (now..last).contains(until));
        let mut next = None;
        for end in ends {
            // The deadline itself still belongs to the time before it.
            let then = kept_at(end + SignedDuration::from_nanos(1))?;
            if then != kept {
                next = Some((end, then));
                break;
            }
        }
        let valid_until = next.map_or(last, |(end, _)| end).min(last).min(now + LONGEST);
        Ok(Self { kept, refund, tier, next, valid_until })
    }
}

#[cfg(test)]
mod tests;
