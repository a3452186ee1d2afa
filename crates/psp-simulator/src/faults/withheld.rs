//! Withheld answers: the client gets no response before its timeout.

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

/// How long an answer is withheld: above any client's timeout.
const LONGEST: Duration = Duration::from_mins(5);
/// Most answers withheld at once; further clients get 408 immediately.
const MAX_WAITING: usize = 1000;

/// Response extension that marks an answer to be withheld.
#[derive(Clone, Copy)]
struct Withheld;

/// An answer that [`WithheldAnswers`] withholds.
pub(crate) fn withheld() -> Response {
    let mut response = StatusCode::REQUEST_TIMEOUT.into_response();
    response.extensions_mut().insert(Withheld);
    response
}

impl AnswerFault {
    /// Executes the work or not, and returns the answer of the fault.
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

/// Middleware that withholds marked answers until the client disconnects or the simulator stops.
#[derive(Clone)]
pub(crate) struct WithheldAnswers {
    waiting: Arc<Semaphore>,
    stop: CancellationToken,
}

impl WithheldAnswers {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { waiting: Arc::new(Semaphore::new(MAX_WAITING)), stop }
    }

    pub(crate) async fn keep(State(withheld): State<Self>, request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if response.extensions().get::<Withheld>().is_some()
            && let Ok(_place) = withheld.waiting.try_acquire()
        {
            withheld.stop.run_until_cancelled(tokio::time::sleep(LONGEST)).await;
        }
        response
    }
}
