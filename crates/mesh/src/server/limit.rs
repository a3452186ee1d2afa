//! Sheds load: a request that finds no free place is refused at once, so that those in progress stay quick.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::Semaphore;

use super::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// `places`: for requests in progress.
pub(super) async fn layer(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    // A health check that is shed would take a busy replica away from the others.
    if is_infrastructure(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_place) = places.try_acquire() else {
        return refuse(
            Problem::new(Reason::Overloaded, "too many requests are in progress")
                .retry_after(Duration::from_millis(500)),
        );
    };
    next.run(request).await
}
