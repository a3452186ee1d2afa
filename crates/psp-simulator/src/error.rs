//! The errors of the API and their HTTP form.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("send the API key as 'authorization: Bearer KEY'")]
    Unauthorized,
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    /// Holds the kind of the missing record.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the idempotency key came before with other content")]
    KeyReused,
    #[error("the session is not paid")]
    NotPaid,
    #[error("more than what is left of the payment")]
    ExceedsPayment,
    #[error("the payment has as many refunds as one may have")]
    TooManyRefunds,
    #[error("the session is not in review, or the review ended otherwise")]
    NotInReview,
    #[error("the day is not over; ask with ?partial=true for what there is of it")]
    DayInProgress,
    #[error("too many sessions are kept; try again later")]
    Full,
    #[error("too many transfers are kept; try again later")]
    TransfersFull,
    #[error("too many settlement faults are kept")]
    FaultsFull,
    #[error("the state file cannot be written")]
    NotWritten,
    #[error("this error was asked for")]
    Simulated,
}

impl Refusal {
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::KeyReused => (StatusCode::CONFLICT, "idempotency_key_reused"),
            Self::NotInReview => (StatusCode::CONFLICT, "not_in_review"),
            Self::DayInProgress => (StatusCode::CONFLICT, "day_in_progress"),
            Self::NotPaid => (StatusCode::UNPROCESSABLE_ENTITY, "not_paid"),
            Self::ExceedsPayment => (StatusCode::UNPROCESSABLE_ENTITY, "refund_exceeds_payment"),
            Self::TooManyRefunds => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_refunds"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "too_many_sessions"),
            Self::TransfersFull => (StatusCode::SERVICE_UNAVAILABLE, "too_many_transfers"),
            Self::FaultsFull => (StatusCode::SERVICE_UNAVAILABLE, "too_many_settlement_faults"),
            Self::NotWritten => (StatusCode::SERVICE_UNAVAILABLE, "state_not_written"),
            Self::Simulated => (StatusCode::INTERNAL_SERVER_ERROR, "simulated_error"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        let mut error = json!({ "code": code, "message": self.to_string() });
        if let Self::Invalid { field, .. } = &self {
            error["param"] = json!(field);
        }
        (status, Json(json!({ "error": error }))).into_response()
    }
}
