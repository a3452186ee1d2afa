//! Changes what was agreed about a reservation: one transaction for each change, which swaps its rooms atomically.
//!
//! A change takes the difference, new rooms less old ones, of every night in one statement; nights that stay do not move, so
//! that a sold-out night that the guest already has is no obstacle. If the change is to be paid, only what it adds is taken,
//! and what it releases is given back when the payment is confirmed: until then the reservation is what it was.

mod arrival;
mod depart_early;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_mesh::{Problem, fault::Step};
use staymesh_store::{
    audit::Origin,
    idempotency::{IdempotencyError, require_same},
    outbox::NewEvent,
};
use uuid::Uuid;

use super::{
    hold_limits::Holds,
    outcome::unpaid,
    revision_plan::{NextRevision, RevisionOutcome, RevisionPlan, outdated},
};
use crate::{
    credit_refusal::CreditRefusal,
    early_departure::EarlyDeparture,
    error::ReservationError,
    events::{BOOKING_CHANGED, BookingMail, CHANGE_APPLIED, CHANGE_DROPPED, CHANGE_SOLD_BY_PARTNER, mail_aggregate},
    fault_points,
    model::{HoldLimits, Reservation},
    night::{Night, date_of},
    room_line::{Shortage, short_room, shortage},
    rooms_change::{PlacedRoom, RoomsChange, growth},
    store::{KnownRequest, NewChange, Pending, RevisedRooms, Store, Transaction, holders_of},
};

pub(crate) use arrival::give_up_at_arrival;

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
        /// Of what it holds until then.
        limits: Box<HoldLimits>,
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
    /// Give up a pending change that the credit of the partner who collects refused.
    Refuse { revision: i32, refusal: CreditRefusal },
}

/// The reservation after a [`RevisionOrder`].
#[derive(Clone, Debug)]
pub struct Revised {
    /// The reservation as it is now.
    pub reservation: Reservation,
    /// What happened.
    pub(crate) outcome: RevisionOutcome,
}

/// Carries out a command in a transaction of its own. Idempotent.
///
/// # Errors
/// [`ReservationError::NotFound`], [`ReservationError::NotChangeable`], [`ReservationError::RevisionMismatch`],
/// [`ReservationError::ChangePending`], [`ReservationError::SoldOut`], [`ReservationError::NotOnSale`],
/// [`ReservationError::Unpaid`], [`ReservationError::UnpaidShare`], [`ReservationError::RequestIdReused`],
/// [`ReservationError::AmountMismatch`]; and when the database fails: then it is unknown whether it was carried out.
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
        RevisionCommand::Drop { revision: number } | RevisionCommand::Refuse { revision: number, .. } => {
            revision.give_up(*number).await?
        }
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

/// The request that a change is written with.
struct Request<'a> {
    id: Option<Uuid>,
    content_hash: &'a [u8; 32],
    reason: &'static str,
    /// Of what it holds until it is paid.
    limits: Option<&'a HoldLimits>,
}

