//! A change of a booking: state, rooms and the word to others in one transaction.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{Acquire, PgConnection};
use staymesh_domain::{PaymentId, ReservationId, RoomTypeId, StayDates};
use staymesh_mesh::telemetry;
use staymesh_store::{ResultExt, StoreError, outbox};

use super::{Store, rows::ReservationRow, write::NOT_OVERBOOKED};
use crate::{
    error::ReservationError,
    lifecycle::{Change, Command, Decision, Rooms, decide},
    model::Reservation,
    settlement::{CANCELLED, Cancelled},
};

/// What came of a command.
#[derive(Debug)]
pub struct Applied {
    /// The booking as it is now.
    pub reservation: Reservation,
    /// Money that has come for it cannot be used and is to go back in full.
    pub send_money_back: bool,
    /// Something was written to the outbox.
    pub wake: bool,
}

impl Store {
    /// Does to a booking what a command means for it at `now`: state, rooms and the word to the payment service in one
    /// transaction. `may` sees the locked booking first and may refuse.
    ///
    /// # Errors
    /// What `may` and [`decide`] refuse, and [`ReservationError::NotFound`].
    pub async fn apply(
        &self,
        id: ReservationId,
        command: &Command,
        now: Timestamp,
        may: impl FnOnce(&Reservation) -> Result<(), ReservationError>,
    ) -> Result<Applied, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        let booking = lock(&mut transaction, id).await?.ok_or(ReservationError::NotFound)?;
        may(&booking)?;
        let applied = match decide(&booking, command, now)? {
            Decision::Nothing => Applied { reservation: booking, send_money_back: false, wake: false },
            Decision::SendMoneyBack { note } => {
                let reservation = note_payment(&mut transaction, booking, note.map(PaymentId::as_uuid)).await?;
                Applied { reservation, send_money_back: true, wake: false }
            }
            Decision::Change(change) => change_booking(&mut transaction, booking, &change).await?,
        };
        transaction.commit().await?;
        Ok(applied)
    }
}

async fn change_booking(
    transaction: &mut PgConnection,
    booking: Reservation,
    change: &Change,
) -> Result<Applied, ReservationError> {
    match change.rooms {
        Rooms::Keep => {}
        Rooms::Release => give_rooms_back(transaction, &booking).await?,
        Rooms::Retake => {
            // A savepoint: when the rooms are gone, the note of the payment must still be written.
            let mut attempt = transaction.begin().await?;
            let rooms = booking.rooms.get();
            match take_rooms(&mut attempt, booking.id, booking.room_type_id, booking.stay, rooms).await {
                Ok(()) => attempt.commit().await?,
                Err(ReservationError::SoldOut { .. } | ReservationError::NotOnSale) => {
                    attempt.rollback().await?;
                    let payment = change.payment_id.map(PaymentId::as_uuid);
                    let reservation = note_payment(transaction, booking, payment).await?;
                    return Ok(Applied { reservation, send_money_back: true, wake: false });
                }
                Err(error) => return Err(error),
            }
        }
    }
    let reservation = update(transaction, &booking, change).await?;
    if let Some(refund) = change.settle {
        let event = Cancelled::new(reservation.id, refund);
        let trace = telemetry::trace_parent();
        outbox::enqueue(transaction, reservation.id.as_uuid(), CANCELLED, &event, trace.as_deref()).await?;
    }
    Ok(Applied { reservation, send_money_back: false, wake: change.settle.is_some() })
}

async fn lock(transaction: &mut PgConnection, id: ReservationId) -> Result<Option<Reservation>, ReservationError> {
    let row: Option<ReservationRow> =
        sqlx::query_as("select * from reservation where hotel_id = $1 and reservation_id = $2 for no key update")
            .bind(id.hotel_id().get())
            .bind(id.as_uuid())
            .fetch_optional(transaction)
            .await?;
    Ok(row.map(Reservation::try_from).transpose()?)
}

