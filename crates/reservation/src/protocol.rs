//! This service's half of its protocol with the payment service, without a database: what a command does, decided and
//! planned as the writer does it. The model of the protocol (`crates/protocol-model`) explores it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{Money, PaymentId, parse_date};

use crate::{
    error::ReservationError,
    events::{Cancelled, ChangeSettled, ChangeSoldByPartner, SoldByPartner, Terms},
    lifecycle::Command,
    model::Reservation,
    night::{Night, NightSale},
    room_line::{Shortage, shortage},
    rooms_change::growth,
    store::ChangeState,
    writer::{Applied, ChangeOrder, ChangePlan, RevisionOutcome, RevisionPlan},
};

pub use crate::{
    rooms_change::{PlacedRoom, RoomsChange},
    writer::booked,
};

/// What a command did.
#[derive(Clone, Debug)]
pub struct Step {
    /// The reservation as it is now.
    pub reservation: Reservation,
    /// Rooms that it took in each night (hotel, room type, days since 1970-01-01); negative where it released them.
    pub rooms: BTreeMap<Night, i32>,
    /// Whether the confirmed payment cannot be used and must be refunded in full.
    pub refund_required: bool,
    /// What is published to the payment service, in order.
    pub messages: Vec<Message>,
}

/// A message to the payment service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// The reservation ended.
    Ended(Settlement),
    /// A change was applied or given up.
    ChangeSettled {
        /// The revision that it makes.
        revision: i32,
        /// What it gives back in all.
        refund: Money,
        /// Whether it was given up.
        dropped: bool,
        /// The terms of the partner's sale afterwards; `None` if the guest pays.
        sale: Option<SaleTerms>,
    },
    /// A partner who collects made the reservation: its credit decides.
    Sold(SaleTerms),
    /// A partner who collects is to owe more for a change: its credit decides.
    ChangeSold {
        /// The revision that the change will make.
        revision: i32,
        /// What the partner owes after the change.
        terms: SaleTerms,
    },
}

/// The message about a reservation that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settlement {
    /// What it gives back in all.
    pub refund: Money,
    /// Whether the hold expired, so that a late payment may revive the reservation.
    pub hold_expired: bool,
    /// The terms of a partner's sale; `None` if the guest pays.
    pub sale: Option<SaleTerms>,
}

/// What a partner who collects owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SaleTerms {
    /// Price with taxes and fees.
    pub amount: Money,
    /// Taxes and fees contained in it.
    pub taxes: Money,
    /// Day of departure.
    pub check_out: Date,
}

/// A command on what was agreed.
#[derive(Clone, Debug)]
pub enum Revise {
    /// Apply a change that is based on a revision, or hold what it adds until it is paid, or until a time.
    Apply {
        /// The change.
        change: RoomsChange,
        /// The revision.
        base: i32,
        /// When it is given up unless it was paid.
        expire_time: Timestamp,
    },
    /// Cancel rooms by their positions, but not all.
    CancelRooms(BTreeSet<i32>),
    /// The difference of the change of this revision is paid, or owed by the partner who collects.
    Confirm(i32, Option<(PaymentId, Money)>),
    /// Give up the change of this revision.
    GiveUp(i32),
}

/// Changes of a reservation that were applied, by revision, each with the payment of its difference.
pub type AppliedChanges = BTreeMap<i32, Option<PaymentId>>;

/// Carries out a command on a reservation at `now`, when so many rooms are left in each night.
///
/// # Errors
/// What [`crate::lifecycle::decide`] refuses, and when an amount is out of range.
pub fn carry_out(
    booking: &Reservation,
    command: Command,
    now: Timestamp,
    rooms_left: impl Fn(Night) -> i32,
) -> Result<Step, ReservationError> {
    let id = booking.id;
    let orders = [ChangeOrder { id, command, now, trace_parent: None, origin: None, day_ends: None }];
    let bookings = BTreeMap::from([(id.as_uuid(), booking.clone())]);
    let mut plan = ChangePlan::new(&orders, &bookings);
    plan.settle_rooms(plan.nights().into_iter().map(|night| (night, sale_of(rooms_left(night)))).collect());
    let changed = plan.changes().into_iter().map(|(before, change)| change.after(before, now)).next();
    let noted = plan.notes().first().map(|(_, payment)| booking.with_note(PaymentId::from(*payment)));
    let mut written: BTreeMap<_, _> = changed.or(noted).map(|after| (id.as_uuid(), after)).into_iter().collect();
    let dropped = plan.dropped_events()?.into_iter().map(|event| Message::settled(&event.payload));
    let sales = plan.sales(&written)?.into_iter().map(|event| Message::sold(&event.payload));
    let ended = plan.events()?.into_iter().map(|event| Message::ended(&event.payload));
    let messages = dropped.chain(sales).chain(ended).collect::<Result<_, _>>()?;
    let mut rooms = plan.delta().clone();
    for (night, retaken) in plan.retaken() {
        *rooms.entry(*night).or_default() += retaken;
    }
    let applied = plan.outcomes(&mut written).pop().ok_or(ReservationError::NotFound)?;
    let Applied { reservation, refund_required, .. } = applied?;
    Ok(Step { reservation, rooms, refund_required, messages })
}

