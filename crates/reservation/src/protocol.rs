//! This service's half of its protocol with the payment service, without a database: what a command does, decided and
//! planned as the writer does it. The model of the protocol (`crates/protocol-model`) explores it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId};

use crate::{
    error::ReservationError,
    lifecycle::Command,
    model::Reservation,
    night::NightSale,
    writer::{Applied, ChangeOrder, ChangePlan},
};

pub use crate::writer::booked;

/// What a command did.
#[derive(Clone, Debug)]
pub struct Step {
    /// The reservation as it is now.
    pub reservation: Reservation,
    /// Rooms that it took in each of its nights; negative when it released them.
    pub rooms: i32,
    /// Whether the confirmed payment cannot be used and must be refunded in full.
    pub refund_required: bool,
    /// What is published to the payment service; `None` for nothing.
    pub settlement: Option<Settlement>,
}

/// The message to the payment service about a reservation that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settlement {
    /// What it gives back in all.
    pub refund: Money,
    /// Whether the hold expired, so that a late payment may revive the reservation.
    pub hold_expired: bool,
}

/// Carries out a command on a reservation of one room for each night at `now`, when `rooms_left` are left in each.
///
/// # Errors
/// What [`crate::lifecycle::decide`] refuses, and when an amount is out of range.
pub fn carry_out(
    booking: &Reservation,
    command: Command,
    now: Timestamp,
    rooms_left: i32,
) -> Result<Step, ReservationError> {
    let id = booking.id;
    let orders = [ChangeOrder { id, command, now, trace_parent: None, origin: None, day_ends: None }];
    let bookings = BTreeMap::from([(id.as_uuid(), booking.clone())]);
    let mut plan = ChangePlan::new(&orders, &bookings);
    let sale = NightSale { rooms_left, stop_sell: false };
    plan.settle_rooms(plan.nights().into_iter().map(|night| (night, sale)).collect());
    let changed = plan.changes().into_iter().map(|(before, change)| change.after(before, now)).next();
    let noted = plan.notes().first().map(|(_, payment)| booking.with_note(PaymentId::from(*payment)));
    let mut written: BTreeMap<_, _> = changed.or(noted).map(|after| (id.as_uuid(), after)).into_iter().collect();
    let rooms = plan.delta().values().copied().next().unwrap_or(0);
    let published = plan.events()?.pop().map(|event| event.payload);
    let settlement = published.map(|cancelled| {
        let refund = Money::parse(&cancelled.refund_currency, &cancelled.refund_amount)?;
        Ok::<_, ReservationError>(Settlement { refund, hold_expired: cancelled.hold_expired })
    });
    let applied = plan.outcomes(&mut written).pop().ok_or(ReservationError::NotFound)?;
    let Applied { reservation, refund_required, .. } = applied?;
    Ok(Step { reservation, rooms, refund_required, settlement: settlement.transpose()? })
}
