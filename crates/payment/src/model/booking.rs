//! A reservation as the reservation service reports it, reduced to what payments depend on.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{CancellationTerms, Money, RoomTypeId};

/// The status of a reservation. Its transitions belong to the reservation service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationStatus {
    /// Rooms are held until [`Booking::hold_expire_time`], and the payment is outstanding.
    PendingPayment,
    /// Paid, or owed by a partner.
    Paid,
    /// Cancelled after payment, and its refunds have succeeded.
    Refunded,
    /// Cancelled; the rooms are released.
    Cancelled,
    /// The payment failed; the rooms are released.
    Rejected,
}

impl ReservationStatus {
    /// The name of the status in the contract, without its prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingPayment => "PENDING_PAYMENT",
            Self::Paid => "PAID",
            Self::Refunded => "REFUNDED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
        }
    }
}

/// Why a reservation was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancellationReason {
    /// The guest, the partner or an administrator cancelled.
    Requested,
    /// It was not paid before its hold expired.
    HoldExpired,
    /// The guest did not arrive.
    NoShow,
    /// The hotel had no room for the guest.
    ByHotel,
}

/// What the end of a reservation means for its payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// What the cancellation policy gives back in all payments together, not negative. What is kept of them, less what
    /// changes gave back, is the penalty.
    pub refund: Money,
    /// Whether the hold expired. Then a late payment may revive the reservation, so `refund`, which is zero, is no limit
    /// of later refunds.
    pub hold_expired: bool,
}

/// Who collects the money for a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentMode {
    /// The guest pays through this service.
    GuestPays,
    /// The partner collects from the guest and owes the amount.
    PartnerCollects,
}

/// A change of a reservation that is applied when its difference is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingChange {
    /// The revision that the change makes, more than 1.
    pub revision: i32,
    /// What is to be paid.
    pub due: Money,
    /// When the change is dropped if it is not paid.
    pub expire_time: Timestamp,
    /// When the guest asked for the change.
    pub create_time: Timestamp,
}

/// A reservation as payments see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Subject of the token that created the reservation.
    pub owner: String,
    /// Current status.
    pub status: ReservationStatus,
    /// Why it was cancelled; `None` if it was not, or if this release does not know the reason.
    pub cancellation: Option<CancellationReason>,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// Total price with taxes and fees.
    pub total: Money,
    /// Taxes and fees contained in the total, in the same currency.
    pub taxes: Money,
    /// The booked room types in the order of the booking, each with its number of rooms.
    pub rooms: Vec<(RoomTypeId, i32)>,
    /// Number of guests over all rooms.
    pub guests: i32,
    /// First night.
    pub check_in: Date,
    /// Day of departure, the day after the last night.
    pub check_out: Date,
    /// When the reservation was created, which is when its hold began.
    pub create_time: Timestamp,
    /// When its status last changed.
    pub update_time: Timestamp,
    /// When the hold on unpaid rooms expires; `None` if it holds none.
    pub hold_expire_time: Option<Timestamp>,
    /// Number of the latest revision, from 1.
    pub revision: i32,
    /// The change that waits for its payment; `None` if there is none.
    pub pending_change: Option<PendingChange>,
    /// The cancellation terms signed into the offer; `None` if the response has none.
    pub terms: Option<CancellationTerms>,
}
