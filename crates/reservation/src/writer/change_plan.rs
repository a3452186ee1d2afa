//! Plans the changes of a batch: what each command does, who gets rooms again, and which events follow. Pure.

mod unpaid_ends;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{MoneyError, ReservationId};
use staymesh_store::{audit::Origin, outbox::NewEvent};
use uuid::Uuid;

use crate::{
    error::ReservationError,
    events::{BookingMail, Cancelled, ChangeSettled, SoldByPartner, mail_aggregate},
    lifecycle::{ByHotel, Change, Command, Decision, Rooms, decide},
    model::{CancellationReason, Reservation},
    night::{Night, NightSale, date_of, day_of},
    quote::QuoteError,
    room_line::{RoomLine, short_room},
    store::{Delta, Waived},
};

/// A command for a reservation.
#[derive(Clone, Debug)]
pub struct ChangeOrder {
    /// The reservation.
    pub id: ReservationId,
    /// What to do.
    pub command: Command,
    /// When the command was received.
    pub now: Timestamp,
    /// W3C `traceparent` of the request, for events that follow from it.
    pub trace_parent: Option<String>,
    /// The origin of the audit record of the change; `None` if the reservation's history is enough.
    pub origin: Option<Origin>,
    /// When the hotel's business day ends: until then the penalty of a no-show is not settled, and the report can be taken
    /// back. `None` settles it at once.
    pub day_ends: Option<Timestamp>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Applied {
    /// The reservation as it is now.
    pub reservation: Reservation,
    /// The confirmed payment cannot be used and must be refunded in full.
    pub refund_required: bool,
    /// An event was enqueued, so the outbox relay should be woken.
    pub wake: bool,
}

type Judged = Result<(Reservation, Decision), ReservationError>;

/// The planned changes of a batch, one for each order.
pub(crate) struct ChangePlan<'a> {
    orders: &'a [ChangeOrder],
    judged: Vec<Judged>,
    delta: Delta,
    retaken: Delta,
}

impl<'a> ChangePlan<'a> {
    /// Decides each order on its reservation in `bookings`.
    pub(crate) fn new(orders: &'a [ChangeOrder], bookings: &BTreeMap<Uuid, Reservation>) -> Self {
        let judged = orders.iter().map(|order| judge(order, bookings)).collect();
        Self { orders, judged, delta: Delta::new(), retaken: Delta::new() }
    }

    /// The changes to write, each with its reservation before.
    pub(crate) fn changes(&self) -> Vec<(&Reservation, &Change)> {
        self.planned().collect()
    }

    fn planned(&self) -> impl Iterator<Item = (&Reservation, &Change)> {
        self.judged.iter().flatten().filter_map(|(booking, decision)| match decision {
            Decision::Change(change) => Some((booking, change)),
            _ => None,
        })
    }

    /// Every night in which rooms are released or retaken, or must be left.
    pub(crate) fn nights(&self) -> BTreeSet<Night> {
        self.planned()
            .filter(|(_, change)| change.rooms != Rooms::Keep)
            .flat_map(|(booking, change)| nights_of(booking, change).into_keys())
            .collect()
    }

