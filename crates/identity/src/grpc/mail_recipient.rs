//! `MailRecipientService`: where mails of other services go.

use secrecy::ExposeSecret;
use staymesh_api::identity::v1::{
    ResolveMailRecipientRequest, ResolveMailRecipientResponse, mail_recipient_service_server::MailRecipientService,
};
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::service::{Services, guests::GuestService};

/// Handlers of `MailRecipientService`.
pub(crate) struct MailRecipientHandler(GuestService);

impl MailRecipientHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self(services.guests.clone())
    }
}

#[tonic::async_trait]
impl MailRecipientService for MailRecipientHandler {
    async fn resolve_mail_recipient(
        &self,
        request: Request<ResolveMailRecipientRequest>,
    ) -> Result<Response<ResolveMailRecipientResponse>, Status> {
        let (user_id, mail_id, expire_time) = request::mail(&request.into_inner())?;
        let recipient = self.0.recipient(user_id, mail_id, expire_time).await?;
        Ok(response::secret(ResolveMailRecipientResponse {
            email: recipient.email,
            language: recipient.language.code().to_owned(),
            guest_key: recipient.guest_key.map(|key| key.expose_secret().to_owned()).unwrap_or_default(),
        }))
    }
}
