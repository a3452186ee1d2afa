//! What other services of the mesh tell us.

use staymesh_api::payment::v1::{
    SettleCancellationRequest, SettleCancellationResponse, payment_flow_service_server::PaymentFlowService,
};
use staymesh_domain::{FieldError, Money, ReservationId};
use staymesh_mesh::values::money_from;
use tonic::{Request, Response, Status};

use super::{Grpc, shown};
use crate::{error::PaymentError, psp::Psp, reservations::Reservations};

#[tonic::async_trait]
impl<R: Reservations, P: Psp> PaymentFlowService for Grpc<R, P> {
    async fn settle_cancellation(
        &self,
        request: Request<SettleCancellationRequest>,
    ) -> Result<Response<SettleCancellationResponse>, Status> {
        let (id, refund) = read(request.get_ref()).map_err(PaymentError::from)?;
        let payment = self.0.settle_cancellation(id, refund).await?;
        Ok(Response::new(SettleCancellationResponse { payment: payment.map(shown) }))
    }
}

fn read(request: &SettleCancellationRequest) -> Result<(ReservationId, Money), FieldError> {
    Ok((request.reservation_id.parse::<ReservationId>()?, money_from(request.refund.as_ref(), "refund")?))
}
