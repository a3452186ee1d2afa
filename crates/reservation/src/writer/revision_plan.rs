//! Plans what a command does to what was agreed about a reservation: its rooms, its next revision, and what is published.
//! Pure: the writer carries a plan out in one transaction, and the model of the protocol (`crates/protocol-model`) explores
//! them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId};

use crate::{
    error::ReservationError,
    events::{ChangeSettled, ChangeSoldByPartner, Terms},
    lifecycle::{is_of_stays_in_house, require_changeable, require_possible, require_rooms_not_arrived},
    model::{PaymentMode, PendingChange, Reservation, Status},
    night::Night,
    room_line::{RoomLine, RoomLinesSum},
    rooms_change::{BookedRoom, PlacedRoom, RoomsChange, delta, growth, release},
    store::ChangeState,
};

/// What a [`super::RevisionCommand`] did.
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

/// What a command does to a reservation.
#[derive(Clone, Debug)]
pub(crate) enum RevisionPlan {
    /// Nothing is written.
    Keep(RevisionOutcome),
    /// The next revision is made at once.
    Swap(NextRevision),
    /// What the next revision adds is held until its difference is paid, or until this time.
    Hold(NextRevision, Timestamp),
    /// The next revision is made, because its difference is paid.
    Confirm(NextRevision),
    /// What a pending change holds is given back, and its number is used up.
    GiveUp(PendingChange),
}

/// What a change makes of a reservation.
#[derive(Clone, Debug)]
pub(crate) struct NextRevision {
    /// Its number.
    pub(crate) revision: i32,
    /// The change.
    pub(crate) change: RoomsChange,
    /// The rooms afterwards.
    pub(crate) after: Vec<PlacedRoom>,
    /// What they add up to.
    sum: RoomLinesSum,
    /// What changes keep of dropped rooms and nights, this one included.
    pub(crate) retained: Money,
}

impl NextRevision {
    fn new(booking: &Reservation, revision: i32, change: &RoomsChange) -> Result<Self, ReservationError> {
        let after = change.applied_to(&booking.placed())?;
        let lines: Vec<RoomLine> = after.iter().map(|room| room.line.clone()).collect();
        let retained = booking.retained.checked_add(change.penalty)?;
        Ok(Self { revision, sum: RoomLine::sum(&lines)?, change: change.clone(), after, retained })
    }

    /// When neither the stay before nor the stay afterwards can begin any more.
    fn ends(&self, booking: &Reservation) -> Timestamp {
        self.sum.quote.terms.cancel_before.min(booking.quote.terms.cancel_before)
    }
}

impl RevisionPlan {
    /// Applies a change of the revision `base`, or holds what it adds until it is paid.
    ///
    /// # Errors
    /// [`ReservationError::RevisionMismatch`], [`ReservationError::NotChangeable`], [`ReservationError::ChangePending`],
    /// [`ReservationError::CheckedIn`], and when the change does not fit the rooms.
    pub(crate) fn apply(
        booking: &Reservation,
        change: &RoomsChange,
        base: i32,
        expire_time: Timestamp,
        now: Timestamp,
    ) -> Result<Self, ReservationError> {
        if booking.revision != base {
            return Err(outdated(booking, base));
        }
        require_possible(booking, change, now)?;
        let next = NextRevision::new(booking, next_number(booking)?, change)?;
        if change.balance.minor() <= 0 {
            return Ok(Self::Swap(next));
        }
        let in_house = is_of_stays_in_house(booking, change);
        let expires = if in_house { expire_time } else { expire_time.min(next.ends(booking)) };
        Ok(Self::Hold(next, expires))
    }

    /// Cancels rooms by their positions, of a reservation without a pending change. Rooms that were dropped before are no
    /// error.
    ///
    /// # Errors
    /// As [`Self::apply`], and [`ReservationError::CancelTermsChanged`].
    pub(crate) fn cancel_rooms(
        booking: &Reservation,
        positions: &BTreeSet<i32>,
        expected_refund: Option<Money>,
        now: Timestamp,
    ) -> Result<Self, ReservationError> {
        let (cancelled, kept): (Vec<_>, Vec<_>) =
            booking.placed().into_iter().partition(|room| positions.contains(&room.position));
        require_changeable(booking, now)?;
        let penalty = |room: &PlacedRoom| BookedRoom { line: &room.line, booked: booking.create_time }.penalty(now);
        let penalty = Money::sum(booking.quote.currency(), cancelled.iter().map(penalty))?;
        let kept = kept.iter().map(|room| room.position).collect();
        let change = RoomsChange::new(&booking.placed(), kept, Vec::new(), penalty)?;
        require_rooms_not_arrived(booking, &change)?;
        let refund = Money::zero(penalty.currency()).checked_sub(change.balance)?;
        if expected_refund.is_some_and(|expected| expected != refund) {
            return Err(ReservationError::CancelTermsChanged { refund });
        }
        Ok(Self::Swap(NextRevision::new(booking, next_number(booking)?, &change)?))
    }

