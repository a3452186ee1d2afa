//! Keyring: the signing keys of access tokens, shared by all replicas through the database and cached in memory, so that
//! tokens are verified while the database is unavailable.
//!
//! A key has three phases, all by the clock of the database: published but not signing (so that every copy of the key set
//! contains it in time), signing, and published until the last token it signed has expired.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use jsonwebtoken::EncodingKey;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    config::LONGEST_TOKEN,
    crypto::{EncryptionKey, SigningKey},
    error::IdentityError,
    model::PublicKey,
    store::signing_keys::{self as store, StoredKey},
};

/// Interval between reloads. Much shorter than the time between publication and first signature of a key.
const RELOAD_INTERVAL: Duration = Duration::from_secs(30);
/// Interval after a failed reload.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Time a key remains published after its last token has expired; tolerates clock skew.
const MARGIN: Duration = Duration::from_mins(5);

/// A snapshot of the keys.
pub(crate) struct KeySet {
    /// Published keys, newest first.
    pub(crate) public: Vec<PublicKey>,
    /// Id of the signing key.
    pub(crate) signer_id: String,
    /// Private half of the signing key.
    pub(crate) signer: EncodingKey,
}

/// The keys as last read from the database. Clones share the cache.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<Inner>);

struct Inner {
    pool: PgPool,
    key: EncryptionKey,
    current: ArcSwapOption<KeySet>,
    loading: Mutex<()>,
}

impl Keyring {
    /// A keyring that reads its keys on first use.
    pub(crate) fn new(pool: PgPool, key: EncryptionKey) -> Self {
        Self(Arc::new(Inner { pool, key, current: ArcSwapOption::empty(), loading: Mutex::default() }))
    }

    /// A keyring with a new key that is not in the database.
    #[cfg(test)]
    pub(crate) fn with_new_key(pool: PgPool, key: EncryptionKey) -> Self {
        let new = SigningKey::generate().unwrap();
        let sealed_private_key = key.seal(&new.public.id, &new.private).unwrap();
        let stored = StoredKey { public: new.public, sealed_private_key, signs: true };
        let keys = key_set(&key, &[stored]).unwrap();
        let keyring = Self::new(pool, key);
        keyring.0.current.store(Some(Arc::new(keys)));
        keyring
    }

    /// The cached keys; read from the database on first use.
    ///
    /// # Errors
    /// When they were never read and the database is unavailable.
    pub(crate) async fn current(&self) -> Result<Arc<KeySet>, IdentityError> {
        if let Some(keys) = self.0.current.load_full() {
            return Ok(keys);
        }
        // One caller reads, concurrent ones wait for its result.
        let _loading = self.0.loading.lock().await;
        match self.0.current.load_full() {
            Some(keys) => Ok(keys),
            None => self.reload().await,
        }
    }

    /// Reads the keys from the database, and creates the first key if there is none.
    ///
    /// # Errors
    /// When the database is unavailable or the encryption key is not the one the keys were sealed with.
    pub(crate) async fn reload(&self) -> Result<Arc<KeySet>, IdentityError> {
        let mut stored = store::published(&self.0.pool).await?;
        if !stored.iter().any(|key| key.signs) {
            create_first(&self.0.pool, &self.0.key).await?;
            stored = store::published(&self.0.pool).await?;
        }
        let keys = Arc::new(key_set(&self.0.key, &stored)?);
        self.0.current.store(Some(Arc::clone(&keys)));
        Ok(keys)
    }

    /// Background task: reloads the keys until `stop` is cancelled. After a failure the cached keys remain in use.
    pub(crate) async fn keep_fresh(self, stop: CancellationToken) {
        loop {
            let wait = match self.reload().await {
                Ok(_) => RELOAD_INTERVAL,
                Err(error) => {
                    tracing::warn!(error.cause = %error, "reading the signing keys failed; the cached ones remain in use");
                    RETRY_INTERVAL
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }
}

fn key_set(key: &EncryptionKey, stored: &[StoredKey]) -> Result<KeySet, IdentityError> {
    let newest = stored.iter().find(|key| key.signs).ok_or_else(|| IdentityError::defect("there is no signing key"))?;
    let private = key.open(&newest.public.id, &newest.sealed_private_key)?;
    Ok(KeySet {
        public: stored.iter().map(|stored| stored.public.clone()).collect(),
        signer_id: newest.public.id.clone(),
        signer: EncodingKey::from_ec_der(&private),
    })
}

/// Creates the first key, which signs at once. Does nothing if another replica has created one meanwhile.
async fn create_first(pool: &PgPool, key: &EncryptionKey) -> Result<(), IdentityError> {
    let new = SigningKey::generate()?;
    let sealed = key.seal(&new.public.id, &new.private)?;
    let mut transaction = pool.begin().await?;
    store::lock(&mut transaction).await?;
    if store::newest(&mut transaction).await?.is_none() {
        store::insert(&mut transaction, &new, &sealed, Duration::ZERO).await?;
        tracing::info!(key.id = new.public.id, "created the first signing key");
    }
    transaction.commit().await?;
    Ok(())
}

/// Result of a key rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A key with this id was created: published now, signing after the lead.
    Begun(String),
    /// The key with this id is published already and does not sign yet; nothing was changed.
    UnderWay(String),
}

/// Creates a key that starts to sign after `lead`. Idempotent until then.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn rotate(pool: &PgPool, key: &EncryptionKey, lead: Duration) -> Result<Rotation, IdentityError> {
    let new = SigningKey::generate()?;
    let sealed = key.seal(&new.public.id, &new.private)?;
    let mut transaction = pool.begin().await?;
    store::lock(&mut transaction).await?;
    if let Some(newest) = store::newest(&mut transaction).await? {
        if !newest.signs {
            return Ok(Rotation::UnderWay(newest.public.id));
        }
        store::set_end(&mut transaction, &newest.public.id, lead + LONGEST_TOKEN + MARGIN).await?;
    }
    store::insert(&mut transaction, &new, &sealed, lead).await?;
    transaction.commit().await?;
    tracing::info!(key.id = new.public.id, "created a new signing key");
    Ok(Rotation::Begun(new.public.id))
}
