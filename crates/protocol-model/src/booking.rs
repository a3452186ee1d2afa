//! The reservation service: its commands, its rooms and its outbox.

use std::sync::Arc;

use anyhow::Result;
use jiff::ToSpan;
use staymesh_domain::{GuestCount, HotelId, PaymentId, ReservationId, RoomCount, RoomTypeId, StayDates};
use staymesh_reservation::{
    Guest, NewReservation, PaymentMode, Reservation, RoomLine, Status,
    lifecycle::Command,
    protocol::{self, Message},
    quote::{Night, Quote},
};

use crate::{
    clock::{self, Moment, TOTAL, euros},
    state::{Booking, State},
};

/// Rooms of the hotel.
pub(crate) const ROOMS: i32 = 1;

/// The booking as it was just made.
pub(crate) fn booked() -> Result<Reservation> {
    let (check_in, total) = (clock::check_in(), euros(TOTAL)?);
    let stay = StayDates::new(check_in, check_in.checked_add(1.day())?)?;
    let nights = vec![Night { date: check_in, price: total }];
    let quote = Quote::new(nights, total, vec![], total, clock::terms()?);
    let lines =
        RoomLine::of_one_type(RoomTypeId::try_from(1)?, stay, RoomCount::ONE, GuestCount::try_from(1)?, &quote)?;
    let order = NewReservation {
        id: ReservationId::generate(HotelId::try_from(1)?, clock::booked()),
        owner: String::new(),
        lines,
        room_guests: vec![None],
        stay,
        guest: Guest { full_name: String::new(), email: String::new() },
        payment_mode: PaymentMode::GuestPays,
        quote,
        content_hash: [0; 32],
        client_reference: None,
        hold_expire_time: Some(clock::hold_end()),
        limits: Box::default(),
        trace_parent: None,
        origin: None,
    };
    Ok(protocol::booked(&order, clock::booked())?)
}

/// Carries out a command; yields whether the confirmed payment must be refunded. `rooms_left` are those that the
/// service believes in.
pub(crate) fn command(state: &mut State, command: Command, rooms_left: i32) -> Result<bool> {
    let before = state.booking.0.status;
    let step = protocol::carry_out(&state.booking.0, command, state.moment.time(), |_| rooms_left)?;
    let after = step.reservation.status;
    let settlement = step.messages.iter().find_map(|message| match message {
        Message::Ended(settlement) => Some(*settlement),
        _ => None,
    });
    if let (Status::Paid, Status::Cancelled, Some(settlement)) = (before, after, settlement) {
        state.keeps = TOTAL - settlement.refund.minor();
    } else if after == Status::Paid {
        state.keeps = TOTAL;
    }
    state.retaken |= (before, after) == (Status::Cancelled, Status::Paid);
    state.rooms.0 += step.rooms.values().sum::<i32>();
    state.settlements.extend(settlement);
    state.booking = Booking(Arc::new(step.reservation));
    Ok(step.refund_required)
}

/// Rooms that are left.
pub(crate) const fn rooms_left(state: &State) -> i32 {
    ROOMS - state.rooms.0 - state.rooms.1
}

/// The command of a payment that is confirmed; after the end of check-in it is refused.
pub(crate) fn confirm(state: &State, payment_id: PaymentId) -> Result<Command> {
    let amount = euros(TOTAL)?;
    Ok(if state.moment >= Moment::Arrived {
        Command::RefusePayment { payment_id, amount }
    } else {
        Command::ConfirmPayment { payment_id, amount }
    })
}
