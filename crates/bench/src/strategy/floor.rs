//! The floor: `CreateReservation` that returns an empty response at once. Its latency is that of the server stack, the
//! client and the connection between them.

use staymesh_api::reservation::v1::{CreateReservationRequest, Reservation};
use tonic::{Request, Response, Status};

use super::create_only::Create;

pub(crate) struct Floor;

#[tonic::async_trait]
impl Create for Floor {
    async fn create(&self, _: Request<CreateReservationRequest>) -> Result<Response<Reservation>, Status> {
        Ok(Response::new(Reservation::default()))
    }
}
