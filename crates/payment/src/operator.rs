//! What operators read of the payment database on the command line.

use sqlx::PgPool;
use staymesh_store::StoreError;
use uuid::Uuid;

pub use crate::reconcile::model::{Case, CaseFilter, CaseKind, Resolution, State, Sum};
use crate::reconcile::store;

/// At most `limit` reconciliation cases, newest first, after the one given.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_cases(
    pool: &PgPool,
    filter: CaseFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Case>, StoreError> {
    store::cases::list(pool, filter, after, limit).await
}
