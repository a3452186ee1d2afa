//! Answers that never come.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::AnswerFault;
use crate::error::Refusal;

/// Longer than any client waits.
const LONGEST: Duration = Duration::from_mins(5);
/// Clients that are kept waiting at once; more are told at once that time ran out, which says as little.
const MAX_WAITING: usize = 1000;

/// Marks an answer that is to be withheld.
#[derive(Clone, Copy)]
struct Withheld;

/// An answer that the client will not get before its patience ends.
pub(crate) fn withheld() -> Response {
    let mut response = StatusCode::REQUEST_TIMEOUT.into_response();
    response.extensions_mut().insert(Withheld);
    response
}

impl AnswerFault {
    /// Does the work or not, and answers as the fault has it.
    pub(crate) async fn around(self, work: impl Future<Output = Response>) -> Response {
        match self {
            Self::TimeoutBefore => withheld(),
            Self::TimeoutAfter => {
                work.await;
                withheld()
            }
            Self::Error => Refusal::Simulated.into_response(),
        }
    }
}

/// Withholds answers that are marked so, until the client goes, or the simulator stops.
#[derive(Clone)]
pub(crate) struct Silence {
    waiting: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Silence {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { waiting: Arc::new(Semaphore::new(MAX_WAITING)), stop }
    }

    pub(crate) async fn keep(State(silence): State<Self>, request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if response.extensions().get::<Withheld>().is_some()
            && let Ok(_place) = silence.waiting.try_acquire()
        {
            silence.stop.run_until_cancelled(tokio::time::sleep(LONGEST)).await;
        }
        response
    }
}
