//! [`RateError`], and the table that maps it to gRPC reasons and metadata.

use staymesh_domain::{Currency, FieldErrors, HotelId, MoneyError, ResolveError, RoomTypeId};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::StoreError;
use tonic::Status;

/// Why a request to the rate service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RateError {
    /// The room type has no rate.
    #[error("room type {room_type_id} of hotel {hotel_id} has no rate")]
    RateNotFound { hotel_id: HotelId, room_type_id: RoomTypeId },
    /// The amount in `field` is not in the currency of the hotel.
    #[error("{field} must be in {expected}, the currency of the hotel")]
    CurrencyMismatch { field: String, expected: Currency },
    /// The etag in the request is not that of the current version.
    #[error("the rate has changed since this etag was read; read it again")]
    EtagMismatch,
    /// Another service refused the call or is unavailable.
    #[error(transparent)]
    Dependency(Box<Problem>),
    /// The database rejected the statement or is unavailable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored amount is not valid money, or amounts of one hotel have different currencies.
    #[error("a stored amount is invalid: {0}")]
    StoredAmount(MoneyError),
    /// A later cancellation would be cheaper than an earlier one, in these fields.
    #[error("a later cancellation must not be cheaper than an earlier one")]
    PolicyNotMonotone(FieldErrors),
    /// A stored cancellation policy cannot be read.
    #[error("a stored cancellation policy is invalid")]
    StoredPolicy,
    /// The terms of a stay cannot be computed.
    #[error("the cancellation terms of a stay cannot be computed: {0}")]
    Terms(#[from] ResolveError),
    /// A stored tax is neither a percentage nor an amount.
    #[error("a stored tax has neither basis points nor an amount with a currency")]
    StoredTax,
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
            E::Dependency(problem) => *problem,
            E::Store(error) => error.into(),
            E::PolicyNotMonotone(errors) => {
                let (fields, texts): (Vec<_>, Vec<_>) =
                    errors.into_iter().map(|error| (error.field.clone(), error.to_string())).unzip();
                let message = format!("{message}: {}", texts.join("; "));
                Self::new(Reason::PolicyNotMonotone, message).with("fields", fields.join(","))
            }
            E::StoredAmount(_) | E::StoredPolicy | E::StoredTax | E::Terms(_) => Self::internal(&message),
        }
    }
}

impl From<RateError> for Status {
    fn from(error: RateError) -> Self {
        Problem::from(error).into()
    }
}
