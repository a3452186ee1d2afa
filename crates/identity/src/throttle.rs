//! Slows down the guessing of passwords.
//!
//! An attempt to log in is counted before its password is looked at, so that guesses made at the same moment cannot
//! slip through together; the one that succeeds sets the count of its address back to zero. Attempts beyond the limit
//! are refused until the window of 15 minutes ends. Refused attempts do not prolong it, so nobody can keep an owner out
//! for longer than they keep guessing at every new window, and logins that exist go on as before.
//!
//! Counts live in Redis, under a name that does not tell the address. While Redis is away each process counts for
//! itself in a table of fixed size: so n replicas then admit up to n times as many guesses, and addresses that share a
//! place in the table share a count.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use staymesh_mesh::redis::{Key, Redis};

use crate::{crypto::EncryptionKey, email::Email, error::IdentityError};

const WINDOW: Duration = Duration::from_mins(15);
/// Places of the table: a power of two, so that a pseudonym's first bytes choose evenly.
const PLACES: usize = 1 << 14;

/// Counts the attempts for one address in one window.
struct Attempts {
    address: [u8; 32],
    window: u64,
}

impl Key for Attempts {
    type Value = u32;
    const TTL: Duration = WINDOW;
    fn text(&self) -> String {
        format!("identity:login-attempts:{}:{}", hex::encode(self.address), self.window)
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
    counts: Vec<u32>,
}

impl Throttle {
    /// Admits `limit` attempts for an address in a window before one succeeds.
    pub(crate) fn new(redis: Option<Redis>, key: &EncryptionKey, limit: u8) -> Self {
        let local = Arc::new(Mutex::new(Local { window: 0, counts: vec![0; PLACES] }));
        Self { redis, key: key.clone(), local, limit: limit.into() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] when there were too many before it.
    pub(crate) async fn admit(&self, email: &Email) -> Result<(), IdentityError> {
        self.admit_at(email, Timestamp::now()).await
    }

    async fn admit_at(&self, email: &Email, now: Timestamp) -> Result<(), IdentityError> {
        let (window, left) = window_at(now);
        let attempts = Attempts { address: self.key.pseudonym(email.as_str()), window };
        let shared = match &self.redis {
            Some(redis) => redis.count(&attempts).await.ok(),
            None => None,
        };
        let count = shared.unwrap_or_else(|| self.local(&attempts, |count| count.saturating_add(1)));
        if count > self.limit {
            return Err(IdentityError::LoginThrottled(left));
        }
        Ok(())
    }

    /// Forgets the attempts for an address, as one of them was its owner's.
    pub(crate) async fn succeeded(&self, email: &Email) {
        self.succeeded_at(email, Timestamp::now()).await;
    }

    async fn succeeded_at(&self, email: &Email, now: Timestamp) {
        let (window, _) = window_at(now);
        let attempts = Attempts { address: self.key.pseudonym(email.as_str()), window };
        if let Some(redis) = &self.redis {
            // When Redis is away the count ends with its window.
            let _ = redis.remove(&attempts).await;
        }
        self.local(&attempts, |_| 0);
    }

    fn local(&self, attempts: &Attempts, change: impl FnOnce(u32) -> u32) -> u32 {
        let place = usize::from(u16::from_be_bytes([attempts.address[0], attempts.address[1]])) % PLACES;
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.window != attempts.window {
            *local = Local { window: attempts.window, counts: vec![0; PLACES] };
        }
        let count = &mut local.counts[place];
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
mod tests {
    use jiff::ToSpan;
    use staymesh_parts::Redis as RedisServer;

    use super::*;
    use crate::tests::{encryption_key, test_redis};

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn email(name: &str) -> Email {
        Email::parse(&format!("{name}@example.com")).unwrap()
    }

    fn throttle(redis: Option<Redis>) -> Throttle {
        Throttle::new(redis, &encryption_key(), 3)
    }

    async fn spend(throttle: &Throttle, email: &Email, now: Timestamp) {
        for attempt in 1..=3 {
            throttle.admit_at(email, now).await.unwrap_or_else(|error| panic!("attempt {attempt}: {error}"));
        }
        assert!(matches!(throttle.admit_at(email, now).await, Err(IdentityError::LoginThrottled(_))));
    }

    /// What must hold wherever the counts are.
    async fn obeys_the_rules(throttle: &Throttle) {
        let (ada, bob) = (email("ada"), email("bob"));
        spend(throttle, &ada, START).await;
        throttle.admit_at(&bob, START).await.unwrap();

        // The wait ends with the window, however many attempts are refused meanwhile.
        let later = START + 14.minutes();
        match throttle.admit_at(&ada, later).await {
            Err(IdentityError::LoginThrottled(wait)) => assert_eq!(wait.as_secs(), 60),
            other => panic!("{other:?}"),
        }
        let next = START + 15.minutes();
        throttle.admit_at(&ada, next).await.unwrap();

        // A success gives the whole budget back.
        throttle.succeeded_at(&ada, next).await;
        spend(throttle, &ada, next).await;
    }

    #[tokio::test]
    async fn without_redis_a_process_counts_for_itself() {
        obeys_the_rules(&throttle(None)).await;
    }

    #[tokio::test]
    async fn with_redis_replicas_count_together_under_names_that_tell_nothing() {
        let (server, redis) = test_redis();
        obeys_the_rules(&throttle(Some(redis.clone()))).await;
        let carol = email("carol");
        let (one, other) = (throttle(Some(redis.clone())), throttle(Some(redis)));
        one.admit_at(&carol, START).await.unwrap();
        one.admit_at(&carol, START).await.unwrap();
        other.admit_at(&carol, START).await.unwrap();
        assert!(other.admit_at(&carol, START).await.is_err());

        let keys = server.ask("KEYS *");
        assert!(keys.contains("identity:login-attempts:"), "{keys}");
        assert!(!keys.contains("carol") && !keys.contains("example"), "{keys}");
        let key = keys.lines().find(|line| line.starts_with("identity:")).unwrap().trim();
        let ttl = server.ask(&format!("TTL {key}"));
        let ttl: i64 = ttl.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
        assert!((1..=900).contains(&ttl), "{ttl}");
    }

    #[tokio::test]
    async fn when_redis_goes_away_guesses_are_still_bounded() {
        let (mut server, redis) = test_redis();
        let throttle = throttle(Some(redis));
        throttle.admit_at(&email("ada"), START).await.unwrap();
        RedisServer::kill_now(&mut server.server).unwrap();
        obeys_the_rules(&throttle).await;
    }

    #[tokio::test]
    async fn guesses_at_the_same_moment_are_counted_one_by_one() {
        let (_server, redis) = test_redis();
        let throttle = throttle(Some(redis));
        let ada = email("ada");
        let guesses: Vec<_> = (0..20)
            .map(|_| {
                let (throttle, ada) = (throttle.clone(), ada.clone());
                tokio::spawn(async move { throttle.admit_at(&ada, START).await.is_ok() })
            })
            .collect();
        let mut admitted = 0;
        for guess in guesses {
            admitted += usize::from(guess.await.unwrap());
        }
        assert_eq!(admitted, 3);
    }
}
