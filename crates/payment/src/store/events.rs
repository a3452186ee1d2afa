//! The provider's events that were taken.

use sqlx::PgConnection;
use staymesh_domain::PaymentId;
use staymesh_store::StoreError;

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It changed a payment.
    Applied,
    /// It told what was known.
    Unchanged,
    /// Of a kind that says nothing to us.
    Ignored,
    /// It does not fit what was agreed on: nothing is done until somebody has looked.
    Mismatched,
}

impl Outcome {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "APPLIED",
            Self::Unchanged => "UNCHANGED",
            Self::Ignored => "IGNORED",
            Self::Mismatched => "MISMATCHED",
        }
    }
}

/// Claims an event; false when it was taken before. Of two transactions with the same event the second waits here for
/// the first.
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

/// Writes down what came of an event claimed in this transaction.
pub async fn settle(connection: &mut PgConnection, event_id: &str, outcome: Outcome) -> Result<(), StoreError> {
    sqlx::query("update psp_event set outcome = $2 where psp_event_id = $1")
        .bind(event_id)
        .bind(outcome.as_str())
        .execute(connection)
        .await?;
    Ok(())
}
