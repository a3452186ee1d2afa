//! A `ReservationService` that serves `CreateReservation` alone.

use staymesh_api::reservation::v1::{self as proto, reservation_service_server::ReservationService};
use tonic::{Request, Response, Status};

/// A handler of `CreateReservation`.
#[tonic::async_trait]
pub(crate) trait Create: Send + Sync + 'static {
    async fn create(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status>;
}

/// Serves `CreateReservation` with its handler; every other RPC is `UNIMPLEMENTED`.
pub(crate) struct CreateOnly<C>(pub(crate) C);

fn unimplemented() -> Status {
    Status::unimplemented("this server only creates reservations")
}

#[tonic::async_trait]
impl<C: Create> ReservationService for CreateOnly<C> {
    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        self.0.create(request).await
    }

    async fn get_availability(
        &self,
        _: Request<proto::GetAvailabilityRequest>,
    ) -> Result<Response<proto::GetAvailabilityResponse>, Status> {
        Err(unimplemented())
    }

    async fn list_offers(
        &self,
        _: Request<proto::ListOffersRequest>,
    ) -> Result<Response<proto::ListOffersResponse>, Status> {
        Err(unimplemented())
    }

    async fn prepare_reservation(
        &self,
        _: Request<proto::PrepareReservationRequest>,
    ) -> Result<Response<proto::PrepareReservationResponse>, Status> {
        Err(unimplemented())
    }

    async fn get_reservation(
        &self,
        _: Request<proto::GetReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn list_reservations(
        &self,
        _: Request<proto::ListReservationsRequest>,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        Err(unimplemented())
    }

    async fn check_offers(
        &self,
        _: Request<proto::CheckOffersRequest>,
    ) -> Result<Response<proto::CheckOffersResponse>, Status> {
        Err(unimplemented())
    }

    async fn update_room_guests(
        &self,
        _: Request<proto::UpdateRoomGuestsRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn resume_hold(&self, _: Request<proto::ResumeHoldRequest>) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn release_hold(
        &self,
        _: Request<proto::ReleaseHoldRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn extend_hold(&self, _: Request<proto::ExtendHoldRequest>) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn get_cancel_quote(
        &self,
        _: Request<proto::GetCancelQuoteRequest>,
    ) -> Result<Response<proto::CancelQuote>, Status> {
        Err(unimplemented())
    }

    async fn quote_change(
        &self,
        _: Request<proto::QuoteChangeRequest>,
    ) -> Result<Response<proto::ChangeQuote>, Status> {
        Err(unimplemented())
    }

    async fn apply_change(
        &self,
        _: Request<proto::ApplyChangeRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn list_reservation_revisions(
        &self,
        _: Request<proto::ListReservationRevisionsRequest>,
    ) -> Result<Response<proto::ListReservationRevisionsResponse>, Status> {
        Err(unimplemented())
    }

    async fn cancel_rooms(
        &self,
        _: Request<proto::CancelRoomsRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }

    async fn cancel_reservation(
        &self,
        _: Request<proto::CancelReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        Err(unimplemented())
    }
}
