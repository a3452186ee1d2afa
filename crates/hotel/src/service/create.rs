//! Idempotent creates: a retry with the same `request_id` gets the response of the first attempt.

use sqlx::PgConnection;
use staymesh_store::idempotency::RequestKey;

use crate::{error::HotelError, store::create_request::FIRST_ANSWERS};

/// A create of a `T` that may be retried. Stored responses are opaque here: the gRPC layer encodes and decodes them.
pub(crate) struct Create<T> {
    /// Identifies the request; `None` if the caller sent no `request_id`, and each call creates another row.
    pub(crate) key: Option<RequestKey>,
    /// Encodes the response to the first attempt.
    pub(crate) encode: fn(&T) -> Vec<u8>,
}

/// Result of a create.
pub(crate) enum Created<T> {
    /// The row was inserted.
    New(T),
    /// The request is a retry; these are the encoded bytes of its first response.
    Replayed(Vec<u8>),
}

impl<T> Create<T> {
    /// Claims the key for this transaction, or returns the response stored for it.
    ///
    /// # Errors
    /// [`HotelError::RequestIdReused`] if the request id was used with other content.
    pub(super) async fn claim(&self, connection: &mut PgConnection) -> Result<Option<Created<T>>, HotelError> {
        let Some(key) = &self.key else { return Ok(None) };
        Ok(FIRST_ANSWERS.claim(connection, key).await?.map(Created::Replayed))
    }

    /// Stores the response for retries.
    pub(super) async fn remember(&self, connection: &mut PgConnection, created: &T) -> Result<(), HotelError> {
        let Some(key) = &self.key else { return Ok(()) };
        Ok(FIRST_ANSWERS.remember(connection, key, &(self.encode)(created)).await?)
    }
}
