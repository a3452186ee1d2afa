//! The smoke test of `cargo xtask up --smoke`.

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn smoke_test_completes_with_a_refund() {
    let world = World::shared().await;
    tokio::task::block_in_place(|| world.mesh.local().smoke()).expect("every step works");
}