    /// Makes the next revision by a change that gives back nights of guests who leave early.
    ///
    /// # Errors
    /// When the change does not fit the rooms.
    pub(crate) fn depart(booking: &Reservation, change: &RoomsChange) -> Result<Self, ReservationError> {
        Ok(Self::Swap(NextRevision::new(booking, next_number(booking)?, change)?))
    }

    /// Why rooms are not cancelled by [`Self::cancel_rooms`]; `None` if they are.
    pub(crate) fn keeps_rooms(booking: &Reservation, positions: &BTreeSet<i32>) -> Option<RevisionOutcome> {
        let cancelled = booking.positions.iter().filter(|position| positions.contains(position)).count();
        if cancelled == 0 || !booking.status.holds_rooms() {
            return Some(RevisionOutcome::Nothing);
        }
        (cancelled == booking.positions.len()).then_some(RevisionOutcome::CancelsAll)
    }

    /// Whether the change that makes this revision waits for its payment.
    pub(crate) fn waits(booking: &Reservation, revision: i32) -> bool {
        booking.status == Status::Paid && booking.pending.as_ref().is_some_and(|pending| pending.revision == revision)
    }

    /// Applies the pending change whose difference is paid, or owed by the partner who collects. One that the partner owes is
    /// given up if the guests have arrived meanwhile. `known` is what became of a change that does not wait.
    ///
    /// # Errors
    /// [`ReservationError::AmountMismatch`], and when the change does not fit the rooms.
    pub(crate) fn confirm(
        booking: &Reservation,
        revision: i32,
        payment: Option<(PaymentId, Money)>,
        known: Option<ChangeState>,
        now: Timestamp,
    ) -> Result<Self, ReservationError> {
        let pending = booking.pending.as_ref().filter(|_| Self::waits(booking, revision));
        let Some(PendingChange { change, .. }) = pending else {
            let repeat = known == Some(ChangeState::Applied(payment.map(|(id, _)| id)));
            return Ok(Self::Keep(if repeat { RevisionOutcome::Nothing } else { RevisionOutcome::RefundPayment }));
        };
        if payment.is_some_and(|(_, amount)| amount != change.balance) {
            return Err(ReservationError::AmountMismatch);
        }
        // A partner who collects owes the difference: no payment pays for it.
        if payment.is_some() != (booking.payment_mode == PaymentMode::GuestPays) {
            return Ok(Self::Keep(RevisionOutcome::RefundPayment));
        }
        let next = NextRevision::new(booking, revision, change)?;
        // A late payment buys a stay only while it can still begin, and guests have arrived with what they had.
        let in_house = is_of_stays_in_house(booking, change);
        let arrived = !in_house && require_rooms_not_arrived(booking, change).is_err();
        if payment.is_some() && !in_house && (arrived || now >= next.ends(booking)) {
            return Ok(Self::Keep(RevisionOutcome::RefundPayment));
        }
        if arrived {
            // The event that the change is given up takes back what the partner owes for it.
            return Ok(Self::give_up(booking, revision));
        }
        Ok(Self::Confirm(next))
    }

    /// Gives up the pending change that makes this revision.
    pub(crate) fn give_up(booking: &Reservation, revision: i32) -> Self {
        let pending = booking.pending.clone().filter(|pending| pending.revision == revision);
        pending.map_or(Self::Keep(RevisionOutcome::Nothing), Self::GiveUp)
    }

    /// What the command did.
    pub(crate) const fn outcome(&self) -> RevisionOutcome {
        match self {
            Self::Keep(outcome) => *outcome,
            _ => RevisionOutcome::Changed,
        }
    }

