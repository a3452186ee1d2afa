//! A deadline for work on a database that does not respond.

use std::time::Duration;

use tokio::time::timeout;

use crate::{Cause, StoreError};

/// Runs `work`, one unit of work from acquiring the connection to the commit, for at most `limit`.
///
/// The server enforces the limits of [`crate::StoreConfig`], so they have no effect when the server hangs or the network
/// drops every packet. Background work has no request deadline and therefore needs this one. Choose a `limit` longer than
/// those of the server, whose errors are more specific.
///
/// # Errors
/// The error of `work`, or [`StoreError::Unavailable`] after `limit`. The work is then dropped: a commit in flight may or
/// may not have happened. Its connection returns to the pool of [`crate::connect`], which tests it, and closes it if it
/// does not respond.
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
