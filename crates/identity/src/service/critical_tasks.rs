//! Critical tasks: work that runs to completion even if its request is dropped.
//!
//! When a caller disconnects, the future of its request is dropped at its next await point. Ending a login has two steps,
//! a commit in PostgreSQL and a revocation in Redis; dropped between them, the access tokens would stay valid.

use std::{sync::Arc, time::Duration};

use staymesh_store::{audit::Origin, bounded};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::error::IdentityError;

/// Most tasks at a time; further ones wait within their requests. More than the connections of the pool.
const MAX_TASKS: usize = 64;
/// Longest time of a task. More than the timeouts of its database statements together.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Runs work to completion even if the request is dropped. Clones share one limit.
#[derive(Clone)]
pub(crate) struct CriticalTasks {
    permits: Arc<Semaphore>,
    timeout: Duration,
    tasks: TaskTracker,
}

impl Default for CriticalTasks {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_TASKS)), timeout: TIMEOUT, tasks: TaskTracker::new() }
    }
}

impl CriticalTasks {
    /// Spawns `work` and returns its output. Dropping the returned future does not stop work that has started.
    ///
    /// # Errors
    /// Those of `work`; [`IdentityError::Store`] after 15 seconds; [`IdentityError::Defect`] if it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, IdentityError>> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(IdentityError::defect)?;
        let timeout = self.timeout;
        // The audit records of the task have the origin of the request.
        let work = Origin::scope(Origin::current(), work);
        let work = async move {
            let outcome = bounded(timeout, work).await;
            drop(permit);
            outcome
        };
        self.tasks.spawn(work.in_current_span()).await.map_err(IdentityError::defect)?
    }

    /// Spawns `work` and returns at once; drops it if the limit is reached. For work whose loss does no harm. A failure is
    /// logged with this text.
    pub(crate) fn start(
        &self,
        failure: &'static str,
        work: impl Future<Output = Result<(), IdentityError>> + Send + 'static,
    ) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let timeout = self.timeout;
        let work = async move {
            if let Err(error) = bounded(timeout, work).await {
                tracing::warn!(error.cause = %error, "{failure}");
            }
            drop(permit);
        };
        self.tasks.spawn(work.in_current_span());
    }

    /// Waits, once `stop` is cancelled, for the tasks whose requests were dropped.
    pub(crate) async fn drain(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn started_work_completes_after_its_request_is_dropped() {
        let critical = CriticalTasks::default();
        let (started, has_started) = oneshot::channel();
        let (resume, resumed) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            started.send(()).unwrap();
            resumed.await.unwrap();
            done.send(()).unwrap();
            Ok(())
        };
        // `select!` drops the request while its work runs.
        tokio::select! {
            _ = critical.run(work) => panic!("the work cannot complete yet"),
            started = has_started => started.unwrap(),
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let draining = tokio::spawn(critical.drain(stop));
        resume.send(()).unwrap();
        draining.await.unwrap();
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn output_error_and_panic_are_returned_and_permits_released() {
        let critical = CriticalTasks::default();
        assert_eq!(critical.run(async { Ok(7) }).await.unwrap(), 7);
        let failed = critical.run(async { Err::<(), _>(IdentityError::UserNotFound) }).await;
        assert!(matches!(failed, Err(IdentityError::UserNotFound)));
        let panicked = critical.run(async { [Ok(()), Ok(())].into_iter().nth(2).expect("not that many") }).await;
        assert!(matches!(panicked, Err(IdentityError::Defect(_))));
        assert_eq!(critical.permits.available_permits(), MAX_TASKS);
    }

    #[tokio::test]
    async fn work_beyond_the_timeout_fails() {
        let critical = CriticalTasks { timeout: Duration::from_millis(10), ..CriticalTasks::default() };
        let hung = critical.run(std::future::pending::<Result<(), IdentityError>>()).await;
        assert!(matches!(hung, Err(IdentityError::Store(_))));
    }
}
