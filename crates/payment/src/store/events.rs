//! Received provider events, for deduplication.

use sqlx::PgConnection;
use staymesh_domain::PaymentId;
use staymesh_store::StoreError;

/// How an event was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It changed a payment, a refund or a transfer.
    Applied,
    /// It reported a known state.
    Unchanged,
    /// Its kind is irrelevant.
    Ignored,
    /// It contradicts the order: nothing was changed, and finance must examine it.
    Mismatched,
}

impl Outcome {
    /// The value of the column `psp_event.outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "APPLIED",
            Self::Unchanged => "UNCHANGED",
            Self::Ignored => "IGNORED",
            Self::Mismatched => "MISMATCHED",
        }
    }
}

/// Claims an event; `false` if it is a duplicate. If a concurrent transaction holds the same event, waits for its end.
///
/// # Errors
/// If the database fails.
pub async fn claim(
    connection: &mut PgConnection,
    event_id: &str,
    kind: &str,
    payment_id: Option<PaymentId>,
    body_sha256: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into psp_event (psp_event_id, kind, payment_id, body_sha256, outcome)
         values ($1, $2, $3, $4, 'IGNORED') on conflict (psp_event_id) do nothing",
    )
    .bind(event_id)
    .bind(kind)
    .bind(payment_id.map(PaymentId::as_uuid))
    .bind(body_sha256)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Saves the outcome of an event that this transaction claimed.
///
/// # Errors
/// If the database fails.
pub async fn settle(connection: &mut PgConnection, event_id: &str, outcome: Outcome) -> Result<(), StoreError> {
    sqlx::query("update psp_event set outcome = $2 where psp_event_id = $1")
        .bind(event_id)
        .bind(outcome.as_str())
        .execute(connection)
        .await?;
    Ok(())
}
