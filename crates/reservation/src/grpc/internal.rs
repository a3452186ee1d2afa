//! `ReservationFlowService`: what other services of the mesh call.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::{
    options::v1::Role,
    reservation::v1::{self as proto, reservation_flow_service_server::ReservationFlowService},
};
use staymesh_domain::IdError;
use staymesh_mesh::proto_types;
use tonic::{Request, Response, Status};

use super::{
    request::{hotel_id, payment_id, refuse, reservation_id, room_type_id},
    response,
};
use crate::{lifecycle::Command, service::BookingService, writer::Applied};

/// Handles `ReservationFlowService`.
pub(crate) struct InternalReservationHandler(pub(crate) Arc<BookingService>);

impl InternalReservationHandler {
    async fn apply(&self, id: &str, command: Command) -> Result<Applied, Status> {
        Ok(self.0.on_payment(reservation_id(id)?, command, Timestamp::now()).await?)
    }
}

#[tonic::async_trait]
impl ReservationFlowService for InternalReservationHandler {
    async fn confirm_payment(
        &self,
        request: Request<proto::ConfirmPaymentRequest>,
    ) -> Result<Response<proto::ConfirmPaymentResponse>, Status> {
        let request = request.into_inner();
        let payment_id = payment_id(&request.payment_id)?;
        let amount = proto_types::money_from(request.amount.as_ref(), "amount").map_err(refuse)?;
        let id = reservation_id(&request.reservation_id)?;
        let applied = self.0.confirm_payment(id, payment_id, amount, Timestamp::now()).await?;
        Ok(Response::new(proto::ConfirmPaymentResponse {
            refund_required: applied.refund_required,
            reservation: Some(response::reservation(applied.reservation, Role::Service)),
        }))
    }

    async fn reject_payment(
        &self,
        request: Request<proto::RejectPaymentRequest>,
    ) -> Result<Response<proto::RejectPaymentResponse>, Status> {
        let request = request.into_inner();
        payment_id(&request.payment_id)?;
        let applied = self.apply(&request.reservation_id, Command::RejectPayment).await?;
        let reservation = Some(response::reservation(applied.reservation, Role::Service));
        Ok(Response::new(proto::RejectPaymentResponse { reservation }))
    }

    async fn confirm_refund(
        &self,
        request: Request<proto::ConfirmRefundRequest>,
    ) -> Result<Response<proto::ConfirmRefundResponse>, Status> {
        let request = request.into_inner();
        let command = Command::ConfirmRefund {
            payment_id: payment_id(&request.payment_id)?,
            amount: proto_types::money_from(request.amount.as_ref(), "amount").map_err(refuse)?,
        };
        let applied = self.apply(&request.reservation_id, command).await?;
        let reservation = Some(response::reservation(applied.reservation, Role::Service));
        Ok(Response::new(proto::ConfirmRefundResponse { reservation }))
    }

    async fn retire_inventory(
        &self,
        request: Request<proto::RetireInventoryRequest>,
    ) -> Result<Response<proto::RetireInventoryResponse>, Status> {
        let request = request.into_inner();
        let hotel_id = hotel_id(request.hotel_id)?;
        let room_type_id = match request.room_type_id {
            0 => None,
            id => Some(room_type_id(id)?),
        };
        self.0.retire(hotel_id, room_type_id, Timestamp::now()).await?;
        Ok(Response::new(proto::RetireInventoryResponse {}))
    }

    async fn forget_owner(
        &self,
        request: Request<proto::ForgetOwnerRequest>,
    ) -> Result<Response<proto::ForgetOwnerResponse>, Status> {
        let owner = request.into_inner().owner.parse().map_err(|error: IdError| refuse(error.at("owner")))?;
        self.0.forget_owner(owner, Timestamp::now()).await?;
        Ok(Response::new(proto::ForgetOwnerResponse {}))
    }
}
