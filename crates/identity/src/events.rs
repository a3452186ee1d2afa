//! Outbox events of this service: mails to send, and deleted accounts that the reservation service has to learn of.
//!
//! Payloads are persisted JSON: a field may be added, never renamed. Addresses in them are sealed with the service's key,
//! so that neither the table nor a dead letter shows one.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use staymesh_domain::UserId;
use staymesh_mesh::telemetry;
use staymesh_store::{StoreError, outbox};
use uuid::Uuid;

use crate::{crypto::EncryptionKey, error::IdentityError};

/// Kind: mail a link that confirms the address of the aggregate, an account. Payload: [`NewToken`].
pub(crate) const CONFIRM_EMAIL: &str = "mail.confirm_email";
/// Kind: mail a link that resets a password, if the address has an account. Payload: [`ResetRequested`].
pub(crate) const RESET_REQUESTED: &str = "mail.reset_password";
/// Kind: notify the owner of the aggregate, an account, of a new password. Payload: [`Notice`].
pub(crate) const PASSWORD_CHANGED: &str = "mail.password_changed";
/// Kind: notify the former owner of the deletion of the account. Payload: [`AccountDeleted`].
pub(crate) const ACCOUNT_DELETED: &str = "mail.account_deleted";
/// Kind: an account was deleted. Payload: [`ForgetOwner`].
pub(crate) const FORGET_OWNER: &str = "account.deleted";

/// Payload: names the token to derive.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewToken {
    pub(crate) token_id: Uuid,
}

/// Payload: a request to reset the password of an address, with or without an account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ResetRequested {
    pub(crate) token_id: Uuid,
    pub(crate) email: SealedEmail,
}

/// Payload without content.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Notice {}

/// Payload: what the mail needs and the row has no longer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountDeleted {
    pub(crate) email: SealedEmail,
    /// ISO 639-1.
    pub(crate) language: String,
}

/// Payload: the deleted account. Not the aggregate, because this event must not wait for mails.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ForgetOwner {
    pub(crate) user_id: UserId,
}

/// An address, encrypted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SealedEmail(String);

/// What the ciphertext of an address is bound to.
const SEALED_AS: &str = "address in outbox";

impl SealedEmail {
    pub(crate) fn seal(key: &EncryptionKey, email: &str) -> Result<Self, IdentityError> {
        Ok(Self(STANDARD.encode(key.seal(SEALED_AS, email.as_bytes())?)))
    }

    /// # Errors
    /// [`IdentityError::Config`] when it was sealed with another key; [`IdentityError::Defect`] when it is malformed.
    pub(crate) fn open(&self, key: &EncryptionKey) -> Result<String, IdentityError> {
        let sealed = STANDARD.decode(&self.0).map_err(IdentityError::defect)?;
        String::from_utf8(key.open(SEALED_AS, &sealed)?).map_err(IdentityError::defect)
    }
}

/// Writes an event about an account.
pub(crate) async fn enqueue(
    connection: &mut PgConnection,
    user_id: UserId,
    kind: &str,
    payload: &impl Serialize,
) -> Result<(), StoreError> {
    let trace_parent = telemetry::trace_parent();
    outbox::enqueue(connection, user_id.as_uuid(), kind, payload, trace_parent.as_deref()).await.map(drop)
}

/// Writes an event that is about no account, or about one that others must not wait for.
pub(crate) async fn enqueue_alone(
    connection: &mut PgConnection,
    kind: &str,
    payload: &impl Serialize,
) -> Result<(), StoreError> {
    let trace_parent = telemetry::trace_parent();
    outbox::enqueue(connection, Uuid::new_v4(), kind, payload, trace_parent.as_deref()).await.map(drop)
}
