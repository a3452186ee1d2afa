//! Writes changes of what was agreed: their rows, the lines and the revision that they make, or that they were dropped.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{FromRow, types::Json};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_store::{
    Cause, ResultExt, StoreError,
    outbox::{self, NewEvent},
};
use uuid::Uuid;

use super::{
    Transaction,
    change::sold_out,
    create::NOT_OVERBOOKED,
    lines::{Document, LineColumns},
    pending::held,
    prices::written_prices,
};
use crate::{
    credit_refusal::CreditRefusal,
    error::ReservationError,
    model::{Reservation, Source},
    night::day_of,
    room_line::{RoomLine, RoomLinesSum, STANDARD_PLAN, guest_count, room_count},
    rooms_change::{ChangeRecord, PlacedRoom, RoomsChange},
};

/// A change to write.
pub(crate) struct NewChange<'a> {
    pub(crate) revision: i32,
    pub(crate) change: &'a RoomsChange,
    /// What it holds while it waits for its payment; `None` if it is applied at once.
    pub(crate) pending: Option<Pending<'a>>,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) content_hash: &'a [u8; 32],
    pub(crate) actor: &'a str,
    pub(crate) reason: &'static str,
}

/// What a change holds until it is paid.
pub(crate) struct Pending<'a> {
    /// Its rooms.
    pub(crate) held: &'a super::Delta,
    /// When it is dropped.
    pub(crate) expires: Timestamp,
    /// Where the request came from; `None` if that is not limited.
    pub(crate) source: Option<&'a Source>,
}

/// The rooms of a reservation after a change.
pub(crate) struct RevisedRooms<'a> {
    /// All that are part of it, in the order of their positions.
    pub(crate) all: &'a [PlacedRoom],
    /// What changes keep of dropped rooms and nights, this one included.
    pub(crate) retained: Money,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeState {
    Pending,
    /// With the payment of its difference, if a guest paid one.
    Applied(Option<PaymentId>),
    Dropped,
}

/// A request that changed a reservation.
#[derive(Debug, FromRow)]
pub(crate) struct KnownRequest {
    /// Of its content.
    pub(crate) content_hash: Vec<u8>,
    /// Whether its change was given up.
    pub(crate) dropped: bool,
    /// The refusal of the partner's credit, if that is why.
    #[sqlx(json(nullable))]
    pub(crate) refusal: Option<CreditRefusal>,
}

const CHANGE_OF_REQUEST: &str = "select content_hash, status = 'dropped' as dropped, refusal from reservation_change
     where hotel_id = $1 and reservation_id = $2 and request_id = $3";

