//! Removes what nobody will ask for again, some at a time.

use sqlx::PgPool;

/// Removes expired refresh tokens, used or not. Returns how many.
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

/// Removes logins whose last token ended a day ago. Returns how many.
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

/// Removes keys whose last token has ended. Returns how many.
pub(crate) async fn signing_keys(pool: &PgPool) -> sqlx::Result<u64> {
    sqlx::query("delete from signing_key where ends_at < now()")
        .execute(pool)
        .await
        .map(|result| result.rows_affected())
}
