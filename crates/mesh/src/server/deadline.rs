//! The deadline layer: ends a request at its caller's deadline (`grpc-timeout`), or at the service's own limit.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::{
    refusal::{is_infrastructure, refuse},
    trace::RequestId,
};
use crate::{
    context::RequestContext,
    errors::{Problem, Reason},
};

pub(super) async fn layer(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    // Health watching and reflection are long-lived streams.
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let time = grpc_timeout(request.headers()).map_or(limit, |timeout| with_margin(timeout).min(limit));
    let request_id = request.extensions().get::<RequestId>().map_or_else(|| Arc::from(""), |id| id.0.clone());
    let context = RequestContext { request_id, deadline: Instant::now() + time };
    let deadline = context.deadline;
    context
        .scope(async {
            tokio::time::timeout_at(deadline, next.run(request)).await.unwrap_or_else(|_| {
                refuse(Problem::new(
                    Reason::DeadlineExceeded,
                    "the deadline passed; whether something changed is unknown, so repeat the same request",
                ))
            })
        })
        .await
}

/// Shortens a timeout by 10 %, at most 20 ms, so that the response with its reason reaches the caller in time. tonic's
/// server and the edge enforce the same deadline, but without a reason.
fn with_margin(timeout: Duration) -> Duration {
    timeout.saturating_sub((timeout / 10).min(Duration::from_millis(20)))
}

/// Parses the header `grpc-timeout` of the gRPC protocol: one to eight digits and a unit.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("250m", Some(Duration::from_millis(250)))]
    #[case("2S", Some(Duration::from_secs(2)))]
    #[case("99999999H", Some(Duration::from_hours(99_999_999)))]
    #[case("123456789S", None)]
    #[case("S", None)]
    #[case("", None)]
    #[case("-1S", None)]
    #[case("1x", None)]
    #[case("1é", None)]
    fn grpc_timeout_is_parsed_or_ignored(#[case] text: &str, #[case] expected: Option<Duration>) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = text.parse() {
            headers.insert("grpc-timeout", value);
        }
        assert_eq!(grpc_timeout(&headers), expected);
    }
}
