//! What can go wrong with a payment, and what callers are told.

use std::time::Duration;

use staymesh_domain::{FieldError, MoneyError};
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{PspError, signature::SignatureError};
use staymesh_store::{StoreError, idempotency::IdempotencyError};

/// Why a request about payments was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// A field of the request is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// There is no such payment, or not for this caller.
    #[error("there is no such payment")]
    NotFound,
    /// There is no such reservation, or not for this caller.
    #[error("there is no such reservation")]
    ReservationNotFound,
    /// There is no such pay-out, or not of this hotel.
    #[error("the hotel has no such pay-out")]
    PayoutNotFound,
    /// The reservation does not wait for a payment; says why.
    #[error("{0}")]
    NotPayable(&'static str),
    /// The hold is over.
    #[error("the hold on the rooms is over, or ends before it could be paid; book again")]
    HoldExpired,
    /// More than is left of the payment.
    #[error("more than what is left of the payment")]
    RefundExceedsPayment,
    /// The request id belongs to another refund.
    #[error("the request id came before with other content")]
    RequestIdReused,
    /// The reservation has a partner's sale with other terms.
    #[error("the sale of this reservation was recorded with other terms")]
    SaleDiffers,
    /// The provider cannot be asked, or did not say what it did.
    #[error("the payment provider does not answer; try again")]
    PspUnavailable,
    /// The provider says no to what should be right.
    #[error("{0}")]
    PspRefused(PspError),
    /// There is no such reconciliation case.
    #[error("there is no such reconciliation case")]
    CaseNotFound,
    /// The case is over.
    #[error("the case is resolved")]
    CaseResolved,
    /// The etag is of an older state.
    #[error("it has changed since this etag was read; read it again")]
    CaseChanged,
    /// Nothing can be done again about the case.
    #[error("nothing can be done again about this case")]
    NoReplay,
    /// The event is not from the provider, or not from now.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body of the event is too large.
    #[error("the event must have at most 65536 bytes")]
    EventTooLarge,
    /// An amount is out of range or in another currency, although constraints exclude it: a defect.
    #[error("amounts of a payment do not fit together: {0}")]
    Amount(#[from] MoneyError),
    /// Another service said no, or nothing.
    #[error(transparent)]
    Dependency(#[from] Problem),
    /// The database said no, or nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A failed call to the provider, while somebody waits for the answer. What is not known is not guessed: the caller
/// repeats the request, and the provider sees the same idempotency key.
impl From<PspError> for PaymentError {
    fn from(error: PspError) -> Self {
        match error {
            PspError::Refused(_) => Self::PspRefused(error),
            PspError::UnsupportedAmount(why) => Self::NotPayable(why),
            PspError::ReturnUrl => FieldError::new("return_url", "is refused by the payment provider").into(),
            PspError::Unavailable(_) | PspError::NoResponse(_) | PspError::Unknown(_) | PspError::Pending(_) => {
                tracing::warn!(dependency = "psp", error.cause = %error, "the payment provider failed");
                Self::PspUnavailable
            }
        }
    }
}

impl From<sqlx::Error> for PaymentError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<IdempotencyError> for PaymentError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Reused => Self::RequestIdReused,
            IdempotencyError::Store(error) => Self::Store(error),
        }
    }
}

impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        let message = error.to_string();
        match error {
            PaymentError::Field(error) => error.into(),
            PaymentError::NotFound => Self::new(Reason::PaymentNotFound, message),
            PaymentError::ReservationNotFound => Self::new(Reason::ReservationNotFound, message),
            PaymentError::PayoutNotFound => Self::new(Reason::PayOutNotFound, message),
            PaymentError::NotPayable(_) => Self::new(Reason::ReservationNotPayable, message),
            PaymentError::HoldExpired => Self::new(Reason::HoldExpired, message),
            PaymentError::RefundExceedsPayment => Self::new(Reason::RefundExceedsPayment, message),
            PaymentError::RequestIdReused => Self::new(Reason::RequestIdReused, message),
            PaymentError::SaleDiffers => Self::new(Reason::ReservationIdReused, message),
            PaymentError::PspUnavailable => {
                Self::new(Reason::PspUnavailable, message).retry_after(Duration::from_secs(2))
            }
            PaymentError::PspRefused(error) => Self::internal(&error),
            PaymentError::CaseNotFound => Self::new(Reason::CaseNotFound, message),
            PaymentError::CaseResolved => Self::new(Reason::CaseResolved, message),
            PaymentError::CaseChanged => Self::new(Reason::EtagMismatch, message),
            PaymentError::NoReplay => Self::new(Reason::NoReplay, message),
            PaymentError::Signature(SignatureError::Invalid) => Self::new(Reason::WebhookSignatureInvalid, message),
            PaymentError::Signature(SignatureError::WrongTime) => Self::new(Reason::WebhookTooOld, message),
            PaymentError::EventTooLarge => Self::new(Reason::RequestTooLarge, message),
            PaymentError::Amount(error) => Self::internal(&error),
            PaymentError::Dependency(problem) => problem,
            PaymentError::Store(error) => error.into(),
        }
    }
}

impl From<PaymentError> for tonic::Status {
    fn from(error: PaymentError) -> Self {
        Problem::from(error).into()
    }
}
