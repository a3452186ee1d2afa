//! `signing_key`.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use staymesh_api::identity::v1::JsonWebKey;

use super::seconds;
use crate::keys::SigningKey;

/// A key as it is stored.
#[derive(sqlx::FromRow)]
pub(crate) struct StoredKey {
    pub(crate) key_id: String,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) sealed_private_key: Vec<u8>,
    /// Whether its time to sign has come.
    pub(crate) signs: bool,
}

impl StoredKey {
    /// What is published of it.
    pub(crate) fn public(&self) -> JsonWebKey {
        JsonWebKey {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: self.x.clone(),
            y: self.y.clone(),
            kid: self.key_id.clone(),
            alg: "ES256".to_owned(),
            r#use: "sig".to_owned(),
        }
    }
}

/// All keys to publish, newest first.
pub(crate) async fn published(pool: &PgPool) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as(
        "select key_id, x, y, sealed_private_key, signs_from <= now() as signs from signing_key
         where ends_at is null or ends_at > now()
         order by signs_from desc, created_at desc, key_id",
    )
    .fetch_all(pool)
    .await
}

/// Keeps everybody else from making keys until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('identity.signing_key', 0))")
        .execute(connection)
        .await
        .map(drop)
}

/// The key that no other is to take over from.
pub(crate) async fn newest(connection: &mut PgConnection) -> sqlx::Result<Option<StoredKey>> {
    sqlx::query_as(
        "select key_id, x, y, sealed_private_key, signs_from <= now() as signs from signing_key where ends_at is null",
    )
    .fetch_optional(connection)
    .await
}

/// Adds a key that signs after `lead`.
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
    .bind(&key.id)
    .bind(&key.x)
    .bind(&key.y)
    .bind(sealed)
    .bind(seconds(lead))
    .execute(connection)
    .await
    .map(drop)
}

/// Ends a key after `wait`.
pub(crate) async fn end(connection: &mut PgConnection, key_id: &str, wait: Duration) -> sqlx::Result<()> {
    sqlx::query("update signing_key set ends_at = now() + make_interval(secs => $2::bigint) where key_id = $1")
        .bind(key_id)
        .bind(seconds(wait))
        .execute(connection)
        .await
        .map(drop)
}
