//! What the service refuses, and how that leaves it.

use staymesh_mesh::{Problem, Reason};
use staymesh_store::{StoreError, idempotency::IdempotencyError};
use tonic::Status;

/// Why a request about hotels was refused.
#[derive(Debug, thiserror::Error)]
pub enum HotelError {
    /// Unknown or deleted.
    #[error("there is no hotel {0}")]
    HotelNotFound(i32),
    /// Unknown, deleted, or of another hotel.
    #[error("hotel {hotel_id} has no room type {room_type_id}")]
    RoomTypeNotFound {
        /// The hotel that was named.
        hotel_id: i32,
        /// The room type that was named.
        room_type_id: i32,
    },
    /// Unknown, deleted, or of another hotel.
    #[error("hotel {hotel_id} has no room {room_id}")]
    RoomNotFound {
        /// The hotel that was named.
        hotel_id: i32,
        /// The room that was named.
        room_id: i32,
    },
    /// Another room type of the hotel is called so.
    #[error("the hotel has another room type of this name")]
    RoomTypeNameTaken,
    /// Another room of the hotel has the number.
    #[error("the hotel has another room of this number")]
    RoomNumberTaken,
    /// Rooms are of this type.
    #[error("the room type has rooms; delete those first")]
    RoomTypeHasRooms,
    /// The etag is of an older state.
    #[error("it has changed since this etag was read; read it again")]
    EtagMismatch,
    /// The request id came before, with other content.
    #[error("this request_id came before with other content; use a new UUID for each new request")]
    RequestIdReused,
    /// A hotel keeps its currency.
    #[error("cannot change; it is {0}")]
    CurrencyFixed(String),
    /// Another service refused, or does not answer.
    #[error(transparent)]
    Dependency(#[from] Box<Problem>),
    /// The database refused, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was stored cannot be read back.
    #[error("a stored answer cannot be read")]
    StoredAnswer(#[from] prost::DecodeError),
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
            E::Dependency(problem) => *problem,
            E::Store(error) => error.into(),
            E::StoredAnswer(error) => Self::internal(&error),
        }
    }
}

impl From<HotelError> for Status {
    fn from(error: HotelError) -> Self {
        Problem::from(error).into()
    }
}
