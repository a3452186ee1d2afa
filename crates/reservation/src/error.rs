//! The errors of the reservation rules.

mod problem;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, Money, MoneyError, ReservationId, RoomId, RoomTypeId};
use staymesh_mesh::Problem;
use staymesh_store::StoreError;

use crate::{
    block_status::BlockStatus,
    calendar::DateOutOfRange,
    fit::RoomMisfit,
    model::{CancellationReason, Status},
    offer_token::OfferError,
    quote::QuoteError,
    room_line::{RoomLinesError, ShortRoom},
    room_status::RoomStatus,
    rooms_change::RoomsChangeError,
};

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ReservationError {
    /// A night has too few rooms left.
    #[error("sold out")]
    SoldOut {
        /// A room that gets none: of the short types the one with the lowest id, its first short night, and the first room
        /// by index that gets none in it; `None` when it is not known.
        room: Option<ShortRoom>,
        /// That night; `None` when only the database's CHECK noticed.
        stay_date: Option<Date>,
        /// Rooms left in that night, if known.
        rooms_left: Option<i32>,
        /// When the earliest unpaid hold on that night expires, after which a retry may succeed.
        hold_expire_time: Option<Timestamp>,
    },
    /// Staff have closed a night.
    #[error("closed by the hotel")]
    StopSell {
        /// The first room by index that has the night; `None` when it is not known.
        room: Option<ShortRoom>,
        /// The first closed night, of those of the room type with the lowest id; `None` outside the calendar.
        stay_date: Option<Date>,
    },
    /// A night has no inventory, or the room type no rate.
    #[error("not for sale for this stay")]
    NotOnSale,
    /// A party does not fit its room.
    #[error(transparent)]
    Misfit(#[from] RoomMisfit),
    /// An account, or a source address, holds too many room nights unpaid.
    #[error(transparent)]
    Unpaid(#[from] UnpaidLimit),
    /// Too many rooms of a night are held unpaid, by whatever accounts.
    #[error("of one night {held} rooms are held unpaid, and with {wanted} more they would be more than {limit}")]
    UnpaidShare {
        /// The first such night; `None` outside the calendar.
        stay_date: Option<Date>,
        /// Most rooms of the night that may be held unpaid.
        limit: i64,
        /// Rooms held.
        held: i64,
        /// Rooms requested.
        wanted: i64,
        /// When the earliest unpaid hold on the night expires, after which a retry may succeed.
        hold_expire_time: Option<Timestamp>,
    },
    /// A reservation with this id exists with other content, or for another account.
    #[error("the reservation id was used before for something else")]
    IdReused,
    /// The owner has this other reservation with the same client reference.
    #[error("another reservation has this client_reference: {0}")]
    ReferenceTaken(ReservationId),
    /// It does not exist, or the caller may not see it.
    #[error("no such reservation")]
    NotFound,
    /// The transition is illegal.
    #[error("a reservation that is {} cannot become {}", from.as_str(), to.as_str())]
    IllegalTransition {
        /// The status it has.
        from: Status,
        /// The status it was to get.
        to: Status,
    },
    /// The day of arrival has ended at the hotel: a paid stay can no longer be cancelled.
    #[error("the stay has begun and cannot be cancelled")]
    StayHasBegun,
    /// The hold has expired, so that its rooms are free for others.
    #[error("the hold has expired; prepare the reservation again")]
    HoldExpired,
    /// Guests of the reservation have checked in.
    #[error("guests of the reservation have checked in")]
    CheckedIn,
    /// The transition of a room is illegal.
    #[error("a room that is {} cannot become {}", from.as_str(), to.as_str())]
    IllegalRoomTransition {
        /// Its position in the reservation, from 1.
        position: i32,
        /// The status it has.
        from: RoomStatus,
        /// The status it was to get.
        to: RoomStatus,
    },
    /// The hotel's today is not a day on which the room can be checked in, or its check-in can be undone.
    #[error("possible from {from} until the day before {until}, and it is {today} at the hotel")]
    CheckInOutOfTime {
        /// The first date.
        from: Date,
        /// The date after the last.
        until: Date,
        /// The hotel's today.
        today: Date,
    },
    /// A room has no night that its guests could give back by leaving today.
    #[error("no night is left: the stay is from {from} to {until}, and it is {today} at the hotel")]
    EarlyDepartureOutOfTime {
        /// The check-in date.
        from: Date,
        /// The check-out date.
        until: Date,
        /// The hotel's today.
        today: Date,
    },
    /// A cancellation would not refund what the caller expects.
    #[error("the refund is {} {} and not as expected; read the cancel quote again", refund.currency().code(), refund.amount())]
    CancelTermsChanged {
        /// What would be refunded now.
        refund: Money,
    },
    /// The room of the hotel has other guests in one of the nights.
    #[error("the room has other guests in one of the nights")]
    RoomAssigned {
        /// The room.
        room_id: RoomId,
    },
    /// The hotel checks in only guests who have a room of the hotel, and these have none for the night.
    #[error("room {position} has no room of the hotel for the night, which this hotel requires at check-in")]
    RoomNotAssigned {
        /// The position of the room in the reservation, from 1.
        position: i32,
    },
    /// Guests cannot use the room of the hotel in one of the nights.
    #[error("the room is out of order or out of service in one of the nights")]
    RoomOutOfOrder {
        /// The room.
        room_id: RoomId,
    },
    /// The room of the hotel is of another type than the booked one.
    #[error("the room is of another type than the booked one")]
    RoomOfOtherType {
        /// The room.
        room_id: RoomId,
        /// Its type.
        room_type_id: RoomTypeId,
    },
    /// Only a paid reservation can become a no-show.
    #[error("a reservation that is {} cannot become a no-show", status.as_str())]
    NotEligibleForNoShow {
        /// The status it has.
        status: Status,
        /// Why it was cancelled, if it was.
        reason: Option<CancellationReason>,
    },
    /// The penalty of a no-show is settled, or about to be: the business day of its report has ended.
    #[error("the penalty of the no-show is settled: the day on which it was reported has ended at the hotel")]
    NoShowSettled,
    /// Before the day of arrival has ended, or too long after the check-out date.
    #[error("a no-show can be reported from {from} until {until}")]
    NoShowOutOfTime {
        /// From when on a no-show may be reported.
        from: Timestamp,
        /// Until when, inclusive.
        until: Timestamp,
    },
    /// It is not paid for, has ended, or its stay has begun, so that what was agreed does not change.
    #[error("{0}")]
    NotChangeable(NotChangeable),
    /// The change is based on another revision.
    #[error("the change is based on revision {base}, and the reservation has revision {current}; quote it again")]
    RevisionMismatch {
        /// The revision that the change is based on.
        base: i32,
        /// The revision of the reservation.
        current: i32,
    },
    /// A change of the reservation waits for its payment.
    #[error("a change of the reservation waits for its payment; pay for it, or wait until it expires")]
    ChangePending,
    /// The request id was used before, for a change with other content.
    #[error("the request id was used before with other content")]
    RequestIdReused,
    /// A change that does not fit the reservation.
    #[error(transparent)]
    RoomsChange(#[from] RoomsChangeError),
    /// The amount is not what the reservation costs, or more than was paid.
    #[error("the amount is not what the reservation costs")]
    AmountMismatch,
    /// The offer token has expired or is not valid.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// Inventory would fall below the rooms that are reserved. With the first such night, unless only the database's CHECK
    /// noticed.
    #[error("fewer rooms than are reserved already")]
    BelowReserved(Option<BelowReserved>),
    /// The etag in the request is not that of the current inventory.
    #[error("the inventory has changed since this etag was read; read it again")]
    EtagMismatch,
    /// The hotel has no block of a room with this id.
    #[error("no such block of a room")]
    OutOfOrderNotFound,
    /// The hotel has no group block with this id or code.
    #[error("no such group block")]
    BlockNotFound,
    /// The hotel has another group block with this code.
    #[error("another group block of the hotel has this code")]
    BlockCodeTaken,
    /// The cut-off of a group block has come.
    #[error("the group block is released")]
    BlockReleased {
        /// The instant of the cut-off.
        cutoff: Timestamp,
    },
    /// A group block is not in the state for the request: rooms are picked up of definite ones only, and a cancelled one
    /// stays cancelled.
    #[error("the group block is {}", .status.as_str())]
    BlockNotDefinite {
        /// Its state.
        status: BlockStatus,
    },
    /// Rooms of a group block are picked up, so that it is not cancelled, nor smaller than they are.
    #[error("rooms of the group block are picked up")]
    BlockHasPickUps {
        /// The first night that would have fewer rooms than are picked up, and how many these are; `None` when it is to be
        /// cancelled.
        night: Option<(Date, i32)>,
    },
    /// Nights from today on are reserved, so the inventory cannot be retired.
    #[error("nights from today on are reserved")]
    HasFutureReservations,
    /// Only partners may collect the money themselves.
    #[error("only partners may collect the money themselves")]
    PartnersOnly,
    /// The caller has no agreement on how long its rooms are held.
    #[error("only partners with an agreement may choose how long their rooms are held")]
    LongHoldsNotAgreed,
    /// The etag in the request is not that of the reservation.
    #[error("the reservation has changed since this etag was read; read it again")]
    ReservationChanged,
    /// The reservation holds no rooms any more.
    #[error("a reservation that is {} holds no rooms", status.as_str())]
    Ended {
        /// The status it has.
        status: Status,
    },
    /// A field of the request is invalid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A price of the rate service, or a stored one, cannot be used.
    #[error("price: {0}")]
    Quote(#[from] QuoteError),
    /// Rooms that cannot be one reservation.
    #[error("rooms: {0}")]
    Lines(#[from] RoomLinesError),
    /// A date at the end of the calendar.
    #[error(transparent)]
    Date(#[from] DateOutOfRange),
    /// Another service failed or refused.
    #[error(transparent)]
    Other(#[from] Problem),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReservationError {
    /// Whether it may be caused by a single row, so that the others are worth trying without it.
    pub(crate) fn may_concern_one_row(&self) -> bool {
        !matches!(self, Self::Store(StoreError::Unavailable(_) | StoreError::Timeout(_) | StoreError::Conflict(_)))
    }
}

impl From<MoneyError> for ReservationError {
    fn from(error: MoneyError) -> Self {
        Self::Quote(error.into())
    }
}

impl From<sqlx::Error> for ReservationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Why what was agreed about a reservation does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChangeable {
    /// It is held unpaid, or the sale of its partner is not decided.
    #[error("the reservation is not paid for; pay for it first, or release it and book anew")]
    Unpaid,
    /// It was cancelled or rejected.
    #[error("the reservation has ended")]
    Ended,
    /// The day of arrival of one of its rooms has ended at the hotel.
    #[error("the stay has begun")]
    StayHasBegun,
}

/// A night in which more rooms are reserved than a change of the inventory gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BelowReserved {
    /// The night.
    pub stay_date: Date,
    /// Its rooms that are sold or held.
    pub reserved: i32,
    /// The rooms that the change gives it, overbooking included.
    pub asked: i32,
}

/// An account, or a source address, would hold too many room nights (rooms times nights) unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{held} room nights are held unpaid, and with {wanted} more they would be more than {limit}; pay or cancel first"
)]
pub struct UnpaidLimit {
    /// Whether the source address has the limit, and not the account.
    pub by_source: bool,
    /// Whether the account may hold more as soon as its e-mail address is confirmed.
    pub unconfirmed: bool,
    /// Most room nights that may be held.
    pub limit: i64,
    /// Room nights held.
    pub held: i64,
    /// Room nights requested.
    pub wanted: i64,
    /// When enough of the holds have expired; `None` when waiting cannot help.
    pub retry_time: Option<Timestamp>,
}
