//! Errors of this service, and the table from error to reason.

use std::time::Duration;

use staymesh_domain::{FieldError, Money, MoneyError};
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{PspError, signature::SignatureError};
use staymesh_store::{StoreError, idempotency::IdempotencyError};

/// Why a request about payments was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// A field of the request is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The payment does not exist, or the caller may not see it.
    #[error("there is no such payment")]
    NotFound,
    /// The reservation does not exist, or the caller did not create it.
    #[error("there is no such reservation")]
    ReservationNotFound,
    /// The webhook of a provider that is unknown or not configured.
    #[error("this address receives no events; the payment provider is another one")]
    WebhookNotFound,
    /// The payout does not exist, or belongs to a hotel that the caller may not see.
    #[error("the payout does not exist")]
    PayoutNotFound,
    /// The reservation does not wait for a payment. Holds the explanation for the caller.
    #[error("{0}")]
    NotPayable(&'static str),
    /// The hold has expired, or expires too soon to pay.
    #[error("the hold on the rooms has expired, or expires before it could be paid; book again")]
    HoldExpired,
    /// The change of a reservation does not wait for money. Holds the explanation for the caller.
    #[error("{0}")]
    ChangeNotPending(&'static str),
    /// The refund exceeds what is refundable.
    #[error("the amount exceeds what is refundable of the payment")]
    RefundExceedsPayment,
    /// The refund exceeds what the cancellation policy of the ended reservation gives back.
    #[error("the amount exceeds what the cancellation policy gives back; refund more with goodwill")]
    RefundExceedsPolicy,
    /// The reservation has ended, and what its cancellation policy gives back is not settled yet.
    #[error("what the cancellation policy gives back is not settled yet; retry later, or refund with goodwill")]
    SettlementPending,
    /// The request id was used for another refund.
    #[error("the request id was used before with other content")]
    RequestIdReused,
    /// The partner sale of the reservation has other terms.
    #[error("the sale of this reservation was recorded with other terms")]
    SaleDiffers,
    /// The sale would make the partner owe more than its credit limit.
    #[error("the partner owes {} of at most {}, and this sale of {} would exceed that; pay first", used, limit, asked)]
    CreditExceeded {
        /// The most that the partner may owe.
        limit: Money,
        /// What it owed when the sale was decided.
        used: Money,
        /// The amount of the sale.
        asked: Money,
    },
    /// A partner's payment is more than it owes, and was not to be kept as credit.
    #[error("the payment is more than the partner owes, which is {owed}; set keep_credit to keep the rest as credit")]
    PaymentExceedsDebt {
        /// What the partner owes; negative if it has paid in advance.
        owed: Money,
    },
    /// The etag of a credit limit is outdated.
    #[error("the credit limit has changed since this etag was read; read it again")]
    CreditLimitChanged,
    /// The provider did not answer, or its outcome is unknown. Retry.
    #[error("the payment provider does not answer; retry")]
    PspUnavailable,
    /// The provider refused a valid request: a defect or a wrong configuration.
    #[error("{0}")]
    PspRefused(PspError),
    /// The reconciliation case does not exist.
    #[error("there is no such reconciliation case")]
    CaseNotFound,
    /// The case is resolved.
    #[error("the case is resolved")]
    CaseResolved,
    /// The etag is outdated.
    #[error("it has changed since this etag was read; read it again")]
    CaseChanged,
    /// The case has no replay.
    #[error("this case cannot be replayed")]
    NoReplay,
    /// The signature of the event is invalid or too old.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body of the event is too large.
    #[error("the event must have at most 65536 bytes")]
    EventTooLarge,
    /// An amount is out of range or in another currency, although constraints exclude it: a defect.
    #[error("amounts of a payment do not fit together: {0}")]
    Amount(#[from] MoneyError),
    /// Another service refused or did not answer.
    #[error(transparent)]
    Dependency(#[from] Problem),
    /// The database refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A failed call to the provider within a request. An unknown outcome is not guessed: the caller retries, and the provider
/// sees the same idempotency key.
impl From<PspError> for PaymentError {
    fn from(error: PspError) -> Self {
        match error {
            PspError::Refused(_) => Self::PspRefused(error),
            PspError::UnsupportedAmount(why) => Self::NotPayable(why),
            PspError::ReturnUrl => FieldError::new("return_url", "is refused by the payment provider").into(),
            PspError::Unavailable(_) | PspError::NoResponse(_) | PspError::Unknown(_) | PspError::Pending(_) => {
                tracing::warn!(dependency = "psp", error.cause = %error, "the call to the payment provider failed");
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
            PaymentError::WebhookNotFound => Self::new(Reason::WebhookNotFound, message),
            PaymentError::PayoutNotFound => Self::new(Reason::PayoutNotFound, message),
            PaymentError::NotPayable(_) => Self::new(Reason::ReservationNotPayable, message),
            PaymentError::HoldExpired => Self::new(Reason::HoldExpired, message),
            PaymentError::ChangeNotPending(_) => Self::new(Reason::ChangeNotPending, message),
            PaymentError::RefundExceedsPayment | PaymentError::RefundExceedsPolicy => {
                Self::new(Reason::RefundExceedsPayment, message)
            }
            PaymentError::SettlementPending => {
                Self::new(Reason::SettlementPending, message).retry_after(Duration::from_secs(10))
            }
            PaymentError::RequestIdReused => Self::new(Reason::RequestIdReused, message),
            PaymentError::SaleDiffers => Self::new(Reason::ReservationIdReused, message),
            PaymentError::CreditExceeded { limit, used, asked } => Self::new(Reason::PartnerCreditExceeded, message)
                .with("currency_code", limit.currency().code())
                .with("limit", limit.amount())
                .with("used", used.amount())
                .with("asked", asked.amount()),
            PaymentError::PaymentExceedsDebt { owed } => Self::new(Reason::PartnerPaymentExceedsDebt, message)
                .with("currency_code", owed.currency().code())
                .with("owed", owed.amount()),
            PaymentError::PspUnavailable => {
                Self::new(Reason::PspUnavailable, message).retry_after(Duration::from_secs(2))
            }
            PaymentError::PspRefused(error) => Self::internal(&error),
            PaymentError::CaseNotFound => Self::new(Reason::CaseNotFound, message),
            PaymentError::CaseResolved => Self::new(Reason::CaseResolved, message),
            PaymentError::CaseChanged | PaymentError::CreditLimitChanged => Self::new(Reason::EtagMismatch, message),
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
