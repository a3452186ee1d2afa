//! The panic layer: a panic in a handler fails its request with `INTERNAL`, not the process.

use std::any::Any;

use axum::response::Response;

use super::refusal::refuse;
use crate::errors::Problem;

/// The response to a request whose handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "tower-http hands it over")]
pub(super) fn answer(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    refuse(Problem::internal(&format!("panic: {text}")))
}
