//! Failures of calls to a provider, by what is known about their effect.

/// Why a call to the provider failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PspError {
    /// The provider refused the request, and will refuse it again. Nothing has changed there. Holds the provider's error
    /// code, or `http_STATUS`.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// The provider refused the return URL of a checkout. Nothing has changed there.
    #[error("the payment provider refuses the return URL")]
    ReturnUrl,
    /// The provider cannot move this amount or currency; says why. No call was made.
    #[error("{0}")]
    UnsupportedAmount(&'static str),
    /// The provider has accepted the order and will complete it later. Retry with the same idempotency key.
    #[error("the payment provider has not completed it yet: {0}")]
    Pending(&'static str),
    /// The provider did nothing: it was not reached, it limits the rate, or it rejects the API key.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(&'static str),
    /// No response: the outcome is unknown. Retry with the same idempotency key.
    #[error("no response from the payment provider: {0}")]
    NoResponse(&'static str),
    /// A response that does not determine the outcome. Retry with the same idempotency key.
    #[error("the response of the payment provider is unusable: {0}")]
    Unknown(&'static str),
}