impl Transaction {
    /// As [`super::Store::change_of_request`], of a reservation that is locked.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn change_of_request(
        &mut self,
        id: ReservationId,
        request_id: Uuid,
    ) -> Result<Option<KnownRequest>, ReservationError> {
        let found = sqlx::query_as(CHANGE_OF_REQUEST);
        let found = found.bind(id.hotel_id().get()).bind(id.as_uuid()).bind(request_id);
        Ok(found.fetch_optional(&mut *self.0).await?)
    }

    /// What became of the change that made, or was to make, this revision; `None` if there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn change_state(
        &mut self,
        id: ReservationId,
        revision: i32,
    ) -> Result<Option<ChangeState>, ReservationError> {
        let found: Option<(String, Option<Uuid>)> = sqlx::query_as(
            "select status, payment_id from reservation_change
             where hotel_id = $1 and reservation_id = $2 and revision = $3",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(revision)
        .fetch_optional(&mut *self.0)
        .await?;
        let state = |(status, payment): (String, Option<Uuid>)| match status.as_str() {
            "pending" => ChangeState::Pending,
            "applied" => ChangeState::Applied(payment.map(PaymentId::from)),
            _ => ChangeState::Dropped,
        };
        Ok(found.map(state))
    }

    /// Adds the difference of a change to nights that are locked. The CHECK decides on the result.
    ///
    /// # Errors
    /// [`ReservationError::SoldOut`], and when the database fails.
    pub(crate) async fn swap_reserved(&mut self, delta: &super::Delta) -> Result<(), ReservationError> {
        match self.add_reserved(delta).await {
            Err(ReservationError::Store(error)) if error.constraint() == Some(NOT_OVERBOOKED) => Err(sold_out()),
            added => added,
        }
    }

    /// Inserts a change of a reservation that is locked.
    ///
    /// # Errors
    /// [`ReservationError::ChangePending`], and when the database fails.
    pub(crate) async fn insert_change(
        &mut self,
        booking: &Reservation,
        new: &NewChange<'_>,
    ) -> Result<(), ReservationError> {
        let pending = new.pending.as_ref();
        let held = pending.map_or_else(Vec::new, |pending| held(pending.held));
        let expire_time = pending.map(|pending| pending.expires);
        sqlx::query(
            "with inserted as (
                 insert into reservation_change (hotel_id, reservation_id, revision, status, request_id, content_hash, actor,
                     reason, currency, balance_minor, penalty_minor, document, held, expire_time, source)
                 values ($1, $2, $3, case when $13::timestamptz is null then 'applied' else 'pending' end, $4, $5, $6, $7, $8,
                     $9, $10, $11, $12, $13, $14)
             )
             update reservation set pending_revision = $3
             where hotel_id = $1 and reservation_id = $2 and $13 is not null",
        )
        .bind(booking.id.hotel_id().get())
        .bind(booking.id.as_uuid())
        .bind(new.revision)
        .bind(new.request_id)
        .bind(new.content_hash.as_slice())
        .bind(new.actor)
        .bind(new.reason)
        .bind(booking.quote.currency().code())
        .bind(new.change.balance.minor())
        .bind(new.change.penalty.minor())
        .bind(Json(ChangeRecord::from(new.change)))
        .bind(Json(held))
        .bind(expire_time.map(ToSqlx::to_sqlx))
        .bind(pending.and_then(|pending| pending.source).map(Source::as_str))
        .execute(&mut *self.0)
        .await
        .on_constraint("reservation_change_one_pending_key", |_| ReservationError::ChangePending)?;
        Ok(())
    }

    /// Marks a pending change as applied, with the payment of its difference.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn mark_change_applied(
        &mut self,
        id: ReservationId,
        revision: i32,
        payment: Option<PaymentId>,
    ) -> Result<(), ReservationError> {
        let update = sqlx::query(
            "update reservation_change set status = 'applied', payment_id = $4
             where hotel_id = $1 and reservation_id = $2 and revision = $3",
        );
        let update = update.bind(id.hotel_id().get()).bind(id.as_uuid()).bind(revision);
        update.bind(payment.map(PaymentId::as_uuid)).execute(&mut *self.0).await?;
        Ok(())
    }

    /// Writes the revision that a change makes, whose row exists: the lines, the reservation, and what was agreed.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn write_revision(
        &mut self,
        booking: &Reservation,
        revision: i32,
        rooms: &RevisedRooms<'_>,
    ) -> Result<(), ReservationError> {
        let prices = written_prices(rooms.all.iter().map(|room| &room.line)).map_err(|_| unwritable())?;
        self.write_rooms(booking, revision, rooms.all, &prices).await?;
        let lines: Vec<RoomLine> = rooms.all.iter().map(|room| room.line.clone()).collect();
        let sum = RoomLine::sum(&lines)?;
        self.write_reservation(booking.id, revision, &lines, &sum, rooms.retained).await?;
        let document = Document::new(booking.payment_mode, lines.iter().zip(prices.iter().map(AsRef::as_ref)));
        let document = serde_json::to_string(&document).map_err(|_| unwritable())?;
        sqlx::query(
            "insert into reservation_revision (hotel_id, reservation_id, revision, document, content_hash, currency,
                 total_minor, retained_minor, actor, reason)
             select c.hotel_id, c.reservation_id, c.revision, $4::json, c.content_hash, c.currency, $5, nullif($6, 0), c.actor,
                 c.reason
             from reservation_change c where c.hotel_id = $1 and c.reservation_id = $2 and c.revision = $3",
        )
        .bind(booking.id.hotel_id().get())
        .bind(booking.id.as_uuid())
        .bind(revision)
        .bind(document)
        .bind(sum.quote.total.checked_add(rooms.retained)?.minor())
        .bind(rooms.retained.minor())
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Writes the lines that a revision changes, adds and drops.
    async fn write_rooms(
        &mut self,
        booking: &Reservation,
        revision: i32,
        after: &[PlacedRoom],
        prices: &[Box<RawValue>],
    ) -> Result<(), ReservationError> {
        let before = booking.placed();
        let mut lines = LineColumns::default();
        for (room, price) in after.iter().zip(prices).filter(|(room, _)| !before.contains(room)) {
            lines.push(booking.id.as_uuid(), room.position, &room.line, price);
        }
        let stays = |position: &i32| after.iter().any(|room| room.position == *position);
        let dropped: Vec<i32> = booking.positions.iter().copied().filter(|position| !stays(position)).collect();
        sqlx::query(
            "with dropped as (
                 update reservation_room set status = 'cancelled', dropped_revision = $3
                 where hotel_id = $1 and reservation_id = $2 and room_position = any($4)
             )
             insert into reservation_room (hotel_id, reservation_id, room_position, room_type_id, rate_plan, check_in,
                 check_out, adults, child_ages, total_minor, price, status, revision)
             select $1, $2, room_position, room_type_id, $5, date '1970-01-01' + check_in, date '1970-01-01' + check_out,
                 adults, child_ages::smallint[], total_minor, price::json, 'live', $3
             from unnest($6::integer[], $7::integer[], $8::integer[], $9::integer[], $10::integer[], $11::text[],
                 $12::bigint[], $13::text[])
                 l (room_position, room_type_id, check_in, check_out, adults, child_ages, total_minor, price)
             on conflict on constraint reservation_room_pkey do update set room_type_id = excluded.room_type_id,
                 rate_plan = excluded.rate_plan, check_in = excluded.check_in, check_out = excluded.check_out,
                 adults = excluded.adults, child_ages = excluded.child_ages, total_minor = excluded.total_minor,
                 price = excluded.price, revision = excluded.revision",
        )
        .bind(booking.id.hotel_id().get())
        .bind(booking.id.as_uuid())
        .bind(revision)
        .bind(dropped)
        .bind(STANDARD_PLAN)
        .bind(lines.positions)
        .bind(lines.room_types)
        .bind(lines.check_ins)
        .bind(lines.check_outs)
        .bind(lines.adults)
        .bind(lines.child_ages)
        .bind(lines.totals)
        .bind(lines.prices)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Writes the reservation of a revision. Its columns of rooms and price are for the release before, which must not cancel
    /// by them: without a price that release cannot read the reservation, and leaves it to this one.
    async fn write_reservation(
        &mut self,
        id: ReservationId,
        revision: i32,
        lines: &[RoomLine],
        sum: &RoomLinesSum,
        retained: Money,
    ) -> Result<(), ReservationError> {
        sqlx::query(
            "update reservation set revision = $3, pending_revision = null, room_type_id = coalesce($4, room_type_id),
                 check_in = date '1970-01-01' + $5, check_out = date '1970-01-01' + $6, rooms = $7, guests = $8,
                 price = 'null', retained_minor = nullif($9, 0), update_time = now()
             where hotel_id = $1 and reservation_id = $2",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(revision)
        .bind(lines.first().map(|line| line.room_type_id.get()))
        .bind(day_of(sum.stay.check_in()))
        .bind(day_of(sum.stay.check_out()))
        .bind(room_count(lines))
        .bind(guest_count(lines))
        .bind(retained.minor())
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Drops the pending changes of reservations that are locked. Their numbers are used: a revision of each says so, and has
    /// the terms of the one before.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn drop_changes(
        &mut self,
        ids: &[Uuid],
        refusal: Option<&CreditRefusal>,
    ) -> Result<(), ReservationError> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "with dropped as (
                 update reservation_change c set status = 'dropped', refusal = $2 from unnest($1::uuid[]) id
                 where c.hotel_id = reservation_hotel_id(id) and c.reservation_id = id and c.status = 'pending'
                 returning c.hotel_id, c.reservation_id, c.revision, c.actor
             ), revised as (
                 insert into reservation_revision (hotel_id, reservation_id, revision, document, content_hash, currency,
                     total_minor, retained_minor, actor, reason)
                 select d.hotel_id, d.reservation_id, d.revision, v.document, v.content_hash, v.currency, v.total_minor,
                     v.retained_minor, d.actor, 'change_dropped'
                 from dropped d
                 join reservation_revision v on v.hotel_id = d.hotel_id and v.reservation_id = d.reservation_id
                     and v.revision = d.revision - 1
             )
             update reservation r set revision = d.revision, pending_revision = null from dropped d
             where r.hotel_id = d.hotel_id and r.reservation_id = d.reservation_id",
        )
        .bind(ids)
        .bind(refusal.map(Json))
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Enqueues events of changes for the payment service; delivered after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn enqueue_change<T: Serialize + Sync>(
        &mut self,
        kind: &str,
        events: &[NewEvent<T>],
    ) -> Result<(), ReservationError> {
        Ok(outbox::enqueue_all(&mut self.0, kind, events).await?)
    }
}

