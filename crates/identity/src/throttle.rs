//! Slows down the guessing of passwords.
//!
//! An attempt to log in is counted before its password is looked at, so that guesses made at the same moment cannot
//! slip through together; the one that succeeds sets the counts back to zero. It is counted twice, in windows of 15
//! minutes. From one source an address has so many attempts: whoever spends them keeps nobody out but those who call from
//! the same place. From all sources together it has ten times as many, so that many guessers get no further than a few.
//! Those are not counted against a source that has logged in to the account within the last month, so an owner at home
//! is not kept out by any number of strangers. Refused attempts do not prolong the wait, and logins that exist go on as
//! before. How many addresses one source may try is the quota of the edge.
//!
//! Counts live in Redis, under names that tell neither address nor source. While Redis is away each process counts for
//! itself in tables of fixed size: so n replicas then admit up to n times as many guesses, those that share a place in a
//! table share a count, and no source is known.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use staymesh_mesh::redis::{Key, Redis};

use crate::{crypto::EncryptionKey, email::Email, error::IdentityError};

const WINDOW: Duration = Duration::from_mins(15);
/// Attempts from all sources together, for each that one source has.
const SOURCES: u32 = 10;
/// Places of a table: a power of two, so that a pseudonym's first bytes choose evenly.
const PLACES: usize = 1 << 14;

/// Where an attempt comes from, as far as it matters: an address of IPv4, or the network of 64 bits that a customer of
/// IPv6 has at least. Those that nobody has told are all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source(Option<IpAddr>);

impl Source {
    /// The source of an address as the edge writes it.
    pub(crate) fn parse(text: &str) -> Self {
        let network = |address: IpAddr| match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self(text.parse().ok().map(network))
    }
}

/// Counts the attempts for one address in one window, from everywhere or from one source.
struct Attempts {
    name: [u8; 32],
    window: u64,
    from: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Everywhere,
    OneSource,
}

impl Key for Attempts {
    type Value = u32;
    const TTL: Duration = WINDOW;
    fn text(&self) -> String {
        let kind = match self.from {
            Origin::Everywhere => "login-attempts",
            Origin::OneSource => "login-attempts-from",
        };
        format!("identity:{kind}:{}:{}", hex::encode(self.name), self.window)
    }
}

/// A source that has logged in to an account.
struct Known([u8; 32]);

impl Key for Known {
    type Value = bool;
    const TTL: Duration = Duration::from_hours(30 * 24);
    fn text(&self) -> String {
        format!("identity:login-known:{}", hex::encode(self.0))
    }
}

/// Counts attempts to log in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Throttle {
    redis: Option<Redis>,
    key: EncryptionKey,
    local: Arc<Mutex<Local>>,
    limit: u32,
}

/// What one process counts while Redis is away.
struct Local {
    window: u64,
    everywhere: Vec<u32>,
    one_source: Vec<u32>,
}

impl Local {
    fn new(window: u64) -> Self {
        Self { window, everywhere: vec![0; PLACES], one_source: vec![0; PLACES] }
    }
}

impl Throttle {
    /// Admits `limit` attempts for an address from one source in a window before one succeeds.
    pub(crate) fn new(redis: Option<Redis>, key: &EncryptionKey, limit: u8) -> Self {
        Self { redis, key: key.clone(), local: Arc::new(Mutex::new(Local::new(0))), limit: limit.into() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] when there were too many before it.
    pub(crate) async fn admit(&self, email: &Email, source: Source) -> Result<(), IdentityError> {
        self.admit_at(email, source, Timestamp::now()).await
    }

    async fn admit_at(&self, email: &Email, source: Source, now: Timestamp) -> Result<(), IdentityError> {
        let (window, left) = window_at(now);
        let [everywhere, one_source] = self.attempts(email, source, window);
        // What a source has beyond its own must not be counted against all: it would keep others out.
        if self.count(&one_source).await > self.limit {
            return Err(IdentityError::LoginThrottled(left));
        }
        if self.count(&everywhere).await > self.limit * SOURCES && !self.is_known(&one_source).await {
            return Err(IdentityError::LoginThrottled(left));
        }
        Ok(())
    }

    /// Forgets the attempts for an address from everywhere and from this source, as one of them was its owner's.
    pub(crate) async fn succeeded(&self, email: &Email, source: Source) {
        self.succeeded_at(email, source, Timestamp::now()).await;
    }

    async fn succeeded_at(&self, email: &Email, source: Source, now: Timestamp) {
        let (window, _) = window_at(now);
        let attempts = self.attempts(email, source, window);
        for attempts in &attempts {
            if let Some(redis) = &self.redis {
                // When Redis is away the count ends with its window.
                let _ = redis.remove(attempts).await;
            }
            self.local(attempts, |_| 0);
        }
        if let Some(redis) = &self.redis {
            let _ = redis.set(&Known(attempts[1].name), &true).await;
        }
    }

    fn attempts(&self, email: &Email, source: Source, window: u64) -> [Attempts; 2] {
        let account = self.key.pseudonym(email.as_str());
        // No address has a line break in it.
        let here = source.0.map(|source| source.to_string()).unwrap_or_default();
        let pair = self.key.pseudonym(&format!("{}\n{here}", email.as_str()));
        [
            Attempts { name: account, window, from: Origin::Everywhere },
            Attempts { name: pair, window, from: Origin::OneSource },
        ]
    }

    async fn count(&self, attempts: &Attempts) -> u32 {
        let shared = match &self.redis {
            Some(redis) => redis.count(attempts).await.ok(),
            None => None,
        };
        shared.unwrap_or_else(|| self.local(attempts, |count| count.saturating_add(1)))
    }

    async fn is_known(&self, here: &Attempts) -> bool {
        match &self.redis {
            Some(redis) => redis.get(&Known(here.name)).await.ok().flatten().unwrap_or(false),
            None => false,
        }
    }

    fn local(&self, attempts: &Attempts, change: impl FnOnce(u32) -> u32) -> u32 {
        let place = usize::from(u16::from_be_bytes([attempts.name[0], attempts.name[1]])) % PLACES;
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.window != attempts.window {
            *local = Local::new(attempts.window);
        }
        let counts = match attempts.from {
            Origin::Everywhere => &mut local.everywhere,
            Origin::OneSource => &mut local.one_source,
        };
        let count = &mut counts[place];
        *count = change(*count);
        *count
    }
}

/// The window that a time falls into, and how much of it is left.
fn window_at(now: Timestamp) -> (u64, Duration) {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let length = WINDOW.as_secs();
    (seconds / length, Duration::from_secs(length - seconds % length))
}

#[cfg(test)]
mod tests;
