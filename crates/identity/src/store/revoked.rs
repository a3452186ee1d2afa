//! Logins and secrets of clients that ended although access tokens of theirs may not have expired.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::seconds;

/// Revoked logins whose last access token expires now or later.
pub(crate) async fn logins(pool: &PgPool) -> sqlx::Result<Vec<Uuid>> {
    // One minute of tolerance for clock skew between replicas.
    sqlx::query_scalar(
        "select login_id from login
         where revoked_at is not null and access_expires_at > now() - interval '1 minute'",
    )
    .fetch_all(pool)
    .await
}

/// Clients that were deleted within `remembered`.
pub(crate) async fn clients(pool: &PgPool, remembered: Duration) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select client_id from client where deleted_at > now() - make_interval(secs => $1::bigint)")
        .bind(seconds(remembered)?)
        .fetch_all(pool)
        .await
}

/// Client and id of each secret that was revoked within `remembered`, by itself or with its client.
pub(crate) async fn secrets(pool: &PgPool, remembered: Duration) -> sqlx::Result<Vec<(String, Uuid)>> {
    sqlx::query_as(
        "select client_id, secret_id from client_secret where revoked_at > now() - make_interval(secs => $1::bigint)
         union
         select client_id, secret_id from client_secret join client using (client_id)
         where deleted_at > now() - make_interval(secs => $1::bigint)",
    )
    .bind(seconds(remembered)?)
    .fetch_all(pool)
    .await
}
