//! Logins that have ended before their tokens.
//!
//! A revocation is a key in Redis that outlives the longest token (a program's, 1 hour). While Redis is away a
//! revoked token works until it expires; refreshing it fails all the same, because that is decided in identity's database.

use std::time::Duration;

use crate::redis::{Key, Redis, RedisUnavailable};

/// The key of a login that has ended.
pub struct RevokedSession<'a>(pub &'a str);

impl Key for RevokedSession<'_> {
    type Value = bool;
    const TTL: Duration = Duration::from_mins(65);
    fn text(&self) -> String {
        format!("identity:revoked:{}", self.0)
    }
}

/// The ended logins; none are known without Redis.
#[derive(Clone)]
pub struct Revocations(Option<Redis>);

impl Revocations {
    /// The ended logins in this Redis.
    pub fn new(redis: Option<Redis>) -> Self {
        Self(redis)
    }

    /// Whether a login is known to have ended.
    pub async fn is_revoked(&self, session: &str) -> bool {
        let Some(redis) = &self.0 else { return false };
        matches!(redis.get(&RevokedSession(session)).await, Ok(Some(true)))
    }

    /// Ends a login for every service.
    ///
    /// # Errors
    /// When Redis is away: the tokens then work until they expire.
    pub async fn revoke(&self, session: &str) -> Result<(), RedisUnavailable> {
        match &self.0 {
            Some(redis) => redis.set(&RevokedSession(session), &true).await,
            None => Err(RedisUnavailable),
        }
    }
}
