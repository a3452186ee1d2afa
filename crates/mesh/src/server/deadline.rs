//! Ends a request when its caller stops waiting, or at the longest time that the service allows.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::{is_infrastructure, refuse, trace::RequestId};
use crate::{
    context::RequestContext,
    errors::{Problem, Reason},
};

pub(super) async fn layer(State(longest): State<Duration>, request: Request, next: Next) -> Response {
    // Watching health and reflecting are streams that last.
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let time = asked_for(request.headers()).map_or(longest, |asked| in_good_time(asked).min(longest));
    let request_id = request.extensions().get::<RequestId>().map_or_else(|| Arc::from(""), |id| id.0.clone());
    let context = RequestContext { request_id, deadline: Instant::now() + time };
    let deadline = context.deadline;
    context
        .scope(async {
            tokio::time::timeout_at(deadline, next.run(request)).await.unwrap_or_else(|_| {
                refuse(Problem::new(
                    Reason::DeadlineExceeded,
                    "the answer was not ready in time; repeat the same request to learn what became of it",
                ))
            })
        })
        .await
}

/// A little sooner than the caller gives up: tonic's server and the edge watch the same deadline and end the request
/// without a reason, and the answer has its way to go.
fn in_good_time(asked: Duration) -> Duration {
    asked.saturating_sub((asked / 10).min(Duration::from_millis(20)))
}

/// The header `grpc-timeout` of the gRPC protocol: at most eight digits and a unit.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
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
    fn reads_grpc_timeout(#[case] text: &str, #[case] expected: Option<Duration>) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = text.parse() {
            headers.insert("grpc-timeout", value);
        }
        assert_eq!(asked_for(&headers), expected);
    }
}
