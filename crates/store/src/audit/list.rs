//! Reading audit records.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::{FromRow, PgPool};

use crate::StoreError;

/// The sort key of a list of records: time and id.
pub type AuditKey = (Timestamp, i64);

/// Which records to list. Empty texts and absent times select all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Type of the object.
    pub object_type: String,
    /// Id of the object.
    pub object_id: String,
    /// The `sub` of the caller's token.
    pub actor: String,
    /// The earliest time.
    pub from_time: Option<Timestamp>,
    /// The time after the last.
    pub until_time: Option<Timestamp>,
}

/// A recorded change.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct AuditRecord {
    /// Its number, ascending in the order of insertion.
    pub audit_id: i64,
    /// When the transaction of the change began.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub create_time: Timestamp,
    /// The role of the caller: `admin`, `staff` or `service`.
    pub actor_role: String,
    /// The `sub` of the caller's token.
    pub actor: String,
    /// The method.
    pub method: String,
    /// The type of the object.
    pub object_type: String,
    /// The id of the object.
    pub object_id: String,
    /// The object before the change; `None` if it did not exist.
    pub before: Option<Value>,
    /// The object after the change; `None` if it no longer exists.
    pub after: Option<Value>,
    /// The id of the request.
    pub request_id: String,
    /// The gateway: `public`, `internal` or `mesh`.
    pub gateway: String,
}

/// Up to `limit` records after the one with the key `after`, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    pool: &PgPool,
    filter: &AuditFilter,
    after: Option<AuditKey>,
    limit: i64,
) -> Result<Vec<AuditRecord>, StoreError> {
    Ok(sqlx::query_as(
        "select audit_id, create_time, actor_role, actor, method, object_type, object_id, before, after, request_id,
                gateway
         from audit_record
         where ($1 = '' or object_type = $1) and ($2 = '' or object_id = $2) and ($3 = '' or actor = $3)
             and ($4::timestamptz is null or create_time >= $4) and ($5::timestamptz is null or create_time < $5)
             and ($6::timestamptz is null or (create_time, audit_id) < ($6, $7))
         order by create_time desc, audit_id desc limit $8",
    )
    .bind(&filter.object_type)
    .bind(&filter.object_id)
    .bind(&filter.actor)
    .bind(filter.from_time.map(ToSqlx::to_sqlx))
    .bind(filter.until_time.map(ToSqlx::to_sqlx))
    .bind(after.map(|(time, _)| time.to_sqlx()))
    .bind(after.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(pool)
    .await?)
}
