//! What finance does with cases.

use sqlx::PgPool;
use staymesh_domain::{FieldError, Page};
use uuid::Uuid;

use super::{
    model::{Case, Resolution, State},
    store::cases::{self, Filter},
};
use crate::error::PaymentError;

/// Longest subject of an owner and longest note, in characters, as the database has it.
const MAX_OWNER: usize = 200;
const MAX_NOTE: usize = 2000;

/// A page of cases, newest first, and the token of the next.
pub async fn list(pool: &PgPool, filter: Filter, page: &Page<Uuid>) -> Result<(Vec<Case>, String), PaymentError> {
    let rows = cases::list(pool, filter, page.after, page.size.limit()).await?;
    Ok(page.cut(rows, |case| case.case_id))
}

/// One case.
pub async fn get(pool: &PgPool, case_id: Uuid) -> Result<Case, PaymentError> {
    cases::find(pool, case_id).await?.ok_or(PaymentError::CaseNotFound)
}

/// Gives a case that is not over to somebody. The same again changes nothing.
pub async fn assign(pool: &PgPool, case_id: Uuid, owner: &str, etag: &str) -> Result<Case, PaymentError> {
    let owner = words(owner, "owner", MAX_OWNER)?;
    let mut transaction = pool.begin().await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    if case.state == State::Assigned && case.owner.as_deref() == Some(owner) {
        return Ok(case);
    }
    current(&case, etag)?;
    if case.state == State::Resolved {
        return Err(PaymentError::CaseResolved);
    }
    cases::assign(&mut transaction, case_id, owner).await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    transaction.commit().await?;
    Ok(case)
}

/// Ends a case that is not over, because `by` says what was done about it. The same again changes nothing.
pub async fn resolve(pool: &PgPool, case_id: Uuid, by: &str, note: &str, etag: &str) -> Result<Case, PaymentError> {
    let note = words(note, "note", MAX_NOTE)?;
    let mut transaction = pool.begin().await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    if case.resolution == Some(Resolution::Settled) && case.note == note {
        return Ok(case);
    }
    current(&case, etag)?;
    if case.state == State::Resolved {
        return Err(PaymentError::CaseResolved);
    }
    cases::settle(&mut transaction, case_id, by, note).await?;
    let case = cases::lock(&mut transaction, case_id).await?.ok_or(PaymentError::CaseNotFound)?;
    transaction.commit().await?;
    Ok(case)
}

/// Without an etag whoever comes last has the word.
fn current(case: &Case, etag: &str) -> Result<(), PaymentError> {
    if etag.is_empty() || etag == case.etag() { Ok(()) } else { Err(PaymentError::CaseChanged) }
}

fn words<'a>(text: &'a str, field: &str, max: usize) -> Result<&'a str, FieldError> {
    let text = text.trim();
    let fits = (1..=max).contains(&text.chars().count()) && !text.contains('\0');
    if fits { Ok(text) } else { Err(FieldError::new(field, format!("must be 1 to {max} characters"))) }
}
