//! First answers to create requests that carry a request id (`create_request`).

use prost::Message;
use sqlx::PgConnection;
use staymesh_store::idempotency::FirstAnswers;
pub use staymesh_store::idempotency::RequestKey;

use crate::HotelError;

const ANSWERS: FirstAnswers = FirstAnswers::new("create_request");

/// Claims the key for this transaction, or returns the answer to its first use. Waits while another transaction holds the
/// same key.
///
/// # Errors
/// [`HotelError::RequestIdReused`] if the first use had other content.
pub async fn claim<Answer: Message + Default>(
    connection: &mut PgConnection,
    key: &RequestKey,
) -> Result<Option<Answer>, HotelError> {
    let first = ANSWERS.claim(connection, key).await?;
    Ok(first.map(|answer| Answer::decode(&answer[..])).transpose()?)
}

/// Stores the answer for repeats of the claimed key.
///
/// # Errors
/// When the database fails.
pub async fn remember(
    connection: &mut PgConnection,
    key: &RequestKey,
    answer: &impl Message,
) -> Result<(), HotelError> {
    Ok(ANSWERS.remember(connection, key, &answer.encode_to_vec()).await?)
}
