//! What other services of the mesh tell us.

use staymesh_api::payment::v1::{
    RecordPartnerSaleRequest, RecordPartnerSaleResponse, SettleCancellationRequest, SettleCancellationResponse,
    payment_flow_service_server::PaymentFlowService,
};
use staymesh_domain::{FieldErrors, Money, ReservationId};
use staymesh_mesh::{Problem, proto_types::money_from};
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};

use super::{Grpc, partner, shown};
use crate::{clients::reservations::ReservationClient, model::PartnerTerms};

#[tonic::async_trait]
impl<R: ReservationClient, P: Psp> PaymentFlowService for Grpc<R, P> {
    async fn record_partner_sale(
        &self,
        request: Request<RecordPartnerSaleRequest>,
    ) -> Result<Response<RecordPartnerSaleResponse>, Status> {
        let (id, terms) = partner::recorded(request.get_ref())?;
        let sale = self.0.record_partner_sale(id, &terms).await?;
        Ok(Response::new(RecordPartnerSaleResponse { sale: Some(partner::shown(sale)?) }))
    }

    async fn settle_cancellation(
        &self,
        request: Request<SettleCancellationRequest>,
    ) -> Result<Response<SettleCancellationResponse>, Status> {
        let (id, refund, terms) = read(request.get_ref())?;
        // Whoever collects, there is one of the two; each may be done again.
        let sale = self.0.settle_partner_sale(id, refund, terms.as_ref()).await?;
        let payment = self.0.settle_cancellation(id, refund).await?;
        Ok(Response::new(SettleCancellationResponse {
            payment: payment.map(shown),
            partner_sale: sale.map(partner::shown).transpose()?,
        }))
    }
}

fn read(request: &SettleCancellationRequest) -> Result<(ReservationId, Money, Option<PartnerTerms>), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    let refund = errors.value(money_from(request.refund.as_ref(), "refund"));
    let terms = request.partner_sale.as_ref().and_then(|terms| partner::read_terms(&mut errors, terms, "partner_sale"));
    match (id, refund) {
        (Some(id), Some(refund)) if errors.is_empty() => Ok((id, refund, terms)),
        _ => Err(partner::refused(errors)),
    }
}
