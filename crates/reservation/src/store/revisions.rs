//! Reads the revisions of a reservation. The first has a row since the first change began; before, it is what the lines say.

use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{FromRow, types::Json};
use staymesh_domain::{Money, ReservationId};
use staymesh_store::{Cause, StoreError};

use super::{Store, lines::LineRecord};
use crate::{error::ReservationError, room_line::RoomLine};

/// A revision: what was agreed, by whom and when.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its number, from 1.
    pub revision: i32,
    /// When it was made.
    pub create_time: Timestamp,
    /// Subject of the caller who made it.
    pub actor: String,
    /// Why: created, changed, `rooms_cancelled`, `left_early` or `change_dropped`.
    pub reason: String,
    /// The rooms, in the order of their positions.
    pub lines: Vec<RoomLine>,
    /// What the rooms cost, and what is kept of dropped ones.
    pub total: Money,
    /// What is kept of dropped rooms and nights, within the total.
    pub retained: Money,
}

#[derive(FromRow)]
struct RevisionRow {
    revision: i32,
    create_time: jiff_sqlx::Timestamp,
    actor: String,
    reason: String,
    document: Json<DocumentRecord>,
    currency: String,
    total_minor: i64,
    retained_minor: Option<i64>,
}

/// The document of a revision, see [`super::lines::Document`].
#[derive(Deserialize)]
struct DocumentRecord {
    rooms: Vec<LineRecord>,
}

impl Store {
    /// Up to `limit` revisions of a reservation after this one, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revisions(
        &self,
        id: ReservationId,
        after: i32,
        limit: i64,
    ) -> Result<Vec<Revision>, ReservationError> {
        let rows: Vec<RevisionRow> = sqlx::query_as(
            "select revision, create_time, actor, reason, document, currency, total_minor, retained_minor
             from reservation_revision where hotel_id = $1 and reservation_id = $2 and revision > $3
             union all
             select revision, create_time, actor, reason, document, currency, total_minor, null from first_revision($1, $2)
             where revision > $3 and not exists (
                 select from reservation_revision kept
                 where kept.hotel_id = $1 and kept.reservation_id = $2 and kept.revision = 1
             )
             order by revision limit $4",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| Ok(Revision::try_from(row)?)).collect()
    }
}

impl TryFrom<RevisionRow> for Revision {
    type Error = StoreError;

    fn try_from(row: RevisionRow) -> Result<Self, StoreError> {
        let unusable = |what: String| StoreError::Unexpected(Cause { sqlstate: None, summary: what });
        let currency = row.currency.parse().map_err(|_| unusable("reservation_revision.currency".to_owned()))?;
        let money = |minor| {
            Money::from_minor(minor, currency).map_err(|error| unusable(format!("reservation_revision: {error}")))
        };
        let lines = row.document.0.rooms.into_iter().map(RoomLine::try_from);
        let lines = lines.collect::<Result<_, _>>();
        Ok(Self {
            revision: row.revision,
            create_time: row.create_time.to_jiff(),
            actor: row.actor,
            reason: row.reason,
            lines: lines.map_err(|error| unusable(format!("reservation_revision.document: {error}")))?,
            total: money(row.total_minor)?,
            retained: row.retained_minor.map_or(Ok(Money::zero(currency)), money)?,
        })
    }
}
