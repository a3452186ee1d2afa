//! `ReservationFlowService`: what other services of the mesh call.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::{
    reservation::v1::{self as proto, reservation_flow_service_server::ReservationFlowService},
    r#type::v1 as types,
};
use staymesh_domain::{FieldErrors, HotelId, IdError, Money, PaymentId, ReservationId, RoomTypeId};
use staymesh_mesh::proto_types;
use tonic::{Request, Response, Status};

use super::{
    request::{refuse, reservation_id},
    response,
};
use crate::{lifecycle::Command, service::BookingService, writer::Applied};

/// Handles `ReservationFlowService`.
pub(crate) struct InternalReservationHandler(pub(crate) Arc<BookingService>);

impl InternalReservationHandler {
    async fn apply(&self, id: ReservationId, command: Command) -> Result<Applied, Status> {
        Ok(self.0.on_payment(id, command, Timestamp::now()).await?)
    }
}

/// The reservation and the payment that a message is about.
fn ids(errors: &mut FieldErrors, reservation_id: &str, payment_id: &str) -> Option<(ReservationId, PaymentId)> {
    let reservation_id = errors.value(reservation_id.parse::<ReservationId>());
    let payment_id = errors.value(payment_id.parse::<PaymentId>());
    reservation_id.zip(payment_id)
}

/// The reservation, the payment and its amount.
fn movement(
    reservation_id: &str,
    payment_id: &str,
    amount: Option<&types::Money>,
) -> Result<(ReservationId, PaymentId, Money), FieldErrors> {
    let mut errors = FieldErrors::default();
    let ids = ids(&mut errors, reservation_id, payment_id);
    let amount = errors.value(proto_types::money_from(amount, "amount"));
    let ((reservation_id, payment_id), amount) = errors.complete(ids.zip(amount))?;
    Ok((reservation_id, payment_id, amount))
}

#[tonic::async_trait]
impl ReservationFlowService for InternalReservationHandler {
    async fn get_owned_reservation(
        &self,
        request: Request<proto::GetOwnedReservationRequest>,
    ) -> Result<Response<proto::OwnedReservation>, Status> {
        let id = reservation_id(&request.get_ref().reservation_id)?;
        let booking = self.0.find(id).await?;
        let owner = booking.owner.clone();
        Ok(Response::new(proto::OwnedReservation {
            reservation: Some(response::reservation(booking)?),
            owner,
            pending_change: None,
        }))
    }

    async fn confirm_payment(
        &self,
        request: Request<proto::ConfirmPaymentRequest>,
    ) -> Result<Response<proto::ConfirmPaymentResponse>, Status> {
        let request = request.into_inner();
        let (id, payment_id, amount) =
            movement(&request.reservation_id, &request.payment_id, request.amount.as_ref()).map_err(refuse)?;
        let applied = self.0.confirm_payment(id, payment_id, amount, Timestamp::now()).await?;
        Ok(Response::new(proto::ConfirmPaymentResponse {
            refund_required: applied.refund_required,
            reservation: Some(response::reservation(applied.reservation)?),
        }))
    }

    async fn reject_payment(
        &self,
        request: Request<proto::RejectPaymentRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let request = request.into_inner();
        let mut errors = FieldErrors::default();
        let ids = ids(&mut errors, &request.reservation_id, &request.payment_id);
        let (id, _) = errors.complete(ids).map_err(refuse)?;
        let applied = self.apply(id, Command::RejectPayment).await?;
        Ok(Response::new(response::reservation(applied.reservation)?))
    }

    async fn confirm_refund(
        &self,
        request: Request<proto::ConfirmRefundRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let request = request.into_inner();
        let (id, payment_id, amount) =
            movement(&request.reservation_id, &request.payment_id, request.amount.as_ref()).map_err(refuse)?;
        let applied = self.apply(id, Command::ConfirmRefund { payment_id, amount }).await?;
        Ok(Response::new(response::reservation(applied.reservation)?))
    }

    async fn retire_inventory(
        &self,
        request: Request<proto::RetireInventoryRequest>,
    ) -> Result<Response<proto::RetireInventoryResponse>, Status> {
        let request = request.into_inner();
        let mut errors = FieldErrors::default();
        let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
        let room_type_id = match request.room_type_id {
            0 => None,
            id => errors.value(RoomTypeId::try_from(id)),
        };
        let hotel_id = errors.complete(hotel_id).map_err(refuse)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(errors: FieldErrors) -> Vec<String> {
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_wrong_field_of_a_payment_is_named() {
        let amount = types::Money { currency_code: "EUR".to_owned(), amount: "-1".to_owned() };
        let refused = movement("x", "y", Some(&amount)).expect_err("refused");
        assert_eq!(fields(refused), ["reservation_id", "payment_id", "amount.amount"]);
        let refused = movement("x", "y", None).expect_err("refused");
        assert_eq!(fields(refused), ["reservation_id", "payment_id", "amount"]);
        let mut errors = FieldErrors::default();
        assert_eq!(ids(&mut errors, "x", "y"), None);
        assert_eq!(fields(errors), ["reservation_id", "payment_id"]);
    }
}
