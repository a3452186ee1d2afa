//! The error of the reservation rules, and the one table from it to what callers see (code, reason, metadata).

use std::time::Duration;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, Money, MoneyError, ReservationId, RoomId, RoomTypeId};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::StoreError;
use tonic::Status as GrpcStatus;

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

impl From<ReservationError> for Problem {
    fn from(error: ReservationError) -> Self {
        use ReservationError as E;
        let text = error.to_string();
        match error {
            E::SoldOut { room, stay_date, rooms_left, hold_expire_time } => {
                sold_out(room, stay_date, rooms_left, hold_expire_time)
            }
            E::StopSell { room, stay_date } => stop_sell(room, stay_date),
            E::NotOnSale => Self::new(Reason::NotOnSale, text),
            E::Misfit(misfit) => misfit.into(),
            E::Unpaid(limit) => limit.into(),
            E::UnpaidShare { stay_date, limit, held, wanted, hold_expire_time } => {
                unpaid_share(stay_date, [limit, held, wanted], hold_expire_time)
            }
            E::IdReused => Self::new(Reason::ReservationIdReused, text),
            E::ReferenceTaken(first) => Self::new(Reason::ClientReferenceTaken, text).with("reservation_id", first),
            E::NotFound => Self::new(Reason::ReservationNotFound, text),
            E::IllegalTransition { from, to } => Self::new(Reason::IllegalTransition, text)
                .with("from", from.contract_name())
                .with("to", to.contract_name()),
            E::Ended { status } => Self::new(Reason::IllegalTransition, text)
                .with("from", status.contract_name())
                .with("to", status.contract_name()),
            E::HoldExpired => Self::new(Reason::HoldExpired, text),
            E::StayHasBegun | E::CheckedIn => Self::new(Reason::IllegalTransition, text),
            E::IllegalRoomTransition { position, from, to } => Self::new(Reason::IllegalTransition, text)
                .with("position", position)
                .with("from", from.contract_name())
                .with("to", to.contract_name()),
            E::RoomNotAssigned { position } => Self::new(Reason::RoomNotAssigned, text).with("position", position),
            E::RoomAssigned { room_id } => Self::new(Reason::RoomAssigned, text).with("room_id", room_id),
            E::RoomOutOfOrder { room_id } => Self::new(Reason::RoomOutOfOrder, text).with("room_id", room_id),
            E::RoomOfOtherType { room_id, room_type_id } => {
                Self::new(Reason::RoomOfOtherType, text).with("room_id", room_id).with("room_type_id", room_type_id)
            }
            E::CheckInOutOfTime { from, until, today } | E::EarlyDepartureOutOfTime { from, until, today } => {
                Self::new(Reason::CheckInOutOfTime, text)
                    .with("from_date", from)
                    .with("until_date", until)
                    .with("today", today)
            }
            E::CancelTermsChanged { refund } => {
                let problem = Self::new(Reason::CancelTermsChanged, text).with("refund_amount", refund.amount());
                problem.with("refund_currency", refund.currency().code())
            }
            E::NotEligibleForNoShow { status, reason } => not_eligible_for_no_show(status, reason, text),
            E::NoShowSettled => Self::new(Reason::NoShowSettled, text),
            E::NoShowOutOfTime { from, until } => {
                Self::new(Reason::NoShowOutOfTime, text).with("from_time", from).with("until_time", until)
            }
            E::NotChangeable(why) => not_changeable(why, text),
            E::RevisionMismatch { base, current } => {
                Self::new(Reason::RevisionMismatch, text).with("base_revision", base).with("current_revision", current)
            }
            E::ChangePending => Self::new(Reason::ChangePending, text),
            E::RequestIdReused => Self::new(Reason::RequestIdReused, text),
            E::RoomsChange(error) => Self::internal(&error),
            E::AmountMismatch => Self::new(Reason::AmountMismatch, text),
            E::Offer(OfferError::Expired) => Self::new(Reason::OfferExpired, text),
            E::Offer(OfferError::Tampered) => Self::new(Reason::OfferTampered, text),
            E::BelowReserved(night) => below_reserved(night, text),
            E::EtagMismatch | E::ReservationChanged => Self::new(Reason::EtagMismatch, text),
            E::OutOfOrderNotFound => Self::new(Reason::OutOfOrderNotFound, text),
            E::BlockNotFound => Self::new(Reason::BlockNotFound, text),
            E::BlockCodeTaken => Self::new(Reason::BlockCodeTaken, text),
            E::BlockReleased { cutoff } => Self::new(Reason::BlockReleased, text).with("cutoff_time", cutoff),
            E::BlockNotDefinite { status } => {
                Self::new(Reason::BlockNotDefinite, text).with("status", status.contract_name())
            }
            E::BlockHasPickUps { night } => block_has_pick_ups(night, text),
            E::HasFutureReservations => Self::new(Reason::HasFutureReservations, text),
            E::PartnersOnly | E::LongHoldsNotAgreed => Self::new(Reason::AccessDenied, text),
            E::Field(error) => error.into(),
            E::Quote(error) => Self::internal(&error),
            E::Lines(error) => Self::internal(&error),
            E::Date(error) => Self::internal(&error),
            E::Other(problem) => problem,
            E::Store(error) => error.into(),
        }
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

fn not_changeable(why: NotChangeable, text: String) -> Problem {
    let cause = match why {
        NotChangeable::Unpaid => "UNPAID",
        NotChangeable::Ended => "ENDED",
        NotChangeable::StayHasBegun => "STAY_HAS_BEGUN",
    };
    Problem::new(Reason::ReservationNotChangeable, text).with("cause", cause)
}

/// The illegal transition to a no-show, with why the reservation was cancelled instead.
fn not_eligible_for_no_show(status: Status, reason: Option<CancellationReason>, text: String) -> Problem {
    let problem = Problem::new(Reason::IllegalTransition, text);
    let problem = problem.with("from", status.contract_name()).with("to", Status::Cancelled.contract_name());
    match reason {
        Some(reason) => problem.with("cancellation_reason", reason.contract_name()),
        None => problem,
    }
}

/// "Sold out", with the room, the night, the rooms left in it, and when its earliest unpaid hold expires.
fn sold_out(
    room: Option<ShortRoom>,
    stay_date: Option<Date>,
    rooms_left: Option<i32>,
    hold_expire_time: Option<Timestamp>,
) -> Problem {
    let Some(date) = stay_date else {
        return Problem::new(Reason::RoomSoldOut, "sold out");
    };
    let text = match rooms_left {
        Some(left @ 1..) => format!("only {left} rooms are left on {date}"),
        _ => format!("sold out on {date}"),
    };
    let wait = hold_expire_time.map(seconds_until);
    let text = match wait {
        Some(wait) => format!("{text}; a room is held unpaid, try again in {} s", wait.as_secs()),
        None => text,
    };
    let mut problem = of_room(Problem::new(Reason::RoomSoldOut, text).with("stay_date", date), room);
    if let Some(left) = rooms_left {
        problem = problem.with("rooms_left", left);
    }
    retry_at(problem, hold_expire_time)
}

/// "Picked up", with the night.
fn block_has_pick_ups(night: Option<(Date, i32)>, text: String) -> Problem {
    let problem = Problem::new(Reason::BlockHasPickUps, text);
    match night {
        Some((date, rooms)) => problem.with("stay_date", date).with("picked_up", rooms),
        None => problem,
    }
}

/// "Closed", with the room and the night.
fn stop_sell(room: Option<ShortRoom>, stay_date: Option<Date>) -> Problem {
    let problem = match stay_date {
        Some(date) => Problem::new(Reason::StopSell, format!("closed by the hotel on {date}")).with("stay_date", date),
        None => Problem::new(Reason::StopSell, "closed by the hotel"),
    };
    of_room(problem, room)
}

/// The problem with the room that it is about, if that is known.
fn of_room(problem: Problem, room: Option<ShortRoom>) -> Problem {
    match room {
        Some(ShortRoom { index, room_type_id }) => problem.with("room", index).with("room_type_id", room_type_id),
        None => problem,
    }
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

fn below_reserved(night: Option<BelowReserved>, text: String) -> Problem {
    let Some(BelowReserved { stay_date, reserved, asked }) = night else {
        return Problem::new(Reason::InventoryBelowReserved, text);
    };
    let text = format!("{reserved} rooms are reserved on {stay_date}, more than the {asked} there would be");
    let problem = Problem::new(Reason::InventoryBelowReserved, text).with("stay_date", stay_date);
    problem.with("reserved", reserved).with("asked", asked)
}

/// "Others are paying": the share of the night, and when its earliest unpaid hold expires.
fn unpaid_share(
    stay_date: Option<Date>,
    [limit, held, wanted]: [i64; 3],
    hold_expire_time: Option<Timestamp>,
) -> Problem {
    // Without other holds, waiting does not help: the booking alone is too large.
    let end = hold_expire_time.filter(|_| wanted <= limit);
    let text = match end.map(seconds_until) {
        Some(wait) => format!("others are paying for the rooms that are left; try again in {} s", wait.as_secs()),
        None => format!("at most {limit} rooms of a night may be held unpaid; book and pay for fewer rooms at a time"),
    };
    let mut problem = Problem::new(Reason::TooManyRoomsHeldUnpaid, text);
    if let Some(date) = stay_date {
        problem = problem.with("stay_date", date);
    }
    retry_at(problem.with("limit_rooms", limit).with("held_rooms", held).with("wanted_rooms", wanted), end)
}

/// The problem with the time of a useful retry, if there is one.
fn retry_at(problem: Problem, time: Option<Timestamp>) -> Problem {
    match time {
        Some(time) => problem.with("hold_expire_time", time).retry_after(seconds_until(time)),
        None => problem,
    }
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

impl From<UnpaidLimit> for Problem {
    fn from(error: UnpaidLimit) -> Self {
        let (reason, text) = if error.by_source {
            (Reason::TooManyUnpaidRoomsFromAddress, format!("from this network address, {error}"))
        } else if error.unconfirmed {
            (Reason::TooManyUnpaidRooms, format!("{error}, or confirm the e-mail address of the account"))
        } else {
            (Reason::TooManyUnpaidRooms, error.to_string())
        };
        let problem =
            Self::new(reason, text).with("limit_room_nights", error.limit).with("wanted_room_nights", error.wanted);
        // What others hold behind an address is not told.
        let problem = if error.by_source { problem } else { problem.with("held_room_nights", error.held) };
        let problem = if error.unconfirmed { problem.with("confirm_email", true) } else { problem };
        retry_at(problem, error.retry_time)
    }
}

/// Whole seconds from now until `end`, rounded up so that a retry is never too early; 1 s when it has passed.
fn seconds_until(end: Timestamp) -> Duration {
    // A negative duration: the hold has expired meanwhile.
    let wait = end.duration_since(Timestamp::now()).as_secs().max(0);
    Duration::from_secs(wait.unsigned_abs() + 1)
}

impl From<ReservationError> for GrpcStatus {
    fn from(error: ReservationError) -> Self {
        Problem::from(error).into()
    }
}
