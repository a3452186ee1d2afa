//! What the API refuses, and how it says so.

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
    #[error("there is no such session")]
    NotFound,
    #[error("the idempotency key came before with other content")]
    KeyReused,
    #[error("the session is not paid")]
    NotPaid,
    #[error("more than what is left of the payment")]
    ExceedsPayment,
    #[error("too many sessions are kept; try again later")]
    Full,
    #[error("the state file cannot be written")]
    NotWritten,
}

impl Refusal {
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::KeyReused => (StatusCode::CONFLICT, "idempotency_key_reused"),
            Self::NotPaid => (StatusCode::UNPROCESSABLE_ENTITY, "not_paid"),
            Self::ExceedsPayment => (StatusCode::UNPROCESSABLE_ENTITY, "refund_exceeds_payment"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "too_many_sessions"),
            Self::NotWritten => (StatusCode::SERVICE_UNAVAILABLE, "state_not_written"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        (status, Json(json!({ "error": { "code": code, "message": self.to_string() } }))).into_response()
    }
}
