//! Changes of bookings, many in one transaction: states, rooms and the word to others together.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;
use staymesh_domain::{Money, MoneyError, PaymentId, ReservationId};
use staymesh_store::{
    ResultExt,
    outbox::{self, NewEvent},
};
use uuid::Uuid;

use super::{
    Store,
    nights::{self, Columns, day_of},
    rows::{ReservationRow, by_id},
};
use crate::{
    error::ReservationError,
    fault_points,
    lifecycle::{Change, Command, Decision, Rooms, decide},
    model::{CancellationReason, Reservation},
    settlement::{CANCELLED, Cancelled},
    writer::Night,
};

/// What shall happen to a booking.
#[derive(Clone, Debug)]
pub struct ChangeOrder {
    /// The booking.
    pub id: ReservationId,
    /// What shall happen.
    pub command: Command,
    /// When it was asked for.
    pub now: Timestamp,
    /// The W3C `traceparent` of whoever asked.
    pub trace_parent: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Applied {
    /// The booking as it is now.
    pub reservation: Reservation,
    /// Money that has come for it cannot be used and is to go back in full.
    pub send_money_back: bool,
    /// Something was written to the outbox.
    pub wake: bool,
}

type Outcome = Result<Applied, ReservationError>;

impl Store {
    /// Does to a booking what a command means for it at `now`.
    ///
    /// # Errors
    /// What [`decide`] refuses, and [`ReservationError::NotFound`].
    pub async fn apply(&self, id: ReservationId, command: &Command, now: Timestamp) -> Outcome {
        let order = ChangeOrder { id, command: command.clone(), now, trace_parent: None };
        self.apply_all(&[order]).await?.pop().unwrap_or(Err(ReservationError::NotFound))
    }

    /// Does to bookings what each command means, in the order given and all in one transaction. One that is refused
    /// refuses only itself. A booking may be there only once.
    ///
    /// # Errors
    /// Of each: as [`Self::apply`]. Of all, when the database fails; then nothing is known of any.
    pub async fn apply_all(&self, orders: &[ChangeOrder]) -> Result<Vec<Outcome>, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        let bookings = lock(&mut transaction, orders).await?;
        let decided: Vec<_> = orders.iter().map(|order| judge(order, &bookings)).collect();
        let mut plan = Plan::new(orders, decided);
        let left = nights::lock(&mut transaction, plan.nights()).await?;
        plan.settle_rooms(left);
        let mut written = plan.write(&mut transaction).await?;
        let step = fault_points::written(orders);
        step.before();
        transaction.commit().await?;
        step.after();
        Ok(plan.answers(&mut written))
    }
}

/// The bookings, locked in the order of their keys.
async fn lock(
    transaction: &mut PgConnection,
    orders: &[ChangeOrder],
) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
    let rows: Vec<ReservationRow> = sqlx::query_as(
        "select r.* from unnest($1::uuid[]) id
         join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id
         order by r.hotel_id, r.reservation_id for no key update of r",
    )
    .bind(orders.iter().map(|order| order.id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(transaction)
    .await?;
    Ok(by_id(rows)?)
}

type Judged = Result<(Reservation, Decision), ReservationError>;

fn judge(order: &ChangeOrder, bookings: &BTreeMap<Uuid, Reservation>) -> Judged {
    let booking = bookings.get(&order.id.as_uuid()).ok_or(ReservationError::NotFound)?;
    Ok((booking.clone(), decide(booking, &order.command, order.now)?))
}

/// What is to be written.
struct Plan<'a> {
    orders: &'a [ChangeOrder],
    judged: Vec<Judged>,
    /// What is added to the rooms reserved in each night.
    delta: BTreeMap<Night, i32>,
}

impl<'a> Plan<'a> {
    fn new(orders: &'a [ChangeOrder], judged: Vec<Judged>) -> Self {
        Self { orders, judged, delta: BTreeMap::new() }
    }

    fn changes(&self) -> impl Iterator<Item = (&Reservation, &Change)> {
        self.judged.iter().flatten().filter_map(|(booking, decision)| match decision {
            Decision::Change(change) => Some((booking, change)),
            _ => None,
        })
    }

    /// Every night in which rooms are released or taken.
    fn nights(&self) -> std::collections::BTreeSet<Night> {
        self.changes()
            .filter(|(_, change)| change.rooms != Rooms::Keep)
            .flat_map(|(booking, _)| nights_of(booking))
            .collect()
    }

    /// Decides, in order, who gets rooms again. `left` has the rooms that are left in each night that is on sale. Money
    /// for rooms that are gone is to be sent back.
    fn settle_rooms(&mut self, mut left: BTreeMap<Night, i32>) {
        for (booking, decision) in self.judged.iter_mut().flatten() {
            let Decision::Change(change) = decision else { continue };
            let rooms = match change.rooms {
                Rooms::Keep => continue,
                Rooms::Release => -booking.rooms.get(),
                Rooms::Retake => booking.rooms.get(),
            };
            if rooms > 0 && nights_of(booking).any(|night| left.get(&night).is_none_or(|left| *left < rooms)) {
                *decision = Decision::SendMoneyBack { note: change.payment_id };
                continue;
            }
            for night in nights_of(booking) {
                // Past nights may have left for the archive; the rooms of those do not matter any more.
                if let Some(left) = left.get_mut(&night) {
                    *left -= rooms;
                    *self.delta.entry(night).or_default() += rooms;
                }
            }
        }
    }

