//! Verification of access tokens, with a cache of identity's public keys and of verified tokens.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use staymesh_api::identity::v1::{GetKeySetRequest, JsonWebKey, auth_service_client::AuthServiceClient};
use tokio::sync::Mutex;
use tonic::transport::Channel;

use super::{caller::Caller, claims::Claims};
use crate::config::AuthConfig;

/// Age at which the key set is fetched again, so that a key removed from identity is soon rejected by every service.
const REFRESH_AFTER: Duration = Duration::from_mins(5);
/// Shortest interval between fetches, so that tokens with unknown key ids cannot flood identity.
const FETCH_INTERVAL: Duration = Duration::from_secs(2);
/// Deadline of one fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Source of the public keys.
#[tonic::async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Fetches the current key set.
    ///
    /// # Errors
    /// A text for the log when the source fails.
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String>;
}

/// Fetches the key set from the identity service over gRPC.
pub struct RemoteKeys(AuthServiceClient<Channel>);

impl RemoteKeys {
    /// Fetches through this channel to identity.
    pub fn new(channel: Channel) -> Self {
        Self(AuthServiceClient::new(channel))
    }
}

#[tonic::async_trait]
impl KeySource for RemoteKeys {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        match self.0.clone().get_key_set(GetKeySetRequest {}).await {
            Ok(response) => Ok(response.into_inner().keys),
            Err(status) => Err(status.code().to_string()),
        }
    }
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Malformed, expired, not issued by this chain, or with invalid claims.
    Invalid,
    /// The key set has never been fetched successfully, so the token cannot be verified.
    KeysUnavailable,
}

/// Capacity of the cache of verified tokens. An evicted token is verified again.
const VERIFIED_CAPACITY: usize = 10_000;
/// Seconds for which a token is accepted after its expiry, because clocks differ.
const LEEWAY: u64 = 5;

struct Keys {
    by_id: HashMap<String, DecodingKey>,
    fetched: Option<Instant>,
    /// Tokens verified with these keys. Most callers use a token many times, and verifying a signature costs more than the
    /// rest of an empty call. The cache is dropped with the keys, so tokens of a removed key are not accepted from it.
    verified: Cache<Box<str>, Verified>,
}

#[derive(Clone)]
struct Verified {
    caller: Caller,
    /// Unix seconds.
    exp: i64,
}

impl Keys {
    fn new(by_id: HashMap<String, DecodingKey>, fetched: Option<Instant>) -> Self {
        Self { by_id, fetched, verified: Cache::new(VERIFIED_CAPACITY) }
    }

    /// The caller of a token that was verified before and has not expired.
    fn cached(&self, token: &str) -> Option<Caller> {
        let verified = self.verified.get(token)?;
        let expired = Timestamp::now().as_second() > verified.exp.saturating_add_unsigned(LEEWAY);
        (!expired).then_some(verified.caller)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new(HashMap::new(), None)
    }
}

/// Verifies access tokens. Cheap to clone.
#[derive(Clone)]
pub struct TokenVerifier {
    source: Arc<dyn KeySource>,
    keys: Arc<ArcSwap<Keys>>,
    last_fetch: Arc<Mutex<LastFetch>>,
    refresh_after: Duration,
    validation: Arc<Validation>,
}

/// Time of the last fetch. The task that holds the lock is the one that fetches.
type LastFetch = Option<Instant>;

impl TokenVerifier {
    /// A verifier that fetches the key set when the first token arrives.
    pub fn new(source: impl KeySource, config: &AuthConfig) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY;
        Self {
            source: Arc::new(source),
            keys: Arc::default(),
            last_fetch: Arc::default(),
            refresh_after: REFRESH_AFTER,
            validation: Arc::new(validation),
        }
    }

    /// Fetches the key set again at this age instead of five minutes.
    #[must_use]
    pub fn refreshing_after(self, age: Duration) -> Self {
        Self { refresh_after: age, ..self }
    }

    /// Verifies a token (ES256, issuer, audience, expiry) and returns its caller.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let keys = self.keys.load_full();
        if let Some(caller) = keys.cached(token) {
            self.refresh_stale(&keys);
            return Ok(caller);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let key_id = header.kid.ok_or(TokenError::Invalid)?;
        let keys = self.keys_with(&key_id).await?;
        let key = keys.by_id.get(&key_id).ok_or(TokenError::Invalid)?;
        let claims = decode::<Claims>(token, key, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        let exp = claims.exp;
        let caller = Caller::from_claims(claims).ok_or(TokenError::Invalid)?;
        keys.verified.insert(token.into(), Verified { caller: caller.clone(), exp });
        Ok(caller)
    }

    /// The key set to look the id up in. Waits for a fetch only if the id is unknown.
    async fn keys_with(&self, key_id: &str) -> Result<Arc<Keys>, TokenError> {
        let keys = self.keys.load_full();
        if keys.by_id.contains_key(key_id) {
            self.refresh_stale(&keys);
            return Ok(keys);
        }
        // One task fetches, the others wait for the result.
        self.refresh(&mut *self.last_fetch.lock().await).await;
        let keys = self.keys.load_full();
        if keys.fetched.is_none() {
            return Err(TokenError::KeysUnavailable);
        }
        Ok(keys)
    }

    /// Fetches a stale key set again in the background, unless a fetch is in progress. Requests meanwhile use the stale keys
    /// instead of waiting, also while identity is unavailable.
    fn refresh_stale(&self, keys: &Keys) {
        if keys.fetched.is_some_and(|fetched| fetched.elapsed() < self.refresh_after) {
            return;
        }
        if let Ok(mut last_fetch) = self.last_fetch.clone().try_lock_owned() {
            let verifier = self.clone();
            tokio::spawn(async move { verifier.refresh(&mut last_fetch).await });
        }
    }

    /// Fetches the key set, at most once per [`FETCH_INTERVAL`].
    async fn refresh(&self, last_fetch: &mut LastFetch) {
        if last_fetch.is_some_and(|fetch| fetch.elapsed() < FETCH_INTERVAL) {
            return;
        }
        let late = |_| Err(format!("no answer within {} s", FETCH_TIMEOUT.as_secs()));
        let answer = tokio::time::timeout(FETCH_TIMEOUT, self.source.fetch()).await.unwrap_or_else(late);
        *last_fetch = Some(Instant::now());
        match answer {
            Ok(list) => {
                self.keys.store(Arc::new(Keys::new(decoding_keys(list), Some(Instant::now()))));
            }
            Err(error) => tracing::warn!(error.cause = error, "cannot fetch the key set from identity"),
        }
    }
}

fn decoding_keys(list: Vec<JsonWebKey>) -> HashMap<String, DecodingKey> {
    list.into_iter()
        .filter(|key| key.kty == "EC" && key.crv == "P-256")
        .filter_map(|key| {
            let decoding = DecodingKey::from_ec_components(&key.x, &key.y).ok()?;
            Some((key.kid, decoding))
        })
        .collect()
}
