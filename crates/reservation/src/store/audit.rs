//! What audit records show of inventory and reservations.

use serde_json::json;
use staymesh_domain::{Money, ReservationId, format_date};
use staymesh_store::{
    StoreError,
    audit::{self, ObjectType, Origin},
};
use uuid::Uuid;

use super::{Store, Transaction};
use crate::{
    error::ReservationError,
    lifecycle::Waiver,
    model::{CancellationReason, NewReservation, Reservation, Status},
};

/// A cancellation or an early departure that keeps less than its terms.
pub(crate) struct Waived<'a> {
    /// The reservation before.
    pub(crate) booking: &'a Reservation,
    /// What is kept, and why.
    pub(crate) waiver: &'a Waiver,
    /// What the terms keep.
    pub(crate) policy: Money,
    /// The request id of an early departure; `None` of a cancellation.
    pub(crate) departure: Option<Uuid>,
    /// Who waived it.
    pub(crate) origin: Option<&'a Origin>,
}

impl Store {
    /// What was kept of a cancelled reservation instead of what its policy keeps; `None` if the policy was applied.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn waiver(&self, id: ReservationId) -> Result<Option<Waiver>, ReservationError> {
        let row: Option<(i64, String, String)> = sqlx::query_as(
            "select kept_minor, currency, reason from cancellation_waiver where hotel_id = $1 and reservation_id = $2",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .fetch_optional(&self.pool)
        .await?;
        let broken = || StoreError::from(sqlx::Error::Decode("a waiver".into()));
        let read = |(minor, currency, reason): (i64, String, String)| {
            let currency = currency.parse().map_err(|_| broken())?;
            Ok(Waiver { keep: Money::from_minor(minor, currency).map_err(|_| broken())?, reason })
        };
        row.map(read).transpose().map_err(|error: StoreError| error.into())
    }
}

/// The inventory of a room type from yesterday on, by `HOTEL_ID/ROOM_TYPE_ID`: total and overbooking of each night, and
/// `stop_sell` if it is closed, also before it has inventory; and the plan. The last of two values of a date is shown.
pub(crate) const INVENTORY: ObjectType = ObjectType {
    name: "inventory",
    snapshot: "select nullif(jsonb_strip_nulls(jsonb_build_object('plan', (
                   select jsonb_build_array(total_inventory, overbooking_percent) from inventory_plan
                   where hotel_id = split_part($1, '/', 1)::integer and room_type_id = split_part($1, '/', 2)::integer
               ))) || coalesce((
                   select jsonb_object_agg(stay_date, shown order by rank) from (
                       select stay_date, '[\"stop_sell\"]'::jsonb as shown, 0 as rank
                       from stop_sell_ahead
                       where hotel_id = split_part($1, '/', 1)::integer
                           and room_type_id = split_part($1, '/', 2)::integer and stay_date >= current_date - 1
                       union all
                       select stay_date, jsonb_build_array(total_inventory, overbooking_percent)
                           || case when stop_sell then '[\"stop_sell\"]' else '[]' end::jsonb, 1
                       from room_type_inventory
                       where hotel_id = split_part($1, '/', 1)::integer
                           and room_type_id = split_part($1, '/', 2)::integer and stay_date >= current_date - 1
                   ) night
               ), '{}'), '{}')",
};

/// A block of a room, by `HOTEL_ID/OUT_OF_ORDER_ID`. Its reason is free text, which may name a guest, and stays out.
pub(crate) const OUT_OF_ORDER: ObjectType = ObjectType {
    name: "out_of_order",
    snapshot: "select to_jsonb(block) from (
                   select room_id, room_type_id, from_date, until_date, end_date, kind from out_of_order
                   where hotel_id = split_part($1, '/', 1)::integer and out_of_order_id = split_part($1, '/', 2)::uuid
               ) block",
};

