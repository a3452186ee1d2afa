//! The reservation service, as far as payments need it.

use jiff::{Timestamp, civil::Date};
use staymesh_api::reservation::v1::{
    CancellationReason, ConfirmPaymentRequest, ConfirmRefundRequest, GetReservationRequest, PaymentMode,
    RejectPaymentRequest, Reservation, ReservationStatus,
    reservation_flow_service_client::ReservationFlowServiceClient,
    reservation_service_client::ReservationServiceClient,
};
use staymesh_domain::{Money, PaymentId, ReservationId, parse_date};
use staymesh_mesh::{
    Problem, Reason,
    client::{MeshChannel, RetryBudget, retry},
    proto_types::{money, money_from},
};
use tonic::Status;

/// A reservation that somebody wants to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Who booked: the subject of the token.
    pub owner: String,
    /// Where it stands.
    pub status: ReservationStatus,
    /// Why it ended, if it did.
    pub cancellation: CancellationReason,
    /// Who collects the money.
    pub payment_mode: PaymentMode,
    /// All that is to be paid.
    pub total: Money,
    /// The taxes and fees in it.
    pub taxes: Money,
    /// What sort of room.
    pub room_type_id: i32,
    /// How many of them.
    pub rooms: i32,
    /// How many guests in all of them.
    pub guests: i32,
    /// The first night.
    pub check_in: Date,
    /// The day of leaving.
    pub check_out: Date,
    /// Since when it holds its rooms.
    pub create_time: Timestamp,
    /// When its status last changed.
    pub changed_at: Timestamp,
    /// Until when the rooms are held without payment.
    pub hold_expire_time: Option<Timestamp>,
}

/// The reservation service. Every call may be repeated.
#[cfg_attr(test, mockall::automock)]
pub trait Reservations: Send + Sync + 'static {
    /// One reservation; none when there is no such.
    fn get(&self, id: ReservationId) -> impl Future<Output = Result<Option<Booking>, Problem>> + Send;

    /// The money has arrived. True when it must go back, because the rooms cannot be given.
    fn confirm_payment(
        &self,
        id: ReservationId,
        payment: PaymentId,
        amount: Money,
    ) -> impl Future<Output = Result<bool, Status>> + Send;

    /// The money will not come.
    fn reject_payment(&self, id: ReservationId, payment: PaymentId) -> impl Future<Output = Result<(), Status>> + Send;

    /// Money has gone back.
    fn confirm_refund(
        &self,
        id: ReservationId,
        payment: PaymentId,
        amount: Money,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// The reservation service over the mesh.
#[derive(Clone)]
pub struct MeshReservations {
    reservations: ReservationServiceClient<MeshChannel>,
    flow: ReservationFlowServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl MeshReservations {
    /// Calls through this channel.
    pub fn new(channel: MeshChannel) -> Self {
        Self {
            reservations: ReservationServiceClient::new(channel.clone()),
            flow: ReservationFlowServiceClient::new(channel),
            budget: RetryBudget::default(),
        }
    }
}

impl Reservations for MeshReservations {
    async fn get(&self, id: ReservationId) -> Result<Option<Booking>, Problem> {
        let request = GetReservationRequest { reservation_id: id.to_string() };
        let answer =
            retry(&self.budget, async || self.reservations.clone().get_reservation(request.clone()).await).await;
        match answer {
            Ok(answer) => match answer.into_inner().reservation {
                Some(reservation) => booking(&reservation).map(Some),
                None => Err(Problem::internal(&"the reservation service answered without a reservation")),
            },
            Err(status) if Problem::reason_of(&status) == Some(Reason::ReservationNotFound) => Ok(None),
            Err(status) => Err(Problem::from_dependency("reservation", &status)),
        }
    }

    async fn confirm_payment(&self, id: ReservationId, payment: PaymentId, amount: Money) -> Result<bool, Status> {
        let request = ConfirmPaymentRequest {
            reservation_id: id.to_string(),
            payment_id: payment.to_string(),
            amount: Some(money(amount)),
        };
        Ok(self.flow.clone().confirm_payment(request).await?.into_inner().refund_required)
    }

    async fn reject_payment(&self, id: ReservationId, payment: PaymentId) -> Result<(), Status> {
        let request = RejectPaymentRequest { reservation_id: id.to_string(), payment_id: payment.to_string() };
        self.flow.clone().reject_payment(request).await.map(drop)
    }

    async fn confirm_refund(&self, id: ReservationId, payment: PaymentId, amount: Money) -> Result<(), Status> {
        let request = ConfirmRefundRequest {
            reservation_id: id.to_string(),
            payment_id: payment.to_string(),
            amount: Some(money(amount)),
        };
        self.flow.clone().confirm_refund(request).await.map(drop)
    }
}

fn booking(reservation: &Reservation) -> Result<Booking, Problem> {
    let price = reservation.price.as_ref();
    let total = money_from(price.and_then(|price| price.total.as_ref()), "price.total");
    let total = total.map_err(|error| Problem::internal(&error))?;
    let taxes = price.map(|price| price.taxes.as_slice()).unwrap_or_default();
    let taxes = taxes.iter().try_fold(Money::zero(total.currency()), |sum, tax| {
        let amount =
            money_from(tax.amount.as_ref(), "price.taxes.amount").map_err(|error| Problem::internal(&error))?;
        sum.checked_add(amount).map_err(|error| Problem::internal(&error))
    })?;
    let instant = |seconds, nanos| Timestamp::new(seconds, nanos).map_err(|error| Problem::internal(&error));
    Ok(Booking {
        owner: reservation.owner.clone(),
        status: reservation.status(),
        cancellation: reservation.cancellation_reason(),
        payment_mode: reservation.payment_mode(),
        total,
        taxes,
        room_type_id: reservation.room_type_id,
        rooms: reservation.rooms,
        guests: reservation.guests,
        check_in: parse_date(&reservation.check_in).map_err(|error| Problem::internal(&error))?,
        check_out: parse_date(&reservation.check_out).map_err(|error| Problem::internal(&error))?,
        create_time: reservation
            .create_time
            .map_or(Ok(Timestamp::UNIX_EPOCH), |time| instant(time.seconds, time.nanos))?,
        changed_at: reservation
            .update_time
            .map_or(Ok(Timestamp::UNIX_EPOCH), |time| instant(time.seconds, time.nanos))?,
        hold_expire_time: reservation.hold_expire_time.map(|time| instant(time.seconds, time.nanos)).transpose()?,
    })
}
