//! What the service refuses, and how that leaves it.

use staymesh_domain::{Currency, MoneyError};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::StoreError;
use tonic::Status;

/// Why a request about rates was refused.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    /// Nobody has set a rate.
    #[error("room type {room_type_id} of hotel {hotel_id} has no rate")]
    RateNotFound {
        /// The hotel that was named.
        hotel_id: i32,
        /// The room type that was named.
        room_type_id: i32,
    },
    /// An amount in another currency than the hotel's.
    #[error("{field} must be in {expected}, the currency of the hotel")]
    CurrencyMismatch {
        /// The field with the amount.
        field: String,
        /// The hotel's currency.
        expected: Currency,
    },
    /// The etag is of an older state.
    #[error("it has changed since this etag was read; read it again")]
    EtagMismatch,
    /// Prices that are each in bounds come to more than an amount can hold.
    #[error("comes to more than an amount of money can hold")]
    StayTooExpensive {
        /// Where the room type stands in the request.
        index: usize,
    },
    /// Another service refused, or does not answer.
    #[error(transparent)]
    Dependency(#[from] Box<Problem>),
    /// The database refused, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An amount was stored that is none.
    #[error("a stored amount cannot be read: {0}")]
    StoredAmount(MoneyError),
}

impl From<sqlx::Error> for RateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Problem> for RateError {
    fn from(problem: Problem) -> Self {
        Self::Dependency(Box::new(problem))
    }
}

impl From<RateError> for Problem {
    fn from(error: RateError) -> Self {
        use RateError as E;
        let message = error.to_string();
        match error {
            E::RateNotFound { hotel_id, room_type_id } => {
                Self::new(Reason::RateNotFound, message).with("hotel_id", hotel_id).with("room_type_id", room_type_id)
            }
            E::CurrencyMismatch { field, expected } => {
                Self::new(Reason::CurrencyMismatch, message).with("field", field).with("currency_code", expected)
            }
            E::EtagMismatch => Self::new(Reason::EtagMismatch, message),
            E::StayTooExpensive { index } => Self::field(format!("room_types[{index}]"), message),
            E::Dependency(problem) => *problem,
            E::Store(error) => error.into(),
            E::StoredAmount(_) => Self::internal(&message),
        }
    }
}

impl From<RateError> for Status {
    fn from(error: RateError) -> Self {
        Problem::from(error).into()
    }
}
