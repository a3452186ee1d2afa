//! Client of the identity service: where mails to guests go.

use jiff::Timestamp;
use secrecy::SecretString;
use staymesh_api::identity::v1::{
    ResolveMailRecipientRequest, mail_recipient_service_client::MailRecipientServiceClient,
};
use staymesh_domain::{Language, UserId};
use staymesh_mesh::{Problem, Reason, client::MeshChannel, proto_types::timestamp};
use tonic::Status;
use uuid::Uuid;

/// Where a mail goes. Personal data: `Debug` is not derived.
#[derive(Clone)]
pub(crate) struct Recipient {
    /// E-mail address.
    pub(crate) email: String,
    /// Language of the mail.
    pub(crate) language: Language,
    /// Key of the link, for a guest without an account.
    pub(crate) key: Option<SecretString>,
}

/// Looks up recipients.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait RecipientClient: Send + Sync + 'static {
    /// Where mail `mail_id` to a user goes, with a key that expires at `key_expire_time`; `None` if the user does not exist
    /// any more. Idempotent: the same key for every attempt.
    ///
    /// # Errors
    /// The status of the call, which says whether a retry can help.
    async fn recipient(
        &self,
        user_id: UserId,
        mail_id: Uuid,
        key_expire_time: Timestamp,
    ) -> Result<Option<Recipient>, Status>;
}

/// [`RecipientClient`] over gRPC. It does not retry: the outbox relay does.
pub(crate) struct GrpcRecipientClient(MailRecipientServiceClient<MeshChannel>);

impl GrpcRecipientClient {
    pub(crate) fn new(channel: MeshChannel) -> Self {
        Self(MailRecipientServiceClient::new(channel))
    }
}

#[tonic::async_trait]
impl RecipientClient for GrpcRecipientClient {
    async fn recipient(
        &self,
        user_id: UserId,
        mail_id: Uuid,
        key_expire_time: Timestamp,
    ) -> Result<Option<Recipient>, Status> {
        let request = ResolveMailRecipientRequest {
            user_id: user_id.to_string(),
            mail_id: mail_id.to_string(),
            key_expire_time: Some(timestamp(key_expire_time)),
        };
        let answer = match self.0.clone().resolve_mail_recipient(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if Problem::reason_of(&status) == Some(Reason::UserNotFound) => return Ok(None),
            Err(status) => return Err(status),
        };
        let language = answer.language.parse().map_err(|_| Status::internal("an unknown language"))?;
        let key = (!answer.guest_key.is_empty()).then(|| answer.guest_key.into());
        Ok(Some(Recipient { email: answer.email, language, key }))
    }
}