    /// The rooms to add to each night, negative for those that are released.
    pub(crate) fn delta(&self, booking: &Reservation) -> BTreeMap<Night, i32> {
        let difference = |next: &NextRevision| delta(booking.id.hotel_id().get(), &booking.placed(), &next.after);
        match self {
            Self::Keep(_) => BTreeMap::new(),
            Self::Swap(next) => difference(next),
            // Until the difference is paid the reservation is what it was: what it adds is held, and released later.
            Self::Hold(next, _) => growth(&difference(next)),
            Self::Confirm(next) => release(&difference(next)),
            Self::GiveUp(pending) => pending.held.iter().map(|(night, rooms)| (*night, -rooms)).collect(),
        }
    }

    /// The rooms for which nights are taken; none when they are only released.
    pub(crate) fn rooms(&self) -> &[PlacedRoom] {
        match self {
            Self::Swap(next) | Self::Hold(next, _) | Self::Confirm(next) => &next.after,
            Self::Keep(_) | Self::GiveUp(_) => &[],
        }
    }

    /// The event that the change was applied or given up; `None` if it was not.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn settled(&self, booking: &Reservation) -> Result<Option<ChangeSettled>, ReservationError> {
        match self {
            Self::Swap(next) | Self::Confirm(next) => {
                let RoomLinesSum { stay, quote } = &next.sum;
                let terms = (quote, next.retained, *stay);
                Ok(Some(ChangeSettled::applied(booking, next.revision, next.change.balance, terms)?))
            }
            Self::GiveUp(_) => Ok(ChangeSettled::dropped(booking)?),
            Self::Keep(_) | Self::Hold(..) => Ok(None),
        }
    }

    /// The event that a partner who collects is to owe the difference of a held change; `None` if the guest pays.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn sale(&self, booking: &Reservation) -> Result<Option<ChangeSoldByPartner>, ReservationError> {
        let Self::Hold(next, _) = self else { return Ok(None) };
        let terms = Terms::after(booking, &next.sum.quote, next.retained, next.sum.stay)?;
        Ok(terms.map(|terms| ChangeSoldByPartner { reservation_id: booking.id, revision: next.revision, terms }))
    }

    /// The reservation after this plan was carried out at `now`, but for its version, which the database counts. The store
    /// writes it by statements; a test compares the two.
    pub(crate) fn after(&self, booking: &Reservation, now: Timestamp) -> Reservation {
        match self {
            Self::Keep(_) => booking.clone(),
            Self::Swap(next) | Self::Confirm(next) => next.made(booking, now),
            Self::Hold(NextRevision { revision, change, .. }, expire_time) => {
                let (held, change) = (self.delta(booking), change.clone());
                let (revision, expire_time) = (*revision, *expire_time);
                let pending = PendingChange { revision, change, held, expire_time, create_time: now };
                Reservation { pending: Some(pending), ..booking.clone() }
            }
            Self::GiveUp(pending) => Reservation { pending: None, revision: pending.revision, ..booking.clone() },
        }
    }
}

impl NextRevision {
    fn made(&self, booking: &Reservation, now: Timestamp) -> Reservation {
        let stays = |position: i32| self.after.iter().any(|room| room.position == position);
        let dropped = booking.placed().into_iter().filter(|room| !stays(room.position));
        let dropped = booking.dropped.iter().cloned().chain(dropped).collect();
        let guest_of = |room: &PlacedRoom| {
            let place = booking.positions.iter().position(|position| *position == room.position)?;
            booking.room_guests.get(place).cloned().flatten()
        };
        Reservation {
            lines: self.after.iter().map(|room| room.line.clone()).collect(),
            positions: self.after.iter().map(|room| room.position).collect(),
            room_guests: self.after.iter().map(guest_of).collect(),
            dropped,
            stay: self.sum.stay,
            quote: self.sum.quote.clone(),
            retained: self.retained,
            pending: None,
            revision: self.revision,
            update_time: now,
            ..booking.clone()
        }
    }
}

/// The refusal of a change that is based on the revision `base`.
pub(crate) const fn outdated(booking: &Reservation, base: i32) -> ReservationError {
    ReservationError::RevisionMismatch { base, current: booking.revision }
}

fn next_number(booking: &Reservation) -> Result<i32, ReservationError> {
    booking.revision.checked_add(1).ok_or(ReservationError::NotFound)
}
