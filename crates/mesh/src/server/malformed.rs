//! The malformed-request layer: turns tonic's `INTERNAL` for a request that does not decode, or that its caller cut off, into
//! `INVALID_REQUEST`, because it is the caller's fault.

use axum::{extract::Request, middleware::Next, response::Response};
use tonic::{Code, Status};

use super::refusal::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// Prefix of prost's decode errors in tonic's status.
const DECODE_ERROR: &str = "failed to decode Protobuf message: ";
/// Starts of tonic's messages about frames of a request, and about a caller that hangs up.
const SPOILT: [&str; 5] = [
    "protocol error: received message with",
    "Error decompressing: ",
    "Unexpected EOF decoding stream.",
    "Missing request message.",
    "h2 protocol error: ",
];
/// Start of tonic's message about a message that is longer than it accepts.
const TOO_LARGE: &str = "Error, decoded message length too large";

pub(super) async fn layer(request: Request, next: Next) -> Response {
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let response = next.run(request).await;
    // Errors of handlers and layers have details; only tonic's own have none.
    match Status::from_header_map(response.headers()) {
        Some(status) if matches!(status.code(), Code::Internal | Code::OutOfRange) && status.details().is_empty() => {
            refuse(problem_of(&status))
        }
        _ => response,
    }
}

fn problem_of(status: &Status) -> Problem {
    let text = status.message();
    // The cause names the field, never its value.
    if let Some(cause) = text.strip_prefix(DECODE_ERROR) {
        return Problem::new(Reason::InvalidRequest, cause);
    }
    if SPOILT.iter().any(|start| text.starts_with(start)) {
        return Problem::new(Reason::InvalidRequest, "the request is not one complete gRPC message");
    }
    if text.starts_with(TOO_LARGE) {
        return Problem::new(Reason::RequestTooLarge, "the message is too large");
    }
    Problem::internal(&text)
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
    fn request_that_its_caller_cut_off_is_not_internal() {
        for text in ["Missing request message.", "h2 protocol error: http2 error", "Unexpected EOF decoding stream."] {
            assert_eq!(problem_of(&Status::internal(text)).reason(), Reason::InvalidRequest, "{text}");
        }
        let large =
            Status::out_of_range("Error, decoded message length too large: found 9 bytes, the limit is: 8 bytes");
        assert_eq!(problem_of(&large).reason(), Reason::RequestTooLarge);
    }

    #[test]
    fn other_internal_error_hides_its_message() {
        let problem = problem_of(&Status::internal("at line 7"));
        assert_eq!(problem.reason(), Reason::Internal);
        assert!(!problem.to_string().contains("line 7"));
    }
}
