//! Client of the payment service: what reservation events mean for money.

use staymesh_api::{
    payment::v1::{
        AmendPartnerSaleRequest, PartnerSaleTerms, RecordPartnerSaleRequest, SettleCancellationRequest,
        SettleChangeRequest, payment_flow_service_client::PaymentFlowServiceClient,
    },
    r#type::v1::Money as ProtoMoney,
};
use staymesh_domain::ClientId;
use staymesh_mesh::client::MeshChannel;
use tonic::Status;

use crate::events::{Cancelled, ChangeSettled, ChangeSoldByPartner, SoldByPartner, Terms};

/// Reports reservation events to the payment service. The calls are idempotent per reservation, and those of changes per revision.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait PaymentClient: Send + Sync {
    /// Records what a partner who collects owes for a reservation, if it is within the partner's credit limit.
    ///
    /// # Errors
    /// The status of the call: `PARTNER_CREDIT_EXCEEDED`, which is final, or a failure.
    async fn record_partner_sale(&self, sale: SoldByPartner) -> Result<(), Status>;

    /// Closes the checkout page of an ended reservation, and refunds or credits what its policy gives back.
    ///
    /// # Errors
    /// The status of the call, which says whether a retry can help.
    async fn settle_cancellation(&self, cancelled: Cancelled) -> Result<(), Status>;

    /// Records what a partner who collects owes for a reservation after a change, if it is within the partner's credit limit.
    ///
    /// # Errors
    /// The status of the call: `PARTNER_CREDIT_EXCEEDED`, which is final for the change, or a failure.
    async fn amend_partner_sale(&self, sale: ChangeSoldByPartner) -> Result<(), Status>;

    /// Gives back what a change gives back, or what was paid for one that was given up, and closes its checkout page.
    ///
    /// # Errors
    /// The status of the call, which says whether a retry can help.
    async fn settle_change(&self, change: ChangeSettled) -> Result<(), Status>;
}

/// [`PaymentClient`] over gRPC. It does not retry: the outbox relay does.
pub(crate) struct GrpcPaymentClient {
    client: PaymentFlowServiceClient<MeshChannel>,
}

impl GrpcPaymentClient {
    pub(crate) fn new(client: PaymentFlowServiceClient<MeshChannel>) -> Self {
        Self { client }
    }
}

#[tonic::async_trait]
impl PaymentClient for GrpcPaymentClient {
    async fn record_partner_sale(&self, sale: SoldByPartner) -> Result<(), Status> {
        let reservation_id = sale.reservation_id.to_string();
        let terms = Some(sale.terms.into());
        let request = RecordPartnerSaleRequest { reservation_id, terms, enforce_credit_limit: sale.limited };
        self.client.clone().record_partner_sale(request).await?;
        Ok(())
    }

    async fn settle_cancellation(&self, cancelled: Cancelled) -> Result<(), Status> {
        let request = SettleCancellationRequest {
            reservation_id: cancelled.reservation_id.to_string(),
            refund: Some(ProtoMoney { currency_code: cancelled.refund_currency, amount: cancelled.refund_amount }),
            partner_sale: cancelled.partner_sale.map(PartnerSaleTerms::from),
            hold_expired: cancelled.hold_expired,
        };
        self.client.clone().settle_cancellation(request).await?;
        Ok(())
    }

    async fn amend_partner_sale(&self, sale: ChangeSoldByPartner) -> Result<(), Status> {
        let request = AmendPartnerSaleRequest {
            reservation_id: sale.reservation_id.to_string(),
            revision: sale.revision,
            terms: Some(sale.terms.into()),
            enforce_credit_limit: true,
        };
        self.client.clone().amend_partner_sale(request).await?;
        Ok(())
    }

    async fn settle_change(&self, change: ChangeSettled) -> Result<(), Status> {
        let request = SettleChangeRequest {
            reservation_id: change.reservation_id.to_string(),
            revision: change.revision,
            refund: Some(ProtoMoney { currency_code: change.refund_currency, amount: change.refund_amount }),
            partner_sale: change.partner_sale.map(PartnerSaleTerms::from),
            dropped: change.dropped,
        };
        self.client.clone().settle_change(request).await?;
        Ok(())
    }
}

impl From<Terms> for PartnerSaleTerms {
    fn from(terms: Terms) -> Self {
        let money = |amount| Some(ProtoMoney { currency_code: terms.currency.clone(), amount });
        Self {
            client_id: ClientId::in_subject(&terms.partner).unwrap_or_default().to_owned(),
            // For the release before this one, which does not read `client_id`.
            partner: terms.partner,
            amount: money(terms.amount),
            taxes: money(terms.taxes),
            check_out: terms.check_out,
        }
    }
}
