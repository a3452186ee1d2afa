//! The load shedding layer: rejects requests beyond the concurrency limit with `OVERLOADED` instead of queueing them, so
//! that requests in progress stay fast.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::Semaphore;

use super::refusal::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// `permits` has one permit for each request that may be in progress.
pub(super) async fn layer(State(permits): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    // Shedding health checks would take a busy replica out of service and overload the others.
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_permit) = permits.try_acquire() else {
        return refuse(
            Problem::new(Reason::Overloaded, "too many requests are in progress")
                .retry_after(Duration::from_millis(500)),
        );
    };
    next.run(request).await
}
