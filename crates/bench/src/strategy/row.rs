//! The row of a new reservation: the same for every strategy.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool, types::Json};
use staymesh_api::reservation::v1::Guest;
use staymesh_load::booking;
use staymesh_reservation::{RoomLine, offer_token::Offer};
use staymesh_store::StoreError;

use super::refusal::Refusal;

/// A reservation to insert: the guest pays, so it begins with a hold.
pub(crate) struct NewRow {
    pub(super) offer: Offer,
    pub(super) guest: Guest,
    /// SHA-256 of the request; equal for repeats.
    pub(super) content_hash: [u8; 32],
    pub(super) hold_expire_time: Timestamp,
}

impl NewRow {
    /// Nights of the stay: the number of inventory rows that must change.
    pub(super) const NIGHTS: u64 = booking::NIGHTS.unsigned_abs() as u64;

    pub(super) fn hotel_id(&self) -> i32 {
        self.offer.reservation_id.hotel_id().get()
    }

    /// The only room of every booking.
    pub(super) fn room(&self) -> &RoomLine {
        &self.offer.lines[0]
    }

    /// Inserts the row, without the lines that only the writer writes, and returns its creation time; `None` if a reservation with this id exists.
    pub(super) async fn insert(&self, transaction: &mut PgConnection) -> Result<Option<Timestamp>, Refusal> {
        let created: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
            "insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
                 guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash,
                 hold_expire_time, revision)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'guest_pays', 'pending_payment', $11, $12, $13, $14, $15,
                 1)
             on conflict (hotel_id, reservation_id) do nothing
             returning create_time",
        )
        .bind(self.hotel_id())
        .bind(self.offer.reservation_id.as_uuid())
        .bind(&self.offer.owner)
        .bind(self.room().room_type_id.get())
        .bind(self.room().stay.check_in().to_sqlx())
        .bind(self.room().stay.check_out().to_sqlx())
        .bind(1)
        .bind(self.room().party.adults())
        .bind(&self.guest.full_name)
        .bind(&self.guest.email)
        .bind(booking::CURRENCY)
        .bind(booking::TOTAL_MINOR)
        .bind(Json(&self.room().quote))
        .bind(self.content_hash.as_slice())
        .bind(self.hold_expire_time.to_sqlx())
        .fetch_optional(transaction)
        .await?;
        Ok(created.map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// The creation time of the reservation that an earlier attempt of the same request inserted.
    pub(super) async fn existing(&self, pool: &PgPool) -> Result<Timestamp, Refusal> {
        let existing: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
            "select create_time from reservation
             where hotel_id = $1 and reservation_id = $2 and owner = $3 and content_hash = $4",
        )
        .bind(self.hotel_id())
        .bind(self.offer.reservation_id.as_uuid())
        .bind(&self.offer.owner)
        .bind(self.content_hash.as_slice())
        .fetch_optional(pool)
        .await?;
        existing.map(jiff_sqlx::Timestamp::to_jiff).ok_or(Refusal::IdReused)
    }
}

/// The violated CHECK, as sold out.
pub(super) fn sold_out(_: StoreError) -> Refusal {
    Refusal::SoldOut
}

/// The CHECK that keeps a night within its overbooking limit.
pub(super) const NOT_OVERBOOKED: &str = "room_type_inventory_not_overbooked";
