//! Bytes that are no message of the contract: the caller's mistake, and said to be so.
//!
//! tonic answers them with INTERNAL and nothing else, before a handler could say more.

use axum::{extract::Request, middleware::Next, response::Response};
use tonic::{Code, Status};

use super::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// How tonic passes on what prost could not read.
const UNREADABLE: &str = "failed to decode Protobuf message: ";

pub(super) async fn layer(request: Request, next: Next) -> Response {
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let response = next.run(request).await;
    // Everything that a service itself refuses has details.
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::Internal && status.details().is_empty() => refuse(explained(&status)),
        _ => response,
    }
}

fn explained(status: &Status) -> Problem {
    match status.message().strip_prefix(UNREADABLE) {
        // Names the field and not its value.
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
    fn what_prost_cannot_read_is_the_callers_mistake() {
        // Field 3, `city`: one byte that is not UTF-8.
        let error = ListHotelsRequest::decode(&[0x1a, 0x01, 0xff][..]).expect_err("not UTF-8");
        let problem = explained(&Status::internal(error.to_string()));
        assert_eq!(problem.reason(), Reason::InvalidRequest);
        assert!(problem.to_string().contains("city"), "{problem}");
    }

    #[test]
    fn what_is_left_is_ours_and_tells_nothing() {
        let problem = explained(&Status::internal("at line 7"));
        assert_eq!(problem.reason(), Reason::Internal);
        assert!(!problem.to_string().contains("line 7"));
    }
}
