//! Client of the reservation service: reads reservations and reports what happened to their money.

use jiff::Timestamp;
use staymesh_api::rate::v1::StayPrice;
use staymesh_api::reservation::v1::{
    self as proto, ConfirmPaymentRequest, ConfirmRefundRequest, GetOwnedReservationRequest, RejectPaymentRequest,
    reservation_flow_service_client::ReservationFlowServiceClient,
};
use staymesh_domain::{IdError, Money, PaymentId, ReservationId, RoomTypeId, parse_date};
use staymesh_mesh::{
    Problem, Reason,
    cancellation_types::cancellation_terms_from,
    client::{MeshChannel, RetryBudget, retry},
    proto_types::{money, money_from},
};
use tonic::Status;

use crate::model::{BOOKING, Booking, CancellationReason, PaymentMode, PendingChange, ReservationStatus};

/// The reservation service. Every call is idempotent.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait ReservationClient: Send + Sync + 'static {
    /// A reservation; `None` if it does not exist.
    ///
    /// # Errors
    /// `DEPENDENCY_UNAVAILABLE` if the reservation service does not answer; an internal error if its response lacks a
    /// required field or cannot be represented (amounts, dates, ids).
    async fn get(&self, id: ReservationId) -> Result<Option<Booking>, Problem>;

    /// Reports that `amount` was paid for a revision. `true` if it must be refunded because the rooms are no longer
    /// available, or the change is gone.
    ///
    /// # Errors
    /// The status of the call.
    async fn confirm_payment(
        &self,
        id: ReservationId,
        payment: PaymentId,
        amount: Money,
        revision: i32,
    ) -> Result<bool, Status>;

    /// Reports that the payment for a revision failed for good.
    ///
    /// # Errors
    /// The status of the call.
    async fn reject_payment(&self, id: ReservationId, payment: PaymentId, revision: i32) -> Result<(), Status>;

    /// Reports that `amount` has been refunded: the sum of all refunds of all payments that pay for the reservation.
    ///
    /// # Errors
    /// The status of the call.
    async fn confirm_refund(&self, id: ReservationId, payment: PaymentId, amount: Money) -> Result<(), Status>;
}

