//! Table `client_secret`: the newest secret of a client, a former one during a rotation, and those that ended.
//!
//! Transactions lock the client before its secrets.

use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    crypto::SecretHash,
    model::{ClientSecret, SecretRotation},
};

/// A valid secret of a client, to verify a given one.
#[derive(FromRow)]
pub(crate) struct Credential {
    /// Role of the client.
    pub(crate) role: String,
    pub(crate) secret_id: Uuid,
    pub(crate) secret_hash: Vec<u8>,
    /// Whether a token was issued for it today (UTC).
    pub(crate) used_today: bool,
}

/// The secret that a request for a rotation issued.
#[derive(FromRow)]
pub(crate) struct IssuedSecret {
    pub(crate) client_id: String,
    pub(crate) overlap_seconds: Option<i32>,
    /// The hash, while the secret is valid and was issued less than a day ago.
    pub(crate) repeatable: Option<Vec<u8>>,
}

/// The valid secrets of a client that is not deleted: none, one or two.
pub(crate) async fn credentials(pool: &PgPool, client_id: &str) -> sqlx::Result<Vec<Credential>> {
    sqlx::query_as(
        "select c.role, s.secret_id, s.secret_hash,
                s.used_on is not distinct from (now() at time zone 'utc')::date as used_today
         from client c join client_secret s using (client_id)
         where client_id = $1 and c.deleted_at is null
             and s.ended_at is null and (s.expires_at is null or s.expires_at > now())",
    )
    .bind(client_id)
    .fetch_all(pool)
    .await
}

/// Records that a token is issued for a secret today. Waits for no lock: another transaction that holds the row records
/// the same, or ends the secret.
pub(crate) async fn mark_used(pool: &PgPool, secret_id: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "update client_secret set used_on = (now() at time zone 'utc')::date
         where secret_id = (select secret_id from client_secret where secret_id = $1 for update skip locked)",
    )
    .bind(secret_id)
    .execute(pool)
    .await
    .map(drop)
}

/// The valid secrets of these clients, newest first.
pub(crate) async fn valid(
    connection: &mut PgConnection,
    client_ids: &[&str],
) -> sqlx::Result<Vec<(String, ClientSecret)>> {
    #[derive(FromRow)]
    struct Row {
        client_id: String,
        #[sqlx(flatten)]
        secret: ClientSecret,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select client_id, secret_id, created_at as create_time, expires_at as expire_time, used_on as last_use_date
         from client_secret
         where client_id = any($1) and ended_at is null and (expires_at is null or expires_at > now())
         order by client_id, expires_at desc nulls first",
    )
    .bind(client_ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.client_id, row.secret)).collect())
}

/// The secret that a request issued.
pub(crate) async fn of_request(connection: &mut PgConnection, request_id: Uuid) -> sqlx::Result<Option<IssuedSecret>> {
    sqlx::query_as(
        "select client_id, request_overlap_seconds as overlap_seconds,
                case when created_at > now() - interval '1 day' and (expires_at is null or expires_at > now())
                     then secret_hash end as repeatable
         from client_secret where request_id = $1",
    )
    .bind(request_id)
    .fetch_optional(connection)
    .await
}

/// Ends the former secret of a client if it has expired.
pub(crate) async fn end_expired(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update client_secret set ended_at = expires_at, secret_hash = null
         where client_id = $1 and ended_at is null and expires_at <= now()",
    )
    .bind(client_id)
    .execute(connection)
    .await
    .map(drop)
}

/// Makes the newest secret of a client the former one, which expires after this time.
///
/// # Errors
/// Violates `client_secret_former_key` if the client has a former secret.
pub(crate) async fn retire_newest(
    connection: &mut PgConnection,
    client_id: &str,
    overlap_seconds: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "update client_secret set expires_at = now() + make_interval(secs => $2::bigint)
         where client_id = $1 and ended_at is null and expires_at is null",
    )
    .bind(client_id)
    .bind(overlap_seconds)
    .execute(connection)
    .await
    .map(drop)
}

/// Inserts the newest secret of a client.
///
/// # Errors
/// Violates `client_secret_newest_key` if the client has one, and `client_secret_request_id_key` if the request has issued
/// one to another client.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    rotation: &SecretRotation,
    secret: SecretHash,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into client_secret (client_id, secret_hash, request_id, request_overlap_seconds) values ($1, $2, $3, $4)",
    )
    .bind(&rotation.client_id)
    .bind(secret.as_bytes())
    .bind(rotation.request_id)
    .bind(rotation.overlap_seconds)
    .execute(connection)
    .await
    .map(drop)
}

/// Revokes a secret, ended or not. Idempotent. Returns `false` if the client never had it.
pub(crate) async fn revoke(connection: &mut PgConnection, client_id: &str, secret_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query(
        "update client_secret set ended_at = coalesce(ended_at, now()), revoked_at = coalesce(revoked_at, now()),
                secret_hash = null
         where client_id = $1 and secret_id = $2",
    )
    .bind(client_id)
    .bind(secret_id)
    .execute(connection)
    .await
    .map(|result| result.rows_affected() == 1)
}

/// Revokes the secrets of a client that have not ended, and those that ended so recently that a token issued for one may
/// be alive: a token of a client lives for at most an hour. Returns their ids.
pub(crate) async fn revoke_all(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "update client_secret
         set ended_at = coalesce(ended_at, now()), revoked_at = coalesce(revoked_at, now()), secret_hash = null
         where client_id = $1 and (ended_at is null or ended_at > now() - interval '65 minutes')
         returning secret_id",
    )
    .bind(client_id)
    .fetch_all(connection)
    .await
}

/// Makes the former secret of a client the newest if there is no newest one.
pub(crate) async fn promote_former(connection: &mut PgConnection, client_id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update client_secret set expires_at = null
         where client_id = $1 and ended_at is null and not exists (
             select from client_secret where client_id = $1 and ended_at is null and expires_at is null)",
    )
    .bind(client_id)
    .execute(connection)
    .await
    .map(drop)
}

/// Ends the expired secrets of all clients, so that their hashes are erased.
pub(crate) async fn purge_expired(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "update client_secret set ended_at = expires_at, secret_hash = null
         where ended_at is null and expires_at <= now()",
    )
    .execute(pool)
    .await
    .map(drop)
}
