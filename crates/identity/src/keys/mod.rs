//! The keys that access tokens are signed with: made here, shared by all replicas through the database, and kept in
//! memory, so that tokens are verified while the database is away.
//!
//! A key goes through three stages, all by the database's clock: published (so that everybody who keeps a copy of the
//! key set has it in time), signing, and still published until the last token it signed has ended.

mod signing_key;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use jsonwebtoken::EncodingKey;
pub(crate) use signing_key::SigningKey;
use sqlx::PgPool;
use staymesh_api::identity::v1::JsonWebKey;
use staymesh_mesh::auth::KeySource;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    config::LONGEST_TOKEN,
    crypto::EncryptionKey,
    error::IdentityError,
    store::keys::{self as store, StoredKey},
};

/// How often the keys are read again. Far less than a new key is published before it signs.
const RELOAD_EVERY: Duration = Duration::from_secs(30);
/// How soon again after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long a key stays published after the last token it signed has ended, for clocks that go wrong.
const MARGIN: Duration = Duration::from_mins(5);

/// The keys in use at one time.
pub(crate) struct KeySet {
    /// All that are published, newest first.
    pub(crate) public: Vec<JsonWebKey>,
    /// The id of the one that signs.
    pub(crate) signer_id: String,
    /// The private half of the one that signs.
    pub(crate) signer: EncodingKey,
}

/// The keys, as read from the database last. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<Inner>);

struct Inner {
    pool: PgPool,
    key: EncryptionKey,
    current: ArcSwapOption<KeySet>,
    loading: Mutex<()>,
}

impl Keyring {
    /// A keyring that reads its keys when they are needed first.
    pub(crate) fn new(pool: PgPool, key: EncryptionKey) -> Self {
        Self(Arc::new(Inner { pool, key, current: ArcSwapOption::empty(), loading: Mutex::default() }))
    }

    /// A keyring with a key that is in no database.
    #[cfg(test)]
    pub(crate) fn with_new_key(pool: PgPool, key: EncryptionKey) -> Self {
        let made = SigningKey::generate().unwrap();
        let sealed_private_key = key.seal(&made.id, &made.private).unwrap();
        let stored = StoredKey { key_id: made.id, x: made.x, y: made.y, sealed_private_key, signs: true };
        let keys = key_set(&key, &[stored]).unwrap();
        let keyring = Self::new(pool, key);
        keyring.0.current.store(Some(Arc::new(keys)));
        keyring
    }

    /// The keys; read now if they have never been.
    pub(crate) async fn current(&self) -> Result<Arc<KeySet>, IdentityError> {
        if let Some(keys) = self.0.current.load_full() {
            return Ok(keys);
        }
        // One reads, the others wait for what it finds.
        let _loading = self.0.loading.lock().await;
        match self.0.current.load_full() {
            Some(keys) => Ok(keys),
            None => self.reload().await,
        }
    }

    /// Reads the keys again; makes the first one if there is none.
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

    /// Reads the keys again and again, until `stop`. Failures leave those that are known in use.
    pub(crate) async fn keep_fresh(self, stop: CancellationToken) {
        loop {
            let wait = match self.reload().await {
                Ok(_) => RELOAD_EVERY,
                Err(error) => {
                    tracing::warn!(error.cause = %error, "the signing keys cannot be read");
                    RETRY_AFTER
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }
}

/// Identity verifies tokens with its own keys, without asking itself over the network.
#[tonic::async_trait]
impl KeySource for Keyring {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        match self.current().await {
            Ok(keys) => Ok(keys.public.clone()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn key_set(key: &EncryptionKey, stored: &[StoredKey]) -> Result<KeySet, IdentityError> {
    let newest = stored.iter().find(|key| key.signs).ok_or_else(|| IdentityError::defect("there is no signing key"))?;
    let private = key.open(&newest.key_id, &newest.sealed_private_key)?;
    Ok(KeySet {
        public: stored.iter().map(StoredKey::public).collect(),
        signer_id: newest.key_id.clone(),
        signer: EncodingKey::from_ec_der(&private),
    })
}

/// Makes the first key, which signs at once; does nothing when another replica was faster.
async fn create_first(pool: &PgPool, key: &EncryptionKey) -> Result<(), IdentityError> {
    let made = SigningKey::generate()?;
    let sealed = key.seal(&made.id, &made.private)?;
    let mut transaction = pool.begin().await?;
    store::lock(&mut transaction).await?;
    if store::newest(&mut transaction).await?.is_none() {
        store::insert(&mut transaction, &made, &sealed, Duration::ZERO).await?;
        tracing::info!(key.id = made.id, "made the first signing key");
    }
    transaction.commit().await?;
    Ok(())
}

/// What asking for a new signing key has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The key of this id is published from now on, and signs once the lead is over.
    Begun(String),
    /// The key of this id is published already and does not sign yet; nothing was changed.
    UnderWay(String),
}

/// Makes a key that takes over after `lead`. Safe to repeat: while one is waiting to take over, no other is made.
pub(crate) async fn rotate(pool: &PgPool, key: &EncryptionKey, lead: Duration) -> Result<Rotation, IdentityError> {
    let made = SigningKey::generate()?;
    let sealed = key.seal(&made.id, &made.private)?;
    let mut transaction = pool.begin().await?;
    store::lock(&mut transaction).await?;
    if let Some(newest) = store::newest(&mut transaction).await? {
        if !newest.signs {
            return Ok(Rotation::UnderWay(newest.key_id));
        }
        store::end(&mut transaction, &newest.key_id, lead + LONGEST_TOKEN + MARGIN).await?;
    }
    store::insert(&mut transaction, &made, &sealed, lead).await?;
    transaction.commit().await?;
    tracing::info!(key.id = made.id, "made a new signing key");
    Ok(Rotation::Begun(made.id))
}
