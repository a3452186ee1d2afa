//! Changes that a caller who goes away must not cut in two.
//!
//! A request whose caller disconnects is dropped where it stands. What ends a login first commits that and then tells
//! Redis; dropped in between, Redis would never hear of it.

use std::{sync::Arc, time::Duration};

use staymesh_store::bounded;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::error::IdentityError;

/// As many as find a connection and a few that wait for one; more wait with their requests.
const AT_ONCE: usize = 64;
/// More than the limits of the database's steps together.
const LONGEST: Duration = Duration::from_secs(15);

/// Runs changes to their end, whatever becomes of the requests that began them.
#[derive(Clone)]
pub(crate) struct Uninterrupted {
    places: Arc<Semaphore>,
    longest: Duration,
    tasks: TaskTracker,
}

impl Default for Uninterrupted {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), longest: LONGEST, tasks: TaskTracker::new() }
    }
}

impl Uninterrupted {
    /// What `work` comes to. Once it has begun it goes on without whoever waits here.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, IdentityError>> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(IdentityError::defect)?;
        let longest = self.longest;
        let work = async move {
            let outcome = bounded(longest, work).await;
            drop(place);
            outcome
        };
        self.tasks.spawn(work.in_current_span()).await.map_err(IdentityError::defect)?
    }

    /// Lets a process that stops wait for the changes whose requests are gone.
    pub(crate) async fn end(self, stop: CancellationToken) {
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
    async fn what_has_begun_is_done_although_nobody_waits() {
        let changes = Uninterrupted::default();
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            begun.send(()).unwrap();
            may_go_on.await.unwrap();
            done.send(()).unwrap();
            Ok(())
        };
        // The request is dropped in the middle of it.
        tokio::select! {
            _ = changes.run(work) => panic!("it goes on only later"),
            begun = has_begun => begun.unwrap(),
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let ending = tokio::spawn(changes.end(stop));
        go_on.send(()).unwrap();
        ending.await.unwrap();
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_and_a_panic_come_back() {
        let changes = Uninterrupted::default();
        assert_eq!(changes.run(async { Ok(7) }).await.unwrap(), 7);
        let refused = changes.run(async { Err::<(), _>(IdentityError::UserNotFound) }).await;
        assert!(matches!(refused, Err(IdentityError::UserNotFound)));
        let panicked = changes.run(async { [Ok(()), Ok(())].into_iter().nth(2).expect("not that many") }).await;
        assert!(matches!(panicked, Err(IdentityError::Defect(_))));
        assert_eq!(changes.places.available_permits(), AT_ONCE);
    }

    #[tokio::test]
    async fn nothing_runs_for_ever() {
        let changes = Uninterrupted { longest: Duration::from_millis(10), ..Uninterrupted::default() };
        let hung = changes.run(std::future::pending::<Result<(), IdentityError>>()).await;
        assert!(matches!(hung, Err(IdentityError::Store(_))));
    }
}
