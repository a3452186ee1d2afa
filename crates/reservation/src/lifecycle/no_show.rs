//! No-shows: the report that no guest arrived, and taking it back. Pure.

use jiff::Timestamp;
use staymesh_domain::HotelTime;

use super::{Change, Decision, Rooms, illegal, require_no_arrival};
use crate::{
    calendar::DateOutOfRange,
    error::ReservationError,
    model::{CancellationReason, Reservation, Status},
    room_line::RoomLine,
};

/// A no-show is charged by its own penalty. It may be reported in the window of the terms, by default from the end of the day
/// of arrival to 48 hours after 00:00 of the check-out date, at the hotel. Hotels are paid out for a stay only after that, so the refund
/// is never part of a payout.
pub(super) fn mark(booking: &Reservation, now: Timestamp) -> Result<Decision, ReservationError> {
    if booking.cancellation_reason == Some(CancellationReason::NoShow) {
        return Ok(Decision::Nothing);
    }
    if booking.status != Status::Paid {
        return Err(ReservationError::NotEligibleForNoShow {
            status: booking.status,
            reason: booking.cancellation_reason,
        });
    }
    require_no_arrival(&booking.lines)?;
    let terms = &booking.quote.terms;
    if !terms.accepts_no_show(now) {
        return Err(ReservationError::NoShowOutOfTime { from: terms.no_show_from, until: terms.no_show_until });
    }
    Ok(Decision::Change(Change {
        cancellation_reason: Some(CancellationReason::NoShow),
        settle: Some(RoomLine::no_show_refund(&booking.lines)?),
        ..Change::to(Status::Cancelled, Rooms::Release)
    }))
}

/// Requires that no guest of a paid reservation said to arrive later than this. What is announced counts to the last night of the
/// room, also after a change of its dates.
///
/// # Errors
/// [`ReservationError::NoShowOutOfTime`] until the business day ends at the hotel until which a guest may arrive.
pub(crate) fn require_late_arrival_over(
    booking: &Reservation,
    time: &HotelTime,
    now: Timestamp,
) -> Result<(), ReservationError> {
    if booking.status != Status::Paid {
        return Ok(());
    }
    let mut latest = None;
    for (line, guest) in booking.lines.iter().zip(&booking.room_guests) {
        if let Some(announced) = guest.as_ref().and_then(|guest| guest.late_arrival_until) {
            latest = latest.max(Some(announced.min(line.stay.check_out().yesterday().map_err(|_| DateOutOfRange)?)));
        }
    }
    let Some(latest) = latest else { return Ok(()) };
    let (ends, terms) = (time.day_ends(latest)?, &booking.quote.terms);
    if now >= ends {
        return Ok(());
    }
    Err(ReservationError::NoShowOutOfTime { from: ends.max(terms.no_show_from), until: terms.no_show_until })
}

/// A no-show is taken back: the reservation is what it was. The store refuses it once the settlement of the penalty is due.
pub(super) fn undo(booking: &Reservation, today: jiff::civil::Date) -> Result<Decision, ReservationError> {
    let missed = booking.cancellation_reason == Some(CancellationReason::NoShow);
    match booking.status {
        Status::Paid => Ok(Decision::Nothing),
        Status::Cancelled if missed => Ok(Decision::Change(Change::to(Status::Paid, Rooms::RetakeIfLeft(today)))),
        Status::Refunded if missed => Err(ReservationError::NoShowSettled),
        _ => Err(illegal(booking, Status::Paid)),
    }
}

#[cfg(test)]
mod tests;
