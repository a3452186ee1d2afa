//! Login throttle: limits password guessing with fixed windows of 15 minutes.
//!
//! Each attempt is counted before its password is verified, so that concurrent guesses cannot pass together; a successful
//! login resets the counters of its address. There are three counters per window:
//!
//! - **per source**: `limit` attempts from one source. A source that exceeds it is refused, and its further attempts do
//!   not count against the address, so it cannot lock out others.
//! - **total**: 10 x `limit` attempts from all sources, against distributed guessing. Sources from which the account
//!   logged in within the last 30 days are exempt, so that the owner is not locked out by others.
//!
//! - **of a source**: 100 failed attempts from one source over all addresses, against password spraying. An address that
//!   has logged in from the source within the last 30 days neither counts nor is refused, so that the people behind one
//!   gateway are not locked out by one of them.
//!
//! Refused attempts do not extend the window, and existing logins are not affected.
//!
//! Counters are in Redis, under pseudonyms (HMAC-SHA-256) of address and source. While Redis is unavailable each replica
//! counts in tables of fixed size: n replicas then admit up to n times as many guesses, addresses that share a slot share
//! a counter, and no source is exempt.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use staymesh_domain::Email;
use staymesh_mesh::redis::{Key, Redis};

use crate::{crypto::EncryptionKey, error::IdentityError};

const WINDOW_SECONDS: i64 = 15 * 60;
/// Total attempts per address, as a multiple of the attempts per source.
const SOURCES: u32 = 10;
/// Slots of a local table: a power of two, so that the first bytes of a pseudonym select evenly.
const SLOTS: usize = 1 << 14;

/// Network that an attempt comes from: an IPv4 address, or the /64 prefix of an IPv6 address, which is the least that one
/// IPv6 customer controls. All unknown sources are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Source(Option<IpAddr>);

impl Source {
    /// Parses an address as the edge writes it; anything else is the unknown source.
    pub(crate) fn parse(text: &str) -> Self {
        let network = |address: IpAddr| match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self(text.parse().ok().map(network))
    }
}

/// Counter of the attempts for one address in one window.
struct Attempts {
    pseudonym: [u8; 32],
    /// Windows since 1970.
    window: i64,
    scope: Scope,
}

#[derive(Clone, Copy, PartialEq, Eq)]
/// What a counter counts.
enum Scope {
    Total,
    PerSource,
    OfSource,
}

impl Key for Attempts {
    type Value = u32;
    const TTL: Duration = Duration::from_secs(WINDOW_SECONDS.unsigned_abs());
    fn text(&self) -> String {
        let kind = match self.scope {
            Scope::Total => "login-attempts",
            Scope::PerSource => "login-attempts-from",
            Scope::OfSource => "login-attempts-source",
        };
        format!("identity:{kind}:{}:{}", hex::encode(self.pseudonym), self.window)
    }
}

/// Marks a source from which an account has logged in.
struct KnownSource([u8; 32]);

impl Key for KnownSource {
    type Value = bool;
    const TTL: Duration = Duration::from_hours(30 * 24);
    fn text(&self) -> String {
        format!("identity:login-known:{}", hex::encode(self.0))
    }
}

/// The counters of an attempt.
struct Counters {
    /// Attempts for the address.
    total: Attempts,
    /// Attempts for the address from the source.
    per_source: Attempts,
    /// Attempts from the source.
    of_source: Attempts,
}

/// Counts login attempts. Clones share their counters.
#[derive(Clone)]
pub(crate) struct Throttle {
    redis: Option<Redis>,
    key: EncryptionKey,
    local: Arc<Mutex<Local>>,
    limit: u32,
    source_limit: u32,
}

/// Failed attempts of one source over all addresses, unless configured.
const SOURCE_LIMIT: u32 = 100;

/// Counters of this replica, used while Redis is unavailable.
struct Local {
    window: i64,
    total: Vec<u32>,
    per_source: Vec<u32>,
    of_source: Vec<u32>,
}

impl Local {
    fn new(window: i64) -> Self {
        Self { window, total: vec![0; SLOTS], per_source: vec![0; SLOTS], of_source: vec![0; SLOTS] }
    }
}

impl Throttle {
    /// Admits `limit` attempts per address and source in a window, 10 times as many in total, and 100 failed ones of a
    /// source.
    pub(crate) fn new(redis: Option<Redis>, key: &EncryptionKey, limit: u8) -> Self {
        let local = Arc::new(Mutex::new(Local::new(0)));
        Self { redis, key: key.clone(), local, limit: limit.into(), source_limit: SOURCE_LIMIT }
    }

    /// Admits this many failed attempts of a source over all addresses.
    pub(crate) fn with_source_limit(self, limit: u16) -> Self {
        Self { source_limit: limit.into(), ..self }
    }

