//! Limits how many mails to others one source may cause.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use staymesh_mesh::redis::{Key, Redis};

use super::throttle::Source;
use crate::{crypto::EncryptionKey, error::IdentityError};

/// Requests of one source in a window.
const MOST: u32 = 20;
const WINDOW_SECONDS: i64 = 15 * 60;
/// Slots of the local table.
const SLOTS: usize = 1 << 12;

/// Counts requests for mails by source in windows of 15 minutes: in Redis, or in this replica while Redis is unavailable.
#[derive(Clone)]
pub(crate) struct MailLimit {
    redis: Option<Redis>,
    key: EncryptionKey,
    local: Arc<Mutex<(i64, Vec<u32>)>>,
}

struct Requests {
    pseudonym: [u8; 32],
    window: i64,
}

impl Key for Requests {
    type Value = u32;
    const TTL: Duration = Duration::from_secs(WINDOW_SECONDS.unsigned_abs());
    fn text(&self) -> String {
        format!("identity:mail-requests:{}:{}", hex::encode(self.pseudonym), self.window)
    }
}

impl MailLimit {
    /// A limit of 20 requests.
    pub(crate) fn new(redis: Option<Redis>, key: &EncryptionKey) -> Self {
        Self { redis, key: key.clone(), local: Arc::new(Mutex::new((0, vec![0; SLOTS]))) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] with the rest of the window.
    pub(crate) async fn admit(&self, source: Source) -> Result<(), IdentityError> {
        let now = Timestamp::now().as_second();
        let pseudonym = self.key.pseudonym(&format!("mail request\n{source:?}"));
        let requests = Requests { pseudonym, window: now.div_euclid(WINDOW_SECONDS) };
        let shared = match &self.redis {
            Some(redis) => redis.count(&requests).await.ok(),
            None => None,
        };
        if shared.unwrap_or_else(|| self.count_locally(&requests)) <= MOST {
            return Ok(());
        }
        let rest = WINDOW_SECONDS - now.rem_euclid(WINDOW_SECONDS);
        Err(IdentityError::LoginThrottled(Duration::from_secs(rest.unsigned_abs())))
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
