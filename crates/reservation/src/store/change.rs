//! Changes of existing reservations: statuses, rooms and outbox events, many in one transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{FromRow, Row, postgres::PgRow};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_store::{
    ResultExt,
    outbox::{self, NewEvent},
};
use uuid::Uuid;

use super::{
    Transaction,
    create::NOT_OVERBOOKED,
    lines::{locked_columns, reservation_columns},
    nights::{Columns, limit_of_sale},
    rows::{ReservationRow, by_id, some_are_newer_than_lines},
};
use crate::{
    error::ReservationError,
    events::{BookingMail, CANCELLED, Cancelled, SOLD_BY_PARTNER, SoldByPartner},
    lifecycle::Change,
    model::{CancellationReason, Reservation},
    night::Night,
};

/// Rooms added to `total_reserved` of each night; negative when they are released.
pub(crate) type Delta = BTreeMap<Night, i32>;

impl Transaction {
    /// Locks reservations in key order and reads them. Those that do not exist are absent.
    ///
    /// # Errors
    /// When the database fails, or a lock is not granted in time.
    pub(crate) async fn lock_reservations(
        &mut self,
        ids: impl Iterator<Item = ReservationId>,
    ) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
        let ids: Vec<Uuid> = ids.map(ReservationId::as_uuid).collect();
        let mut rows = self.lock_rows(&ids).await?;
        if some_are_newer_than_lines(&rows)? {
            rows = self.lock_rows(&ids).await?;
        }
        let rows = rows.iter().map(ReservationRow::from_row).collect::<Result<_, sqlx::Error>>()?;
        Ok(by_id(rows)?)
    }

    /// As [`Self::lock_reservations`], but one that cannot be read fails alone.
    ///
    /// # Errors
    /// When the database fails, or a lock is not granted in time.
    pub(crate) async fn lock_each(
        &mut self,
        ids: &[ReservationId],
    ) -> Result<Vec<(Uuid, Result<Reservation, ReservationError>)>, ReservationError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let mut rows = self.lock_rows(&ids).await?;
        if some_are_newer_than_lines(&rows)? {
            rows = self.lock_rows(&ids).await?;
        }
        let read = |row: &PgRow| Ok(Reservation::try_from(ReservationRow::from_row(row)?)?);
        rows.iter().map(|row| Ok((row.try_get("reservation_id")?, read(row)))).collect()
    }

    async fn lock_rows(&mut self, ids: &[Uuid]) -> Result<Vec<PgRow>, ReservationError> {
        let rows = sqlx::query(concat!(
            "select ",
            locked_columns!(),
            " from unnest($1::uuid[]) id
             join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id
             order by r.hotel_id, r.reservation_id for no key update of r"
        ));
        Ok(rows.bind(ids).fetch_all(&mut *self.0).await?)
    }

    /// Adds to the rooms reserved in nights that are locked.
    ///
    /// # Errors
    /// [`ReservationError::SoldOut`] when a night that gets more rooms does not sell them, which its caller should
    /// have found out, and when the CHECK refuses or the database fails.
    pub(crate) async fn add_reserved(&mut self, delta: &Delta) -> Result<(), ReservationError> {
        self.change_reserved(delta, false).await
    }

    /// As [`Self::add_reserved`], of rooms that a reservation had before: closed nights and the limit of sale are no obstacle.
    ///
    /// # Errors
    /// [`ReservationError::SoldOut`] when the CHECK refuses, and when the database fails.
    pub(crate) async fn retake_reserved(&mut self, delta: &Delta) -> Result<(), ReservationError> {
        match self.change_reserved(delta, true).await {
            Err(ReservationError::Store(error)) if error.constraint() == Some(NOT_OVERBOOKED) => Err(sold_out()),
            added => added,
        }
    }

    async fn change_reserved(&mut self, delta: &Delta, retaken: bool) -> Result<(), ReservationError> {
        if delta.is_empty() {
            return Ok(());
        }
        let nights: Columns = delta.keys().copied().collect();
        let (first, last) = nights.span();
        let done = sqlx::query(concat!(
            "update room_type_inventory i set total_reserved = i.total_reserved + t.rooms, version = i.version + 1
             from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) t (hotel_id, room_type_id, day, rooms)
             where i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id and i.stay_date = date '1970-01-01' + t.day
                 and i.stay_date between date '1970-01-01' + $5 and date '1970-01-01' + $6
                 and (t.rooms <= 0 or $7 or not i.stop_sell and i.total_reserved + t.rooms <= ",
            limit_of_sale!(),
            ")"
        ))
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(delta.values().copied().collect::<Vec<_>>())
        .bind(first)
        .bind(last)
        .bind(retaken)
        .execute(&mut *self.0)
        .await?;
        // A night that is released may be in the archive, where rooms are no longer counted.
        let grows = delta.values().any(|rooms| *rooms > 0);
        if grows && usize::try_from(done.rows_affected()) != Ok(delta.len()) {
            return Err(sold_out());
        }
        Ok(())
    }

    /// Writes changes of reservations that are locked. Yields the reservations as they are now, by id.
    ///
    /// # Errors
    /// [`ReservationError::IllegalTransition`] when the trigger refuses the only change, and when the database fails.
    pub(crate) async fn write_changes(
        &mut self,
        changes: &[(&Reservation, &Change)],
    ) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
        if changes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let column =
            |of: fn(&Change) -> Option<&'static str>| changes.iter().map(|(_, change)| of(change)).collect::<Vec<_>>();
        let rows: Vec<ReservationRow> = sqlx::query_as(concat!(
            "update reservation r set status = c.status, cancellation_reason = c.reason,
                 payment_id = coalesce(c.payment_id, r.payment_id),
                 paid_at = case when c.status = 'paid' then coalesce(r.paid_at, now()) else r.paid_at end,
                 refunded_minor = coalesce(c.refunded_minor, r.refunded_minor),
                 hold_expire_time = case when c.status = 'pending_payment'
                     then coalesce(timestamptz 'epoch' + c.hold * interval '1 microsecond', r.hold_expire_time) end,
                 hold_extended = case when c.hold is null then r.hold_extended else true end,
                 payment_mode = case when c.collect then 'partner_collects' else r.payment_mode end,
                 source = case when c.status = 'pending_payment' then r.source end
             from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::boolean[],
                     $7::bigint[])
                 c (id, status, reason, payment_id, refunded_minor, collect, hold)
             where r.hotel_id = reservation_hotel_id(c.id) and r.reservation_id = c.id
             returning ",
            reservation_columns!()
        ))
        .bind(changes.iter().map(|(booking, _)| booking.id.as_uuid()).collect::<Vec<_>>())
        .bind(column(|change| Some(change.status.as_str())))
        .bind(column(|change| change.cancellation_reason.map(CancellationReason::as_str)))
        .bind(changes.iter().map(|(_, change)| change.payment_id.map(PaymentId::as_uuid)).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, change)| change.refunded.map(Money::minor)).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, change)| change.collect).collect::<Vec<_>>())
        .bind(
            changes
                .iter()
                .map(|(_, change)| change.hold_expire_time.map(Timestamp::as_microsecond))
                .collect::<Vec<_>>(),
        )
        .fetch_all(&mut *self.0)
        .await
        .on_constraint("reservation_legal_transition", |error| illegal(changes, error.into()))?;
        Ok(by_id(rows)?)
    }

    /// Notes payments that arrived too late, as pairs of reservation and payment id, so that their refunds can be
    /// recognized. A payment that was noted before stays. Yields the reservations that changed, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn note_payments(
        &mut self,
        notes: &[(Uuid, Uuid)],
    ) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
        if notes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (bookings, payments): (Vec<Uuid>, Vec<Uuid>) = notes.iter().copied().unzip();
        let rows: Vec<ReservationRow> = sqlx::query_as(concat!(
            "update reservation r set payment_id = n.payment_id from unnest($1::uuid[], $2::uuid[]) n (id, payment_id)
             where r.hotel_id = reservation_hotel_id(n.id) and r.reservation_id = n.id and r.payment_id is null
             returning ",
            reservation_columns!()
        ))
        .bind(bookings)
        .bind(payments)
        .fetch_all(&mut *self.0)
        .await?;
        Ok(by_id(rows)?)
    }

    /// Enqueues the events of partners who collect, delivered after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn enqueue_sales(&mut self, events: &[NewEvent<SoldByPartner>]) -> Result<(), ReservationError> {
        if events.is_empty() {
            return Ok(());
        }
        Ok(outbox::enqueue_all(&mut self.0, SOLD_BY_PARTNER, events).await?)
    }

    /// Enqueues events for the payment service, delivered after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn enqueue_cancelled(&mut self, events: &[NewEvent<Cancelled>]) -> Result<(), ReservationError> {
        Ok(outbox::enqueue_all(&mut self.0, CANCELLED, events).await?)
    }

    /// Enqueues mails to guests, each with its kind; sent after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn enqueue_mails(
        &mut self,
        mails: Vec<(&'static str, NewEvent<BookingMail>)>,
    ) -> Result<(), ReservationError> {
        let mut by_kind: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (kind, mail) in mails {
            by_kind.entry(kind).or_default().push(mail);
        }
        for (kind, mails) in by_kind {
            outbox::enqueue_all(&mut self.0, kind, &mails).await?;
        }
        Ok(())
    }
}

/// The refusal of rooms in a night that the statement does not name.
pub(super) const fn sold_out() -> ReservationError {
    ReservationError::SoldOut { room: None, stay_date: None, rooms_left: None, hold_expire_time: None }
}

/// The trigger refused a transition that the rules took for legal, which is a defect. It names the transition when the
/// batch has a single change.
fn illegal(changes: &[(&Reservation, &Change)], error: ReservationError) -> ReservationError {
    match changes {
        [(booking, change)] => ReservationError::IllegalTransition { from: booking.status, to: change.status },
        _ => error,
    }
}
