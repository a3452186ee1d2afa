//! Changes what was agreed about a reservation: one transaction for each change, which swaps its rooms atomically.
//!
//! A change takes the difference, new rooms less old ones, of every night in one statement; nights that stay do not move, so
//! that a sold-out night that the guest already has is no obstacle. If the change is to be paid, only what it adds is taken,
//! and what it releases is given back when the payment is confirmed: until then the reservation is what it was.

mod depart_early;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_mesh::fault::Step;
use staymesh_store::{
    audit::Origin,
    idempotency::{IdempotencyError, require_same},
    outbox::NewEvent,
};
use uuid::Uuid;

use crate::{
    early_departure::EarlyDeparture,
    error::ReservationError,
    events::{CHANGE_APPLIED, CHANGE_DROPPED, CHANGE_SOLD_BY_PARTNER, ChangeSettled, ChangeSoldByPartner, Terms},
    fault_points,
    lifecycle::{is_of_stays_in_house, require_changeable, require_possible, require_rooms_not_arrived},
    model::{PaymentMode, PendingChange, Reservation, Status},
    night::{Night, date_of},
    room_line::{RoomLine, RoomLinesSum, Shortage, short_room, shortage},
    rooms_change::{BookedRoom, PlacedRoom, RoomsChange, delta, growth, release},
    store::{ChangeState, KnownRequest, NewChange, RevisedRooms, Store, Transaction},
};

/// A command on what was agreed about a reservation.
#[derive(Clone, Debug)]
pub struct RevisionOrder {
    /// The reservation.
    pub id: ReservationId,
    /// What to do.
    pub(crate) command: RevisionCommand,
    /// When the command was received.
    pub now: Timestamp,
    /// Subject of the caller.
    pub actor: String,
    /// W3C `traceparent` of the request, for events that follow from it.
    pub trace_parent: Option<String>,
    /// The origin of the audit record; `None` if the revisions are enough.
    pub origin: Option<Origin>,
}

/// What to do with what was agreed.
#[derive(Clone, Debug)]
pub(crate) enum RevisionCommand {
    /// Apply a change, or hold what it adds until it is paid.
    Apply {
        change: RoomsChange,
        /// The revision that it is based on.
        base: i32,
        request_id: Uuid,
        content_hash: [u8; 32],
        /// When it is dropped unless it was paid.
        expire_time: Timestamp,
    },
    /// Cancel rooms by their positions. Those that were dropped before are no error.
    CancelRooms {
        positions: BTreeSet<i32>,
        content_hash: [u8; 32],
        /// The refund that the caller expects; another one refuses.
        expected_refund: Option<Money>,
    },
    /// Guests leave early: their nights go back on sale.
    DepartEarly {
        departure: EarlyDeparture,
        request_id: Uuid,
        content_hash: [u8; 32],
        /// The refund that the caller expects; another one refuses.
        expected_refund: Option<Money>,
    },
    /// The difference of a pending change is paid, or owed by the partner who collects.
    Confirm { revision: i32, payment: Option<(PaymentId, Money)> },
    /// Give up a pending change.
    Drop { revision: i32 },
}

/// The reservation after a [`RevisionOrder`].
#[derive(Clone, Debug)]
pub struct Revised {
    /// The reservation as it is now.
    pub reservation: Reservation,
    /// What happened.
    pub(crate) outcome: RevisionOutcome,
}

/// What a [`RevisionCommand`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevisionOutcome {
    /// The reservation or its pending change is another; an event may be enqueued.
    Changed,
    /// Nothing: a repeat, or it has become irrelevant.
    Nothing,
    /// Nothing: the payment cannot be used and must be refunded in full.
    RefundPayment,
    /// Nothing: no room would be left. The whole reservation is to be cancelled.
    CancelsAll,
}

/// Carries out a command in a transaction of its own. Idempotent.
///
/// # Errors
/// [`ReservationError::NotFound`], [`ReservationError::NotChangeable`], [`ReservationError::RevisionMismatch`],
/// [`ReservationError::ChangePending`], [`ReservationError::SoldOut`], [`ReservationError::NotOnSale`],
/// [`ReservationError::RequestIdReused`], [`ReservationError::AmountMismatch`]; and when the database fails: then it is
/// unknown whether it was carried out.
pub(crate) async fn revise(store: &Store, order: &RevisionOrder) -> Result<Revised, ReservationError> {
    let mut transaction = store.begin().await?;
    let mut found = transaction.lock_reservations(std::iter::once(order.id)).await?;
    let booking = found.remove(&order.id.as_uuid()).ok_or(ReservationError::NotFound)?;
    let mut revision = Revising { transaction, order, booking };
    let outcome = match &order.command {
        RevisionCommand::Apply { .. } => revision.apply().await?,
        RevisionCommand::CancelRooms { positions, content_hash, expected_refund } => {
            revision.cancel_rooms(positions, content_hash, *expected_refund).await?
        }
        RevisionCommand::DepartEarly { .. } => revision.depart_early().await?,
        RevisionCommand::Confirm { revision: number, payment } => revision.confirm(*number, *payment).await?,
        RevisionCommand::Drop { revision: number } => revision.give_up(*number).await?,
    };
    revision.finish(outcome).await
}

