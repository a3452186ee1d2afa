//! Table `client`. Its column `secret_hash` is the newest secret; a trigger keeps `client_secret` in step with it.

use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    crypto::SecretHash,
    model::{Client, ClientKey, Registration},
};

/// A client, as the first attempt of a request registered it.
#[derive(sqlx::FromRow)]
pub(crate) struct CreatedClient {
    #[sqlx(flatten)]
    pub(crate) client: Client,
    pub(crate) secret_hash: Vec<u8>,
    /// Whether it is not deleted and was registered less than a day ago.
    pub(crate) repeatable: bool,
}

/// Inserts a client with its first secret.
///
/// # Errors
/// Violates `client_pkey` if the id is or was in use, and `client_request_id_key` if the request has registered a client.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: &Registration,
    secret: SecretHash,
) -> sqlx::Result<Client> {
    sqlx::query_as(
        "insert into client (client_id, display_name, role, secret_hash, request_id) values ($1, $2, $3, $4, $5)
         returning client_id, display_name, role, created_at as create_time",
    )
    .bind(&new.client_id)
    .bind(&new.display_name)
    .bind(new.role)
    .bind(secret.as_bytes())
    .bind(new.request_id)
    .fetch_one(connection)
    .await
}

/// The client that a request registered.
pub(crate) async fn of_request(pool: &PgPool, request_id: Uuid) -> sqlx::Result<Option<CreatedClient>> {
    sqlx::query_as(
        "select client_id, display_name, role, created_at as create_time, secret_hash,
                deleted_at is null and created_at > now() - interval '1 day' as repeatable
         from client where request_id = $1",
    )
    .bind(request_id)
    .fetch_optional(pool)
    .await
}

/// Inserts a client or updates its registration. Returns `false` if the id belongs to a deleted client.
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

/// Locks a client that is not deleted until the transaction ends. Returns `false` if there is none.
pub(crate) async fn lock(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<bool> {
    sqlx::query("select from client where client_id = $1 and deleted_at is null for update")
        .bind(client_id)
        .execute(connection)
        .await
        .map(|result| result.rows_affected() == 1)
}

/// A client, deleted or not. The secrets are not read.
pub(crate) async fn get(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<Client> {
    sqlx::query_as("select client_id, display_name, role, created_at as create_time from client where client_id = $1")
        .bind(client_id)
        .fetch_one(connection)
        .await
}

/// Sets the newest secret in the column that the release before reads.
pub(crate) async fn follow_newest_secret(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update client c set secret_hash = s.secret_hash from client_secret s
         where c.client_id = $1 and s.client_id = $1 and s.ended_at is null and s.expires_at is null",
    )
    .bind(client_id)
    .execute(connection)
    .await
    .map(drop)
}

/// Clients that are not deleted, newest first, after the one with this time and id.
pub(crate) async fn list(pool: &PgPool, after: Option<&ClientKey>, limit: i64) -> sqlx::Result<Vec<Client>> {
    sqlx::query_as(
        "select client_id, display_name, role, created_at as create_time from client
         where deleted_at is null and ($1::timestamptz is null or (created_at, client_id) < ($1, $2))
         order by created_at desc, client_id desc limit $3",
    )
    .bind(after.map(|(time, _)| time.to_sqlx()))
    .bind(after.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Soft-deletes a client. Idempotent. Returns `false` if it never existed.
pub(crate) async fn delete(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<bool> {
    sqlx::query("update client set deleted_at = coalesce(deleted_at, now()) where client_id = $1")
        .bind(client_id)
        .execute(connection)
        .await
        .map(|result| result.rows_affected() == 1)
}