impl Revising<'_> {
    async fn apply(&mut self) -> Result<RevisionOutcome, ReservationError> {
        let RevisionCommand::Apply { change, base, request_id, content_hash, expire_time, limits } =
            &self.order.command
        else {
            return Ok(RevisionOutcome::Nothing);
        };
        if let Some(first) = self.repeated(*request_id, content_hash).await? {
            // A change that was given up has used up its revision: to answer with the reservation would look like success.
            return match first {
                KnownRequest { refusal: Some(refusal), .. } => Err(Problem::from(refusal).into()),
                KnownRequest { dropped: true, .. } => Err(outdated(&self.booking, *base)),
                KnownRequest { .. } => Ok(RevisionOutcome::Nothing),
            };
        }
        let plan = RevisionPlan::apply(&self.booking, change, *base, *expire_time, self.order.now)?;
        let request = Request { id: Some(*request_id), content_hash, reason: "changed", limits: Some(limits.as_ref()) };
        self.carry_out(&plan, Some(&request)).await
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

    async fn cancel_rooms(
        &mut self,
        positions: &BTreeSet<i32>,
        content_hash: &[u8; 32],
        expected_refund: Option<Money>,
    ) -> Result<RevisionOutcome, ReservationError> {
        if let Some(outcome) = RevisionPlan::keeps_rooms(&self.booking, positions) {
            return Ok(outcome);
        }
        self.end_pending().await?;
        let plan = RevisionPlan::cancel_rooms(&self.booking, positions, expected_refund, self.order.now)?;
        let request = Request { id: None, content_hash, reason: "rooms_cancelled", limits: None };
        self.carry_out(&plan, Some(&request)).await
    }

    async fn confirm(
        &mut self,
        revision: i32,
        payment: Option<(PaymentId, Money)>,
    ) -> Result<RevisionOutcome, ReservationError> {
        let known = if RevisionPlan::waits(&self.booking, revision) {
            None
        } else {
            self.transaction.change_state(self.order.id, revision).await?
        };
        let plan = RevisionPlan::confirm(&self.booking, revision, payment, known, self.order.now)?;
        self.carry_out(&plan, None).await
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
        let plan = RevisionPlan::give_up(&self.booking, revision);
        self.carry_out(&plan, None).await
    }

    /// Takes and releases the rooms of a plan, writes it, and enqueues what it publishes. `request` is that of a new change.
    async fn carry_out(
        &mut self,
        plan: &RevisionPlan,
        request: Option<&Request<'_>>,
    ) -> Result<RevisionOutcome, ReservationError> {
        let delta = plan.delta(&self.booking);
        match plan {
            RevisionPlan::Keep(_) => {}
            RevisionPlan::Swap(next) => {
                self.take(&delta, plan.rooms()).await?;
                self.insert(next, None, request).await?;
                self.write(next).await?;
            }
            RevisionPlan::Hold(next, expires) => {
                self.take(&delta, plan.rooms()).await?;
                let limits = request.and_then(|request| request.limits);
                if let Some(limits) = limits {
                    self.require_within(limits, &delta).await?;
                }
                let source = limits.and_then(|limits| limits.source.as_ref()).map(|(source, _)| source);
                self.insert(next, Some(Pending { held: &delta, expires: *expires, source }), request).await?;
            }
            RevisionPlan::Confirm(next) => {
                self.take(&delta, plan.rooms()).await?;
                let payment = match self.order.command {
                    RevisionCommand::Confirm { payment, .. } => payment.map(|(id, _)| id),
                    _ => None,
                };
                self.transaction.mark_change_applied(self.order.id, next.revision, payment).await?;
                self.write(next).await?;
            }
            RevisionPlan::GiveUp(_) => {
                self.take(&delta, plan.rooms()).await?;
                let refusal = match &self.order.command {
                    RevisionCommand::Refuse { refusal, .. } => Some(refusal),
                    _ => None,
                };
                self.transaction.drop_changes(&[self.order.id.as_uuid()], refusal).await?;
            }
        }
        if let Some(settled) = plan.settled(&self.booking)? {
            let kind = if settled.dropped { CHANGE_DROPPED } else { CHANGE_APPLIED };
            let event = self.event(settled);
            self.transaction.enqueue_change(kind, &[event]).await?;
        }
        self.mail(plan).await?;
        if let Some(sale) = plan.sale(&self.booking)? {
            let event = self.event(sale);
            self.transaction.enqueue_change(CHANGE_SOLD_BY_PARTNER, &[event]).await?;
        }
        Ok(plan.outcome())
    }

    /// Enqueues the mail about the revision that a plan makes.
    async fn mail(&mut self, plan: &RevisionPlan) -> Result<(), ReservationError> {
        let (RevisionPlan::Swap(next) | RevisionPlan::Confirm(next)) = plan else { return Ok(()) };
        let mail = BookingMail::changed(&self.booking, next.revision, next.change.balance)?;
        let aggregate_id = mail_aggregate(self.order.id);
        let mails: Vec<_> = mail.into_iter().map(|payload| NewEvent { aggregate_id, ..self.event(payload) }).collect();
        self.transaction.enqueue_change(BOOKING_CHANGED, &mails).await
    }

    /// Locks the holders as new bookings do, after the nights, and counts what they hold.
    async fn require_within(
        &mut self,
        limits: &HoldLimits,
        nights: &BTreeMap<Night, i32>,
    ) -> Result<(), ReservationError> {
        let keys: Vec<_> = holders_of(&self.booking.owner, limits).map(|(holder, _)| holder).collect();
        let holders = self.transaction.lock_holders(&keys).await?;
        let nights_held = match limits.share {
            Some(share) => self.transaction.night_shares(nights.keys().copied(), share).await?,
            None => BTreeMap::new(),
        };
        let holds = Holds { holders, nights: nights_held };
        holds
            .refusal_of(&self.booking.owner, limits, nights)
            .map_or(Ok(()), |refusal| Err(unpaid(refusal, &BTreeMap::new())))
    }

    /// Inserts a new change, with what it holds and until when if it waits for its payment.
    async fn insert(
        &mut self,
        next: &NextRevision,
        pending: Option<Pending<'_>>,
        request: Option<&Request<'_>>,
    ) -> Result<(), ReservationError> {
        let Some(Request { id, content_hash, reason, .. }) = request else { return Ok(()) };
        let new = NewChange {
            revision: next.revision,
            change: &next.change,
            pending,
            request_id: *id,
            content_hash,
            actor: &self.order.actor,
            reason,
        };
        self.transaction.insert_change(&self.booking, &new).await
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

    /// Writes the revision that a change makes, whose row exists.
    async fn write(&mut self, next: &NextRevision) -> Result<(), ReservationError> {
        let rooms = RevisedRooms { all: &next.after, retained: next.retained };
        self.transaction.write_revision(&self.booking, next.revision, &rooms).await
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
        RevisionCommand::Drop { .. } | RevisionCommand::Refuse { .. } => fault_points::CHANGE_DROPPED,
    }
}

#[cfg(test)]
mod tests;
