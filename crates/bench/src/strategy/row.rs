//! The row of a booking: the same for every strategy.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool, types::Json};
use staymesh_reservation::{Created, NewReservation, Reservation, ReservationError, Status, store::Store};
use staymesh_store::StoreError;

/// Writes the booking. `None`: it exists.
pub(super) async fn insert(
    transaction: &mut PgConnection,
    order: &NewReservation,
) -> Result<Option<Timestamp>, ReservationError> {
    let status = status(order);
    let made: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
        "insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
             guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash,
             hold_expire_time, paid_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
             case when $12 = 'paid' then now() end)
         on conflict (hotel_id, reservation_id) do nothing
         returning create_time",
    )
    .bind(order.id.hotel_id().get())
    .bind(order.id.as_uuid())
    .bind(&order.owner)
    .bind(order.room_type_id.get())
    .bind(order.stay.check_in().to_sqlx())
    .bind(order.stay.check_out().to_sqlx())
    .bind(order.rooms.get())
    .bind(order.guests.get())
    .bind(&order.guest.full_name)
    .bind(&order.guest.email)
    .bind(order.payment_mode.as_str())
    .bind(status.as_str())
    .bind(order.quote.currency().code())
    .bind(order.quote.total.minor())
    .bind(Json(&order.quote))
    .bind(order.content_hash.as_slice())
    .bind(order.hold_expire_time.map(ToSqlx::to_sqlx))
    .fetch_optional(transaction)
    .await?;
    Ok(made.map(jiff_sqlx::Timestamp::to_jiff))
}

/// The booking that is there already.
pub(super) async fn repeat(pool: &PgPool, order: &NewReservation) -> Result<Created, ReservationError> {
    let known = Store::new(pool.clone()).get(order.id).await?.ok_or(ReservationError::NotFound)?;
    if known.content_hash == order.content_hash && known.owner == order.owner {
        return Ok(Created::Repeat(known));
    }
    Err(ReservationError::IdReused)
}

/// The booking as it was just written.
pub(super) fn created(order: &NewReservation, made: Timestamp) -> Created {
    let status = status(order);
    Created::New(Reservation {
        id: order.id,
        owner: order.owner.clone(),
        room_type_id: order.room_type_id,
        stay: order.stay,
        rooms: order.rooms,
        guests: order.guests,
        guest: order.guest.clone(),
        payment_mode: order.payment_mode,
        quote: order.quote.clone(),
        content_hash: order.content_hash.to_vec(),
        status,
        cancellation_reason: None,
        hold_expire_time: order.hold_expire_time,
        payment_id: None,
        paid_time: (status == Status::Paid).then_some(made),
        create_time: made,
        update_time: made,
    })
}

fn status(order: &NewReservation) -> Status {
    if order.hold_expire_time.is_some() { Status::PendingPayment } else { Status::Paid }
}

/// Nights of the stay, as the number of rows that must be touched.
pub(super) fn nights(order: &NewReservation) -> usize {
    usize::try_from(order.stay.night_count()).unwrap_or(0)
}

/// The CHECK's refusal, as sold out.
pub(super) fn sold_out(_: StoreError) -> ReservationError {
    ReservationError::SoldOut { stay_date: None, hold_expire_time: None }
}

/// The constraint that has the last word.
pub(super) const NOT_OVERBOOKED: &str = "room_type_inventory_not_overbooked";