/// Carries out a command on what was agreed at `now`, when so many rooms are left in each night. `applied` are the changes
/// that were applied before.
///
/// # Errors
/// What the writer refuses.
pub fn revise(
    booking: &Reservation,
    command: &Revise,
    applied: &AppliedChanges,
    now: Timestamp,
    rooms_left: impl Fn(Night) -> i32,
) -> Result<Step, ReservationError> {
    let (mut booking, mut steps) = (booking.clone(), Step::of(booking.clone()));
    if let (Revise::CancelRooms(positions), Some(pending)) = (command, &booking.pending)
        && RevisionPlan::keeps_rooms(&booking, positions).is_none()
    {
        steps = steps.then(&booking, &RevisionPlan::give_up(&booking, pending.revision), now, &rooms_left)?;
        booking = steps.reservation.clone();
    }
    let plan = match command {
        Revise::Apply { change, base, expire_time } => RevisionPlan::apply(&booking, change, *base, *expire_time, now)?,
        Revise::CancelRooms(positions) => match RevisionPlan::keeps_rooms(&booking, positions) {
            Some(outcome) => RevisionPlan::Keep(outcome),
            None => RevisionPlan::cancel_rooms(&booking, positions, None, now)?,
        },
        Revise::Confirm(revision, payment) => {
            let known = applied.get(revision).map(|payment| ChangeState::Applied(*payment));
            RevisionPlan::confirm(&booking, *revision, *payment, known, now)?
        }
        Revise::GiveUp(revision) => RevisionPlan::give_up(&booking, *revision),
    };
    steps.then(&booking, &plan, now, &rooms_left)
}

const fn sale_of(rooms_left: i32) -> NightSale {
    NightSale { rooms_left, stop_sell: false }
}

impl Step {
    fn of(reservation: Reservation) -> Self {
        Self { reservation, rooms: BTreeMap::new(), refund_required: false, messages: Vec::new() }
    }

    /// This step, and then what a plan does to the reservation.
    fn then(
        mut self,
        booking: &Reservation,
        plan: &RevisionPlan,
        now: Timestamp,
        rooms_left: &impl Fn(Night) -> i32,
    ) -> Result<Self, ReservationError> {
        let delta = plan.delta(booking);
        let given_back = |night: Night| self.rooms.get(&night).copied().unwrap_or_default();
        let left = delta.keys().map(|night| (*night, sale_of(rooms_left(*night) - given_back(*night)))).collect();
        if let Some(Shortage::SoldOut(_, left)) = shortage(&growth(&delta), &left) {
            let (room, stay_date, hold_expire_time) = (None, None, None);
            return Err(ReservationError::SoldOut { room, stay_date, rooms_left: Some(left), hold_expire_time });
        }
        for (night, rooms) in delta {
            *self.rooms.entry(night).or_default() += rooms;
        }
        self.refund_required = plan.outcome() == RevisionOutcome::RefundPayment;
        self.messages.extend(plan.settled(booking)?.as_ref().map(Message::settled).transpose()?);
        self.messages.extend(plan.sale(booking)?.as_ref().map(Message::change_sold).transpose()?);
        self.reservation = plan.after(booking, now);
        Ok(self)
    }
}

impl Message {
    fn ended(event: &Cancelled) -> Result<Self, ReservationError> {
        let refund = Money::parse(&event.refund_currency, &event.refund_amount)?;
        let sale = event.partner_sale.as_ref().map(SaleTerms::read).transpose()?;
        Ok(Self::Ended(Settlement { refund, hold_expired: event.hold_expired, sale }))
    }

    fn settled(event: &ChangeSettled) -> Result<Self, ReservationError> {
        let refund = Money::parse(&event.refund_currency, &event.refund_amount)?;
        let sale = event.partner_sale.as_ref().map(SaleTerms::read).transpose()?;
        Ok(Self::ChangeSettled { revision: event.revision, refund, dropped: event.dropped, sale })
    }

    fn sold(event: &SoldByPartner) -> Result<Self, ReservationError> {
        Ok(Self::Sold(SaleTerms::read(&event.terms)?))
    }

    fn change_sold(event: &ChangeSoldByPartner) -> Result<Self, ReservationError> {
        Ok(Self::ChangeSold { revision: event.revision, terms: SaleTerms::read(&event.terms)? })
    }
}

impl SaleTerms {
    fn read(terms: &Terms) -> Result<Self, ReservationError> {
        let money = |amount: &str| Money::parse(&terms.currency, amount);
        let check_out = parse_date(&terms.check_out).map_err(|_| ReservationError::NotFound)?;
        Ok(Self { amount: money(&terms.amount)?, taxes: money(&terms.taxes)?, check_out })
    }
}
