//! Redis: typed keys, and outages.

use std::time::{Duration, Instant};

use staymesh_mesh::redis::{Key, Redis};
use tempfile::TempDir;

struct Count;

impl Key for Count {
    type Value = u32;
    const TTL: Duration = Duration::from_mins(1);
    fn text(&self) -> String {
        "test:count".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_counters_recover_after_an_outage() {
    let dir = TempDir::new().expect("a folder");
    let mut server = staymesh_devenv::Redis::start(dir.path(), None).expect("starts");
    let redis = Redis::connect_lazily(&server.url().into()).expect("a URL");
    assert_eq!(redis.get(&Count).await.expect("answers"), None);
    assert_eq!(redis.count(&Count).await.expect("answers"), 1);
    assert_eq!(redis.count(&Count).await.expect("answers"), 2);
    redis.set(&Count, &7).await.expect("answers");
    assert_eq!(redis.get(&Count).await.expect("answers"), Some(7));
    redis.remove(&Count).await.expect("answers");
    assert_eq!(redis.get(&Count).await.expect("answers"), None);

    tokio::task::block_in_place(|| server.stop()).expect("stops");
    let asked = Instant::now();
    for _ in 0..50 {
        assert!(redis.get(&Count).await.is_err());
    }
    assert!(asked.elapsed() < Duration::from_secs(10), "an outage must not be waited for by every call");
    tokio::task::block_in_place(|| server.resume()).expect("starts");
    let resumed = Instant::now();
    while redis.set(&Count, &1).await.is_err() {
        assert!(resumed.elapsed() < Duration::from_secs(20), "Redis is not found again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_concurrent_calls_are_no_outage() {
    let dir = TempDir::new().expect("a folder");
    let server = staymesh_devenv::Redis::start(dir.path(), None).expect("starts");
    let redis = Redis::connect_lazily(&server.url().into()).expect("a URL");
    redis.set(&Count, &0).await.expect("answers");
    // More callers than any pool has connections.
    let calls = (0..500).map(|_| async { redis.count(&Count).await.is_ok() });
    let answered = futures::future::join_all(calls).await;
    assert!(answered.iter().all(|answered| *answered), "{} of 500", answered.iter().filter(|ok| **ok).count());
    assert_eq!(redis.get(&Count).await.expect("answers"), Some(500));
}
