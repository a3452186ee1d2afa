//! [`HotelError`], and the table that maps it to gRPC reasons and metadata.

use staymesh_domain::{FieldErrors, HotelId, OccupancyError, RoomId, RoomTypeId};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::{StoreError, idempotency::IdempotencyError};
use tonic::Status;

/// Why a request to the hotel service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HotelError {
    /// The hotel does not exist or is deleted.
    #[error("there is no hotel {0}")]
    HotelNotFound(HotelId),
    /// The room type does not exist, is deleted, or belongs to another hotel.
    #[error("hotel {hotel_id} has no room type {room_type_id}")]
    RoomTypeNotFound { hotel_id: HotelId, room_type_id: RoomTypeId },
    /// The room does not exist, is deleted, or belongs to another hotel.
    #[error("hotel {hotel_id} has no room {room_id}")]
    RoomNotFound { hotel_id: HotelId, room_id: RoomId },
    /// Another live room type of the hotel has the same display name, compared without case.
    #[error("the hotel has another room type of this name")]
    RoomTypeNameTaken,
    /// Another live room of the hotel has the same room number, compared without case.
    #[error("the hotel has another room of this number")]
    RoomNumberTaken,
    /// A room type cannot be deleted while live rooms belong to it.
    #[error("the room type has rooms; delete those first")]
    RoomTypeHasRooms,
    /// The etag in the request is not that of the current version.
    #[error("the resource has changed since this etag was read; read it again")]
    EtagMismatch,
    /// The request id was used before, with other content.
    #[error("this request_id was used with other content; use a new UUID for each new request")]
    RequestIdReused,
    /// The currency of a hotel is immutable; the text is the ISO 4217 code it has.
    #[error("cannot change; it is {0}")]
    CurrencyFixed(String),
    /// The numbers of a room type's occupancy do not fit each other.
    #[error(transparent)]
    Occupancy(#[from] OccupancyError),
    /// Another service refused the call or is unavailable.
    #[error(transparent)]
    Dependency(Box<Problem>),
    /// The database rejected the statement or is unavailable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for HotelError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<IdempotencyError> for HotelError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Reused => Self::RequestIdReused,
            IdempotencyError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Problem> for HotelError {
    fn from(problem: Problem) -> Self {
        Self::Dependency(Box::new(problem))
    }
}

impl From<HotelError> for Problem {
    fn from(error: HotelError) -> Self {
        use HotelError as E;
        let message = error.to_string();
        match error {
            E::HotelNotFound(hotel_id) => Self::new(Reason::HotelNotFound, message).with("hotel_id", hotel_id),
            E::RoomTypeNotFound { hotel_id, room_type_id } => Self::new(Reason::RoomTypeNotFound, message)
                .with("hotel_id", hotel_id)
                .with("room_type_id", room_type_id),
            E::RoomNotFound { hotel_id, room_id } => {
                Self::new(Reason::RoomNotFound, message).with("hotel_id", hotel_id).with("room_id", room_id)
            }
            E::RoomTypeNameTaken => Self::new(Reason::RoomTypeNameTaken, message),
            E::RoomNumberTaken => Self::new(Reason::RoomNumberTaken, message),
            E::RoomTypeHasRooms => Self::new(Reason::RoomTypeHasRooms, message),
            E::EtagMismatch => Self::new(Reason::EtagMismatch, message),
            E::RequestIdReused => Self::new(Reason::RequestIdReused, message),
            E::CurrencyFixed(_) => Self::field("hotel.currency_code", message),
            E::Occupancy(OccupancyError(errors)) => {
                let mut fields = FieldErrors::default();
                fields.extend_under("room_type", errors);
                fields.into()
            }
            E::Dependency(problem) => *problem,
            E::Store(error) => error.into(),
        }
    }
}

impl From<HotelError> for Status {
    fn from(error: HotelError) -> Self {
        Problem::from(error).into()
    }
}
