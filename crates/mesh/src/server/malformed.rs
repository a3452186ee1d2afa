//! The malformed-request layer: turns tonic's `INTERNAL` for bytes that do not decode as the request message into
//! `INVALID_REQUEST`, because the caller sent them.

use axum::{extract::Request, middleware::Next, response::Response};
use tonic::{Code, Status};

use super::refusal::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// Prefix of prost's decode errors in tonic's status.
const DECODE_ERROR: &str = "failed to decode Protobuf message: ";

pub(super) async fn layer(request: Request, next: Next) -> Response {
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let response = next.run(request).await;
    // Errors of handlers and layers have details; only tonic's own have none.
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::Internal && status.details().is_empty() => refuse(problem_of(&status)),
        _ => response,
    }
}

fn problem_of(status: &Status) -> Problem {
    match status.message().strip_prefix(DECODE_ERROR) {
        // The cause names the field, never its value.
        Some(cause) => Problem::new(Reason::InvalidRequest, cause),
        None => Problem::internal(&status.message()),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use staymesh_api::hotel::v1::ListHotelsRequest;

    use super::*;

    #[test]
    fn decode_error_becomes_invalid_request_with_the_field() {
        // Field 3, `city`: one byte that is not UTF-8.
        let error = ListHotelsRequest::decode(&[0x1a, 0x01, 0xff][..]).expect_err("not UTF-8");
        let problem = problem_of(&Status::internal(error.to_string()));
        assert_eq!(problem.reason(), Reason::InvalidRequest);
        assert!(problem.to_string().contains("city"), "{problem}");
    }

    #[test]
    fn other_internal_error_hides_its_message() {
        let problem = problem_of(&Status::internal("at line 7"));
        assert_eq!(problem.reason(), Reason::Internal);
        assert!(!problem.to_string().contains("line 7"));
    }
}
