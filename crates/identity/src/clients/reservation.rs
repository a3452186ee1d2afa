//! Client of the reservation service, which keeps the reservations of deleted accounts.

use staymesh_api::reservation::v1::{
    ForgetOwnerRequest, reservation_flow_service_client::ReservationFlowServiceClient,
};
use staymesh_domain::UserId;
use staymesh_mesh::client::MeshChannel;
use tonic::Status;

/// Reports deleted accounts to the reservation service.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait ReservationClient: Send + Sync + 'static {
    /// Erases personal data that reservations of a deleted account need no longer. Idempotent.
    ///
    /// # Errors
    /// The status of the call, which says whether a retry can help.
    async fn forget_owner(&self, user_id: UserId) -> Result<(), Status>;
}

/// [`ReservationClient`] over gRPC. It does not retry: the outbox relay does.
pub(crate) struct GrpcReservationClient(ReservationFlowServiceClient<MeshChannel>);

impl GrpcReservationClient {
    /// A client that calls through `channel`.
    pub(crate) fn new(channel: MeshChannel) -> Self {
        Self(ReservationFlowServiceClient::new(channel))
    }
}

#[tonic::async_trait]
impl ReservationClient for GrpcReservationClient {
    async fn forget_owner(&self, user_id: UserId) -> Result<(), Status> {
        self.0.clone().forget_owner(ForgetOwnerRequest { owner: user_id.to_string() }).await.map(drop)
    }
}
