//! [`IdentityError`], and the table that maps it to gRPC reasons and metadata.

use std::time::Duration;

use staymesh_domain::{FieldError, FieldErrors};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::{StoreError, idempotency::IdempotencyError};
use tonic::Status;

/// Why a request to the identity service failed. No message contains an address, a name or a secret.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Invalid fields of the request.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Fields(Vec<FieldError>),
    /// An account with this address exists.
    #[error("the address has an account already")]
    EmailTaken,
    /// The request id was used before, with other content.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// Unknown address or client, wrong password or secret.
    #[error("these credentials are not valid")]
    BadCredentials,
    /// Too many attempts for one address; the duration is the rest of the window.
    #[error("too many failed logins for this address; try again later")]
    LoginThrottled(Duration),
    /// The refresh token is unknown, expired, used or revoked.
    #[error("the refresh token is not valid; log in again")]
    RefreshTokenInvalid,
    /// The token of a mailed link is unknown, expired or used.
    #[error("this link is not valid any more; request another one")]
    MailTokenInvalid,
    /// No account with this id or address exists.
    #[error("there is no such account")]
    UserNotFound,
    /// The client id is or was registered.
    #[error("the client id is or was in use; choose another")]
    ClientExists,
    /// No client with this id was ever registered.
    #[error("there is no such client")]
    ClientNotFound,
    /// The request has issued a secret of a client before, which is not shown again.
    #[error("this request has issued a secret, which is not shown again; rotate with another request id")]
    SecretExists,
    /// The client would have no valid secret, or more than two; the text says which.
    #[error("{0}")]
    SecretLimit(&'static str),
    /// The client never had a secret with this id.
    #[error("the client has no such secret")]
    SecretNotFound,
    /// The queue of password hashes is full.
    #[error("too many logins and sign-ups are in progress; try again")]
    Overloaded,
    /// Another service refused the call or is unavailable.
    #[error(transparent)]
    Dependency(Box<Problem>),
    /// The configuration is invalid; the text names the setting.
    #[error("{0}")]
    Config(&'static str),
    /// A defect of this service; the text is logged, callers see `INTERNAL`.
    #[error("{0}")]
    Defect(String),
    /// The database rejected the statement or is unavailable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdentityError {
    /// A defect, from its cause.
    pub(crate) fn defect(what: impl std::fmt::Display) -> Self {
        Self::Defect(what.to_string())
    }
}

impl From<sqlx::Error> for IdentityError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<IdempotencyError> for IdentityError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Reused => Self::RequestIdReused,
            IdempotencyError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Problem> for IdentityError {
    fn from(problem: Problem) -> Self {
        Self::Dependency(Box::new(problem))
    }
}

impl From<FieldError> for IdentityError {
    fn from(error: FieldError) -> Self {
        Self::Fields(vec![error])
    }
}

impl From<FieldErrors> for IdentityError {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors.into_iter().collect())
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let reason = match error {
            IdentityError::Fields(fields) => {
                return Self::fields(fields.into_iter().map(|error| (error.field, error.description)));
            }
            IdentityError::Store(error) => return error.into(),
            IdentityError::Dependency(problem) => return *problem,
            IdentityError::Config(_) | IdentityError::Defect(_) => return Self::internal(&error),
            IdentityError::LoginThrottled(wait) => {
                return Self::new(Reason::LoginThrottled, error.to_string()).retry_after(wait);
            }
            IdentityError::Overloaded => {
                return Self::new(Reason::Overloaded, error.to_string()).retry_after(Duration::from_secs(1));
            }
            IdentityError::MailTokenInvalid => Reason::MailTokenInvalid,
            IdentityError::EmailTaken => Reason::EmailTaken,
            IdentityError::RequestIdReused => Reason::RequestIdReused,
            IdentityError::BadCredentials => Reason::BadCredentials,
            IdentityError::RefreshTokenInvalid => Reason::RefreshTokenInvalid,
            IdentityError::UserNotFound => Reason::UserNotFound,
            IdentityError::ClientExists => Reason::ClientExists,
            IdentityError::ClientNotFound => Reason::ClientNotFound,
            IdentityError::SecretExists => Reason::ClientSecretExists,
            IdentityError::SecretLimit(_) => Reason::ClientSecretLimit,
            IdentityError::SecretNotFound => Reason::ClientSecretNotFound,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<IdentityError> for Status {
    fn from(error: IdentityError) -> Self {
        Problem::from(error).into()
    }
}
