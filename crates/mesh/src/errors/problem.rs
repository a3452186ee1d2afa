//! A problem: an error in the form in which callers see it (`google.rpc.Status` with details). The name is that of RFC 9457.

use std::{collections::HashMap, fmt, sync::OnceLock, time::Duration};

use staymesh_contract::{ERROR_DOMAIN, ErrorPages, Reason};
use staymesh_domain::{FieldError, FieldErrors};
use staymesh_store::StoreError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::context::RequestContext;

/// Metadata of `ErrorInfo`: whether the same request may succeed later, `true` or `false`.
const RETRYABLE: &str = "retryable";

/// Where the error pages are published; empty if they are not.
static PAGES: OnceLock<ErrorPages> = OnceLock::new();

/// Sets the address of the error pages, which errors of this process link to from now on. Only the first call has an effect.
pub fn link_error_pages(pages: ErrorPages) {
    let _ = PAGES.set(pages);
}

/// An error as callers see it: reason, message, metadata, and optionally field violations and a retry delay.
#[derive(Clone, Debug)]
pub struct Problem {
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    violations: Vec<FieldViolation>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with a message for humans. The message must not contain personal data or internals.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), metadata: HashMap::new(), violations: Vec::new(), retry_after: None }
    }

    /// `INVALID_FIELD` with one violation: the field's path and what is allowed.
    pub fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::fields([(field.into(), description.into())])
    }

    /// `INVALID_FIELD` with several violations.
    pub fn fields(violations: impl IntoIterator<Item = (String, String)>) -> Self {
        let violations: Vec<_> =
            violations.into_iter().map(|(field, description)| FieldViolation::new(field, description)).collect();
        let message =
            violations.iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("; ");
        Self { violations, ..Self::new(Reason::InvalidField, message) }
    }

    /// `INTERNAL`: a defect of Staymesh. Logs the cause as an error; the caller sees only the request id.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(error.cause = %cause, "internal error");
        Self::new(Reason::Internal, "something went wrong on our side; the request id helps us to find it")
    }

    /// Adds an entry to the metadata of `ErrorInfo`, for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.to_owned(), format!("{value}"));
        self
    }

    /// Adds `RetryInfo`: the delay after which a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The reason.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The message for humans.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The metadata for programs, in no order.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The reason in a status from another service; `None` if it has none of Staymesh.
    pub fn reason_of(status: &Status) -> Option<Reason> {
        let info = status.get_details_error_info()?;
        (info.domain == ERROR_DOMAIN).then(|| Reason::ALL.iter().find(|r| r.as_str() == info.reason)).flatten().copied()
    }

    /// Converts the failure of a call to the service `name`: a reason about the request is passed on; a failure of the
    /// service itself becomes `DEPENDENCY_UNAVAILABLE`, and an error without a known reason `INTERNAL`.
    pub fn from_dependency(name: &'static str, status: &Status) -> Self {
        match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Cancelled
            | Code::Unauthenticated
            | Code::Unknown => Self::dependency_unavailable(name, status),
            // Without a reason of Staymesh: the connection broke in the middle of the response.
            Code::Internal if Self::reason_of(status).is_none() => Self::dependency_unavailable(name, status),
            _ => Self::reason_of(status).map_or_else(
                || Self::internal(&format!("{name}: {status}")),
                |reason| {
                    let mut problem = Self::new(reason, status.message());
                    if let Some(info) = status.get_details_error_info() {
                        problem.metadata = info.metadata;
                    }
                    if let Some(bad) = status.get_details_bad_request() {
                        problem.violations = bad.field_violations;
                    }
                    problem
                },
            ),
        }
    }
}

impl Problem {
    fn dependency_unavailable(name: &'static str, status: &Status) -> Self {
        tracing::warn!(dependency = name, rpc.code = ?status.code(), "dependency failed: {}", status.message());
        Self::new(Reason::DependencyUnavailable, format!("the {name} service does not answer; try again"))
            .with("dependency", name)
            .retry_after(Duration::from_secs(1))
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::field(error.field, error.description)
    }
}

/// `INVALID_FIELD` with every violation.
impl From<FieldErrors> for Problem {
    fn from(errors: FieldErrors) -> Self {
        Self::fields(errors.into_iter().map(|error| (error.field, error.description)))
    }
}

