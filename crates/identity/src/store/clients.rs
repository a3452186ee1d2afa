//! `client`.

use jiff_sqlx::{Timestamp, ToSqlx};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{clients::Registration, crypto::SecretHash};

/// A registered program.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct ClientRow {
    pub(crate) client_id: String,
    pub(crate) display_name: String,
    pub(crate) role: String,
    pub(crate) created_at: Timestamp,
}

/// A program that a request has registered.
#[derive(sqlx::FromRow)]
pub(crate) struct MadeRow {
    #[sqlx(flatten)]
    pub(crate) client: ClientRow,
    pub(crate) secret_hash: Vec<u8>,
    /// It is registered, and has been for less than a day.
    pub(crate) repeatable: bool,
}

/// Registers a program. `client_pkey` refuses an id that is, or was, in use, and `client_request_id_key` a request that
/// has registered one.
pub(crate) async fn insert(pool: &PgPool, new: &Registration, secret: SecretHash) -> sqlx::Result<ClientRow> {
    sqlx::query_as(
        "insert into client (client_id, display_name, role, secret_hash, request_id) values ($1, $2, $3, $4, $5)
         returning client_id, display_name, role, created_at",
    )
    .bind(&new.client_id)
    .bind(&new.display_name)
    .bind(new.role)
    .bind(secret.as_bytes())
    .bind(new.request_id)
    .fetch_one(pool)
    .await
}

/// The program that a request has registered.
pub(crate) async fn of_request(pool: &PgPool, request_id: Uuid) -> sqlx::Result<Option<MadeRow>> {
    sqlx::query_as(
        "select client_id, display_name, role, created_at, secret_hash,
                deleted_at is null and created_at > now() - interval '1 day' as repeatable
         from client where request_id = $1",
    )
    .bind(request_id)
    .fetch_optional(pool)
    .await
}

/// Registers a program or changes its registration. False when the id belongs to a deleted one.
pub(crate) async fn upsert(pool: &PgPool, new: &Registration, secret: SecretHash) -> sqlx::Result<bool> {
    sqlx::query(
        "insert into client as known (client_id, display_name, role, secret_hash) values ($1, $2, $3, $4)
         on conflict on constraint client_pkey do update
         set display_name = excluded.display_name, role = excluded.role, secret_hash = excluded.secret_hash
         where known.deleted_at is null",
    )
    .bind(&new.client_id)
    .bind(&new.display_name)
    .bind(new.role)
    .bind(secret.as_bytes())
    .execute(pool)
    .await
    .map(|result| result.rows_affected() == 1)
}

/// The role and the secret's hash of a registered program.
pub(crate) async fn credentials(pool: &PgPool, client_id: &str) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    sqlx::query_as("select role, secret_hash from client where client_id = $1 and deleted_at is null")
        .bind(client_id)
        .fetch_optional(pool)
        .await
}

/// Registered programs, newest first, after the one with this time and id.
pub(crate) async fn list(
    pool: &PgPool,
    after: Option<&(jiff::Timestamp, String)>,
    limit: i64,
) -> sqlx::Result<Vec<ClientRow>> {
    sqlx::query_as(
        "select client_id, display_name, role, created_at from client
         where deleted_at is null and ($1::timestamptz is null or (created_at, client_id) < ($1, $2))
         order by created_at desc, client_id desc limit $3",
    )
    .bind(after.map(|(time, _)| time.to_sqlx()))
    .bind(after.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Deletes a program; again changes nothing. False when there never was one.
pub(crate) async fn delete(pool: &PgPool, client_id: &str) -> sqlx::Result<bool> {
    sqlx::query("update client set deleted_at = coalesce(deleted_at, now()) where client_id = $1")
        .bind(client_id)
        .execute(pool)
        .await
        .map(|result| result.rows_affected() == 1)
}
