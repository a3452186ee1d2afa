//! What guests and staff do: each guest has bookings of its own, which it pays, changes and cancels.

use proptest::prelude::*;
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::PaymentId;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{
    date,
    mesh::{HOTEL, NIGHTS, Users},
};

/// What a guest does, or staff in its name. Nights are the first night and their number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Books the paired rooms, in this order, and perhaps another one; and pays.
    Book { from: usize, nights: usize, reversed: bool, third: Option<usize> },
    /// Moves the paired rooms of the latest booking; pays for it or gives it up.
    Move { from: usize, nights: usize, pays: bool },
    /// Cancels the third room of the latest booking.
    CancelThird,
    /// Cancels the latest booking.
    Cancel,
    /// Staff close or open the paired room types.
    StopSell { from: usize, nights: usize, closed: bool },
    /// Staff block a room of the third type and end the block.
    OutOfOrder { from: usize, nights: usize },
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let nights = || (0..NIGHTS - 1, 1..4usize);
    prop_oneof![
        5 => (nights(), any::<bool>(), prop::option::of(0..NIGHTS - 1)).prop_map(|((from, nights), reversed, third)| {
            Act::Book { from, nights, reversed, third }
        }),
        5 => (nights(), any::<bool>()).prop_map(|((from, nights), pays)| Act::Move { from, nights, pays }),
        1 => Just(Act::CancelThird),
        2 => Just(Act::Cancel),
        2 => (nights(), prop::bool::weighted(0.3))
            .prop_map(|((from, nights), closed)| Act::StopSell { from, nights, closed }),
        1 => nights().prop_map(|(from, nights)| Act::OutOfOrder { from, nights }),
    ]
}

/// A guest.
pub(super) struct Guest {
    room: i32,
    users: Users,
    latest: Option<proto::Reservation>,
    /// Bookings that it made.
    pub(super) booked: usize,
}

/// The refusals that a race may cause; anything else, a deadlock or an exceeded wait among them, fails.
fn allowed<T>(result: Result<Response<T>, Status>) -> Option<T> {
    const REASONS: [&str; 7] = [
        "ROOM_SOLD_OUT",
        "STOP_SELL",
        "REVISION_MISMATCH",
        "CHANGE_PENDING",
        "RESERVATION_NOT_CHANGEABLE",
        "INVENTORY_BELOW_RESERVED",
        "ROOM_OUT_OF_ORDER",
    ];
    match result {
        Ok(done) => Some(done.into_inner()),
        Err(status) => {
            let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
            // A change to the same nights is not one.
            let is_same = status.code() == Code::InvalidArgument;
            assert!(is_same || REASONS.contains(&reason.as_str()), "{reason}: {status:?}");
            None
        }
    }
}

fn last(from: usize, nights: usize) -> usize {
    (from + nights).min(NIGHTS)
}

impl Guest {
    pub(super) fn new(number: usize, users: Users) -> Self {
        Self { room: i32::try_from(number).expect("few") + 1, users, latest: None, booked: 0 }
    }

    pub(super) async fn carry_out(&mut self, act: Act) {
        match act {
            Act::Book { from, nights, reversed, third } => self.book(from, nights, reversed, third).await,
            Act::Move { from, nights, pays } => self.change(from, nights, pays).await,
            Act::CancelThird => self.cancel(vec![3]).await,
            Act::Cancel => self.cancel(vec![]).await,
            Act::StopSell { from, nights, closed } => self.stop_sell(from, nights, closed).await,
            Act::OutOfOrder { from, nights } => self.out_of_order(from, nights).await,
        }
    }

    async fn book(&mut self, from: usize, nights: usize, reversed: bool, third: Option<usize>) {
        let room = |room_type_id: i32, night: usize, until: usize| proto::RoomRequest {
            room_type_id,
            adults: 1,
            check_in: Some(date(night).to_string()),
            check_out: Some(date(until).to_string()),
            ..Default::default()
        };
        let until = last(from, nights);
        let mut rooms = vec![room(1, from, until), room(2, from, until)];
        if reversed {
            rooms.reverse();
        }
        rooms.extend(third.map(|night| room(3, night, night + 1)));
        let first = third.map_or(from, |night| night.min(from));
        let prepare = proto::PrepareReservationRequest {
            hotel_id: HOTEL,
            check_in: date(first).to_string(),
            check_out: date(third.map_or(until, |night| (night + 1).max(until))).to_string(),
            rooms,
            ..Default::default()
        };
        let Some(form) = allowed(self.users.guest.prepare_reservation(prepare).await) else { return };
        let order = proto::CreateReservationRequest {
            reservation_id: form.reservation_id,
            offer_token: form.offer_token,
            primary_guest: Some(proto::Guest { full_name: "A guest".into(), email: "guest@staymesh.example".into() }),
            ..Default::default()
        };
        let Some(booked) = allowed(self.users.guest.create_reservation(order).await) else { return };
        let due = booked.price.as_ref().and_then(|price| price.total.clone());
        let (_, paid) = self.pay(&booked.reservation_id, 1, due).await;
        self.latest = Some(paid);
        self.booked += 1;
    }

