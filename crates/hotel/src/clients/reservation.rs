//! Client of the reservation service, which owns inventory and knows what is booked.

use staymesh_api::reservation::v1::{
    RetireInventoryRequest, reservation_flow_service_client::ReservationFlowServiceClient,
};
use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Calls of the reservation service that the hotel service needs.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait ReservationClient: Send + Sync + 'static {
    /// Takes a room type, or with `None` every room type of the hotel, off sale permanently. Idempotent.
    ///
    /// # Errors
    /// `HAS_FUTURE_RESERVATIONS` when it is booked from today on; `DEPENDENCY_UNAVAILABLE` when the reservation service
    /// does not respond.
    async fn retire_inventory(&self, hotel_id: HotelId, room_type_id: Option<RoomTypeId>) -> Result<(), Problem>;
}

/// [`ReservationClient`] over gRPC, with retries within a [`RetryBudget`].
pub(crate) struct GrpcReservationClient {
    client: ReservationFlowServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcReservationClient {
    /// A client that calls through `channel`.
    pub(crate) fn new(channel: MeshChannel) -> Self {
        Self { client: ReservationFlowServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl ReservationClient for GrpcReservationClient {
    async fn retire_inventory(&self, hotel_id: HotelId, room_type_id: Option<RoomTypeId>) -> Result<(), Problem> {
        // The contract writes "the whole hotel" as room type 0.
        let room_type_id = room_type_id.map_or(0, RoomTypeId::get);
        let request = RetireInventoryRequest { hotel_id: hotel_id.get(), room_type_id };
        // Each attempt owns its client: a future that borrowed it could not be sent between threads.
        let client = self.client.clone();
        let call = move || {
            let mut client = client.clone();
            async move { client.retire_inventory(request).await }
        };
        let response = retry(&self.budget, call).await;
        response.map(drop).map_err(|status| Problem::from_dependency("reservation", &status))
    }
}
