//! Private meshes, for tests that stop components.

use std::{ops::Deref, time::Duration};

use staymesh_localmesh::LocalMesh;
use staymesh_testkit::{Setting, TestMesh};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

/// Limit of concurrent private meshes: each is a dozen processes, and the machine may be small.
static PERMITS: Semaphore = Semaphore::const_new(2);

/// Timeout that only detects a hang: a response that takes longer has no deadline.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A mesh for one test, which may stop its components.
pub(crate) struct PrivateMesh {
    // Dropped before the permit is released.
    mesh: TestMesh,
    _permit: SemaphorePermit<'static>,
}

impl PrivateMesh {
    pub(crate) async fn start(settings: Vec<Setting>) -> Self {
        Self::started_by(TestMesh::start(settings)).await
    }

    /// A mesh with the default limits of unpaid holds.
    pub(crate) async fn with_default_unpaid_limits() -> Self {
        Self::started_by(TestMesh::with_default_unpaid_limits()).await
    }

    async fn started_by<E: std::fmt::Debug>(start: impl Future<Output = Result<TestMesh, E>>) -> Self {
        let permit = PERMITS.acquire().await.expect("never closed");
        Self { mesh: start.await.expect("the mesh starts"), _permit: permit }
    }
}

impl Deref for PrivateMesh {
    type Target = TestMesh;

    fn deref(&self) -> &TestMesh {
        &self.mesh
    }
}

/// Stops, freezes or starts components of a mesh; blocks the thread.
pub(crate) fn operate<T, E: std::fmt::Debug>(mesh: &TestMesh, work: impl FnOnce(&mut LocalMesh) -> Result<T, E>) -> T {
    tokio::task::block_in_place(|| work(&mut mesh.local())).expect("the operation succeeds")
}

/// The response of a call that must not hang, and its duration.
pub(crate) async fn within_deadline<T>(what: &str, call: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let answer = timeout(ANSWER_LIMIT, call).await;
    (answer.unwrap_or_else(|_| panic!("{what}: no answer within {ANSWER_LIMIT:?}")), started.elapsed())
}
