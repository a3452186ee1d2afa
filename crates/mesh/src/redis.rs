//! Redis over one multiplexed connection per process, with typed keys, a deadline of 100 ms per call and a circuit breaker.
//!
//! Concurrent calls share the connection (pipelining), so no number of callers can exhaust it: a pool could be exhausted,
//! which is not an outage. No function of Staymesh requires Redis: every use defines what happens without it. After a
//! failed call, further calls fail immediately for one second instead of queueing up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    AsyncCommands, Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

/// Deadline of one call, including a new connection.
const CALL_TIMEOUT: Duration = Duration::from_millis(100);
/// How long calls fail immediately after one has failed, in milliseconds.
const OPEN_FOR_MS: u64 = 1000;

/// Redis did not answer within the deadline, failed, or has failed within the last second.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("Redis is unavailable")]
pub struct RedisUnavailable;

/// A key with the type of its value and its time to live.
pub trait Key {
    /// The value, stored as JSON.
    type Value: Serialize + DeserializeOwned + Send + Sync;
    /// Time to live after the last [`Redis::set`]; whole seconds.
    const TTL: Duration;
    /// The key as text. By convention it begins with the service's name and a colon: `identity:revoked:ID`.
    fn text(&self) -> String;
}

/// The connection to one Redis. Clones share it.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    started: Instant,
    /// Until when calls fail immediately, in milliseconds since `started`.
    open_until_ms: Arc<AtomicU64>,
}

impl Redis {
    /// A connection that opens on first use, so that a service starts without Redis, and reopens after it broke. Needs a
    /// Tokio runtime.
    ///
    /// # Errors
    /// When the URL is not a Redis URL.
    pub fn connect_lazily(url: &SecretString) -> Result<Self, String> {
        // The error of the client may show the URL with its password.
        let wrong = |_| "STAYMESH_REDIS_URL is not a Redis URL".to_owned();
        let client = Client::open(url.expose_secret()).map_err(wrong)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CALL_TIMEOUT))
            .set_response_timeout(Some(CALL_TIMEOUT))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(wrong)?;
        Ok(Self { connection, started: Instant::now(), open_until_ms: Arc::default() })
    }

    /// Reads the value of a key. A value that does not deserialize, as from another version, counts as absent.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
    pub async fn get<K: Key>(&self, key: &K) -> Result<Option<K::Value>, RedisUnavailable> {
        let text = key.text();
        let json: Option<String> = self.run(async |connection| connection.get(text).await).await?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Sets a key for [`Key::TTL`].
    ///
    /// # Errors
    /// [`RedisUnavailable`], also when the value does not serialize.
    pub async fn set<K: Key>(&self, key: &K, value: &K::Value) -> Result<(), RedisUnavailable> {
        let text = key.text();
        let json = serde_json::to_string(value).map_err(|_| RedisUnavailable)?;
        self.run(async |connection| connection.set_ex(text, json, K::TTL.as_secs()).await).await
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
    pub async fn remove<K: Key>(&self, key: &K) -> Result<(), RedisUnavailable> {
        let text = key.text();
        self.run(async |connection| connection.del(text).await).await
    }

    /// Increments a counter and returns its new value. The time to live starts with the first increment and is not
    /// extended: the counter of a fixed window.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
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

    /// Decrements a counter of [`Self::count`], unless it is 0 or its window has ended.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
    pub async fn take_back<K: Key<Value = u32>>(&self, key: &K) -> Result<(), RedisUnavailable> {
        const SCRIPT: &str =
            "if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end return 0";
        let text = key.text();
        self.run(async |connection| {
            redis::cmd("EVAL").arg(SCRIPT).arg(1).arg(&text).query_async::<()>(connection).await
        })
        .await
    }

    /// Runs commands within the deadline of a call.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
    pub(crate) async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut ConnectionManager) -> redis::RedisResult<T>,
    ) -> Result<T, RedisUnavailable> {
        let now = millis(self.started.elapsed());
        if now < self.open_until_ms.load(Ordering::Relaxed) {
            return Err(RedisUnavailable);
        }
        let attempt = async {
            let mut connection = self.connection.clone();
            work(&mut connection).await.map_err(|error| error.to_string())
        };
        let failure = match tokio::time::timeout(CALL_TIMEOUT, attempt).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => format!("no answer within {} ms", CALL_TIMEOUT.as_millis()),
        };
        tracing::warn!(error.cause = failure, "Redis is unavailable");
        self.open_until_ms.store(now + OPEN_FOR_MS, Ordering::Relaxed);
        Err(RedisUnavailable)
    }
}

/// Whole milliseconds. A `u64` holds half a billion years of them.
fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + u64::from(duration.subsec_millis())
}
