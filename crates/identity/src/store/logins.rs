//! Tables `login` and `refresh_token`.
//!
//! Lock order of transactions that lock several rows, to avoid deadlocks: account, refresh token, login.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use staymesh_domain::UserId;
use uuid::Uuid;

use super::seconds;
use crate::crypto::SecretHash;

/// Inserts a login. Its access token expires after `access`, its refresh token after `refresh`.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    login_id: Uuid,
    user_id: UserId,
    access: Duration,
    refresh: Duration,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into login (login_id, user_id, access_expires_at, expires_at)
         values ($1, $2, now() + make_interval(secs => $3::bigint), now() + make_interval(secs => $4::bigint))",
    )
    .bind(login_id)
    .bind(user_id.as_uuid())
    .bind(seconds(access)?)
    .bind(seconds(refresh)?)
    .execute(connection)
    .await
    .map(drop)
}

/// Inserts a refresh token that expires after `life`.
pub(crate) async fn insert_token(
    connection: &mut PgConnection,
    login_id: Uuid,
    token: SecretHash,
    life: Duration,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into refresh_token (token_hash, login_id, expires_at)
         values ($1, $2, now() + make_interval(secs => $3::bigint))",
    )
    .bind(token.as_bytes())
    .bind(login_id)
    .bind(seconds(life)?)
    .execute(connection)
    .await
    .map(drop)
}

/// The account of a refresh token, valid or not.
pub(crate) async fn owner_of_token(connection: &mut PgConnection, token: SecretHash) -> sqlx::Result<Option<UserId>> {
    let user_id: Option<Uuid> = sqlx::query_scalar(
        "select login.user_id from refresh_token join login using (login_id) where refresh_token.token_hash = $1",
    )
    .bind(token.as_bytes())
    .fetch_optional(connection)
    .await?;
    Ok(user_id.map(UserId::from))
}

/// The login of a refresh token.
pub(crate) async fn login_of_token(pool: &PgPool, token: SecretHash) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("select login_id from refresh_token where token_hash = $1")
        .bind(token.as_bytes())
        .fetch_optional(pool)
        .await
}

/// Marks a refresh token as used. Exactly one of several uses, concurrent or not, returns the id of the login.
pub(crate) async fn use_token(connection: &mut PgConnection, token: SecretHash) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "update refresh_token set used_at = now() where token_hash = $1 and used_at is null and expires_at > now()
         returning login_id",
    )
    .bind(token.as_bytes())
    .fetch_optional(connection)
    .await
}

/// The login of a refresh token that was used within `grace`, whose successor is unused, and which is not revoked.
pub(crate) async fn repeated(
    connection: &mut PgConnection,
    token: SecretHash,
    successor: SecretHash,
    grace: Duration,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "select login_id
         from refresh_token used
         join refresh_token successor using (login_id)
         join login using (login_id)
         where used.token_hash = $1 and used.used_at > now() - make_interval(secs => $3::bigint)
           and successor.token_hash = $2 and successor.used_at is null and successor.expires_at > now()
           and login.revoked_at is null",
    )
    .bind(token.as_bytes())
    .bind(successor.as_bytes())
    .bind(seconds(grace)?)
    .fetch_optional(connection)
    .await
}

/// Extends a login. Returns `false` if it is revoked.
pub(crate) async fn extend(
    connection: &mut PgConnection,
    login_id: Uuid,
    access: Duration,
    refresh: Duration,
) -> sqlx::Result<bool> {
    sqlx::query(
        "update login set access_expires_at = now() + make_interval(secs => $2::bigint),
                          expires_at = now() + make_interval(secs => $3::bigint)
         where login_id = $1 and revoked_at is null",
    )
    .bind(login_id)
    .bind(seconds(access)?)
    .bind(seconds(refresh)?)
    .execute(connection)
    .await
    .map(|result| result.rows_affected() == 1)
}

/// Revokes the login of a refresh token that was used before. Returns the login, or `None` if the token is unused.
pub(crate) async fn revoke_reused(connection: &mut PgConnection, token: SecretHash) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "update login set revoked_at = coalesce(revoked_at, now()),
                          revoke_reason = coalesce(revoke_reason, 'refresh_token_reused')
         where login_id = (select login_id from refresh_token where token_hash = $1 and used_at is not null)
         returning login_id",
    )
    .bind(token.as_bytes())
    .fetch_optional(connection)
    .await
}

/// Revokes a login on logout. Idempotent.
pub(crate) async fn revoke(pool: &PgPool, login_id: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "update login set revoked_at = now(), revoke_reason = 'logout' where login_id = $1 and revoked_at is null",
    )
    .bind(login_id)
    .execute(pool)
    .await
    .map(drop)
}

/// Why all logins of an account are revoked: `role_changed`, `logout_everywhere`, `password_changed` or `account_deleted`.
pub(crate) type RevokeReason = &'static str;

/// Revokes all logins of an account.
pub(crate) async fn revoke_all(
    connection: &mut PgConnection,
    user_id: UserId,
    reason: RevokeReason,
) -> sqlx::Result<()> {
    sqlx::query(
        "update login set revoked_at = now(), revoke_reason = $2
         where user_id = $1 and revoked_at is null",
    )
    .bind(user_id.as_uuid())
    .bind(reason)
    .execute(connection)
    .await
    .map(drop)
}

/// The revoked logins of an account whose access tokens may not have expired yet.
pub(crate) async fn revoked_with_live_tokens(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Vec<Uuid>> {
    // One minute of tolerance for clock skew between replicas.
    sqlx::query_scalar(
        "select login_id from login
         where user_id = $1 and revoked_at is not null and access_expires_at > now() - interval '1 minute'",
    )
    .bind(user_id.as_uuid())
    .fetch_all(connection)
    .await
}
