//! `PspWebhookService`: receives the provider's events. Unauthenticated, so the signature of the body is verified first.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use staymesh_api::payment::v1::{
    ReceivePspEventRequest, ReceivePspEventResponse, psp_webhook_service_server::PspWebhookService,
};
use staymesh_psp::{Provider, Psp, signature};
use tonic::{Request, Response, Status};

use crate::{error::PaymentError, service::Payments};

/// Largest body of an event, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Handler of `PspWebhookService`.
pub(crate) struct WebhookHandler<P> {
    /// The rules that process events.
    pub(crate) payments: Arc<Payments<P>>,
    /// The configured provider.
    pub(crate) provider: Provider,
    /// Accepted signing secrets; several during a rotation.
    pub(crate) secrets: Vec<SecretString>,
}

#[tonic::async_trait]
impl<P: Psp> PspWebhookService for WebhookHandler<P> {
    async fn receive_psp_event(
        &self,
        request: Request<ReceivePspEventRequest>,
    ) -> Result<Response<ReceivePspEventResponse>, Status> {
        if request.get_ref().provider != self.provider.name() {
            return Err(PaymentError::WebhookNotFound.into());
        }
        let header = request.metadata().get(self.provider.signature_header());
        let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = request.get_ref().body.as_ref().map_or(&[][..], |body| &body.data);
        if body.len() > MAX_BODY {
            return Err(PaymentError::EventTooLarge.into());
        }
        signature::verify(header, body, &self.secrets, Timestamp::now()).map_err(PaymentError::from)?;
        self.payments.receive(self.provider, body).await?;
        Ok(Response::new(ReceivePspEventResponse {}))
    }
}
