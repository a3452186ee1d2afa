//! Listing, assigning and resolving cases.

use sqlx::PgPool;
use staymesh_domain::{Page, Text};
use uuid::Uuid;

use super::{
    model::{Case, CaseFilter, Resolution, State},
    store::cases,
};
use crate::{error::PaymentError, store::audit};

/// A page of cases, newest first, and the token of the next page.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(pool: &PgPool, filter: CaseFilter, page: &Page<Uuid>) -> Result<(Vec<Case>, String), PaymentError> {
    let rows = cases::list(pool, filter, page.after, page.size.limit()).await?;
    Ok(page.cut(rows, |case| case.case_id))
}

/// Finds a case.
///
/// # Errors
/// [`PaymentError::CaseNotFound`].
pub async fn get(pool: &PgPool, case_id: Uuid) -> Result<Case, PaymentError> {
    cases::find(pool, case_id).await?.ok_or(PaymentError::CaseNotFound)
}

/// Assigns an unresolved case to `owner`. Idempotent.
///
/// # Errors
/// [`PaymentError::CaseNotFound`], [`PaymentError::CaseResolved`], and [`PaymentError::CaseChanged`] when `etag` is stale.
pub async fn assign(pool: &PgPool, case_id: Uuid, owner: &Text, etag: &str) -> Result<Case, PaymentError> {
    let owner = owner.as_str();
    let mut transaction = pool.begin().await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    if case.state == State::Assigned && case.owner.as_deref() == Some(owner) {
        return Ok(case);
    }
    require_current(&case, etag)?;
    if case.state == State::Resolved {
        return Err(PaymentError::CaseResolved);
    }
    let watched = audit::RECONCILIATION_CASE.before(&mut transaction, &case_id).await?;
    cases::assign(&mut transaction, case_id, owner).await?;
    watched.record(&mut transaction).await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    transaction.commit().await?;
    Ok(case)
}

/// Resolves an unresolved case with a note of `by` on what was done. Idempotent.
///
/// # Errors
/// As [`assign`].
pub async fn resolve(pool: &PgPool, case_id: Uuid, by: &str, note: &Text, etag: &str) -> Result<Case, PaymentError> {
    let note = note.as_str();
    let mut transaction = pool.begin().await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    if case.resolution == Some(Resolution::Settled) && case.note == note {
        return Ok(case);
    }
    require_current(&case, etag)?;
    if case.state == State::Resolved {
        return Err(PaymentError::CaseResolved);
    }
    let watched = audit::RECONCILIATION_CASE.before(&mut transaction, &case_id).await?;
    cases::resolve(&mut transaction, case_id, by, note).await?;
    watched.record(&mut transaction).await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    transaction.commit().await?;
    Ok(case)
}

/// An empty etag skips the check: the last writer wins.
fn require_current(case: &Case, etag: &str) -> Result<(), PaymentError> {
    if etag.is_empty() || etag == case.etag() { Ok(()) } else { Err(PaymentError::CaseChanged) }
}
