//! What belongs to the request that the current task works for.

use std::{future::Future, sync::Arc};

use tokio::time::{Duration, Instant};

tokio::task_local! {
    static CONTEXT: RequestContext;
}

/// The id and the deadline of a request; calls to other services carry both on.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The `x-request-id` of the request.
    pub request_id: Arc<str>,
    /// When its caller stops waiting.
    pub deadline: Instant,
}

impl RequestContext {
    /// Runs `work` as part of this request.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CONTEXT.scope(self, work).await
    }

    /// The request that the current task works for; none in background work.
    pub fn current() -> Option<Self> {
        CONTEXT.try_with(Clone::clone).ok()
    }

    /// How long the caller still waits.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