/// A transaction that has the reservation locked.
struct Revising<'a> {
    transaction: Transaction,
    order: &'a RevisionOrder,
    /// As it was locked.
    booking: Reservation,
}

impl Revising<'_> {
    async fn apply(&mut self) -> Result<RevisionOutcome, ReservationError> {
        let RevisionCommand::Apply { change, base, request_id, content_hash, expire_time } = &self.order.command else {
            return Ok(RevisionOutcome::Nothing);
        };
        if let Some(first) = self.repeated(*request_id, content_hash).await? {
            // A change that was given up has used up its revision: to answer with the reservation would look like success.
            return if first.dropped { Err(self.outdated(*base)) } else { Ok(RevisionOutcome::Nothing) };
        }
        if self.booking.revision != *base {
            return Err(self.outdated(*base));
        }
        require_possible(&self.booking, change, self.order.now)?;
        let new = NewChange {
            revision: next_revision(&self.booking)?,
            change,
            pending: None,
            request_id: Some(*request_id),
            content_hash,
            actor: &self.order.actor,
            reason: "changed",
        };
        if change.balance.minor() > 0 { self.hold(new, *expire_time).await } else { self.swap(new).await }
    }

    /// The request with this id, if it changed the reservation before; compared with the whole request.
    async fn repeated(&mut self, id: Uuid, content_hash: &[u8; 32]) -> Result<Option<KnownRequest>, ReservationError> {
        let Some(first) = self.transaction.change_of_request(self.order.id, id).await? else { return Ok(None) };
        require_same((), first.content_hash == content_hash).map_err(|error| match error {
            IdempotencyError::Reused => ReservationError::RequestIdReused,
            IdempotencyError::Store(error) => error.into(),
        })?;
        Ok(Some(first))
    }

    /// The refusal of a change that is based on the revision `base`.
    const fn outdated(&self, base: i32) -> ReservationError {
        ReservationError::RevisionMismatch { base, current: self.booking.revision }
    }

    async fn cancel_rooms(
        &mut self,
        positions: &BTreeSet<i32>,
        content_hash: &[u8; 32],
        expected_refund: Option<Money>,
    ) -> Result<RevisionOutcome, ReservationError> {
        let (cancelled, kept): (Vec<_>, Vec<_>) =
            self.booking.placed().into_iter().partition(|room| positions.contains(&room.position));
        if cancelled.is_empty() || !self.booking.status.holds_rooms() {
            return Ok(RevisionOutcome::Nothing);
        }
        if kept.is_empty() {
            return Ok(RevisionOutcome::CancelsAll);
        }
        self.end_pending().await?;
        require_changeable(&self.booking, self.order.now)?;
        let penalties = cancelled
            .iter()
            .map(|room| BookedRoom { line: &room.line, booked: self.booking.create_time }.penalty(self.order.now));
        let penalty = Money::sum(self.booking.quote.currency(), penalties)?;
        let kept = kept.iter().map(|room| room.position).collect();
        let change = RoomsChange::new(&self.booking.placed(), kept, Vec::new(), penalty)?;
        require_rooms_not_arrived(&self.booking, &change)?;
        let refund = Money::zero(penalty.currency()).checked_sub(change.balance)?;
        if expected_refund.is_some_and(|expected| expected != refund) {
            return Err(ReservationError::CancelTermsChanged { refund });
        }
        let new = NewChange {
            revision: next_revision(&self.booking)?,
            change: &change,
            pending: None,
            request_id: None,
            content_hash,
            actor: &self.order.actor,
            reason: "rooms_cancelled",
        };
        self.swap(new).await
    }

    /// Applies a change at once.
    async fn swap(&mut self, new: NewChange<'_>) -> Result<RevisionOutcome, ReservationError> {
        let after = new.change.applied_to(&self.booking.placed())?;
        self.take(&self.delta(&after), &after).await?;
        self.transaction.insert_change(&self.booking, &new).await?;
        self.write(new.revision, new.change, &after).await?;
        Ok(RevisionOutcome::Changed)
    }

    /// Holds what a change adds until it is paid.
    async fn hold(&mut self, new: NewChange<'_>, expires: Timestamp) -> Result<RevisionOutcome, ReservationError> {
        let after = new.change.applied_to(&self.booking.placed())?;
        let expires = if is_of_stays_in_house(&self.booking, new.change) {
            expires
        } else {
            expires.min(sum(&after)?.quote.terms.cancel_before).min(self.booking.quote.terms.cancel_before)
        };
        let held = growth(&self.delta(&after));
        self.take(&held, &after).await?;
        let new = NewChange { pending: Some((&held, expires)), ..new };
        self.transaction.insert_change(&self.booking, &new).await?;
        if let Some(sale) = self.sale_after(new.revision, new.change, &after)? {
            let event = self.event(sale);
            self.transaction.enqueue_change(CHANGE_SOLD_BY_PARTNER, &[event]).await?;
        }
        Ok(RevisionOutcome::Changed)
    }

    async fn confirm(
        &mut self,
        revision: i32,
        payment: Option<(PaymentId, Money)>,
    ) -> Result<RevisionOutcome, ReservationError> {
        let payment_id = payment.map(|(id, _)| id);
        let pending = self.booking.pending.clone().filter(|pending| pending.revision == revision);
        let Some(pending) = pending.filter(|_| self.booking.status == Status::Paid) else {
            return Ok(match self.transaction.change_state(self.order.id, revision).await? {
                Some(ChangeState::Applied(known)) if known == payment_id => RevisionOutcome::Nothing,
                _ => RevisionOutcome::RefundPayment,
            });
        };
        if payment.is_some_and(|(_, amount)| amount != pending.change.balance) {
            return Err(ReservationError::AmountMismatch);
        }
        // A partner who collects owes the difference: no payment pays for it.
        if payment.is_some() != (self.booking.payment_mode == PaymentMode::GuestPays) {
            return Ok(RevisionOutcome::RefundPayment);
        }
        let after = pending.change.applied_to(&self.booking.placed())?;
        // A late payment buys a stay only while it can still begin, and guests have arrived with what they had.
        let ends = sum(&after)?.quote.terms.cancel_before.min(self.booking.quote.terms.cancel_before);
        let arrived = require_rooms_not_arrived(&self.booking, &pending.change).is_err();
        let in_house = is_of_stays_in_house(&self.booking, &pending.change);
        if payment.is_some() && !in_house && (arrived || self.order.now >= ends) {
            return Ok(RevisionOutcome::RefundPayment);
        }
        self.take(&release(&self.delta(&after)), &after).await?;
        self.transaction.mark_change_applied(self.order.id, revision, payment_id).await?;
        self.write(revision, &pending.change, &after).await?;
        Ok(RevisionOutcome::Changed)
    }

    /// Gives up the change that waits for its payment: it is based on rooms or nights that are dropped now.
    async fn end_pending(&mut self) -> Result<(), ReservationError> {
        // All nights at once, in key order: a change that is given up locks some of them, what follows the others.
        let held = self.booking.pending.iter().flat_map(|pending| pending.held.keys().copied());
        let nights: BTreeSet<Night> = self.booking.nights().into_keys().chain(held).collect();
        self.transaction.lock_nights(nights).await?;
        if let Some(revision) = self.booking.pending.as_ref().map(|pending| pending.revision) {
            self.give_up(revision).await?;
            self.reread().await?;
        }
        Ok(())
    }

    async fn give_up(&mut self, revision: i32) -> Result<RevisionOutcome, ReservationError> {
        let pending = self.booking.pending.as_ref().filter(|pending| pending.revision == revision);
        let Some(PendingChange { held, .. }) = pending else { return Ok(RevisionOutcome::Nothing) };
        let given_back: BTreeMap<Night, i32> = held.iter().map(|(night, rooms)| (*night, -rooms)).collect();
        self.take(&given_back, &[]).await?;
        let events = ChangeSettled::dropped(&self.booking)?.map(|payload| self.event(payload));
        self.transaction.drop_changes(&[self.order.id.as_uuid()]).await?;
        let events: Vec<_> = events.into_iter().collect();
        self.transaction.enqueue_change(CHANGE_DROPPED, &events).await?;
        Ok(RevisionOutcome::Changed)
    }

    /// The rooms to add to each night when the reservation gets the rooms `after`.
    fn delta(&self, after: &[PlacedRoom]) -> BTreeMap<Night, i32> {
        delta(self.order.id.hotel_id().get(), &self.booking.placed(), after)
    }

    /// Locks the nights of a delta in key order and adds it, if every night that gets more rooms has them. Nights that are in
    /// the archive are not counted any more.
    async fn take(&mut self, delta: &BTreeMap<Night, i32>, after: &[PlacedRoom]) -> Result<(), ReservationError> {
        let left = self.transaction.lock_nights(delta.keys().copied()).await?;
        match shortage(&growth(delta), &left) {
            None => {}
            Some(Shortage::NotOnSale) => return Err(ReservationError::NotOnSale),
            Some(Shortage::StopSell(night)) => {
                let room = short_room(after.iter().map(|room| room.line.room()), night, self.has(night));
                return Err(ReservationError::StopSell { room, stay_date: date_of(night.2) });
            }
            Some(Shortage::SoldOut(night, rooms_left)) => return Err(self.sold_out(night, rooms_left, after)),
        }
        let counted = |(night, _): &(&Night, &i32)| left.contains_key(night);
        let counted = delta.iter().filter(counted).map(|(night, rooms)| (*night, *rooms)).collect();
        self.transaction.swap_reserved(&counted).await
    }

    /// The rooms that the reservation has in a night.
    fn has(&self, night: Night) -> i32 {
        self.booking.nights().get(&night).copied().unwrap_or_default()
    }

    /// The refusal of a change: the rooms that the reservation has in the night are left for it, too.
    fn sold_out(&self, night: Night, rooms_left: i32, after: &[PlacedRoom]) -> ReservationError {
        let rooms = after.iter().map(|room| room.line.room());
        ReservationError::SoldOut {
            room: short_room(rooms, night, rooms_left.saturating_add(self.has(night))),
            stay_date: date_of(night.2),
            rooms_left: Some(rooms_left),
            hold_expire_time: None,
        }
    }

    /// Writes the revision that a change makes, whose row exists, and the event that it was applied.
    async fn write(
        &mut self,
        revision: i32,
        change: &RoomsChange,
        after: &[PlacedRoom],
    ) -> Result<(), ReservationError> {
        let retained = self.booking.retained.checked_add(change.penalty)?;
        let rooms = RevisedRooms { all: after, retained };
        self.transaction.write_revision(&self.booking, revision, &rooms).await?;
        let RoomLinesSum { stay, quote } = sum(after)?;
        let applied = ChangeSettled::applied(&self.booking, revision, change.balance, (&quote, retained, stay))?;
        let event = self.event(applied);
        self.transaction.enqueue_change(CHANGE_APPLIED, &[event]).await
    }

    /// The sale that a partner who collects owes more for; `None` if the guest pays.
    fn sale_after(
        &self,
        revision: i32,
        change: &RoomsChange,
        after: &[PlacedRoom],
    ) -> Result<Option<ChangeSoldByPartner>, ReservationError> {
        let RoomLinesSum { stay, quote } = sum(after)?;
        let retained = self.booking.retained.checked_add(change.penalty)?;
        let terms = Terms::after(&self.booking, &quote, retained, stay)?;
        Ok(terms.map(|terms| ChangeSoldByPartner { reservation_id: self.order.id, revision, terms }))
    }

    fn event<T>(&self, payload: T) -> NewEvent<T> {
        let (aggregate_id, trace_parent) = (self.order.id.as_uuid(), self.order.trace_parent.clone());
        NewEvent { aggregate_id, payload, trace_parent }
    }

    /// Reads the reservation as it is in the transaction.
    async fn reread(&mut self) -> Result<Reservation, ReservationError> {
        let mut found = self.transaction.lock_reservations(std::iter::once(self.order.id)).await?;
        let after = found.remove(&self.order.id.as_uuid()).ok_or(ReservationError::NotFound)?;
        Ok(std::mem::replace(&mut self.booking, after))
    }

    async fn finish(mut self, outcome: RevisionOutcome) -> Result<Revised, ReservationError> {
        if outcome == RevisionOutcome::Changed {
            let before = self.reread().await?;
            if let Some(origin) = &self.order.origin {
                self.transaction.record_change(origin, &before, &self.booking).await?;
            }
            step(&self.order.command).around(self.transaction.commit()).await?;
        } else {
            self.transaction.rollback().await?;
        }
        Ok(Revised { reservation: self.booking, outcome })
    }
}

/// The commit step of a command.
const fn step(command: &RevisionCommand) -> Step {
    match command {
        RevisionCommand::Apply { change, .. } if change.balance.minor() > 0 => fault_points::CHANGE_HELD,
        RevisionCommand::Apply { .. } | RevisionCommand::CancelRooms { .. } | RevisionCommand::DepartEarly { .. } => {
            fault_points::CHANGE_APPLIED
        }
        RevisionCommand::Confirm { .. } => fault_points::CHANGE_CONFIRMED,
        RevisionCommand::Drop { .. } => fault_points::CHANGE_DROPPED,
    }
}

fn next_revision(booking: &Reservation) -> Result<i32, ReservationError> {
    booking.revision.checked_add(1).ok_or(ReservationError::NotFound)
}

fn sum(rooms: &[PlacedRoom]) -> Result<RoomLinesSum, ReservationError> {
    let lines: Vec<RoomLine> = rooms.iter().map(|room| room.line.clone()).collect();
    Ok(RoomLine::sum(&lines)?)
}

#[cfg(test)]
mod tests;
