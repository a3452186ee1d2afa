//! Revoked sessions: logins that ended before their access tokens expire.
//!
//! A revocation is a key in Redis that lives longer than the longest access token (1 hour, of a client). While Redis is
//! unavailable a revoked access token works until it expires; refresh tokens do not, because identity's database decides
//! about them.

use std::time::Duration;

use crate::redis::{Key, Redis, RedisUnavailable};

/// The Redis key of a revoked login or client, by its `sid`.
pub struct RevokedSession<'a>(pub &'a str);

impl Key for RevokedSession<'_> {
    type Value = bool;
    const TTL: Duration = Duration::from_mins(65);
    fn text(&self) -> String {
        format!("identity:revoked:{}", self.0)
    }
}

/// The revoked sessions. Without Redis none is known.
#[derive(Clone)]
pub struct Revocations(Option<Redis>);

impl Revocations {
    /// The revoked sessions in this Redis.
    pub fn new(redis: Option<Redis>) -> Self {
        Self(redis)
    }

    /// Whether a session is known to be revoked; `false` while Redis is unavailable.
    pub async fn is_revoked(&self, session: &str) -> bool {
        let Some(redis) = &self.0 else { return false };
        matches!(redis.get(&RevokedSession(session)).await, Ok(Some(true)))
    }

    /// Revokes a session for every service.
    ///
    /// # Errors
    /// [`RedisUnavailable`]: its access tokens then work until they expire.
    pub async fn revoke(&self, session: &str) -> Result<(), RedisUnavailable> {
        match &self.0 {
            Some(redis) => redis.set(&RevokedSession(session), &true).await,
            None => Err(RedisUnavailable),
        }
    }
}
