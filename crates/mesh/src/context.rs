//! The request that the current task works for: a task-local with its id and deadline.

use std::{future::Future, sync::Arc};

use tokio::time::{Duration, Instant};

tokio::task_local! {
    static CONTEXT: RequestContext;
}

/// Id and deadline of a request. Calls to other services propagate both.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The `x-request-id` of the request.
    pub request_id: Arc<str>,
    /// When the request ends with `DEADLINE_EXCEEDED`.
    pub deadline: Instant,
}

impl RequestContext {
    /// Runs `work` as part of this request.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CONTEXT.scope(self, work).await
    }

    /// The request of the current task; `None` in background work.
    pub fn current() -> Option<Self> {
        CONTEXT.try_with(Clone::clone).ok()
    }

    /// Time until the deadline; zero after it.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
