//! Requests that make something, and their first answers.

use prost::Message;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::HotelError;

/// A request that may come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    subject: String,
    request_id: Uuid,
    fingerprint: [u8; 32],
}

impl RequestKey {
    /// The request `request_id` of `subject`: a call of `method` with this content, the id itself left out of it.
    pub fn new(subject: &str, request_id: Uuid, method: &str, content: &impl Message) -> Self {
        let mut sha = Sha256::new();
        sha.update(method);
        sha.update([0]);
        sha.update(content.encode_to_vec());
        Self { subject: subject.to_owned(), request_id, fingerprint: sha.finalize().into() }
    }
}

/// Takes the key for this transaction, or gives the answer that it was given to before. While another transaction
/// works on the same key this waits for it.
///
/// # Errors
/// [`HotelError::RequestIdReused`] when the content was another.
pub async fn claim<Answer: Message + Default>(
    connection: &mut PgConnection,
    key: &RequestKey,
) -> Result<Option<Answer>, HotelError> {
    let claimed = sqlx::query(
        "insert into create_request (subject, request_id, fingerprint) values ($1, $2, $3)
         on conflict on constraint create_request_pkey do nothing",
    )
    .bind(&key.subject)
    .bind(key.request_id)
    .bind(&key.fingerprint[..])
    .execute(&mut *connection)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(None);
    }
    let (fingerprint, answer): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("select fingerprint, answer from create_request where subject = $1 and request_id = $2")
            .bind(&key.subject)
            .bind(key.request_id)
            .fetch_one(connection)
            .await?;
    if fingerprint != key.fingerprint {
        return Err(HotelError::RequestIdReused);
    }
    Ok(Some(Answer::decode(&answer[..])?))
}

/// Keeps the answer for repeats.
pub async fn remember(
    connection: &mut PgConnection,
    key: &RequestKey,
    answer: &impl Message,
) -> Result<(), HotelError> {
    sqlx::query("update create_request set answer = $3 where subject = $1 and request_id = $2")
        .bind(&key.subject)
        .bind(key.request_id)
        .bind(answer.encode_to_vec())
        .execute(connection)
        .await?;
    Ok(())
}
