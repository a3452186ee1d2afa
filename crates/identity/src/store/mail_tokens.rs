//! Table `mail_token`: the tokens of mailed links.
//!
//! Transactions lock the account before its tokens.

use sqlx::{PgConnection, PgPool};
use staymesh_domain::UserId;
use uuid::Uuid;

use super::seconds;
use crate::{crypto::SecretHash, model::TokenPurpose};

/// The account of an unexpired token, and whether the token is used.
pub(crate) async fn owner(
    pool: &PgPool,
    token: SecretHash,
    purpose: TokenPurpose,
) -> sqlx::Result<Option<(UserId, bool)>> {
    let row: Option<(Uuid, bool)> = sqlx::query_as(
        "select user_id, used_at is not null from mail_token
         where token_hash = $1 and purpose = $2 and expires_at > now()",
    )
    .bind(token.as_bytes())
    .bind(purpose.as_str())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user_id, used)| (UserId::from(user_id), used)))
}

/// Marks a token as used. Exactly one of several uses, concurrent or not, returns `true`.
pub(crate) async fn use_once(
    connection: &mut PgConnection,
    token: SecretHash,
    purpose: TokenPurpose,
) -> sqlx::Result<bool> {
    sqlx::query(
        "update mail_token set used_at = now()
         where token_hash = $1 and purpose = $2 and used_at is null and expires_at > now()",
    )
    .bind(token.as_bytes())
    .bind(purpose.as_str())
    .execute(connection)
    .await
    .map(|result| result.rows_affected() == 1)
}

/// Marks every token of an account for this purpose as used.
pub(crate) async fn void(connection: &mut PgConnection, user_id: UserId, purpose: TokenPurpose) -> sqlx::Result<()> {
    sqlx::query("update mail_token set used_at = now() where user_id = $1 and purpose = $2 and used_at is null")
        .bind(user_id.as_uuid())
        .bind(purpose.as_str())
        .execute(connection)
        .await
        .map(drop)
}

/// Inserts the token of a mail, unless the account got `most` of the same purpose within an hour or one within a minute.
/// Returns whether the token is there and unused, now or from an earlier attempt to send the mail.
pub(crate) async fn issue(
    connection: &mut PgConnection,
    token: SecretHash,
    user_id: UserId,
    purpose: TokenPurpose,
    most: i64,
) -> sqlx::Result<bool> {
    sqlx::query(
        "insert into mail_token (token_hash, user_id, purpose, expires_at)
         select $1, $2, $3, now() + make_interval(secs => $4::bigint)
         where (select count(*) < $5 and count(*) filter (where created_at > now() - interval '1 minute') = 0
                from mail_token where user_id = $2 and purpose = $3 and created_at > now() - interval '1 hour')
         on conflict (token_hash) do nothing",
    )
    .bind(token.as_bytes())
    .bind(user_id.as_uuid())
    .bind(purpose.as_str())
    .bind(seconds(purpose.life())?)
    .bind(most)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("select exists (select from mail_token where token_hash = $1 and used_at is null)")
        .bind(token.as_bytes())
        .fetch_one(connection)
        .await
}

/// Deletes the tokens of an account.
pub(crate) async fn delete_all(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<()> {
    sqlx::query("delete from mail_token where user_id = $1").bind(user_id.as_uuid()).execute(connection).await.map(drop)
}

/// Deletes up to `limit` tokens that expired more than a day ago. Returns their number.
pub(crate) async fn purge(pool: &PgPool, limit: i64) -> sqlx::Result<u64> {
    sqlx::query(
        "delete from mail_token where token_hash in (
             select token_hash from mail_token where expires_at < now() - interval '1 day'
             order by expires_at limit $1 for update skip locked)",
    )
    .bind(limit)
    .execute(pool)
    .await
    .map(|result| result.rows_affected())
}
