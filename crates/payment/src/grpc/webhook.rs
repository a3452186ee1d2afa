//! The provider's events: anybody may call this, so the signature is all that counts.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use staymesh_api::payment::v1::{
    ReceivePspEventRequest, ReceivePspEventResponse, psp_webhook_service_server::PspWebhookService,
};
use staymesh_psp::{Provider, Psp, signature};
use tonic::{Request, Response, Status};

use crate::{clients::reservations::ReservationClient, error::PaymentError, service::Payments};

/// Largest body of an event, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Takes the provider's events.
pub struct Webhook<R, P> {
    /// What they are taken to.
    pub payments: Arc<Payments<R, P>>,
    /// Whose events they are.
    pub provider: Provider,
    /// What they may be signed with.
    pub secrets: Vec<SecretString>,
}

#[tonic::async_trait]
impl<R: ReservationClient, P: Psp> PspWebhookService for Webhook<R, P> {
    async fn receive_psp_event(
        &self,
        request: Request<ReceivePspEventRequest>,
    ) -> Result<Response<ReceivePspEventResponse>, Status> {
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
