//! Table `reservation_note`: what hotel staff note about a reservation.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use staymesh_domain::{FieldError, ReservationId};
use staymesh_store::{
    audit::{self, Origin},
    idempotency::{IdempotencyError, require_same},
};
use uuid::Uuid;

use super::{Store, forgotten::ERASED_EMAIL};
use crate::error::ReservationError;

/// A note.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct Note {
    reservation_id: Uuid,
    /// The request that created it.
    pub note_id: Uuid,
    /// The text.
    pub content: String,
    /// Subject of the caller who wrote it.
    pub actor: String,
    create_time: jiff_sqlx::Timestamp,
}

impl Note {
    /// When it was written.
    pub fn create_time(&self) -> Timestamp {
        self.create_time.to_jiff()
    }

    /// Its position in the list.
    pub fn position(&self) -> NotePosition {
        NotePosition(self.create_time(), self.note_id)
    }
}

/// Position of a note in the list of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotePosition(Timestamp, Uuid);

impl Store {
    /// Adds a note. A repeat yields the note that the first request wrote. The audit record has its length, not its text.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], a reservation whose personal data is erased, [`ReservationError::RequestIdReused`] for other
    /// content under this id, and when the database fails.
    pub(crate) async fn add_note(
        &self,
        id: ReservationId,
        note_id: Uuid,
        content: &str,
        actor: &str,
    ) -> Result<Note, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        // Its erasure waits for the note, or the note for its erasure.
        let erased: Option<bool> = sqlx::query_scalar(
            "select guest_email = $3 from reservation where hotel_id = $1 and reservation_id = $2 for share",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(ERASED_EMAIL)
        .fetch_optional(&mut *transaction)
        .await?;
        if erased.ok_or(ReservationError::NotFound)? {
            let text = "must be a reservation whose personal data is not erased";
            return Err(FieldError::new("reservation_id", text).into());
        }
        let inserted = sqlx::query(
            "insert into reservation_note (hotel_id, reservation_id, note_id, content, actor) values ($1, $2, $3, $4, $5)
             on conflict on constraint reservation_note_pkey do nothing",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(note_id)
        .bind(content)
        .bind(actor)
        .execute(&mut *transaction)
        .await?;
        let note: Note = sqlx::query_as(
            "select reservation_id, note_id, content, actor, create_time from reservation_note
             where hotel_id = $1 and note_id = $2",
        )
        .bind(id.hotel_id().get())
        .bind(note_id)
        .fetch_one(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 1
            && let Some(origin) = Origin::current()
        {
            let after = json!({ "note_id": note_id, "length": content.chars().count() });
            audit::insert(&mut transaction, &origin, ("reservation_note", &id.to_string()), None, Some(&after)).await?;
        }
        transaction.commit().await?;
        let same = note.reservation_id == id.as_uuid() && note.content == content && note.actor == actor;
        require_same(note, same).map_err(|error| match error {
            IdempotencyError::Reused => ReservationError::RequestIdReused,
            IdempotencyError::Store(error) => error.into(),
        })
    }

    /// Up to `limit` notes of a reservation before `after`, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn notes(
        &self,
        id: ReservationId,
        after: Option<NotePosition>,
        limit: i64,
    ) -> Result<Vec<Note>, ReservationError> {
        let notes = sqlx::query_as(
            "select reservation_id, note_id, content, actor, create_time from reservation_note
             where hotel_id = $1 and reservation_id = $2
                 and ($3::timestamptz is null or (create_time, note_id) < ($3, $4))
             order by create_time desc, note_id desc limit $5",
        );
        let notes = notes
            .bind(id.hotel_id().get())
            .bind(id.as_uuid())
            .bind(after.map(|after| after.0.to_sqlx()))
            .bind(after.map(|after| after.1))
            .bind(limit);
        Ok(notes.fetch_all(&self.pool).await?)
    }
}