    /// The reservations that end while a change of theirs waits for its payment.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = &Reservation> {
        let ends = self.planned().filter(|(_, change)| change.rooms == Rooms::Release);
        ends.map(|(booking, _)| booking).filter(|booking| booking.pending.is_some())
    }

    /// The events that the changes of [`Self::dropped`] are given up.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn dropped_events(&self) -> Result<Vec<NewEvent<ChangeSettled>>, QuoteError> {
        let mut events = Vec::new();
        for (order, judged) in self.orders.iter().zip(&self.judged) {
            let Ok((booking, Decision::Change(Change { rooms: Rooms::Release, .. }))) = judged else { continue };
            let (aggregate_id, trace_parent) = (booking.id.as_uuid(), order.trace_parent.clone());
            events.extend(ChangeSettled::dropped(booking)?.map(|payload| NewEvent {
                aggregate_id,
                payload,
                trace_parent,
            }));
        }
        Ok(events)
    }

    /// Decides in order who gets rooms again. `left` has what can be sold of each night on sale. A payment for rooms that
    /// are sold out, or in a closed night, becomes a refund in full.
    pub(crate) fn settle_rooms(&mut self, mut left: BTreeMap<Night, NightSale>) {
        for judged in &mut self.judged {
            let Ok((booking, decision)) = judged else { continue };
            let Decision::Change(change) = decision else { continue };
            let sign = match change.rooms {
                Rooms::Keep => continue,
                Rooms::KeepIfLeft => {
                    if let Some(error) = sold_out(booking, &left) {
                        *judged = Err(error);
                    }
                    continue;
                }
                Rooms::Release => -1,
                Rooms::Retake | Rooms::RetakeIfLeft(_) => 1,
            };
            let nights = nights_of(booking, change);
            let mut delta = &mut self.delta;
            let short = |(night, rooms): (&Night, &i32)| left.get(night).is_none_or(|sale| !sale.sells(*rooms));
            if let Rooms::RetakeIfLeft(today) = change.rooms {
                if let Some(night) = not_had(&nights, today, &left) {
                    *judged = Err(taken(booking, night, &left));
                    continue;
                }
                delta = &mut self.retaken;
            } else if sign > 0 && nights.iter().any(short) {
                *decision = Decision::RefundPayment { note: change.payment_id };
                continue;
            }
            for (night, rooms) in nights {
                // A past night may be in the archive, where rooms are no longer counted.
                if let Some(sale) = left.get_mut(&night) {
                    sale.rooms_left -= sign * rooms;
                    *delta.entry(night).or_default() += sign * rooms;
                }
            }
        }
    }

    /// The reservations whose no-show is to be taken back.
    pub(crate) fn undone(&self) -> Vec<Uuid> {
        let undone = self.planned().filter(|(_, change)| matches!(change.rooms, Rooms::RetakeIfLeft(_)));
        undone.map(|(booking, _)| booking.id.as_uuid()).collect()
    }

    /// Refuses to take back no-shows that are not among those that wait for their settlement.
    pub(crate) fn refuse_settled(&mut self, waiting: &BTreeSet<Uuid>) {
        for judged in &mut self.judged {
            if let Ok((booking, Decision::Change(Change { rooms: Rooms::RetakeIfLeft(_), .. }))) = judged
                && !waiting.contains(&booking.id.as_uuid())
            {
                *judged = Err(ReservationError::NoShowSettled);
            }
        }
    }

    /// The no-shows whose penalty is settled later, each with the time: when the hotel's business day ends, but no later
    /// than a no-show can be reported, because the hotel is paid for the stay soon after.
    pub(crate) fn delayed(&self) -> Vec<(Uuid, Timestamp)> {
        let orders = self.orders.iter().zip(&self.judged);
        let delayed = orders.filter_map(|(order, judged)| match (judged, order.day_ends) {
            (Ok((booking, Decision::Change(change))), Some(day_ends))
                if change.cancellation_reason == Some(CancellationReason::NoShow) =>
            {
                Some((booking.id.as_uuid(), day_ends.min(booking.quote.terms.no_show_until)))
            }
            _ => None,
        });
        delayed.collect()
    }

    /// The holds that are extended.
    pub(crate) fn extended(&self) -> Vec<Uuid> {
        let extended = self.planned().filter(|(_, change)| change.hold_expire_time.is_some());
        extended.map(|(booking, _)| booking.id.as_uuid()).collect()
    }

    /// Refuses to extend holds that have expired at `clock`: their rooms may be others' already, and their holders may hold
    /// others instead.
    pub(crate) fn refuse_expired(&mut self, clock: Timestamp) {
        for judged in &mut self.judged {
            if let Ok((booking, Decision::Change(Change { hold_expire_time: Some(_), .. }))) = judged
                && booking.hold_expire_time.is_none_or(|end| end <= clock)
            {
                *judged = Err(ReservationError::HoldExpired);
            }
        }
    }

    /// The events of partners who collect from now on; `written` has their reservations.
    ///
    /// # Errors
    /// When the taxes of a reservation are out of range.
    pub(crate) fn sales(
        &self,
        written: &BTreeMap<Uuid, Reservation>,
    ) -> Result<Vec<NewEvent<SoldByPartner>>, MoneyError> {
        let mut sales = Vec::new();
        for (order, judged) in self.orders.iter().zip(&self.judged) {
            let Ok((before, Decision::Change(Change { collect: true, .. }))) = judged else { continue };
            let Some(after) = written.get(&before.id.as_uuid()) else { continue };
            if let Some(payload) = SoldByPartner::undecided(after)? {
                let (aggregate_id, trace_parent) = (before.id.as_uuid(), order.trace_parent.clone());
                sales.push(NewEvent { aggregate_id, payload, trace_parent });
            }
        }
        Ok(sales)
    }

    /// The cancellations that keep less than their policy.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn waived(&self) -> Result<Vec<Waived<'_>>, QuoteError> {
        let mut all = Vec::new();
        for (order, judged) in self.orders.iter().zip(&self.judged) {
            let (Command::CancelWaiving(waiver, _), Ok((booking, Decision::Change(_)))) = (&order.command, judged)
            else {
                continue;
            };
            let refund = RoomLine::refund(&booking.lines, booking.create_time, order.now)?;
            let policy = booking.quote.total.checked_sub(refund)?;
            all.push(Waived { booking, waiver, policy, departure: None, origin: order.origin.as_ref() });
        }
        Ok(all)
    }

    /// The reservations that their hotels cancel, and why.
    pub(crate) fn by_hotel(&self) -> impl Iterator<Item = (ReservationId, &ByHotel, Option<&Origin>)> {
        self.orders.iter().zip(&self.judged).filter_map(|(order, judged)| match (&order.command, judged) {
            (Command::CancelByHotel(why, _), Ok((_, Decision::Change(_)))) => {
                Some((order.id, why, order.origin.as_ref()))
            }
            _ => None,
        })
    }

    /// Rooms to add to each night, after [`Self::settle_rooms`].
    pub(crate) fn delta(&self) -> &Delta {
        &self.delta
    }

    /// Rooms of no-shows that are taken back to add to each night, after [`Self::settle_rooms`].
    pub(crate) fn retaken(&self) -> &Delta {
        &self.retaken
    }

    /// Late payments to note, as pairs of reservation and payment id, so that their refunds can be recognized.
    pub(crate) fn notes(&self) -> Vec<(Uuid, Uuid)> {
        let notes = self.judged.iter().flatten().filter_map(|(booking, decision)| match decision {
            Decision::RefundPayment { note: Some(payment) } => Some((booking.id.as_uuid(), payment.as_uuid())),
            _ => None,
        });
        notes.collect()
    }

    /// The events to enqueue.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn events(&self) -> Result<Vec<NewEvent<Cancelled>>, QuoteError> {
        let orders = self.orders.iter().zip(&self.judged);
        let events = orders.filter_map(|(order, judged)| {
            let Ok((booking, Decision::Change(change))) = judged else { return None };
            cancelled_event(booking, change, order.trace_parent.clone())
        });
        events.collect()
    }

    /// The mails to enqueue, each with its kind.
    pub(crate) fn mails(&self) -> Vec<(&'static str, NewEvent<BookingMail>)> {
        let orders = self.orders.iter().zip(&self.judged);
        let mails = orders.filter_map(|(order, judged)| {
            let Ok((booking, Decision::Change(change))) = judged else { return None };
            let (kind, payload) = BookingMail::of(booking, change)?;
            let (aggregate_id, trace_parent) = (mail_aggregate(booking.id), order.trace_parent.clone());
            Some((kind, NewEvent { aggregate_id, payload, trace_parent }))
        });
        mails.collect()
    }

    /// The changes to record for auditors: their origin, and the reservation before.
    pub(crate) fn audited(&self) -> impl Iterator<Item = (&Origin, &Reservation)> {
        self.orders.iter().zip(&self.judged).filter_map(|(order, judged)| match (&order.origin, judged) {
            (Some(origin), Ok((before, Decision::Change(_)))) => Some((origin, before)),
            _ => None,
        })
    }

    /// The result of each order. `written` has the reservations as they were written, by id.
    pub(crate) fn outcomes(self, written: &mut BTreeMap<Uuid, Reservation>) -> Vec<Result<Applied, ReservationError>> {
        let outcome = |judged: Judged| {
            let (before, decision) = judged?;
            Ok(Applied {
                reservation: written.remove(&before.id.as_uuid()).unwrap_or(before),
                refund_required: matches!(
                    decision,
                    Decision::RefundPayment { .. } | Decision::Change(Change { refund_payment: true, .. })
                ),
                wake: matches!(decision, Decision::Change(Change { settle: Some(_), .. })),
            })
        };
        self.judged.into_iter().map(outcome).collect()
    }
}

