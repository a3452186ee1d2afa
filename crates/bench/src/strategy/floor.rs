//! The floor: a method that answers at once with nothing. What is left of a request's time is the server stack, the
//! client and the way between them.

use staymesh_api::reservation::v1::{self as proto, reservation_service_server::ReservationService};
use tonic::{Request, Response, Status};

pub(crate) struct Floor;

fn not_part() -> Status {
    Status::unimplemented("not part of the floor")
}

#[tonic::async_trait]
impl ReservationService for Floor {
    async fn create_reservation(
        &self,
        _: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::CreateReservationResponse>, Status> {
        Ok(Response::new(proto::CreateReservationResponse::default()))
    }

    async fn get_availability(
        &self,
        _: Request<proto::GetAvailabilityRequest>,
    ) -> Result<Response<proto::GetAvailabilityResponse>, Status> {
        Err(not_part())
    }

    async fn list_offers(
        &self,
        _: Request<proto::ListOffersRequest>,
    ) -> Result<Response<proto::ListOffersResponse>, Status> {
        Err(not_part())
    }

    async fn prepare_reservation(
        &self,
        _: Request<proto::PrepareReservationRequest>,
    ) -> Result<Response<proto::PrepareReservationResponse>, Status> {
        Err(not_part())
    }

    async fn get_reservation(
        &self,
        _: Request<proto::GetReservationRequest>,
    ) -> Result<Response<proto::GetReservationResponse>, Status> {
        Err(not_part())
    }

    async fn list_reservations(
        &self,
        _: Request<proto::ListReservationsRequest>,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        Err(not_part())
    }

    async fn cancel_reservation(
        &self,
        _: Request<proto::CancelReservationRequest>,
    ) -> Result<Response<proto::CancelReservationResponse>, Status> {
        Err(not_part())
    }
}
