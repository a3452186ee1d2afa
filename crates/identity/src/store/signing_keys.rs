//! Table `signing_key`.

use std::time::Duration;

use sqlx::{FromRow, PgConnection, PgPool, Row, postgres::PgRow};

use super::seconds;
use crate::{crypto::SigningKey, model::PublicKey};

/// A key as stored.
pub(crate) struct StoredKey {
    pub(crate) public: PublicKey,
    /// The private half, encrypted.
    pub(crate) sealed_private_key: Vec<u8>,
    /// Whether it may sign already.
    pub(crate) signs: bool,
}

impl FromRow<'_, PgRow> for StoredKey {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            public: PublicKey { id: row.try_get("key_id")?, x: row.try_get("x")?, y: row.try_get("y")? },
            sealed_private_key: row.try_get("sealed_private_key")?,
            signs: row.try_get("signs")?,
        })
    }
}

/// The published keys, newest first.
pub(crate) async fn published(pool: &PgPool) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as(
        "select key_id, x, y, sealed_private_key, signs_from <= now() as signs from signing_key
         where ends_at is null or ends_at > now()
         order by signs_from desc, created_at desc, key_id",
    )
    .fetch_all(pool)
    .await
}

/// Excludes other transactions from creating keys until this one ends (advisory lock).
pub(crate) async fn lock(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('identity.signing_key', 0))")
        .execute(connection)
        .await
        .map(drop)
}

/// The newest key: the one without an end.
pub(crate) async fn newest(connection: &mut PgConnection) -> sqlx::Result<Option<StoredKey>> {
    sqlx::query_as(
        "select key_id, x, y, sealed_private_key, signs_from <= now() as signs from signing_key where ends_at is null",
    )
    .fetch_optional(connection)
    .await
}

/// Inserts a key that signs after `lead`.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    key: &SigningKey,
    sealed: &[u8],
    lead: Duration,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into signing_key (key_id, x, y, sealed_private_key, signs_from)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5::bigint))",
    )
    .bind(&key.public.id)
    .bind(&key.public.x)
    .bind(&key.public.y)
    .bind(sealed)
    .bind(seconds(lead)?)
    .execute(connection)
    .await
    .map(drop)
}

/// Sets the end of a key, `wait` from now.
pub(crate) async fn set_end(connection: &mut PgConnection, key_id: &str, wait: Duration) -> sqlx::Result<()> {
    sqlx::query("update signing_key set ends_at = now() + make_interval(secs => $2::bigint) where key_id = $1")
        .bind(key_id)
        .bind(seconds(wait)?)
        .execute(connection)
        .await
        .map(drop)
}
