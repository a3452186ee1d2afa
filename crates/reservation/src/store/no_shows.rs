//! Settlements of no-shows: they wait in the outbox until the hotel's business day ends, and can be withdrawn until then.
//! One that a relay has ever claimed has an attempt, or if the receiver was unavailable then, an error: it may have arrived.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::Transaction;
use crate::{error::ReservationError, events::CANCELLED};

impl Transaction {
    /// Makes the settlements of reservations, which this transaction enqueued, due at these times.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn delay_settlements(&mut self, delayed: &[(Uuid, Timestamp)]) -> Result<(), ReservationError> {
        if delayed.is_empty() {
            return Ok(());
        }
        let (ids, times): (Vec<Uuid>, Vec<i64>) = delayed.iter().map(|(id, due)| (*id, due.as_microsecond())).unzip();
        sqlx::query(
            "update outbox o
             set next_attempt_at = greatest(o.next_attempt_at, timestamptz 'epoch' + d.due * interval '1 microsecond')
             from unnest($1::uuid[], $2::bigint[]) d (id, due)
             where o.aggregate_id = d.id and o.kind = $3 and o.attempts = 0 and o.last_error is null and o.delivered_at is null
                 and o.parked_at is null",
        )
        .bind(ids)
        .bind(times)
        .bind(CANCELLED)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Locks the settlements of reservations that are locked, so that no relay claims them. Yields the reservations whose
    /// settlement is not due yet.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn lock_settlements(&mut self, ids: &[Uuid]) -> Result<BTreeSet<Uuid>, ReservationError> {
        let waiting: Vec<Uuid> = sqlx::query_scalar(
            "select aggregate_id from outbox
             where aggregate_id = any($1) and kind = $2 and attempts = 0 and last_error is null and delivered_at is null and parked_at is null
                 and next_attempt_at > clock_timestamp()
             order by event_id for update",
        )
        .bind(ids)
        .bind(CANCELLED)
        .fetch_all(&mut *self.0)
        .await?;
        Ok(waiting.into_iter().collect())
    }

    /// Deletes settlements that [`Self::lock_settlements`] found to wait.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn withdraw_settlements(&mut self, ids: &[Uuid]) -> Result<(), ReservationError> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "delete from outbox where aggregate_id = any($1) and kind = $2 and attempts = 0 and last_error is null and delivered_at is null
                 and parked_at is null",
        )
        .bind(ids)
        .bind(CANCELLED)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}
