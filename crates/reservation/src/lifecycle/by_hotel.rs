//! The hotel cancels, because it has no room for the guests (PARTNER-SPEC 6, edge cases). Pure.

use staymesh_domain::{Money, ReservationId};

use super::{Change, Decision, Rooms, illegal, require_no_arrival};
use crate::{
    error::ReservationError,
    model::{CancellationReason, Reservation, Status},
};

/// Why a hotel cancels a reservation. The reason may name a guest: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ByHotel {
    /// Why; 1 to 200 characters.
    pub reason: String,
    /// The reservation at another hotel that the guests have instead.
    pub relocated_to: Option<ReservationId>,
}

impl std::fmt::Debug for ByHotel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByHotel").field("relocated_to", &self.relocated_to).finish_non_exhaustive()
    }
}

/// Nothing is kept, whatever the terms say: all is refunded, or credited to the partner, if that is what is `expected`. No guest
/// has arrived. A repeat expects nothing.
pub(super) fn cancel(booking: &Reservation, expected: Option<Money>) -> Result<Decision, ReservationError> {
    let reason = Some(CancellationReason::ByHotel);
    let total = booking.quote.total;
    let refund = match booking.status {
        Status::Cancelled | Status::Refunded if booking.cancellation_reason == reason => return Ok(Decision::Nothing),
        // A payment that arrives all the same is refunded in full.
        Status::PendingPayment => Money::zero(total.currency()),
        Status::Paid => total,
        Status::Cancelled | Status::Refunded | Status::Rejected => return Err(illegal(booking, Status::Cancelled)),
    };
    require_no_arrival(&booking.lines)?;
    if expected.is_some_and(|expected| expected != refund) {
        return Err(ReservationError::CancelTermsChanged { refund });
    }
    let settle = Some(total);
    Ok(Decision::Change(Change {
        cancellation_reason: reason,
        settle,
        ..Change::to(Status::Cancelled, Rooms::Release)
    }))
}

#[cfg(test)]
mod tests;
