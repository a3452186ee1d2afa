//! Tables `user_account` and `staff_hotel`.

use sqlx::{PgConnection, PgExecutor, PgPool};
use staymesh_domain::{Email, Language, UserId};
use uuid::Uuid;

use crate::model::{Account, HotelIds};

/// An account to insert.
pub(crate) struct NewUser<'a> {
    pub(crate) user_id: UserId,
    pub(crate) email: &'a Email,
    pub(crate) password_hash: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) role: &'a str,
    pub(crate) language: Language,
    pub(crate) request_id: Option<Uuid>,
}

/// Inserts an account.
///
/// # Errors
/// Violates `user_account_email_key` or `user_account_request_id_key`.
pub(crate) async fn insert(connection: &mut PgConnection, user: &NewUser<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into user_account (user_id, email, password_hash, display_name, role, language, request_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(user.user_id.as_uuid())
    .bind(user.email.as_str())
    .bind(user.password_hash)
    .bind(user.display_name)
    .bind(user.role)
    .bind(user.language.code())
    .bind(user.request_id)
    .execute(connection)
    .await
    .map(drop)
}

/// The account with this id.
pub(crate) async fn get(executor: impl PgExecutor<'_>, user_id: UserId) -> sqlx::Result<Option<Account>> {
    sqlx::query_as(
        "select user_id, coalesce(checkout_email, email) as email, checkout_email is not null as guest_checkout,
                display_name, role, created_at as create_time, email_verified_time, language,
                array(select hotel_id from staff_hotel where staff_hotel.user_id = user_account.user_id
                      order by hotel_id) as hotel_ids
         from user_account where user_id = $1 and deleted_time is null",
    )
    .bind(user_id.as_uuid())
    .fetch_optional(executor)
    .await
}

/// What a login is checked against.
pub(crate) struct Credentials {
    pub(crate) user_id: UserId,
    pub(crate) hash: String,
    pub(crate) role: String,
}

/// Id, password hash and role of the account with this address; never a guest checkout.
pub(crate) async fn credentials(pool: &PgPool, email: &Email) -> sqlx::Result<Option<Credentials>> {
    let row: Option<(Uuid, String, String)> = sqlx::query_as(
        "select user_id, password_hash, role from user_account
              where email = $1 and deleted_time is null and checkout_email is null",
    )
    .bind(email.as_str())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user_id, hash, role)| Credentials { user_id: user_id.into(), hash, role }))
}

/// Id and password hash of the account that a request created; `None` for a guest checkout.
pub(crate) async fn of_request(pool: &PgPool, request_id: Uuid) -> sqlx::Result<Option<(UserId, String)>> {
    let row: Option<(Uuid, String)> = sqlx::query_as(
        "select user_id, password_hash from user_account where request_id = $1 and checkout_email is null",
    )
    .bind(request_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user_id, hash)| (UserId::from(user_id), hash)))
}

/// Locks the role of an account against changes until the transaction ends (share lock; logins do not exclude each
/// other). Returns `false` if there is no such account.
pub(crate) async fn lock_role(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<bool> {
    let found = sqlx::query("select from user_account where user_id = $1 and deleted_time is null for share")
        .bind(user_id.as_uuid());
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// As [`lock_role`], of an account that still has this password hash. Returns `false` if it has another one by now.
pub(crate) async fn lock_role_with_password(
    connection: &mut PgConnection,
    user_id: UserId,
    hash: &str,
) -> sqlx::Result<bool> {
    let found = sqlx::query(
        "select from user_account where user_id = $1 and deleted_time is null and password_hash = $2 for share",
    )
    .bind(user_id.as_uuid())
    .bind(hash);
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// Whether an account has this password hash.
pub(crate) async fn has_password(connection: &mut PgConnection, user_id: UserId, hash: &str) -> sqlx::Result<bool> {
    let found =
        sqlx::query("select from user_account where user_id = $1 and deleted_time is null and password_hash = $2")
            .bind(user_id.as_uuid())
            .bind(hash);
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// Locks an account against logins and changes by others until the transaction ends. Returns `false` if there is no such
/// account.
pub(crate) async fn lock(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<bool> {
    let found = sqlx::query("select from user_account where user_id = $1 and deleted_time is null for update")
        .bind(user_id.as_uuid());
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// Sets the role and the hotels of an account.
pub(crate) async fn set_role(
    connection: &mut PgConnection,
    user_id: UserId,
    role: &str,
    hotel_ids: &HotelIds,
) -> sqlx::Result<()> {
    // Hotels are deleted before the role changes and inserted after it, because only staff may have any.
    sqlx::query("delete from staff_hotel where user_id = $1").bind(user_id.as_uuid()).execute(&mut *connection).await?;
    sqlx::query("update user_account set role = $2 where user_id = $1")
        .bind(user_id.as_uuid())
        .bind(role)
        .execute(&mut *connection)
        .await?;
    sqlx::query("insert into staff_hotel (user_id, hotel_id) select $1, unnest($2::integer[])")
        .bind(user_id.as_uuid())
        .bind(hotel_ids.to_numbers())
        .execute(connection)
        .await
        .map(drop)
}

/// Address and password hash of an account; `None` for a guest checkout.
pub(crate) async fn own_credentials(pool: &PgPool, user_id: UserId) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as(
        "select email, password_hash from user_account
         where user_id = $1 and deleted_time is null and checkout_email is null",
    )
    .bind(user_id.as_uuid())
    .fetch_optional(pool)
    .await
}

/// Sets the password hash, if it is still `before`; `None` stands for any. Returns `false` if it has changed.
pub(crate) async fn set_password(
    connection: &mut PgConnection,
    user_id: UserId,
    before: Option<&str>,
    hash: &str,
) -> sqlx::Result<bool> {
    sqlx::query(
        "update user_account set password_hash = $3
         where user_id = $1 and deleted_time is null and ($2::text is null or password_hash = $2)",
    )
    .bind(user_id.as_uuid())
    .bind(before)
    .bind(hash)
    .execute(connection)
    .await
    .map(|result| result.rows_affected() == 1)
}

/// Records that the owner has proved the address, unless that is recorded.
pub(crate) async fn set_email_verified(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<()> {
    sqlx::query("update user_account set email_verified_time = coalesce(email_verified_time, now()) where user_id = $1")
        .bind(user_id.as_uuid())
        .execute(connection)
        .await
        .map(drop)
}

/// Erases the personal data of an account and marks it as deleted. Its address may be used by another account.
pub(crate) async fn erase(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<()> {
    sqlx::query(
        "update user_account
         set email = user_id || '@deleted.invalid', checkout_email = null, password_hash = '$argon2id$deleted', display_name = '',
             language = 'en', email_verified_time = null, request_id = null, deleted_time = now()
         where user_id = $1",
    )
    .bind(user_id.as_uuid())
    .execute(connection)
    .await
    .map(drop)
}
