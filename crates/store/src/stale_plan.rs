//! Stale plans: prepared statements whose columns a migration changed.
//!
//! PostgreSQL refuses such a statement on its connection each time from then on (SQLSTATE 0A000, `RevalidateCachedQuery`).
//! Statements name their columns, so that an added column changes none; this is the remedy if one does not. Connections
//! opened before the latest refusal are replaced when they are next used.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// When a stale plan was last refused in this process.
static REFUSED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether the error refuses a stale plan. Then connections that are open now are replaced.
pub(crate) fn is_refused(error: &dyn DatabaseError, code: &str) -> bool {
    let routine = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine);
    let refused = code == "0A000" && routine == Some("RevalidateCachedQuery");
    if refused {
        *REFUSED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
    refused
}

/// Whether a connection of this age may have stale plans.
pub(crate) fn may_have(age: Duration) -> bool {
    let refused = *REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    refused.is_some_and(|refused| refused.elapsed() <= age)
}
