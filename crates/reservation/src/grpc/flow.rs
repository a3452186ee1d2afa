//! `ReservationFlowService`: what other services call.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::{
    options::v1::Role,
    reservation::v1::{self as proto, reservation_flow_service_server::ReservationFlowService},
};
use staymesh_domain::{FieldError, HotelId, IdError, PaymentId, ReservationId, RoomTypeId};
use staymesh_mesh::{Problem, proto_types};
use tonic::{Request, Response, Status};

use super::convert;
use crate::{lifecycle::Command, service::Service, store::Applied};

pub(crate) struct Flow(pub(crate) Arc<Service>);

fn refuse(error: impl Into<Problem>) -> Status {
    error.into().into()
}

impl Flow {
    async fn tell(&self, reservation_id: &str, command: Command) -> Result<Applied, Status> {
        let id: ReservationId = reservation_id.parse().map_err(|error: IdError| refuse(FieldError::from(error)))?;
        Ok(self.0.on_payment(id, command, Timestamp::now()).await?)
    }
}

fn parse_payment(text: &str) -> Result<PaymentId, Status> {
    text.parse().map_err(|error: IdError| refuse(FieldError::from(error)))
}

#[tonic::async_trait]
impl ReservationFlowService for Flow {
    async fn confirm_payment(
        &self,
        request: Request<proto::ConfirmPaymentRequest>,
    ) -> Result<Response<proto::ConfirmPaymentResponse>, Status> {
        let told = request.into_inner();
        let command = Command::ConfirmPayment {
            payment_id: parse_payment(&told.payment_id)?,
            amount: proto_types::money_from(told.amount.as_ref(), "amount").map_err(refuse)?,
        };
        let applied = self.tell(&told.reservation_id, command).await?;
        Ok(Response::new(proto::ConfirmPaymentResponse {
            refund_required: applied.send_money_back,
            reservation: Some(convert::reservation(applied.reservation, Role::Service)?),
        }))
    }

    async fn reject_payment(
        &self,
        request: Request<proto::RejectPaymentRequest>,
    ) -> Result<Response<proto::RejectPaymentResponse>, Status> {
        let told = request.into_inner();
        parse_payment(&told.payment_id)?;
        let applied = self.tell(&told.reservation_id, Command::RejectPayment).await?;
        let reservation = Some(convert::reservation(applied.reservation, Role::Service)?);
        Ok(Response::new(proto::RejectPaymentResponse { reservation }))
    }

    async fn confirm_refund(
        &self,
        request: Request<proto::ConfirmRefundRequest>,
    ) -> Result<Response<proto::ConfirmRefundResponse>, Status> {
        let told = request.into_inner();
        let command = Command::ConfirmRefund {
            payment_id: parse_payment(&told.payment_id)?,
            amount: proto_types::money_from(told.amount.as_ref(), "amount").map_err(refuse)?,
        };
        let applied = self.tell(&told.reservation_id, command).await?;
        let reservation = Some(convert::reservation(applied.reservation, Role::Service)?);
        Ok(Response::new(proto::ConfirmRefundResponse { reservation }))
    }

    async fn retire_inventory(
        &self,
        request: Request<proto::RetireInventoryRequest>,
    ) -> Result<Response<proto::RetireInventoryResponse>, Status> {
        let told = request.into_inner();
        let hotel_id = HotelId::try_from(told.hotel_id).map_err(|e| refuse(FieldError::from(e)))?;
        let room_type_id = match told.room_type_id {
            0 => None,
            id => Some(RoomTypeId::try_from(id).map_err(|e| refuse(FieldError::from(e)))?),
        };
        self.0.retire(hotel_id, room_type_id, Timestamp::now()).await?;
        Ok(Response::new(proto::RetireInventoryResponse {}))
    }
}