/// Why not one more room of each of the reservation's nights can be sold; `None` if it can.
fn sold_out(booking: &Reservation, left: &BTreeMap<Night, NightSale>) -> Option<ReservationError> {
    let one_more = |night: &Night| left.get(night).is_none_or(|sale| !sale.sells(1));
    let night = booking.nights().into_keys().find(one_more)?;
    Some(not_left(booking, night, left))
}

/// The refusal of rooms in a night that is closed, or short of them.
fn not_left(booking: &Reservation, night: Night, left: &BTreeMap<Night, NightSale>) -> ReservationError {
    if left.get(&night).is_some_and(|sale| sale.stop_sell) {
        let room = short_room(booking.lines.iter().map(RoomLine::room), night, 0);
        return ReservationError::StopSell { room, stay_date: date_of(night.2) };
    }
    taken(booking, night, left)
}

/// The first night from `today` on that has fewer rooms left than the reservation had in it, whether or not it is closed.
fn not_had(nights: &BTreeMap<Night, i32>, today: Date, left: &BTreeMap<Night, NightSale>) -> Option<Night> {
    let has = |night: &Night, rooms: i32| left.get(night).is_some_and(|sale| rooms <= sale.rooms_left);
    let mut nights = nights.iter();
    nights.find(|(night, rooms)| night.2 >= day_of(today) && !has(night, **rooms)).map(|(night, _)| *night)
}

