//! The public keys that tokens are verified with, and the verifying.

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

use super::{Caller, claims::Claims};
use crate::config::AuthConfig;

/// Keys are fetched again after this time, so that a key that identity drops is soon dropped everywhere.
const REFRESH_AFTER: Duration = Duration::from_mins(5);
/// Tokens with unknown keys make us ask identity at most this often, whatever nonsense callers send.
const ASK_AT_MOST_EVERY: Duration = Duration::from_secs(2);
/// The longest time that asking may take, whatever the source does.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Where keys come from.
#[tonic::async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The keys in use now.
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String>;
}

/// The keys of the identity service, over gRPC.
pub struct RemoteKeys(AuthServiceClient<Channel>);

impl RemoteKeys {
    /// Asks identity through this channel.
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
    /// It is not one of ours, or it has ended.
    Invalid,
    /// The keys to tell are not to be had right now.
    KeysUnavailable,
}

/// Tokens that are remembered as good. One that is not is verified again, so this bounds memory and nothing else.
const REMEMBERED: usize = 10_000;
/// Seconds that a token is good for after its end, for clocks that differ.
const LEEWAY: u64 = 5;

struct Keys {
    by_id: HashMap<String, DecodingKey>,
    fetched: Option<Instant>,
    /// What these keys have verified. Most callers use a token many times, and verifying costs more than the rest of an
    /// empty call. It goes with the keys, so a key that is dropped takes its tokens along.
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
        Self { by_id, fetched, verified: Cache::new(REMEMBERED) }
    }

    /// The caller of a token that was verified before and has not ended.
    fn remembered(&self, token: &str) -> Option<Caller> {
        let verified = self.verified.get(token)?;
        let ended = Timestamp::now().as_second() > verified.exp.saturating_add_unsigned(LEEWAY);
        (!ended).then_some(verified.caller)
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
    last_asked: Arc<Mutex<LastAsked>>,
    refresh_after: Duration,
    validation: Arc<Validation>,
}

/// When the source was last asked. Whoever holds the lock on it is the one who asks.
type LastAsked = Option<Instant>;

impl TokenVerifier {
    /// A verifier that gets its keys when the first token comes.
    pub fn new(source: impl KeySource, config: &AuthConfig) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY;
        Self {
            source: Arc::new(source),
            keys: Arc::default(),
            last_asked: Arc::default(),
            refresh_after: REFRESH_AFTER,
            validation: Arc::new(validation),
        }
    }

    /// Has keys fetched again after this time instead of five minutes.
    #[must_use]
    pub fn refreshing_after(self, age: Duration) -> Self {
        Self { refresh_after: age, ..self }
    }

    /// The caller that a token stands for.
    ///
    /// # Errors
    /// When the token is not ours or has ended, or when there are no keys to tell.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let keys = self.keys.load_full();
        if let Some(caller) = keys.remembered(token) {
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

    /// The keys to look the id up in. Only for an id that is not known it takes longer than looking.
    async fn keys_with(&self, key_id: &str) -> Result<Arc<Keys>, TokenError> {
        let keys = self.keys.load_full();
        if keys.by_id.contains_key(key_id) {
            self.refresh_stale(&keys);
            return Ok(keys);
        }
        // One asks, the others wait for the answer.
        self.refresh(&mut *self.last_asked.lock().await).await;
        let keys = self.keys.load_full();
        if keys.fetched.is_none() {
            return Err(TokenError::KeysUnavailable);
        }
        Ok(keys)
    }

    /// Has stale keys fetched again, unless somebody is asking right now. Old keys are better than none, and than making
    /// everybody wait while identity is away.
    fn refresh_stale(&self, keys: &Keys) {
        if keys.fetched.is_some_and(|fetched| fetched.elapsed() < self.refresh_after) {
            return;
        }
        if let Ok(mut last_asked) = self.last_asked.clone().try_lock_owned() {
            let verifier = self.clone();
            tokio::spawn(async move { verifier.refresh(&mut last_asked).await });
        }
    }

    /// Asks for the keys, but not more often than the limit.
    async fn refresh(&self, last_asked: &mut LastAsked) {
        if last_asked.is_some_and(|asked| asked.elapsed() < ASK_AT_MOST_EVERY) {
            return;
        }
        let late = |_| Err("no answer in time".to_owned());
        let answer = tokio::time::timeout(ASK_TIMEOUT, self.source.fetch()).await.unwrap_or_else(late);
        *last_asked = Some(Instant::now());
        match answer {
            Ok(list) => {
                self.keys.store(Arc::new(Keys::new(decoding_keys(list), Some(Instant::now()))));
            }
            Err(error) => tracing::warn!(error.cause = error, "no key set from identity"),
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
