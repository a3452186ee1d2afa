//! An end to waiting for a database that does not answer.

use std::time::Duration;

use tokio::time::timeout;

use crate::{Cause, StoreError};

/// Runs `work`, one unit of work with the database from acquiring the connection to the commit, for `limit` at most.
///
/// The limits of [`crate::StoreConfig`] are enforced by the server, so they end nothing when the server hangs or the
/// network swallows every packet. Background work, which no request's deadline ends, therefore runs within this one.
/// Choose it longer than the statements' own limits, so that those speak first and say what is wrong.
///
/// When the time is over the work is dropped where it stands and fails as [`StoreError::Unavailable`]: a commit in
/// flight may or may not have happened. Its connection goes back to a pool of [`crate::connect`], which gives it a
/// little time to show that it lives, and otherwise closes it and frees its place.
///
/// ```
/// use std::time::Duration;
///
/// use staymesh_store::{StoreError, bounded};
///
/// async fn expire(pool: &sqlx::PgPool) -> Result<u64, StoreError> {
///     bounded(Duration::from_secs(15), async {
///         let mut transaction = pool.begin().await?;
///         let expired = sqlx::query("delete from hold where ends_at < now()").execute(&mut *transaction).await?;
///         transaction.commit().await?;
///         Ok(expired.rows_affected())
///     })
///     .await
/// }
/// ```
pub async fn bounded<T, E: From<StoreError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        let cause = Cause::new(format!("no answer within {} ms", limit.as_millis()));
        Err(StoreError::Unavailable(cause).into())
    })
}
