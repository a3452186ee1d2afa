//! Table `guest_key`: the keys of mailed booking links.
//!
//! Transactions lock the guest before its keys.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool};
use staymesh_domain::UserId;
use uuid::Uuid;

use crate::crypto::SecretHash;

/// Inserts a key, unless it is there or `expire_time` has passed. Returns whether the key is there.
pub(crate) async fn issue(
    connection: &mut PgConnection,
    key: SecretHash,
    user_id: UserId,
    expire_time: Timestamp,
) -> sqlx::Result<bool> {
    sqlx::query(
        "insert into guest_key (key_hash, user_id, expires_at) select $1, $2, $3 where $3 > now()
         on conflict (key_hash) do nothing",
    )
    .bind(key.as_bytes())
    .bind(user_id.as_uuid())
    .bind(expire_time.to_sqlx())
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("select exists (select from guest_key where key_hash = $1)")
        .bind(key.as_bytes())
        .fetch_one(connection)
        .await
}

/// The guest of a key that is neither expired nor revoked.
pub(crate) async fn owner(pool: &PgPool, key: SecretHash) -> sqlx::Result<Option<UserId>> {
    let row: Option<Uuid> = sqlx::query_scalar(
        "select user_id from guest_key where key_hash = $1 and expires_at > now() and revoked_at is null",
    )
    .bind(key.as_bytes())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(UserId::from))
}

/// Whether a key is neither expired nor revoked, within a transaction that has locked its guest.
pub(crate) async fn is_valid(connection: &mut PgConnection, key: SecretHash) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from guest_key where key_hash = $1 and expires_at > now() and revoked_at is null)",
    )
    .bind(key.as_bytes())
    .fetch_one(connection)
    .await
}

/// Revokes all keys of a guest.
pub(crate) async fn revoke_all(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<()> {
    sqlx::query("update guest_key set revoked_at = now() where user_id = $1 and revoked_at is null")
        .bind(user_id.as_uuid())
        .execute(connection)
        .await
        .map(drop)
}

/// Deletes the keys of a guest.
pub(crate) async fn delete_all(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<()> {
    sqlx::query("delete from guest_key where user_id = $1").bind(user_id.as_uuid()).execute(connection).await.map(drop)
}

/// Deletes up to `limit` keys that expired more than a day ago. Returns their number.
pub(crate) async fn purge(pool: &PgPool, limit: i64) -> sqlx::Result<u64> {
    sqlx::query(
        "delete from guest_key where key_hash in (
             select key_hash from guest_key where expires_at < now() - interval '1 day'
             order by expires_at limit $1 for update skip locked)",
    )
    .bind(limit)
    .execute(pool)
    .await
    .map(|result| result.rows_affected())
}
