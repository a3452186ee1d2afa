//! Meshes whose parts are stopped.

use std::{ops::Deref, time::Duration};

use staymesh_localmesh::LocalMesh;
use staymesh_testkit::{Setting, TestMesh};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

/// So many run at once beside the shared one: each is a dozen processes, and the machine of a test run may be small.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A bound on hanging, not a promise of speed: an answer that takes longer has no deadline.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A mesh of the test's own, which may stop parts of it.
pub(crate) struct OwnMesh {
    // Dropped before its place is free again.
    mesh: TestMesh,
    _place: SemaphorePermit<'static>,
}

impl OwnMesh {
    pub(crate) async fn start(settings: Vec<Setting>) -> Self {
        let place = PLACES.acquire().await.expect("never closed");
        Self { mesh: TestMesh::start(settings).await.expect("the mesh starts"), _place: place }
    }
}

impl Deref for OwnMesh {
    type Target = TestMesh;

    fn deref(&self) -> &TestMesh {
        &self.mesh
    }
}

/// Stops, freezes or starts parts of a mesh, which blocks.
pub(crate) fn operate<T, E: std::fmt::Debug>(mesh: &TestMesh, work: impl FnOnce(&mut LocalMesh) -> Result<T, E>) -> T {
    tokio::task::block_in_place(|| work(&mut mesh.local())).expect("the parts obey")
}

/// An answer that must not hang, and how long it took.
pub(crate) async fn within_deadline<T>(what: &str, call: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let answer = timeout(ANSWER_LIMIT, call).await;
    (answer.unwrap_or_else(|_| panic!("{what}: no answer within {ANSWER_LIMIT:?}")), started.elapsed())
}
