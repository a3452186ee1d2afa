//! `RevocationService`: the revoked sessions, for other services.

use staymesh_api::identity::v1::{
    ListRevocationsRequest, ListRevocationsResponse, revocation_service_server::RevocationService,
};
use tonic::{Request, Response, Status};

use crate::service::{Services, revoke::RevokedInStore};

/// Handlers of `RevocationService`.
pub(crate) struct RevocationHandler(RevokedInStore);

impl RevocationHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self(services.revoked.clone())
    }
}

#[tonic::async_trait]
impl RevocationService for RevocationHandler {
    async fn list_revocations(
        &self,
        _: Request<ListRevocationsRequest>,
    ) -> Result<Response<ListRevocationsResponse>, Status> {
        let sessions = self.0.sessions().await?;
        Ok(Response::new(ListRevocationsResponse { sessions }))
    }
}