    /// Counts an attempt. Returns whether the address has logged in from this source before.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] with the rest of the window, if a limit is exceeded.
    pub(crate) async fn admit(&self, email: &Email, source: Source) -> Result<bool, IdentityError> {
        self.admit_at(email, source, Timestamp::now()).await
    }

    async fn admit_at(&self, email: &Email, source: Source, now: Timestamp) -> Result<bool, IdentityError> {
        let (window, rest) = window_at(now);
        let Counters { total, per_source, of_source } = self.attempts(email, source, window);
        // Checked first: attempts beyond the limit of one source must not use up the other limits.
        if self.count(&per_source).await > self.limit {
            return Err(IdentityError::LoginThrottled(rest));
        }
        let known = self.is_known_source(&per_source).await;
        if !known && self.count(&of_source).await > self.source_limit {
            return Err(IdentityError::LoginThrottled(rest));
        }
        if self.count(&total).await > self.limit * SOURCES && !known {
            return Err(IdentityError::LoginThrottled(rest));
        }
        Ok(known)
    }

    /// Resets both counters of the address and remembers the source, after a successful login.
    pub(crate) async fn succeeded(&self, email: &Email, source: Source) {
        self.succeeded_at(email, source, Timestamp::now()).await;
    }

    async fn succeeded_at(&self, email: &Email, source: Source, now: Timestamp) {
        let (window, _) = window_at(now);
        let Counters { total, per_source, of_source } = self.attempts(email, source, window);
        for attempts in [&total, &per_source] {
            if let Some(redis) = &self.redis {
                // While Redis is unavailable the counter ends with its window.
                let _ = redis.remove(attempts).await;
            }
            self.local(attempts, |_| 0);
        }
        // An attempt from a known source was not counted.
        if !self.is_known_source(&per_source).await {
            self.take_back(&of_source).await;
        }
        if let Some(redis) = &self.redis {
            let _ = redis.set(&KnownSource(per_source.pseudonym), &true).await;
        }
    }

    /// Takes back an attempt that was counted but not verified, because the service was overloaded.
    pub(crate) async fn not_verified(&self, email: &Email, source: Source) {
        let (window, _) = window_at(Timestamp::now());
        let Counters { total, per_source, of_source } = self.attempts(email, source, window);
        self.take_back(&total).await;
        if !self.is_known_source(&per_source).await {
            self.take_back(&of_source).await;
        }
        self.take_back(&per_source).await;
    }

    fn attempts(&self, email: &Email, source: Source, window: i64) -> Counters {
        // Addresses contain no line break, so the pair is unambiguous.
        let source = source.0.map(|source| source.to_string()).unwrap_or_default();
        let counter = |text: &str, scope| Attempts { pseudonym: self.key.pseudonym(text), window, scope };
        Counters {
            total: counter(email.as_str(), Scope::Total),
            per_source: counter(&format!("{}\n{source}", email.as_str()), Scope::PerSource),
            of_source: counter(&format!("\n{source}"), Scope::OfSource),
        }
    }

    async fn take_back(&self, attempts: &Attempts) {
        let shared = match &self.redis {
            Some(redis) => redis.take_back(attempts).await.ok(),
            None => None,
        };
        if shared.is_none() {
            self.local(attempts, |count| count.saturating_sub(1));
        }
    }

    async fn count(&self, attempts: &Attempts) -> u32 {
        let shared = match &self.redis {
            Some(redis) => redis.count(attempts).await.ok(),
            None => None,
        };
        shared.unwrap_or_else(|| self.local(attempts, |count| count.saturating_add(1)))
    }

    async fn is_known_source(&self, per_source: &Attempts) -> bool {
        match &self.redis {
            Some(redis) => redis.get(&KnownSource(per_source.pseudonym)).await.ok().flatten().unwrap_or(false),
            None => false,
        }
    }

    fn local(&self, attempts: &Attempts, change: impl FnOnce(u32) -> u32) -> u32 {
        let slot = usize::from(u16::from_be_bytes([attempts.pseudonym[0], attempts.pseudonym[1]])) % SLOTS;
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.window != attempts.window {
            *local = Local::new(attempts.window);
        }
        let counts = match attempts.scope {
            Scope::Total => &mut local.total,
            Scope::PerSource => &mut local.per_source,
            Scope::OfSource => &mut local.of_source,
        };
        let count = &mut counts[slot];
        *count = change(*count);
        *count
    }
}

/// The window that contains `now`, and the rest of it.
fn window_at(now: Timestamp) -> (i64, Duration) {
    let elapsed = now.as_second().rem_euclid(WINDOW_SECONDS);
    (now.as_second().div_euclid(WINDOW_SECONDS), Duration::from_secs((WINDOW_SECONDS - elapsed).unsigned_abs()))
}

#[cfg(test)]
mod tests;
