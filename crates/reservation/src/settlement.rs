//! Tells the payment service what a partner has sold, and that a booking has ended, so that its page closes and money
//! goes back. The aggregate of both is the booking.

use serde::{Deserialize, Serialize};
use staymesh_api::{
    payment::v1::{
        PartnerSaleTerms, RecordPartnerSaleRequest, SettleCancellationRequest,
        payment_flow_service_client::PaymentFlowServiceClient,
    },
    r#type::v1::Money as ProtoMoney,
};
use staymesh_domain::{Money, MoneyError, ReservationId, StayDates, format_date};
use staymesh_mesh::{Problem, Reason, client::MeshChannel};
use staymesh_store::outbox::{Deliver, Delivery, OutboxEvent};
use tonic::{Code, Status};

use crate::{
    fault_points,
    model::{NewReservation, PaymentMode, Reservation},
    quote::Quote,
};

/// A booking was made whose money the partner collects.
pub(crate) const SOLD_BY_PARTNER: &str = "reservation.sold_by_partner";
/// A booking has ended.
pub(crate) const CANCELLED: &str = "reservation.cancelled";

/// What a partner owes for a booking.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    partner: String,
    currency: String,
    amount: String,
    taxes: String,
    check_out: String,
}

impl Terms {
    /// None when the guest pays.
    fn of(mode: PaymentMode, owner: &str, quote: &Quote, stay: StayDates) -> Result<Option<Self>, MoneyError> {
        if mode == PaymentMode::GuestPays {
            return Ok(None);
        }
        Ok(Some(Self {
            partner: owner.to_owned(),
            currency: quote.currency.clone(),
            amount: quote.total()?.amount(),
            taxes: quote.tax()?.amount(),
            check_out: format_date(stay.check_out()),
        }))
    }
}

impl From<Terms> for PartnerSaleTerms {
    fn from(terms: Terms) -> Self {
        let money = |amount| Some(ProtoMoney { currency_code: terms.currency.clone(), amount });
        Self {
            partner: terms.partner,
            amount: money(terms.amount),
            taxes: money(terms.taxes),
            check_out: terms.check_out,
        }
    }
}

/// A partner has sold a booking.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SoldByPartner {
    reservation_id: ReservationId,
    terms: Terms,
}

impl SoldByPartner {
    /// None when the guest pays.
    pub(crate) fn of(order: &NewReservation) -> Result<Option<Self>, MoneyError> {
        let terms = Terms::of(order.payment_mode, &order.owner, &order.quote, order.stay)?;
        Ok(terms.map(|terms| Self { reservation_id: order.id, terms }))
    }
}

/// A booking has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cancelled {
    reservation_id: ReservationId,
    refund_currency: String,
    refund_amount: String,
    /// What the partner owed who collects. Told again, because the word of the sale may have been parked, and then comes
    /// after this. Absent when the guest pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partner_sale: Option<Terms>,
}

impl Cancelled {
    pub(crate) fn new(booking: &Reservation, refund: Money) -> Result<Self, MoneyError> {
        Ok(Self {
            reservation_id: booking.id,
            refund_currency: refund.currency().code().to_owned(),
            refund_amount: refund.amount(),
            partner_sale: Terms::of(booking.payment_mode, &booking.owner, &booking.quote, booking.stay)?,
        })
    }
}

/// Carries the events to the payment service.
pub(crate) struct Settlement {
    payments: PaymentFlowServiceClient<MeshChannel>,
}

impl Settlement {
    pub(crate) fn new(payments: PaymentFlowServiceClient<MeshChannel>) -> Self {
        Self { payments }
    }

    async fn tell_sold(&self, sold: SoldByPartner) -> Result<(), Status> {
        let reservation_id = sold.reservation_id.to_string();
        let request = RecordPartnerSaleRequest { reservation_id, terms: Some(sold.terms.into()) };
        fault_points::SALE_TOLD.before();
        self.payments.clone().record_partner_sale(request).await?;
        fault_points::SALE_TOLD.after();
        Ok(())
    }

    async fn tell_cancelled(&self, cancelled: Cancelled) -> Result<(), Status> {
        let request = SettleCancellationRequest {
            reservation_id: cancelled.reservation_id.to_string(),
            refund: Some(ProtoMoney { currency_code: cancelled.refund_currency, amount: cancelled.refund_amount }),
            partner_sale: cancelled.partner_sale.map(PartnerSaleTerms::from),
        };
        let step =
            if request.partner_sale.is_some() { fault_points::PARTNER_SETTLE_TOLD } else { fault_points::SETTLE_TOLD };
        step.before();
        self.payments.clone().settle_cancellation(request).await?;
        step.after();
        Ok(())
    }
}

impl Deliver for Settlement {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        let unreadable = |error| Delivery::DeadLetter(format!("the payload cannot be read: {error}"));
        let told = match event.kind.as_str() {
            SOLD_BY_PARTNER => match event.payload() {
                Ok(sold) => self.tell_sold(sold).await,
                Err(error) => return unreadable(error),
            },
            CANCELLED => match event.payload() {
                Ok(cancelled) => self.tell_cancelled(cancelled).await,
                Err(error) => return unreadable(error),
            },
            other => return Delivery::DeadLetter(format!("nobody takes events of kind {other}")),
        };
        told.map_or_else(|status| verdict(&status), |()| Delivery::Done)
    }
}

/// A refusal of what we say is for people to look at; everything else passes.
fn verdict(status: &Status) -> Delivery {
    let reason = Problem::reason_of(status).map_or("no reason", Reason::as_str);
    let reason = format!("payment: {:?}, {reason}", status.code());
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::Unimplemented => {
            Delivery::DeadLetter(reason)
        }
        // However long the payment service is away, money waits for it.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated => {
            Delivery::Unavailable(reason)
        }
        _ => Delivery::Retry(reason),
    }
}
