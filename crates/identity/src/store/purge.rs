//! Deletes expired rows in batches.

use sqlx::PgPool;

/// Deletes up to `limit` expired refresh tokens, used or not. Returns their number.
pub(crate) async fn refresh_tokens(pool: &PgPool, limit: i64) -> sqlx::Result<u64> {
    sqlx::query(
        "delete from refresh_token where token_hash in (
             select token_hash from refresh_token where expires_at < now()
             order by expires_at limit $1 for update skip locked)",
    )
    .bind(limit)
    .execute(pool)
    .await
    .map(|result| result.rows_affected())
}

/// Deletes up to `limit` logins whose last token expired more than a day ago. Returns their number.
pub(crate) async fn logins(pool: &PgPool, limit: i64) -> sqlx::Result<u64> {
    sqlx::query(
        "delete from login where login_id in (
             select login_id from login where expires_at < now() - interval '1 day'
             order by expires_at limit $1 for update skip locked)",
    )
    .bind(limit)
    .execute(pool)
    .await
    .map(|result| result.rows_affected())
}

/// Deletes keys whose last token has expired. Returns their number.
pub(crate) async fn signing_keys(pool: &PgPool) -> sqlx::Result<u64> {
    sqlx::query("delete from signing_key where ends_at < now()")
        .execute(pool)
        .await
        .map(|result| result.rows_affected())
}
