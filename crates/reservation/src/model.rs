//! A reservation in the domain's terms: its status, its guest, its price and its times.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use jiff::Timestamp;
use staymesh_domain::{Deadline, Money, PaymentId, ReservationId, RoomTypeId, StayDates};
use staymesh_store::audit::Origin;

use crate::{
    night::Night,
    quote::{Quote, QuoteError},
    room_guest::RoomGuest,
    room_line::{self, RoomLine},
    room_status::RoomStatus,
    rooms_change::{PlacedRoom, RoomsChange},
};

/// The status of a reservation. [`crate::lifecycle::TRANSITIONS`] lists the legal transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The rooms are held until `hold_expire_time`.
    PendingPayment,
    /// Paid by the guest, or owed by the partner who collects. The rooms are sold.
    Paid,
    /// Cancelled, and money was refunded.
    Refunded,
    /// Cancelled; the rooms are released.
    Cancelled,
    /// The payment was rejected; the rooms are released.
    Rejected,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::PendingPayment, Self::Paid, Self::Refunded, Self::Cancelled, Self::Rejected];

    /// The text in column `reservation.status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// The name in the metadata of errors: that of the contract without its prefix.
    pub const fn contract_name(self) -> &'static str {
        match self {
            Self::PendingPayment => "PENDING_PAYMENT",
            Self::Paid => "PAID",
            Self::Refunded => "REFUNDED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
        }
    }

    /// The status with this [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether a reservation in this status counts in `room_type_inventory.total_reserved`.
    pub const fn holds_rooms(self) -> bool {
        matches!(self, Self::PendingPayment | Self::Paid)
    }

    /// The status of the rooms of a reservation in this status of which no guest has arrived. The database has the same
    /// function, `status_of_rooms(text, text)`.
    pub(crate) const fn of_rooms(self, reason: Option<CancellationReason>) -> RoomStatus {
        match reason {
            _ if self.holds_rooms() => RoomStatus::Live,
            Some(CancellationReason::NoShow) => RoomStatus::NoShow,
            _ => RoomStatus::Cancelled,
        }
    }
}

/// Why a reservation was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancellationReason {
    /// The guest, the partner or hotel staff cancelled it.
    Requested,
    /// It was not paid before its hold expired.
    HoldExpired,
    /// It was paid, and the guests never arrived.
    NoShow,
    /// The hotel had no room for the guests.
    ByHotel,
}

impl CancellationReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Requested, Self::HoldExpired, Self::NoShow, Self::ByHotel];

    /// The text in column `reservation.cancellation_reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::HoldExpired => "hold_expired",
            Self::NoShow => "no_show",
            Self::ByHotel => "cancelled_by_hotel",
        }
    }

    /// The name in the metadata of errors: that of the contract without its prefix.
    pub const fn contract_name(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::NoShow => "NO_SHOW",
            Self::ByHotel => "CANCELLED_BY_HOTEL",
        }
    }

    /// The reason with this [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Who collects the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentMode {
    /// The guest pays on the payment provider's checkout page.
    GuestPays,
    /// The partner collects the money and owes it to Staymesh.
    PartnerCollects,
}

impl PaymentMode {
    /// The text in column `reservation.payment_mode`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GuestPays => "guest_pays",
            Self::PartnerCollects => "partner_collects",
        }
    }

    /// The mode with this [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::GuestPays, Self::PartnerCollects].into_iter().find(|mode| mode.as_str() == name)
    }
}

/// The person a reservation is made for. Personal data: never logged; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Guest {
    /// Full name, 1 to 200 characters.
    pub full_name: String,
    /// E-mail address, at most 254 characters; empty if staff booked without one.
    pub email: String,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guest(..)")
    }
}

/// A reservation to be created.
#[derive(Clone, Debug)]
pub struct NewReservation {
    /// The id, which contains the hotel id and the time at which the offer was prepared.
    pub id: ReservationId,
    /// Subject of the account that books, `user:ID` or `client:ID`; or `hotel:ID` if staff book.
    pub owner: String,
    /// Its rooms, at least one.
    pub lines: Vec<RoomLine>,
    /// Who sleeps in each of them, where it was said; as many as lines.
    pub room_guests: Vec<Option<RoomGuest>>,
    /// From the first check-in of a room to the last check-out.
    pub stay: StayDates,
    /// The person the rooms are held for.
    pub guest: Guest,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// The prices of the rooms together, as signed into the offer.
    pub quote: Quote,
    /// SHA-256 of the request's content: a repeat with the same id must have the same.
    pub content_hash: [u8; 32],
    /// The owner's own reference, 3 to 64 printable characters, unique among its reservations.
    pub client_reference: Option<String>,
    /// When the unpaid hold expires; `None` when the partner collects.
    pub hold_expire_time: Option<Timestamp>,
    /// The limits of unpaid holds that it is subject to.
    pub limits: Box<HoldLimits>,
    /// W3C `traceparent` of the request, for events that follow from it.
    pub trace_parent: Option<String>,
    /// The origin of the audit record if staff book; `None` for guests and partners.
    pub origin: Option<Box<Origin>>,
}

impl NewReservation {
    /// Rooms times nights: what it holds.
    pub fn room_nights(&self) -> i64 {
        room_line::room_nights(&self.lines)
    }

    /// The position of each of its rooms.
    pub(crate) fn positions(&self) -> Vec<i32> {
        (1..).zip(&self.lines).map(|(position, _)| position).collect()
    }