/// A group block, by `HOTEL_ID/GROUP_BLOCK_ID`: its state and its rooms, by room type and night, without those that are picked
/// up. Its name is free text, which may name a guest, and stays out.
pub(crate) const GROUP_BLOCK: ObjectType = ObjectType {
    name: "group_block",
    snapshot: "select to_jsonb(block) from (
                   select code, status, cutoff_at, released_at, (
                       select jsonb_object_agg(room_type_id || ' ' || stay_date, blocked) from group_block_night n
                       where n.hotel_id = b.hotel_id and n.group_block_id = b.group_block_id
                   ) as nights
                   from group_block b
                   where hotel_id = split_part($1, '/', 1)::integer and group_block_id = split_part($1, '/', 2)::uuid
               ) block",
};

/// The inventory of a whole hotel, by its id: the nights on sale of each room type from yesterday on.
pub(crate) const HOTEL_INVENTORY: ObjectType = ObjectType {
    name: "inventory",
    snapshot: "select jsonb_object_agg(room_type_id, nights) from (
                   select room_type_id, count(*) as nights from room_type_inventory
                   where hotel_id = $1::integer and stay_date >= current_date - 1 and total_inventory > 0
                   group by room_type_id
               ) on_sale",
};

impl Transaction {
    /// Records a new reservation that staff booked; nothing for one that a guest or a partner booked.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn record_creation(&mut self, order: &NewReservation) -> Result<(), ReservationError> {
        let Some(origin) = order.origin.as_deref() else { return Ok(()) };
        let shown = json!({
            "status": Status::PendingPayment.as_str(),
            "rooms": order.lines.len(),
            "check_in": format_date(order.stay.check_in()),
            "check_out": format_date(order.stay.check_out()),
            "total_minor": order.quote.total.minor(),
            "currency": order.quote.currency().code(),
        });
        let object = ("reservation", &*order.id.to_string());
        Ok(audit::insert(&mut self.0, origin, object, None, Some(&shown)).await?)
    }

    /// Records what was kept of a cancellation or an early departure instead of what its terms keep, with its audit record. The
    /// reason is free text, which may name a guest, and stays out of that.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn record_waiver(&mut self, waived: &Waived<'_>) -> Result<(), ReservationError> {
        let Waived { booking, waiver, policy, departure, origin } = waived;
        let currency = policy.currency().code();
        let (name, insert) = match departure {
            None => (
                "cancellation_waiver",
                "insert into cancellation_waiver
                     (hotel_id, reservation_id, kept_minor, policy_minor, currency, reason, waived_by)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            ),
            Some(_) => (
                "departure_waiver",
                "insert into departure_waiver
                     (hotel_id, reservation_id, kept_minor, policy_minor, currency, reason, waived_by, request_id)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            ),
        };
        let insert = sqlx::query(insert)
            .bind(booking.id.hotel_id().get())
            .bind(booking.id.as_uuid())
            .bind(waiver.keep.minor())
            .bind(policy.minor())
            .bind(currency)
            .bind(&waiver.reason)
            .bind(origin.map(|origin| &*origin.actor));
        let insert = if let Some(request_id) = departure { insert.bind(*request_id) } else { insert };
        insert.execute(&mut *self.0).await?;
        let Some(origin) = origin else { return Ok(()) };
        let shown = json!({ "kept_minor": waiver.keep.minor(), "policy_minor": policy.minor(), "currency": currency });
        let object = (name, &*booking.id.to_string());
        Ok(audit::insert(&mut self.0, origin, object, None, Some(&shown)).await?)
    }

    /// Records the change of a reservation by `origin`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn record_change(
        &mut self,
        origin: &Origin,
        before: &Reservation,
        after: &Reservation,
    ) -> Result<(), ReservationError> {
        let shown = |reservation: &Reservation| {
            json!({
                "status": reservation.status.as_str(),
                "cancellation_reason": reservation.cancellation_reason.map(CancellationReason::as_str),
                "revision": reservation.revision,
                "pending_revision": reservation.pending.as_ref().map(|pending| pending.revision),
            })
        };
        let object = ("reservation", &*before.id.to_string());
        Ok(audit::insert(&mut self.0, origin, object, Some(&shown(before)), Some(&shown(after))).await?)
    }
}
