//! Idempotent creates: a request that is repeated with its request id gets the first answer and changes nothing.
//!
//! A table of first answers ([`FirstAnswers`]) has one row per scope and request id, with the SHA-256 fingerprint of the
//! request and the encoded answer. A handler uses it inside the transaction that makes the change:
//!
//! 1. [`FirstAnswers::claim`] inserts the row. If a concurrent transaction holds the same key, the insert waits for it.
//! 2. If the key is new, the handler makes the change and stores its answer with [`FirstAnswers::remember`].
//! 3. If the key is known, `claim` returns the first answer, or [`IdempotencyError::Reused`] if the fingerprint differs.
//!
//! Answers are bytes: how they are encoded is the service's business. A table whose rows carry the request id themselves,
//! because the row is the answer, compares with [`require_same`] instead.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::StoreError;

/// The definition of a table for [`FirstAnswers::new("first_answer")`](FirstAnswers::new), for migrations and tests.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Why a claim failed.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// The request id was used before, for a request with other content.
    #[error("the request id was used before with other content")]
    Reused,
    /// The database refused or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Identifies one request: who sent it, its request id, and what it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    scope: String,
    request_id: Uuid,
    fingerprint: [u8; 32],
}

impl RequestKey {
    /// The key of a call of `method` with this encoded `content`, without the request id itself.
    ///
    /// `scope` limits where the request id is unique, usually the `sub` of the caller's token; 1 to 200 characters. The
    /// encoding of `content` must be deterministic, or a repeat looks like another request.
    pub fn new(scope: impl Into<String>, request_id: Uuid, method: &str, content: &[u8]) -> Self {
        let mut sha = Sha256::new();
        sha.update(method);
        sha.update([0]);
        sha.update(content);
        Self { scope: scope.into(), request_id, fingerprint: sha.finalize().into() }
    }

    /// The request id that the caller chose.
    pub const fn request_id(&self) -> Uuid {
        self.request_id
    }
}

/// A table of first answers, with the columns of [`SCHEMA`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstAnswers {
    table: &'static str,
}

impl FirstAnswers {
    /// The table of this name in the service's database.
    pub const fn new(table: &'static str) -> Self {
        Self { table }
    }

    /// Claims the key for this transaction (`None`), or returns the answer to its first use.
    ///
    /// Waits while another transaction holds the same key: it then returns that transaction's answer, or claims the key
    /// if that transaction rolled back.
    ///
    /// # Errors
    /// [`IdempotencyError::Reused`] if the first use had other content; [`IdempotencyError::Store`] if the database
    /// fails, also when the wait exceeds the lock timeout.
    pub async fn claim(
        self,
        connection: &mut PgConnection,
        key: &RequestKey,
    ) -> Result<Option<Vec<u8>>, IdempotencyError> {
        let insert = format!(
            "insert into {} (subject, request_id, fingerprint) values ($1, $2, $3)
             on conflict (subject, request_id) do nothing",
            self.table
        );
        let claimed = sqlx::query(AssertSqlSafe(insert))
            .bind(&key.scope)
            .bind(key.request_id)
            .bind(&key.fingerprint[..])
            .execute(&mut *connection)
            .await
            .map_err(StoreError::from)?;
        if claimed.rows_affected() == 1 {
            return Ok(None);
        }
        let select = format!("select fingerprint, answer from {} where subject = $1 and request_id = $2", self.table);
        let (fingerprint, answer): (Vec<u8>, Vec<u8>) = sqlx::query_as(AssertSqlSafe(select))
            .bind(&key.scope)
            .bind(key.request_id)
            .fetch_one(connection)
            .await
            .map_err(StoreError::from)?;
        require_same(answer, fingerprint == key.fingerprint).map(Some)
    }

    /// Stores the encoded answer for repeats of the claimed key. Call it in the transaction of [`Self::claim`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember(
        self,
        connection: &mut PgConnection,
        key: &RequestKey,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        let update = format!("update {} set answer = $3 where subject = $1 and request_id = $2", self.table);
        sqlx::query(AssertSqlSafe(update))
            .bind(&key.scope)
            .bind(key.request_id)
            .bind(answer)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Returns what the first use of a request id made, if the repeated request has the same content.
///
/// For tables whose rows carry the request id themselves. The caller compares the content, because it knows which columns
/// hold it: a password, for example, is compared with its stored hash, so that no fingerprint of it is kept.
///
/// # Errors
/// [`IdempotencyError::Reused`] if the content differs.
pub fn require_same<T>(made: T, same_content: bool) -> Result<T, IdempotencyError> {
    if same_content { Ok(made) } else { Err(IdempotencyError::Reused) }
}
