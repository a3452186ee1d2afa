//! What can go wrong with a booking, and the one table of how callers see it.

use std::{ops::Range, time::Duration};

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, MoneyError};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::StoreError;
use tonic::Status as GrpcStatus;

use crate::{
    model::{CancellationReason, Status},
    offer_token::OfferError,
    quote::QuoteError,
};

/// Why something was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReservationError {
    /// A night has too few rooms left.
    #[error("sold out")]
    SoldOut {
        /// The first such night, when it could be told.
        stay_date: Option<Date>,
        /// When the earliest unpaid hold on that night ends: from then on it is worth trying again.
        hold_expire_time: Option<Timestamp>,
    },
    /// A night has no inventory, or the room type no rate.
    #[error("not for sale for this stay")]
    NotOnSale,
    /// More guests than may sleep in the rooms.
    #[error("{guests} guests do not fit into {rooms} rooms for {max_occupancy} each")]
    TooManyGuests {
        /// Guests asked for.
        guests: i32,
        /// Rooms asked for.
        rooms: i32,
        /// Guests that may sleep in one room.
        max_occupancy: i32,
    },
    /// The account holds too many rooms that are not paid for.
    #[error(
        "{held} rooms are held unpaid, and with {wanted} more they would be more than {limit}; pay or cancel first"
    )]
    TooManyUnpaidRooms {
        /// The most that it may hold.
        limit: i64,
        /// What it holds.
        held: i64,
        /// What it asked for.
        wanted: i64,
        /// When it holds few enough, if nobody pays or cancels before; none when that would not help.
        enough_free_at: Option<Timestamp>,
    },
    /// The id came before with other content or from somebody else.
    #[error("the reservation id was used before for something else")]
    IdReused,
    /// There is none, or it is somebody else's.
    #[error("no such reservation")]
    NotFound,
    /// The booking cannot go that way.
    #[error("a reservation that is {} cannot become {}", from.as_str(), to.as_str())]
    IllegalTransition {
        /// Where it is.
        from: Status,
        /// Where it was to go.
        to: Status,
    },
    /// Who has slept in the rooms does not get the money back.
    #[error("the stay has begun and cannot be cancelled")]
    StayHasBegun,
    /// Nobody is expected who could stay away: it is not paid yet, or has ended.
    #[error("a reservation that is {} cannot become a no-show", status.as_str())]
    NobodyExpected {
        /// Where it is.
        status: Status,
        /// Why it is cancelled, if it is.
        reason: Option<CancellationReason>,
    },
    /// The guests may still come, or have long been due to leave.
    #[error("a no-show can be reported from {} until {}", window.start, window.end)]
    NoShowOutOfTime {
        /// When it may be reported.
        window: Range<Timestamp>,
    },
    /// The amount is not the total.
    #[error("the amount is not what the reservation costs")]
    AmountMismatch,
    /// The offer token is not good.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// Fewer rooms than are sold already.
    #[error("fewer rooms than are reserved already")]
    BelowReserved,
    /// Nights from today on are reserved.
    #[error("nights from today on are reserved")]
    HasFutureReservations,
    /// Only partners may collect money.
    #[error("only partners may collect the money themselves")]
    PartnersOnly,
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The rate service's price cannot be used, or one that was kept.
    #[error("price: {0}")]
    Quote(#[from] QuoteError),
    /// Another service failed or refused.
    #[error(transparent)]
    Other(#[from] Problem),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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
            E::SoldOut { stay_date, hold_expire_time } => sold_out(stay_date, hold_expire_time),
            E::NotOnSale => Self::new(Reason::NotOnSale, text),
            E::TooManyGuests { max_occupancy, .. } => {
                Self::new(Reason::TooManyGuests, text).with("max_occupancy", max_occupancy)
            }
            E::TooManyUnpaidRooms { limit, held, enough_free_at, .. } => {
                let problem =
                    Self::new(Reason::TooManyUnpaidRooms, text).with("limit_rooms", limit).with("held_rooms", held);
                match enough_free_at {
                    Some(end) => problem.with("hold_expire_time", end).retry_after(seconds_until(end)),
                    None => problem,
                }
            }
            E::IdReused => Self::new(Reason::ReservationIdReused, text),
            E::NotFound => Self::new(Reason::ReservationNotFound, text),
            E::IllegalTransition { from, to } => {
                Self::new(Reason::IllegalTransition, text).with("from", from.as_str()).with("to", to.as_str())
            }
            E::StayHasBegun => Self::new(Reason::IllegalTransition, text),
            E::NobodyExpected { status, reason } => nobody_expected(status, reason, text),
            E::NoShowOutOfTime { window } => {
                Self::new(Reason::NoShowOutOfTime, text).with("from_time", window.start).with("until_time", window.end)
            }
            E::AmountMismatch => Self::new(Reason::AmountMismatch, text),
            E::Offer(OfferError::Expired) => Self::new(Reason::OfferExpired, text),
            E::Offer(OfferError::Tampered) => Self::new(Reason::OfferTampered, text),
            E::BelowReserved => Self::new(Reason::InventoryBelowReserved, text),
            E::HasFutureReservations => Self::new(Reason::HasFutureReservations, text),
            E::PartnersOnly => Self::new(Reason::AccessDenied, text),
            E::Field(error) => error.into(),
            E::Quote(error) => Self::internal(&error),
            E::Other(problem) => problem,
            E::Store(error) => error.into(),
        }
    }
}

/// No no-show, and what became of the booking instead.
fn nobody_expected(status: Status, reason: Option<CancellationReason>, text: String) -> Problem {
    let problem = Problem::new(Reason::IllegalTransition, text);
    let problem = problem.with("from", status.as_str()).with("to", Status::Cancelled.as_str());
    match reason {
        Some(reason) => problem.with("cancellation_reason", reason.as_str()),
        None => problem,
    }
}

/// "Sold out", and whether somebody has yet to pay.
fn sold_out(stay_date: Option<Date>, hold_expire_time: Option<Timestamp>) -> Problem {
    let Some(date) = stay_date else {
        return Problem::new(Reason::RoomSoldOut, "sold out");
    };
    let Some(end) = hold_expire_time else {
        return Problem::new(Reason::RoomSoldOut, format!("sold out on {date}")).with("stay_date", date);
    };
    let wait = seconds_until(end);
    let text = format!("sold out on {date}; somebody is paying, try again in {} s", wait.as_secs());
    Problem::new(Reason::RoomSoldOut, text).with("stay_date", date).with("hold_expire_time", end).retry_after(wait)
}

/// How long it is until then, rounded up: not a moment too soon.
fn seconds_until(end: Timestamp) -> Duration {
    let wait = Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default();
    Duration::from_secs(wait.as_secs() + 1)
}

impl From<ReservationError> for GrpcStatus {
    fn from(error: ReservationError) -> Self {
        Problem::from(error).into()
    }
}