/// [`ReservationClient`] over gRPC. Clones share the channel and the retry budget.
#[derive(Clone)]
pub struct GrpcReservationClient {
    client: ReservationFlowServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcReservationClient {
    /// A client on this channel, with a retry budget of its own.
    pub fn new(channel: MeshChannel) -> Self {
        Self { client: ReservationFlowServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl ReservationClient for GrpcReservationClient {
    async fn get(&self, id: ReservationId) -> Result<Option<Booking>, Problem> {
        let request = GetOwnedReservationRequest { reservation_id: id.to_string() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request.clone());
            async move { client.get_owned_reservation(request).await }
        });
        let response = response.await;
        match response {
            Ok(response) => booking(response.into_inner()).map(Some),
            Err(status) if Problem::reason_of(&status) == Some(Reason::ReservationNotFound) => Ok(None),
            Err(status) => Err(Problem::from_dependency("reservation", &status)),
        }
    }

    async fn confirm_payment(
        &self,
        id: ReservationId,
        payment: PaymentId,
        amount: Money,
        revision: i32,
    ) -> Result<bool, Status> {
        let request = ConfirmPaymentRequest {
            reservation_id: id.to_string(),
            payment_id: payment.to_string(),
            amount: Some(money(amount)),
            revision,
        };
        Ok(self.client.clone().confirm_payment(request).await?.into_inner().refund_required)
    }

    async fn reject_payment(&self, id: ReservationId, payment: PaymentId, revision: i32) -> Result<(), Status> {
        let (reservation_id, payment_id) = (id.to_string(), payment.to_string());
        let request = RejectPaymentRequest { reservation_id, payment_id, revision };
        self.client.clone().reject_payment(request).await.map(drop)
    }

    async fn confirm_refund(&self, id: ReservationId, payment: PaymentId, amount: Money) -> Result<(), Status> {
        let request = ConfirmRefundRequest {
            reservation_id: id.to_string(),
            payment_id: payment.to_string(),
            amount: Some(money(amount)),
        };
        self.client.clone().confirm_refund(request).await.map(drop)
    }
}

/// Reads a reservation from the wire. Whatever the rules depend on must be present and valid.
fn booking(owned: proto::OwnedReservation) -> Result<Booking, Problem> {
    let reservation = owned.reservation.ok_or_else(|| missing("reservation"))?;
    let internal = |error: &dyn std::fmt::Display| Problem::internal(&format!("reservation service: {error}"));
    let price = reservation.price.as_ref().ok_or_else(|| missing("price"))?;
    let total = money_from(price.total.as_ref(), "price.total").map_err(|error| internal(&error))?;
    let date = |text: &str| parse_date(text).map_err(|error| internal(&error));
    let instant = |seconds, nanos| Timestamp::new(seconds, nanos).map_err(|error| internal(&error));
    let created = reservation.create_time.ok_or_else(|| missing("create_time"))?;
    let updated = reservation.update_time.ok_or_else(|| missing("update_time"))?;
    let held = reservation.hold_expire_time;
    let terms = price.cancellation_terms.as_ref().map(|terms| cancellation_terms_from(terms, total.currency()));
    Ok(Booking {
        owner: owned.owner,
        status: status(reservation.status()).ok_or_else(|| missing("status"))?,
        cancellation: cancellation(reservation.cancellation_reason()),
        payment_mode: payment_mode(reservation.payment_mode()).ok_or_else(|| missing("payment_mode"))?,
        total,
        taxes: taxes(price, total)?,
        rooms: rooms(&reservation.rooms).map_err(|error| internal(&error))?,
        guests: reservation.rooms.iter().map(|room| room.adults + room.child_ages.iter().map(|_| 1).sum::<i32>()).sum(),
        check_in: date(&reservation.check_in)?,
        check_out: date(&reservation.check_out)?,
        create_time: instant(created.seconds, created.nanos)?,
        update_time: instant(updated.seconds, updated.nanos)?,
        hold_expire_time: held.map(|time| instant(time.seconds, time.nanos)).transpose()?,
        revision: reservation.revision.max(BOOKING),
        pending_change: owned.pending_change.as_ref().map(pending_change).transpose()?,
        terms: terms.transpose().map_err(|error| internal(&error))?,
    })
}

fn pending_change(change: &proto::PendingChange) -> Result<PendingChange, Problem> {
    let due = money_from(change.due.as_ref(), "pending_change.due").map_err(|error| Problem::internal(&error))?;
    let end = change.expire_time.as_ref().ok_or_else(|| missing("pending_change.expire_time"))?;
    let start = change.create_time.as_ref().ok_or_else(|| missing("pending_change.create_time"))?;
    let expire_time = Timestamp::new(end.seconds, end.nanos).map_err(|error| Problem::internal(&error))?;
    let create_time = Timestamp::new(start.seconds, start.nanos).map_err(|error| Problem::internal(&error))?;
    Ok(PendingChange { revision: change.revision, due, expire_time, create_time })
}

/// The rooms by type, in the order of the booking.
fn rooms(rooms: &[proto::ReservationRoom]) -> Result<Vec<(RoomTypeId, i32)>, IdError> {
    let mut counts: Vec<(RoomTypeId, i32)> = Vec::new();
    for room in rooms {
        let id = RoomTypeId::try_from(room.room_type_id)?;
        match counts.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += 1,
            None => counts.push((id, 1)),
        }
    }
    Ok(counts)
}

/// The sum of all taxes and fees of a price.
fn taxes(price: &StayPrice, total: Money) -> Result<Money, Problem> {
    let amounts = price.taxes.iter().map(|tax| money_from(tax.amount.as_ref(), "price.taxes.amount"));
    let amounts: Vec<Money> = amounts.collect::<Result<_, _>>().map_err(|error| Problem::internal(&error))?;
    Money::sum(total.currency(), amounts).map_err(|error| Problem::internal(&error))
}

fn missing(field: &str) -> Problem {
    Problem::internal(&format!("reservation service: the response has no {field}"))
}

const fn status(status: proto::ReservationStatus) -> Option<ReservationStatus> {
    match status {
        proto::ReservationStatus::Unspecified => None,
        proto::ReservationStatus::PendingPayment => Some(ReservationStatus::PendingPayment),
        proto::ReservationStatus::Paid => Some(ReservationStatus::Paid),
        proto::ReservationStatus::Refunded => Some(ReservationStatus::Refunded),
        proto::ReservationStatus::Cancelled => Some(ReservationStatus::Cancelled),
        proto::ReservationStatus::Rejected => Some(ReservationStatus::Rejected),
    }
}

const fn cancellation(reason: proto::CancellationReason) -> Option<CancellationReason> {
    match reason {
        proto::CancellationReason::Unspecified => None,
        proto::CancellationReason::Requested => Some(CancellationReason::Requested),
        proto::CancellationReason::HoldExpired => Some(CancellationReason::HoldExpired),
        proto::CancellationReason::NoShow => Some(CancellationReason::NoShow),
        proto::CancellationReason::CancelledByHotel => Some(CancellationReason::ByHotel),
    }
}

/// Who collects decides where the money goes, so there is no default.
const fn payment_mode(mode: proto::PaymentMode) -> Option<PaymentMode> {
    match mode {
        proto::PaymentMode::Unspecified => None,
        proto::PaymentMode::PartnerCollects => Some(PaymentMode::PartnerCollects),
        proto::PaymentMode::GuestPays => Some(PaymentMode::GuestPays),
    }
}
