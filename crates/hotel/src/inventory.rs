//! What the reservation service is asked before something is deleted.

use std::future::Future;

use staymesh_api::reservation::v1::{
    RetireInventoryRequest, reservation_flow_service_client::ReservationFlowServiceClient,
};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Whoever knows what is booked.
#[cfg_attr(test, mockall::automock)]
pub trait Inventory: Send + Sync + 'static {
    /// Takes a room type, or a whole hotel, off sale for good. Repeating it changes nothing.
    ///
    /// Refused with `HAS_FUTURE_RESERVATIONS`, or `DEPENDENCY_UNAVAILABLE` when nobody answers.
    fn retire(&self, hotel_id: i32, room_type_id: Option<i32>) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// The reservation service.
pub struct Reservations {
    client: ReservationFlowServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl Reservations {
    /// The reservation service behind a channel.
    pub fn new(channel: MeshChannel) -> Self {
        Self { client: ReservationFlowServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

impl Inventory for Reservations {
    async fn retire(&self, hotel_id: i32, room_type_id: Option<i32>) -> Result<(), Problem> {
        let request = RetireInventoryRequest { hotel_id, room_type_id: room_type_id.unwrap_or(0) };
        // The call owns its client: one that borrowed it would make a future that cannot be sent between threads.
        let client = self.client.clone();
        let call = move || {
            let mut client = client.clone();
            async move { client.retire_inventory(request).await }
        };
        let answer = retry(&self.budget, call).await;
        answer.map(drop).map_err(|status| Problem::from_dependency("reservation", &status))
    }
}