    /// Writes it. Yields the bookings that were written as they are now.
    async fn write(&self, transaction: &mut PgConnection) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
        add_reserved(transaction, &self.delta).await?;
        let changes: Vec<_> = self.changes().collect();
        let mut written = write_changes(transaction, &changes).await?;
        written.extend(note_payments(transaction, &self.notes()).await?);
        let orders = self.orders.iter().zip(&self.judged);
        let told = orders.filter_map(|(order, judged)| {
            let Ok((booking, Decision::Change(Change { settle: Some(refund), .. }))) = judged else { return None };
            Some(told(booking, *refund, order.trace_parent.clone()))
        });
        let told = told.collect::<Result<Vec<_>, _>>()?;
        outbox::enqueue_all(transaction, CANCELLED, &told).await?;
        Ok(written)
    }

    /// Payments that came too late, so that their refunds can be told from others.
    fn notes(&self) -> Vec<(Uuid, Uuid)> {
        let notes = self.judged.iter().flatten().filter_map(|(booking, decision)| match decision {
            Decision::SendMoneyBack { note: Some(payment) } => Some((booking.id.as_uuid(), payment.as_uuid())),
            _ => None,
        });
        notes.collect()
    }

    fn answers(self, written: &mut BTreeMap<Uuid, Reservation>) -> Vec<Outcome> {
        let answer = |judged: Judged| {
            let (before, decision) = judged?;
            Ok(Applied {
                reservation: written.remove(&before.id.as_uuid()).unwrap_or(before),
                send_money_back: matches!(decision, Decision::SendMoneyBack { .. }),
                wake: matches!(decision, Decision::Change(Change { settle: Some(_), .. })),
            })
        };
        self.judged.into_iter().map(answer).collect()
    }
}

/// The nights of a booking.
pub(super) fn nights_of(booking: &Reservation) -> impl Iterator<Item = Night> + use<> {
    let (hotel_id, room_type_id) = (booking.id.hotel_id().get(), booking.room_type_id.get());
    booking.stay.nights().map(move |night| (hotel_id, room_type_id, day_of(night)))
}

/// The word to the payment service that a booking has ended.
pub(super) fn told(
    booking: &Reservation,
    refund: Money,
    trace_parent: Option<String>,
) -> Result<NewEvent<Cancelled>, MoneyError> {
    Ok(NewEvent { aggregate_id: booking.id.as_uuid(), payload: Cancelled::new(booking, refund)?, trace_parent })
}

/// Adds to the rooms reserved in nights that are locked.
pub(super) async fn add_reserved(
    transaction: &mut PgConnection,
    delta: &BTreeMap<Night, i32>,
) -> Result<(), ReservationError> {
    if delta.is_empty() {
        return Ok(());
    }
    let nights: Columns = delta.keys().copied().collect();
    let (first, last) = nights.span();
    sqlx::query(
        "update room_type_inventory i set total_reserved = i.total_reserved + t.rooms, version = i.version + 1
         from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) t (hotel_id, room_type_id, day, rooms)
         where i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id and i.stay_date = date '1970-01-01' + t.day
             and i.stay_date between date '1970-01-01' + $5 and date '1970-01-01' + $6",
    )
    .bind(nights.hotels)
    .bind(nights.room_types)
    .bind(nights.days)
    .bind(delta.values().copied().collect::<Vec<_>>())
    .bind(first)
    .bind(last)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Writes what becomes of bookings that are locked. Yields them as they are now.
pub(super) async fn write_changes(
    transaction: &mut PgConnection,
    changes: &[(&Reservation, &Change)],
) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
    if changes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let column =
        |of: fn(&Change) -> Option<&'static str>| changes.iter().map(|(_, change)| of(change)).collect::<Vec<_>>();
    let rows: Vec<ReservationRow> = sqlx::query_as(
        "update reservation r set status = c.status, cancellation_reason = c.reason,
             payment_id = coalesce(c.payment_id, r.payment_id),
             paid_at = case when c.status = 'paid' then now() else r.paid_at end,
             refunded_minor = coalesce(c.refunded_minor, r.refunded_minor),
             hold_expire_time = case when c.status = 'pending_payment' then r.hold_expire_time end
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[])
             c (id, status, reason, payment_id, refunded_minor)
         where r.hotel_id = reservation_hotel_id(c.id) and r.reservation_id = c.id
         returning r.*",
    )
    .bind(changes.iter().map(|(booking, _)| booking.id.as_uuid()).collect::<Vec<_>>())
    .bind(column(|change| Some(change.status.as_str())))
    .bind(column(|change| change.cancellation_reason.map(CancellationReason::as_str)))
    .bind(changes.iter().map(|(_, change)| change.payment_id.map(PaymentId::as_uuid)).collect::<Vec<_>>())
    .bind(changes.iter().map(|(_, change)| change.refunded.map(Money::minor)).collect::<Vec<_>>())
    .fetch_all(transaction)
    .await
    .on_constraint("reservation_legal_transition", |error| illegal(changes, error.into()))?;
    Ok(by_id(rows)?)
}

/// The database refused a way that [`decide`] took for legal, which is a defect; of one booking it can be named.
fn illegal(changes: &[(&Reservation, &Change)], error: ReservationError) -> ReservationError {
    match changes {
        [(booking, change)] => ReservationError::IllegalTransition { from: booking.status, to: change.status },
        _ => error,
    }
}

async fn note_payments(
    transaction: &mut PgConnection,
    notes: &[(Uuid, Uuid)],
) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
    if notes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (bookings, payments): (Vec<Uuid>, Vec<Uuid>) = notes.iter().copied().unzip();
    let rows: Vec<ReservationRow> = sqlx::query_as(
        "update reservation r set payment_id = n.payment_id from unnest($1::uuid[], $2::uuid[]) n (id, payment_id)
         where r.hotel_id = reservation_hotel_id(n.id) and r.reservation_id = n.id and r.payment_id is null
         returning r.*",
    )
    .bind(bookings)
    .bind(payments)
    .fetch_all(transaction)
    .await?;
    Ok(by_id(rows)?)
}
