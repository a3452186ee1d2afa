//! A booking as this service sees it.

use jiff::Timestamp;
use staymesh_domain::{GuestCount, PaymentId, ReservationId, RoomCount, RoomTypeId, StayDates};

use crate::quote::Quote;

/// The states of a booking; see [`crate::lifecycle`] for the ways between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The rooms are held until a time that everybody can see.
    PendingPayment,
    /// Paid, or owed by the partner who collects.
    Paid,
    /// Cancelled, and money went back.
    Refunded,
    /// Cancelled; the rooms are free again.
    Cancelled,
    /// The payment was refused; the rooms are free again.
    Rejected,
}

impl Status {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::PendingPayment, Self::Paid, Self::Refunded, Self::Cancelled, Self::Rejected];

    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// The state of a name in the database.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether a booking in this state has rooms.
    pub const fn holds_rooms(self) -> bool {
        matches!(self, Self::PendingPayment | Self::Paid)
    }
}

/// Why a booking is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancellationReason {
    /// Somebody who may asked for it.
    Requested,
    /// Nobody paid in time.
    HoldExpired,
    /// It was paid, and the guests never came.
    NoShow,
}

impl CancellationReason {
    const ALL: [Self; 3] = [Self::Requested, Self::HoldExpired, Self::NoShow];

    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::HoldExpired => "hold_expired",
            Self::NoShow => "no_show",
        }
    }

    /// The reason of a name in the database.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Who collects the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentMode {
    /// The guest pays on the provider's page.
    GuestPays,
    /// The partner has collected the money and owes it.
    PartnerCollects,
}

impl PaymentMode {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GuestPays => "guest_pays",
            Self::PartnerCollects => "partner_collects",
        }
    }

    /// The mode of a name in the database.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::GuestPays, Self::PartnerCollects].into_iter().find(|mode| mode.as_str() == name)
    }
}

/// The person a booking is made for. Personal data: never logged, and `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Guest {
    /// Full name.
    pub full_name: String,
    /// Address to write to.
    pub email: String,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guest(..)")
    }
}

/// A booking that is to be made.
#[derive(Clone, Debug)]
pub struct NewReservation {
    /// Its id, which also tells the hotel.
    pub id: ReservationId,
    /// The caller who books.
    pub owner: String,
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// The nights.
    pub stay: StayDates,
    /// How many rooms.
    pub rooms: RoomCount,
    /// How many guests in all.
    pub guests: GuestCount,
    /// Whom the rooms are kept for.
    pub guest: Guest,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// The price that was signed.
    pub quote: Quote,
    /// SHA-256 of what was asked for.
    pub content_hash: [u8; 32],
    /// Until when the rooms are held without payment; none when the partner collects.
    pub hold_expire_time: Option<Timestamp>,
    /// The W3C `traceparent` of whoever books.
    pub trace_parent: Option<String>,
}

/// A booking.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Its id, which also tells the hotel.
    pub id: ReservationId,
    /// The caller who booked.
    pub owner: String,
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// The nights.
    pub stay: StayDates,
    /// How many rooms.
    pub rooms: RoomCount,
    /// How many guests in all.
    pub guests: GuestCount,
    /// Whom the rooms are kept for.
    pub guest: Guest,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// The price that was signed.
    pub quote: Quote,
    /// SHA-256 of what was asked for.
    pub content_hash: Vec<u8>,
    /// Where it stands.
    pub status: Status,
    /// Why it is cancelled.
    pub cancellation_reason: Option<CancellationReason>,
    /// Until when the rooms are held without payment.
    pub hold_expire_time: Option<Timestamp>,
    /// The payment that arrived for it.
    pub payment_id: Option<PaymentId>,
    /// When it became paid; not set when its money came too late.
    pub paid_at: Option<Timestamp>,
    /// When it was made.
    pub create_time: Timestamp,
    /// When its state last changed.
    pub update_time: Timestamp,
}