    /// The rooms it needs in each night, in key order.
    pub(crate) fn nights(&self) -> BTreeMap<Night, i32> {
        room_line::nights_of(self.id.hotel_id().get(), self.lines.iter().map(RoomLine::room))
    }
}

/// The limits of unpaid holds that one booking is subject to. The default is no limit. A booking that is not held unpaid,
/// because the partner collects, is subject to none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldLimits {
    /// Most room nights that its account may hold unpaid, this booking included.
    pub account: Option<i64>,
    /// Whether the account may hold more as soon as its e-mail address is confirmed.
    pub unconfirmed: bool,
    /// The source address of the request, and most room nights that may be held unpaid from there.
    pub source: Option<(Source, i64)>,
    /// Most of the rooms of each night that may be held unpaid, 1 to 100 percent.
    pub share: Option<i32>,
}

/// Where a request comes from: an IPv4 address, or the first 64 bits of an IPv6 address, which is what one customer of a
/// network gets. Personal data: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(String);

impl Source {
    /// The source of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_string()),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                Self(format!("{}/64", Ipv6Addr::from(network)))
            }
        }
    }

    /// The text in column `reservation.source`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source(..)")
    }
}

/// A stored reservation.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The id, which contains the hotel id and the time at which the offer was prepared.
    pub id: ReservationId,
    /// Subject of the account that booked.
    pub owner: String,
    /// Its rooms, at least one, without those that changes dropped.
    pub lines: Vec<RoomLine>,
    /// The position of each of [`Self::lines`] in the reservation, from 1, ascending.
    pub positions: Vec<i32>,
    /// The rooms that changes dropped.
    pub dropped: Vec<PlacedRoom>,
    /// Who sleeps in each of them, where it was said; as many as lines.
    pub room_guests: Vec<Option<RoomGuest>>,
    /// From the first check-in of a room to the last check-out.
    pub stay: StayDates,
    /// The person the rooms are held for.
    pub guest: Guest,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// The prices of the rooms together, as signed into the offer.
    pub quote: Quote,
    /// What changes keep of dropped rooms and nights.
    pub retained: Money,
    /// What the first revision costs, which the first payment pays.
    pub first_total: Money,
    /// The change that waits for the payment of its difference.
    pub pending: Option<PendingChange>,
    /// SHA-256 of the content of the request that created it.
    pub content_hash: Vec<u8>,
    /// The owner's own reference, unique among its reservations.
    pub client_reference: Option<String>,
    /// The latest revision, from 1.
    pub revision: i32,
    /// Counts its statuses and revisions, for its etag.
    pub version: i32,
    /// The status.
    pub status: Status,
    /// Why it was cancelled; `None` unless it was.
    pub cancellation_reason: Option<CancellationReason>,
    /// When the unpaid hold expires; `None` unless the status is `PendingPayment`.
    pub hold_expire_time: Option<Timestamp>,
    /// Whether the hold was extended, which it is once at most.
    pub hold_extended: bool,
    /// The payment that paid for it, or that arrived too late to.
    pub payment_id: Option<PaymentId>,
    /// When it became `Paid`; `None` when its payment arrived too late.
    pub paid_time: Option<Timestamp>,
    /// When it was created.
    pub create_time: Timestamp,
    /// When its status last changed.
    pub update_time: Timestamp,
}

/// A change that waits for the payment of its difference. It holds the nights that it adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingChange {
    /// The revision that it will make.
    pub revision: i32,
    /// What it makes of the rooms, and its money.
    pub change: RoomsChange,
    /// The rooms that it holds in each night, in key order.
    pub(crate) held: BTreeMap<Night, i32>,
    /// When it is dropped unless it was paid.
    pub expire_time: Timestamp,
    /// When it was applied for.
    pub create_time: Timestamp,
}

impl Reservation {
    /// Its rooms with their positions.
    pub(crate) fn placed(&self) -> Vec<PlacedRoom> {
        let rooms = self.positions.iter().zip(&self.lines);
        rooms.map(|(position, line)| PlacedRoom { position: *position, line: line.clone() }).collect()
    }

    /// Adults and children in all rooms together.
    pub(crate) fn guest_count(&self) -> i32 {
        room_line::guest_count(&self.lines)
    }

    /// What a cancellation keeps of all rooms, earliest deadline first; each room has its own grace period.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn deadlines(&self) -> Result<Vec<Deadline>, QuoteError> {
        room_line::deadlines(&self.lines, &self.quote.terms, self.create_time)
    }

    /// Its rooms with their positions.
    pub(crate) fn placed_lines(&self) -> impl Iterator<Item = (i32, &RoomLine)> {
        self.positions.iter().copied().zip(&self.lines)
    }

    /// The types of its rooms.
    pub(crate) fn room_types(&self) -> BTreeSet<RoomTypeId> {
        self.lines.iter().map(|line| line.room_type_id).collect()
    }

    /// The rooms it has in each night while it holds rooms, in key order.
    pub(crate) fn nights(&self) -> BTreeMap<Night, i32> {
        room_line::nights_of(self.id.hotel_id().get(), self.lines.iter().map(RoomLine::room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_the_ipv4_address_or_the_first_64_bits_of_ipv6() {
        let source = |text: &str| Source::of(text.parse().expect("an address")).as_str().to_owned();
        assert_eq!(source("192.0.2.7"), "192.0.2.7");
        assert_eq!(source("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(source("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64");
        assert_eq!(format!("{:?}", Source::of("192.0.2.7".parse().expect("an address"))), "Source(..)");
    }
}
