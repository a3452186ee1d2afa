//! The one table from the errors of the reservation rules to what callers see: code, reason and metadata.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};
use staymesh_mesh::{Problem, Reason};
use tonic::Status as GrpcStatus;

use super::{BelowReserved, NotChangeable, ReservationError, UnpaidLimit};
use crate::{
    model::{CancellationReason, Status},
    offer_token::OfferError,
    room_line::ShortRoom,
};

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
