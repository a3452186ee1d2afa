//! What a newcomer runs first.

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_smoke_test_ends_with_the_money_back() {
    let world = World::shared().await;
    tokio::task::block_in_place(|| world.mesh.local().smoke()).expect("every step works");
}