    /// The payment service reports a payment; yields whether it must be refunded, and the reservation.
    async fn pay(
        &mut self,
        id: &str,
        revision: i32,
        amount: Option<staymesh_api::r#type::v1::Money>,
    ) -> (bool, proto::Reservation) {
        let payment_id = PaymentId::new().to_string();
        let request = proto::ConfirmPaymentRequest { reservation_id: id.to_owned(), payment_id, amount, revision };
        let paid = self.users.payments.confirm_payment(request).await.expect("confirmed").into_inner();
        (paid.refund_required, paid.reservation.expect("a reservation"))
    }

    async fn change(&mut self, from: usize, nights: usize, pays: bool) {
        let Some(booking) = self.latest.clone() else { return };
        let room = |position| proto::RoomChange {
            position,
            check_in: date(from).to_string(),
            check_out: date(last(from, nights)).to_string(),
            ..Default::default()
        };
        let reservation_id = booking.reservation_id.clone();
        let quote = proto::QuoteChangeRequest {
            reservation_id: reservation_id.clone(),
            rooms: vec![room(1), room(2)],
            ..Default::default()
        };
        let Some(quoted) = allowed(self.users.guest.quote_change(quote).await) else { return };
        let (change_token, request_id) = (quoted.change_token, Uuid::new_v4().to_string());
        let apply = proto::ApplyChangeRequest { reservation_id: reservation_id.clone(), change_token, request_id };
        let Some(applied) = allowed(self.users.guest.apply_change(apply).await) else { return };
        let Some(pending) = applied.pending_change else { return };
        if pays {
            let (refund_required, paid) = self.pay(&reservation_id, pending.revision, pending.due).await;
            assert!(!refund_required && paid.revision == pending.revision, "{paid:?}");
        } else {
            let (payment_id, revision) = (PaymentId::new().to_string(), pending.revision);
            let reject = proto::RejectPaymentRequest { reservation_id, payment_id, revision };
            self.users.payments.reject_payment(reject).await.expect("given up");
        }
    }

    async fn cancel(&mut self, rooms: Vec<i32>) {
        let Some(booking) = &self.latest else { return };
        let (has_third, whole) = (booking.rooms.len() == 3, rooms.is_empty());
        if !has_third && !whole {
            return;
        }
        let reservation_id = booking.reservation_id.clone();
        if !whole {
            let request = proto::CancelRoomsRequest { reservation_id, rooms, ..Default::default() };
            allowed(self.users.guest.cancel_rooms(request).await);
            return;
        }
        let request = proto::CancelReservationRequest { reservation_id, ..Default::default() };
        if allowed(self.users.guest.cancel_reservation(request).await).is_some() {
            self.latest = None;
        }
    }

    async fn stop_sell(&mut self, from: usize, nights: usize, closed: bool) {
        let request = proto::SetStopSellRequest {
            hotel_id: HOTEL,
            room_type_ids: vec![1, 2],
            from_date: date(from).to_string(),
            until_date: date(last(from, nights)).to_string(),
            stop_sell: Some(closed),
            ..Default::default()
        };
        allowed(self.users.inventory.set_stop_sell(request).await);
    }

    async fn out_of_order(&mut self, from: usize, nights: usize) {
        let block = proto::OutOfOrder {
            room_id: self.room,
            from_date: date(from).to_string(),
            until_date: date(last(from, nights)).to_string(),
            kind: proto::OutOfOrderKind::OutOfOrder.into(),
            reason: "a repair".into(),
            ..Default::default()
        };
        let (out_of_order, request_id) = (Some(block), Uuid::new_v4().to_string());
        let request = proto::CreateOutOfOrderRequest { hotel_id: HOTEL, out_of_order, request_id, force: false };
        let Some(blocked) = allowed(self.users.inventory.create_out_of_order(request).await) else { return };
        let out_of_order_id = blocked.out_of_order_id;
        let end = proto::EndOutOfOrderRequest { hotel_id: HOTEL, out_of_order_id, ..Default::default() };
        self.users.inventory.end_out_of_order(end).await.expect("ended");
    }
}
