//! `user_account` and `staff_hotel`.

use std::fmt;

use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::email::Email;

/// An account. `Debug` shows neither address nor name.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct UserRow {
    pub(crate) user_id: Uuid,
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) role: String,
    /// Ascending; empty unless the role is staff.
    pub(crate) hotel_ids: Vec<i32>,
    pub(crate) created_at: Timestamp,
}

impl fmt::Debug for UserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRow").field("user_id", &self.user_id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// An account to be made.
pub(crate) struct NewUser<'a> {
    pub(crate) user_id: Uuid,
    pub(crate) email: &'a Email,
    pub(crate) password_hash: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) role: &'a str,
    pub(crate) request_id: Option<Uuid>,
}

/// Adds an account. `user_account_email_key` or `user_account_request_id_key` may refuse.
pub(crate) async fn insert(pool: &PgPool, user: &NewUser<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into user_account (user_id, email, password_hash, display_name, role, request_id)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(user.user_id)
    .bind(user.email.as_str())
    .bind(user.password_hash)
    .bind(user.display_name)
    .bind(user.role)
    .bind(user.request_id)
    .execute(pool)
    .await
    .map(drop)
}

/// The account of an id.
pub(crate) async fn get(executor: impl PgExecutor<'_>, user_id: Uuid) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(
        "select user_id, email, display_name, role, created_at,
                array(select hotel_id from staff_hotel where staff_hotel.user_id = user_account.user_id
                      order by hotel_id) as hotel_ids
         from user_account where user_id = $1",
    )
    .bind(user_id)
    .fetch_optional(executor)
    .await
}

/// The id and the password hash of an address.
pub(crate) async fn credentials(pool: &PgPool, email: &Email) -> sqlx::Result<Option<(Uuid, String)>> {
    sqlx::query_as("select user_id, password_hash from user_account where email = $1")
        .bind(email.as_str())
        .fetch_optional(pool)
        .await
}

/// The id and the password hash of a sign-up.
pub(crate) async fn of_request(pool: &PgPool, request_id: Uuid) -> sqlx::Result<Option<(Uuid, String)>> {
    sqlx::query_as("select user_id, password_hash from user_account where request_id = $1")
        .bind(request_id)
        .fetch_optional(pool)
        .await
}

/// Waits until nobody changes the account's role, and keeps it so until the transaction ends. False when there is no
/// such account.
pub(crate) async fn hold_role(connection: &mut PgConnection, user_id: Uuid) -> sqlx::Result<bool> {
    let found = sqlx::query("select from user_account where user_id = $1 for share").bind(user_id);
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// Keeps everybody else from logging in with the account or changing it until the transaction ends. False when there
/// is no such account.
pub(crate) async fn lock(connection: &mut PgConnection, user_id: Uuid) -> sqlx::Result<bool> {
    let found = sqlx::query("select from user_account where user_id = $1 for update").bind(user_id);
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// Sets the role and the hotels.
pub(crate) async fn set_role(
    connection: &mut PgConnection,
    user_id: Uuid,
    role: &str,
    hotel_ids: &[i32],
) -> sqlx::Result<()> {
    // Hotels go before the role and come after it: only staff may have any.
    sqlx::query("delete from staff_hotel where user_id = $1").bind(user_id).execute(&mut *connection).await?;
    sqlx::query("update user_account set role = $2 where user_id = $1")
        .bind(user_id)
        .bind(role)
        .execute(&mut *connection)
        .await?;
    sqlx::query("insert into staff_hotel (user_id, hotel_id) select $1, unnest($2::integer[])")
        .bind(user_id)
        .bind(hotel_ids)
        .execute(connection)
        .await
        .map(drop)
}