/// The refusal of rooms in a night that has too few.
fn taken(booking: &Reservation, night: Night, left: &BTreeMap<Night, NightSale>) -> ReservationError {
    let rooms_left = left.get(&night).map_or(0, |sale| sale.rooms_left.max(0));
    let stay_date = date_of(night.2);
    let room = short_room(booking.lines.iter().map(RoomLine::room), night, rooms_left);
    ReservationError::SoldOut { room, stay_date, rooms_left: Some(rooms_left), hold_expire_time: None }
}

fn judge(order: &ChangeOrder, bookings: &BTreeMap<Uuid, Reservation>) -> Judged {
    let booking = bookings.get(&order.id.as_uuid()).ok_or(ReservationError::NotFound)?;
    Ok((booking.clone(), decide(booking, &order.command, order.now)?))
}

/// The rooms that a change releases or retakes in each night: those of the reservation, and when it ends, those that its
/// pending change holds.
fn nights_of(booking: &Reservation, change: &Change) -> BTreeMap<Night, i32> {
    let mut nights = booking.nights();
    if let (Rooms::Release, Some(pending)) = (change.rooms, &booking.pending) {
        for (night, rooms) in &pending.held {
            *nights.entry(*night).or_default() += rooms;
        }
    }
    nights
}

/// The event that a change ended a reservation; `None` when it publishes nothing.
///
/// # Errors
/// When a sum is out of range.
pub(crate) fn cancelled_event(
    booking: &Reservation,
    change: &Change,
    trace_parent: Option<String>,
) -> Option<Result<NewEvent<Cancelled>, QuoteError>> {
    let payload = Cancelled::new(booking, change.cancellation_reason, change.settle?);
    Some(payload.map(|payload| NewEvent { aggregate_id: booking.id.as_uuid(), payload, trace_parent }))
}

#[cfg(test)]
mod tests;
