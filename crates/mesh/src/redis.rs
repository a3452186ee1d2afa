//! Redis through bb8, with typed keys and a short patience.
//!
//! Nothing in Staymesh depends on Redis being there: every use says what happens without it. So a call waits 100 ms at
//! most, and after a failure further calls fail at once for a second instead of queueing up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bb8_redis::{RedisConnectionManager, bb8::Pool, redis::AsyncCommands};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

/// The longest time that one call may take.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long calls fail at once after one has failed.
const COOL_DOWN: Duration = Duration::from_secs(1);

/// Redis did not answer (in time).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("Redis is away")]
pub struct RedisUnavailable;

/// A key with the type of its value and how long it lives.
pub trait Key {
    /// What is stored, as JSON.
    type Value: Serialize + DeserializeOwned + Send + Sync;
    /// How long it is kept after it was last set.
    const TTL: Duration;
    /// The text of the key; begin it with the name of what it belongs to and a colon.
    fn text(&self) -> String;
}

/// A pool of connections to one Redis.
#[derive(Clone)]
pub struct Redis {
    pool: Pool<RedisConnectionManager>,
    started: Instant,
    away_until_ms: Arc<AtomicU64>,
}

impl Redis {
    /// A pool that connects when first used, so that a service starts without Redis.
    ///
    /// # Errors
    /// When the URL is not a Redis URL.
    pub fn connect_lazily(url: &SecretString) -> Result<Self, String> {
        let manager = RedisConnectionManager::new(url.expose_secret())
            // The error of the client may show the URL with its password.
            .map_err(|_| "STAYMESH_REDIS_URL is not a Redis URL".to_owned())?;
        let pool =
            Pool::builder().max_size(8).connection_timeout(PATIENCE).retry_connection(false).build_unchecked(manager);
        Ok(Self { pool, started: Instant::now(), away_until_ms: Arc::default() })
    }

    /// The value of a key.
    pub async fn get<K: Key>(&self, key: &K) -> Result<Option<K::Value>, RedisUnavailable> {
        let text = key.text();
        let json: Option<String> = self.run(async |connection| connection.get(text).await).await?;
        // What cannot be read was written by another version: the same as not there.
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Sets a key.
    pub async fn set<K: Key>(&self, key: &K, value: &K::Value) -> Result<(), RedisUnavailable> {
        let text = key.text();
        let json = serde_json::to_string(value).map_err(|_| RedisUnavailable)?;
        self.run(async |connection| connection.set_ex(text, json, K::TTL.as_secs()).await).await
    }

    /// Removes a key.
    pub async fn remove<K: Key>(&self, key: &K) -> Result<(), RedisUnavailable> {
        let text = key.text();
        self.run(async |connection| connection.del(text).await).await
    }

    /// Counts one up and returns the count. The time to live starts with the first count and is not extended.
    pub async fn count<K: Key<Value = u32>>(&self, key: &K) -> Result<u32, RedisUnavailable> {
        let text = key.text();
        self.run(async |connection| {
            let (count,): (u32,) = redis::pipe()
                .atomic()
                .incr(&text, 1)
                .cmd("EXPIRE")
                .arg(&text)
                .arg(K::TTL.as_secs())
                .arg("NX")
                .ignore()
                .query_async(connection)
                .await?;
            Ok(count)
        })
        .await
    }

    async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut redis::aio::MultiplexedConnection) -> redis::RedisResult<T>,
    ) -> Result<T, RedisUnavailable> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now < self.away_until_ms.load(Ordering::Relaxed) {
            return Err(RedisUnavailable);
        }
        let attempt = async {
            let mut connection = self.pool.get().await.map_err(|error| error.to_string())?;
            work(&mut connection).await.map_err(|error| error.to_string())
        };
        let failure = match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error.cause = failure, "Redis is away");
        let until = now + u64::try_from(COOL_DOWN.as_millis()).unwrap_or(u64::MAX);
        self.away_until_ms.store(until, Ordering::Relaxed);
        Err(RedisUnavailable)
    }
}