/// For store errors that the service has not mapped to a domain error.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let retry = Duration::from_secs(1);
        match &error {
            StoreError::Unavailable(cause) => {
                tracing::warn!(error.cause = %cause, "the database is unavailable");
                Self::new(Reason::StoreUnavailable, "the database does not answer; try again").retry_after(retry)
            }
            StoreError::Timeout(cause) | StoreError::Conflict(cause) => {
                tracing::warn!(error.cause = %cause, "the database is too busy");
                Self::new(Reason::Overloaded, "too many requests compete for the same rows; try again")
                    .retry_after(retry)
            }
            StoreError::Constraint { cause, .. } => Self::internal(&format!("{error}: {cause}")),
            StoreError::Unexpected(cause) => Self::internal(cause),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let mut metadata = problem.metadata;
        metadata.insert(RETRYABLE.to_owned(), problem.reason.is_retryable().to_string());
        let mut details = ErrorDetails::with_error_info(problem.reason.as_str(), ERROR_DOMAIN, metadata);
        if let Some(pages) = PAGES.get() {
            details.add_help_link(ErrorPages::DESCRIPTION, pages.of(problem.reason));
        }
        if !problem.violations.is_empty() {
            details.set_bad_request(problem.violations);
        }
        if let Some(delay) = problem.retry_after {
            details.set_retry_info(Some(delay));
        }
        if let Some(context) = RequestContext::current() {
            details.set_request_info(&*context.request_id, "");
        }
        Self::with_error_details(problem.reason.code(), problem.message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_round_trips_through_status() {
        let status = Status::from(
            Problem::new(Reason::RoomSoldOut, "sold out")
                .with("stay_date", "2030-01-01")
                .retry_after(Duration::from_secs(42)),
        );
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(Problem::reason_of(&status), Some(Reason::RoomSoldOut));
        let info = status.get_details_error_info().expect("has ErrorInfo");
        assert_eq!(info.metadata["stay_date"], "2030-01-01");
        assert_eq!(info.metadata["retryable"], "false");
        let retry = status.get_details_retry_info().expect("has RetryInfo");
        assert_eq!(retry.retry_delay, Some(Duration::from_secs(42)));
    }

    #[test]
    fn status_says_whether_to_retry_and_links_the_page_of_its_reason() {
        let Ok(pages) = "https://docs.example/errors".parse();
        link_error_pages(pages);
        let status = Status::from(Problem::new(Reason::Overloaded, "busy"));
        assert_eq!(status.get_details_error_info().expect("has ErrorInfo").metadata["retryable"], "true");
        let help = status.get_details_help().expect("has Help");
        assert_eq!(help.links[0].url, "https://docs.example/errors/OVERLOADED");
    }

    #[test]
    fn field_becomes_a_bad_request_violation() {
        let status = Status::from(Problem::field("rooms", "must be 1 to 50"));
        let bad = status.get_details_bad_request().expect("has BadRequest");
        assert_eq!(bad.field_violations[0].field, "rooms");
        assert_eq!(status.message(), "rooms: must be 1 to 50");
    }

    #[test]
    fn from_dependency_passes_on_request_reasons_and_hides_service_failures() {
        let about_request = Status::from(Problem::new(Reason::HotelNotFound, "no hotel 7"));
        let passed = Problem::from_dependency("hotel", &about_request);
        assert_eq!(passed.reason(), Reason::HotelNotFound);
        for status in [Status::unavailable("connection refused 10.0.0.7"), Status::deadline_exceeded("")] {
            let problem = Problem::from_dependency("hotel", &status);
            assert_eq!(problem.reason(), Reason::DependencyUnavailable);
            assert!(!problem.message.contains("10.0.0.7"));
        }
        let broken = Problem::from_dependency("hotel", &Status::internal("h2 protocol error"));
        assert_eq!(broken.reason(), Reason::DependencyUnavailable);
        let defect = Status::from(Problem::new(Reason::Internal, "ours"));
        assert_eq!(Problem::from_dependency("hotel", &defect).reason(), Reason::Internal);
        let contract = Problem::from_dependency("hotel", &Status::unimplemented("no such method"));
        assert_eq!(contract.reason(), Reason::Internal);
    }
}