async fn update(
    transaction: &mut PgConnection,
    booking: &Reservation,
    change: &Change,
) -> Result<Reservation, ReservationError> {
    let row: ReservationRow = sqlx::query_as(
        "update reservation set status = $3, cancellation_reason = $4, payment_id = coalesce($5, payment_id),
             paid_at = case when $3 = 'paid' then now() else paid_at end,
             refunded_minor = coalesce($6, refunded_minor),
             hold_expire_time = case when $3 = 'pending_payment' then hold_expire_time end
         where hotel_id = $1 and reservation_id = $2
         returning *",
    )
    .bind(booking.id.hotel_id().get())
    .bind(booking.id.as_uuid())
    .bind(change.status.as_str())
    .bind(change.cancellation_reason.map(crate::CancellationReason::as_str))
    .bind(change.payment_id.map(PaymentId::as_uuid))
    .bind(change.refunded.map(staymesh_domain::Money::minor))
    .fetch_one(transaction)
    .await
    .on_constraint("reservation_legal_transition", |_| ReservationError::IllegalTransition {
        from: booking.status,
        to: change.status,
    })?;
    Ok(row.try_into()?)
}

/// Notes a payment that came too late, so that its refund can be told from others.
async fn note_payment(
    transaction: &mut PgConnection,
    booking: Reservation,
    payment: Option<uuid::Uuid>,
) -> Result<Reservation, ReservationError> {
    let Some(payment) = payment else {
        return Ok(booking);
    };
    let row: ReservationRow = sqlx::query_as(
        "update reservation set payment_id = $3
         where hotel_id = $1 and reservation_id = $2 and payment_id is null returning *",
    )
    .bind(booking.id.hotel_id().get())
    .bind(booking.id.as_uuid())
    .bind(payment)
    .fetch_one(transaction)
    .await?;
    Ok(row.try_into()?)
}

/// Takes rooms in every night of a stay, or fails. The CHECK decides.
async fn take_rooms(
    transaction: &mut PgConnection,
    id: ReservationId,
    room_type_id: RoomTypeId,
    stay: StayDates,
    rooms: i32,
) -> Result<(), ReservationError> {
    let nights = add_reserved(transaction, id, room_type_id, stay, rooms)
        .await
        .on_constraint(NOT_OVERBOOKED, |_| ReservationError::SoldOut { stay_date: None, hold_expire_time: None })?;
    if nights == u64::try_from(stay.night_count()).unwrap_or(0) {
        return Ok(());
    }
    // A night has no row: it was never put on sale.
    Err(ReservationError::NotOnSale)
}

async fn give_rooms_back(transaction: &mut PgConnection, booking: &Reservation) -> Result<(), ReservationError> {
    // Past nights may have left for the archive; the rooms of those do not matter any more.
    add_reserved(transaction, booking.id, booking.room_type_id, booking.stay, -booking.rooms.get())
        .await
        .map(drop)
        .map_err(|error| StoreError::from(error).into())
}

async fn add_reserved(
    transaction: &mut PgConnection,
    id: ReservationId,
    room_type_id: RoomTypeId,
    stay: StayDates,
    rooms: i32,
) -> Result<u64, sqlx::Error> {
    // Locked in order of dates before anything is changed: stays that overlap cannot wait in a circle.
    let done = sqlx::query(
        "with night as materialized (
             select stay_date from room_type_inventory
             where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
             order by stay_date for no key update
         )
         update room_type_inventory i set total_reserved = total_reserved + $5, version = version + 1
         from night
         where i.hotel_id = $1 and i.room_type_id = $2 and i.stay_date = night.stay_date
             and i.stay_date >= $3 and i.stay_date < $4",
    )
    .bind(id.hotel_id().get())
    .bind(room_type_id.get())
    .bind(stay.check_in().to_sqlx())
    .bind(stay.check_out().to_sqlx())
    .bind(rooms)
    .execute(transaction)
    .await?;
    Ok(done.rows_affected())
}