impl super::Store {
    /// Whether a change made a later revision than this; changes that were given up only used up a number.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn was_changed_after(&self, id: ReservationId, revision: i32) -> Result<bool, ReservationError> {
        let changed = sqlx::query_scalar(
            "select exists (select from reservation_change
                 where hotel_id = $1 and reservation_id = $2 and revision > $3 and status = 'applied')",
        );
        let changed = changed.bind(id.hotel_id().get()).bind(id.as_uuid()).bind(revision);
        Ok(changed.fetch_one(&self.pool).await?)
    }

    /// The request with this id that changed the reservation; `None` if there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn change_of_request(
        &self,
        id: ReservationId,
        request_id: Uuid,
    ) -> Result<Option<KnownRequest>, ReservationError> {
        let found = sqlx::query_as(CHANGE_OF_REQUEST);
        let found = found.bind(id.hotel_id().get()).bind(id.as_uuid()).bind(request_id);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// How many changes wait for a payment, and how many of them have expired at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn pending_changes(&self, now: Timestamp) -> Result<(i64, i64), ReservationError> {
        let counts = sqlx::query_as(
            "select count(*), count(*) filter (where expire_time <= $1) from reservation_change where status = 'pending'",
        );
        Ok(counts.bind(now.to_sqlx()).fetch_one(&self.pool).await?)
    }

    /// Up to `limit` reservations whose pending change has expired at `now`, the longest expired first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn expired_changes(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(ReservationId, i32)>, ReservationError> {
        let rows: Vec<(Uuid, i32)> = sqlx::query_as(
            "select reservation_id, revision from reservation_change
             where status = 'pending' and expire_time <= $1 order by expire_time limit $2",
        )
        .bind(now.to_sqlx())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let id = |(id, revision): (Uuid, i32)| Ok((ReservationId::try_from(id).map_err(|_| unwritable())?, revision));
        rows.into_iter().map(id).collect()
    }
}

fn unwritable() -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: "a change cannot be written or read as JSON".to_owned() })
}
