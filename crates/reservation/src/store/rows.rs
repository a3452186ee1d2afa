//! Rows of the reservation table, and their conversion to reservations.

use std::collections::BTreeMap;

use jiff_sqlx::{Date, Timestamp};
use sqlx::{FromRow, types::Json};
use staymesh_domain::{GuestCount, PaymentId, ReservationId, RoomCount, RoomTypeId, StayDates};
use staymesh_store::{Cause, StoreError};
use uuid::Uuid;

use crate::{
    model::{CancellationReason, Guest, PaymentMode, Reservation, Status},
    quote::{Quote, QuoteRecord},
};

/// A row as every statement selects it: `select *`.
#[derive(FromRow)]
pub(super) struct ReservationRow {
    reservation_id: Uuid,
    owner: String,
    room_type_id: i32,
    check_in: Date,
    check_out: Date,
    rooms: i16,
    guests: i16,
    guest_name: String,
    guest_email: String,
    payment_mode: String,
    status: String,
    cancellation_reason: Option<String>,
    price: Json<QuoteRecord>,
    content_hash: Vec<u8>,
    hold_expire_time: Option<Timestamp>,
    payment_id: Option<Uuid>,
    #[sqlx(rename = "paid_at")]
    paid_time: Option<Timestamp>,
    create_time: Timestamp,
    update_time: Timestamp,
}

impl TryFrom<ReservationRow> for Reservation {
    type Error = StoreError;

    fn try_from(row: ReservationRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ReservationId::try_from(row.reservation_id).map_err(|_| corrupt("reservation_id"))?,
            owner: row.owner,
            room_type_id: RoomTypeId::try_from(row.room_type_id).map_err(|_| corrupt("room_type_id"))?,
            stay: StayDates::new(row.check_in.to_jiff(), row.check_out.to_jiff()).map_err(|_| corrupt("check_in"))?,
            rooms: RoomCount::try_from(i32::from(row.rooms)).map_err(|_| corrupt("rooms"))?,
            guests: GuestCount::try_from(i32::from(row.guests)).map_err(|_| corrupt("guests"))?,
            guest: Guest { full_name: row.guest_name, email: row.guest_email },
            payment_mode: PaymentMode::from_name(&row.payment_mode).ok_or_else(|| corrupt("payment_mode"))?,
            quote: Quote::try_from(row.price.0).map_err(|error| unusable(&format!("price: {error}")))?,
            content_hash: row.content_hash,
            status: Status::from_name(&row.status).ok_or_else(|| corrupt("status"))?,
            cancellation_reason: row
                .cancellation_reason
                .map(|name| CancellationReason::from_name(&name).ok_or_else(|| corrupt("cancellation_reason")))
                .transpose()?,
            hold_expire_time: row.hold_expire_time.map(Timestamp::to_jiff),
            payment_id: row.payment_id.map(PaymentId::from),
            paid_time: row.paid_time.map(Timestamp::to_jiff),
            create_time: row.create_time.to_jiff(),
            update_time: row.update_time.to_jiff(),
        })
    }
}

/// Rows as reservations, by id.
pub(super) fn by_id(rows: Vec<ReservationRow>) -> Result<BTreeMap<Uuid, Reservation>, StoreError> {
    rows.into_iter().map(|row| Ok((row.reservation_id, Reservation::try_from(row)?))).collect()
}

/// The constraints of the table rule this out, except that a newer release may have written a status that this one does
/// not have.
fn corrupt(column: &'static str) -> StoreError {
    unusable(&format!("{column} does not fit"))
}

fn unusable(summary: &str) -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: format!("reservation.{summary}") })
}
