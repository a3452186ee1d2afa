//! Limits how often one source may do what costs it nothing: cause mails, begin guest checkouts, try keys.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use staymesh_mesh::redis::{Key, Redis};

use super::throttle::Source;
use crate::{crypto::EncryptionKey, error::IdentityError};

const WINDOW_SECONDS: i64 = 15 * 60;
/// Slots of the local table.
const SLOTS: usize = 1 << 12;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limited {
    /// Requests for mails that reset a password.
    MailRequests,
    /// Guest checkouts.
    GuestSessions,
    /// Keys of booking links that are not valid.
    GuestKeys,
}

impl Limited {
    /// Name in keys of Redis.
    const fn name(self) -> &'static str {
        match self {
            Self::MailRequests => "mail-requests",
            Self::GuestSessions => "guest-sessions",
            Self::GuestKeys => "guest-keys",
        }
    }
}

/// Counts requests of one kind by source in windows of 15 minutes: in Redis, or in this replica while Redis is unavailable.
#[derive(Clone)]
pub(crate) struct SourceLimit {
    limited: Limited,
    most: u32,
    redis: Option<Redis>,
    key: EncryptionKey,
    local: Arc<Mutex<(i64, Vec<u32>)>>,
}

struct Requests {
    limited: Limited,
    pseudonym: [u8; 32],
    window: i64,
}

impl Key for Requests {
    type Value = u32;
    const TTL: Duration = Duration::from_secs(WINDOW_SECONDS.unsigned_abs());
    fn text(&self) -> String {
        format!("identity:{}:{}:{}", self.limited.name(), hex::encode(self.pseudonym), self.window)
    }
}

impl SourceLimit {
    /// Admits `most` requests of a source in a window.
    pub(crate) fn new(limited: Limited, most: u16, redis: Option<Redis>, key: &EncryptionKey) -> Self {
        let local = Arc::new(Mutex::new((0, vec![0; SLOTS])));
        Self { limited, most: most.into(), redis, key: key.clone(), local }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] with the rest of the window.
    pub(crate) async fn admit(&self, source: Source) -> Result<(), IdentityError> {
        let now = Timestamp::now().as_second();
        let requests = self.requests(source, now);
        let shared = match &self.redis {
            Some(redis) => redis.count(&requests).await.ok(),
            None => None,
        };
        if shared.unwrap_or_else(|| self.count_locally(&requests)) <= self.most {
            return Ok(());
        }
        let rest = WINDOW_SECONDS - now.rem_euclid(WINDOW_SECONDS);
        Err(IdentityError::LoginThrottled(Duration::from_secs(rest.unsigned_abs())))
    }

    fn requests(&self, source: Source, second: i64) -> Requests {
        let pseudonym = self.key.pseudonym(&format!("{}\n{source:?}", self.limited.name()));
        Requests { limited: self.limited, pseudonym, window: second.div_euclid(WINDOW_SECONDS) }
    }

    fn count_locally(&self, requests: &Requests) -> u32 {
        let slot = usize::from(u16::from_be_bytes([requests.pseudonym[0], requests.pseudonym[1]])) % SLOTS;
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.0 != requests.window {
            *local = (requests.window, vec![0; SLOTS]);
        }
        local.1[slot] = local.1[slot].saturating_add(1);
        local.1[slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::encryption_key;

    #[tokio::test]
    async fn source_beyond_its_limit_is_refused_and_others_are_not() {
        let limit = SourceLimit::new(Limited::GuestKeys, 2, None, &encryption_key());
        let (one, other) = (Source::parse("192.0.2.1"), Source::parse("192.0.2.2"));
        for _ in 0..2 {
            limit.admit(one).await.unwrap();
        }
        assert!(matches!(limit.admit(one).await, Err(IdentityError::LoginThrottled(_))));
        limit.admit(other).await.unwrap();
    }
}
