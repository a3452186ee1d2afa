//! Rows of the reservation table with their lines, and their conversion to reservations.

use std::collections::BTreeMap;

use jiff_sqlx::Timestamp;
use sqlx::{FromRow, Row, postgres::PgRow, types::Json};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_store::{Cause, StoreError};
use uuid::Uuid;

use super::{
    lines::{EqualRoomsRecord, LineError, LineRecord},
    pending::PendingRecord,
};
use crate::{
    model::{CancellationReason, Guest, PaymentMode, Reservation, Status},
    room_guest::RoomGuest,
    room_line::{RoomLine, RoomLinesError, RoomLinesSum},
    rooms_change::PlacedRoom,
};

/// A row as every statement selects it, see [`super::lines::reservation_columns`]. The columns of its rooms, dates and price
/// are for the release before; the lines are what counts, once it is carried over.
#[derive(FromRow)]
pub(super) struct ReservationRow {
    reservation_id: Uuid,
    owner: String,
    guest_name: String,
    guest_email: String,
    payment_mode: String,
    status: String,
    revision: Option<i32>,
    version: i32,
    cancellation_reason: Option<String>,
    lines: Option<Json<Vec<LineRecord>>>,
    before: Option<Json<EqualRoomsRecord>>,
    pending: Option<Json<PendingRecord>>,
    currency: String,
    total_minor: i64,
    retained_minor: Option<i64>,
    content_hash: Vec<u8>,
    client_reference: Option<String>,
    hold_expire_time: Option<Timestamp>,
    hold_extended: Option<bool>,
    payment_id: Option<Uuid>,
    #[sqlx(rename = "paid_at")]
    paid_time: Option<Timestamp>,
    create_time: Timestamp,
    update_time: Timestamp,
}

/// The rooms of a row.
struct Rooms {
    lines: Vec<RoomLine>,
    positions: Vec<i32>,
    guests: Vec<Option<RoomGuest>>,
    dropped: Vec<PlacedRoom>,
    revision: i32,
}

/// The lines of a row and its revision. A row that is not carried over has neither: it gets the lines of its columns.
fn rooms_of(
    records: Option<Vec<LineRecord>>,
    before: Option<EqualRoomsRecord>,
    revision: Option<i32>,
) -> Result<Rooms, LineError> {
    match (records, before, revision) {
        (Some(records), _, Some(revision)) => {
            let mut rooms = Rooms { lines: vec![], positions: vec![], guests: vec![], dropped: vec![], revision };
            for mut record in records {
                let (position, is_dropped) = (record.room_position, record.dropped_revision.is_some());
                let guest = record.guest.take();
                let line = RoomLine::try_from(record)?;
                if is_dropped {
                    rooms.dropped.push(PlacedRoom { position, line });
                } else {
                    rooms.lines.push(line);
                    rooms.positions.push(position);
                    rooms.guests.push(guest);
                }
            }
            Ok(rooms)
        }
        (None, Some(before), None) => {
            let lines = before.lines()?;
            let positions = (1..).zip(&lines).map(|(position, _)| position).collect();
            let guests = vec![None; lines.len()];
            Ok(Rooms { lines, positions, guests, dropped: vec![], revision: 1 })
        }
        (None, ..) => Err(RoomLinesError::Empty.into()),
        (Some(_), _, None) => Err(LineError::Column("revision")),
    }
}

impl TryFrom<ReservationRow> for Reservation {
    type Error = StoreError;

    fn try_from(row: ReservationRow) -> Result<Self, StoreError> {
        let (lines, before) = (row.lines.map(|lines| lines.0), row.before.map(|before| before.0));
        let rooms = rooms_of(lines, before, row.revision);
        let Rooms { mut lines, positions, guests: room_guests, dropped, revision } =
            rooms.map_err(|error| unusable(&format!("lines: {error}")))?;
        let status = Status::from_name(&row.status).ok_or_else(|| corrupt("status"))?;
        let reason = row
            .cancellation_reason
            .map(|name| CancellationReason::from_name(&name).ok_or_else(|| corrupt("cancellation_reason")));
        let cancellation_reason = reason.transpose()?;
        if row.revision.is_none() {
            for line in &mut lines {
                line.status = status.of_rooms(cancellation_reason);
            }
        }
        let sum = RoomLine::sum(&lines).map_err(|error| unusable(&format!("lines: {error}")))?;
        let RoomLinesSum { stay, quote } = sum;
        let id = ReservationId::try_from(row.reservation_id).map_err(|_| corrupt("reservation_id"))?;
        let currency = row.currency.parse().map_err(|_| corrupt("currency"))?;
        let money = |minor, column| Money::from_minor(minor, currency).map_err(|_| corrupt(column));
        let pending = row.pending.map(|pending| pending.0.read(id));
        Ok(Self {
            id,
            owner: row.owner,
            lines,
            positions,
            dropped,
            room_guests,
            stay,
            guest: Guest { full_name: row.guest_name, email: row.guest_email },
            payment_mode: PaymentMode::from_name(&row.payment_mode).ok_or_else(|| corrupt("payment_mode"))?,
            quote,
            retained: row.retained_minor.map_or(Ok(Money::zero(currency)), |minor| money(minor, "retained_minor"))?,
            first_total: money(row.total_minor, "total_minor")?,
            pending: pending.transpose().map_err(|error| unusable(&format!("pending: {error}")))?,
            content_hash: row.content_hash,
            client_reference: row.client_reference,
            revision,
            version: row.version,
            status,
            cancellation_reason,
            hold_expire_time: row.hold_expire_time.map(Timestamp::to_jiff),
            hold_extended: row.hold_extended == Some(true),
            payment_id: row.payment_id.map(PaymentId::from),
            paid_time: row.paid_time.map(Timestamp::to_jiff),
            create_time: row.create_time.to_jiff(),
            update_time: row.update_time.to_jiff(),
        })
    }
}

/// Whether one of the rows, which a statement has locked, is newer than its lines: its lock waited for a change that the
/// statement's snapshot does not have, such as a carry-over or a check-in. The same statement repeated reads the lines.
///
/// # Errors
/// When a column is missing.
pub(super) fn some_are_newer_than_lines(rows: &[PgRow]) -> Result<bool, sqlx::Error> {
    for row in rows {
        if row.try_get("is_newer")? {
            return Ok(true);
        }
    }
    Ok(false)
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
