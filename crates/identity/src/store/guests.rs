//! Table `user_account`: guest checkouts.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use staymesh_domain::{Email, Language, UserId};
use uuid::Uuid;

use super::seconds;

/// A guest checkout to insert.
pub(crate) struct NewGuest<'a> {
    pub(crate) user_id: UserId,
    pub(crate) email: &'a Email,
    pub(crate) language: Language,
    pub(crate) request_id: Option<Uuid>,
}

/// Inserts a guest checkout.
///
/// # Errors
/// Violates `user_account_request_id_key`.
pub(crate) async fn insert(connection: &mut PgConnection, guest: &NewGuest<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into user_account
             (user_id, email, checkout_email, password_hash, display_name, role, language, request_id)
         values ($1, $1::text || '@checkout.invalid', $2, '$argon2id$none', '', 'guest', $3, $4)",
    )
    .bind(guest.user_id.as_uuid())
    .bind(guest.email.as_str())
    .bind(guest.language.code())
    .bind(guest.request_id)
    .execute(connection)
    .await
    .map(drop)
}

/// The guest checkout that a request with this content created within `life`.
pub(crate) async fn of_request(
    pool: &PgPool,
    request_id: Uuid,
    email: &Email,
    language: Language,
    life: Duration,
) -> sqlx::Result<Option<UserId>> {
    let row: Option<Uuid> = sqlx::query_scalar(
        "select user_id from user_account
         where request_id = $1 and checkout_email = $2 and language = $3
             and created_at > now() - make_interval(secs => $4::bigint)
             and not exists (select from login where login.user_id = user_account.user_id and revoked_at is not null)",
    )
    .bind(request_id)
    .bind(email.as_str())
    .bind(language.code())
    .bind(seconds(life)?)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(UserId::from))
}

/// Deletes up to `limit` guest checkouts without a login and without a key, expired ones included, and returns their ids.
/// One that is a day old or younger is left.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<UserId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "delete from user_account where user_id in (
             select user_id from user_account guest
             where checkout_email is not null and created_at < now() - interval '1 day'
                 and not exists (select from login where login.user_id = guest.user_id)
                 and not exists (select from guest_key where guest_key.user_id = guest.user_id)
             order by created_at limit $1 for update of guest skip locked)
         returning user_id",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}
