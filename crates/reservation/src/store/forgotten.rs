//! Table `forgotten_owner`, and the personal data of their reservations.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;

use super::Store;
use crate::error::ReservationError;

/// Replaces an erased e-mail address; `.invalid` is never delivered to (RFC 2606).
pub(super) const ERASED_EMAIL: &str = "erased@deleted.invalid";

/// Erases what staff wrote about reservations of an owner (`$1`) whose guests are erased, which is their e-mail address (`$2`).
const ERASE_TEXTS: [&str; 4] = [
    "update reservation_note w set content = '-' from reservation r
     where r.owner = $1 and r.guest_email = $2 and (w.hotel_id, w.reservation_id) = (r.hotel_id, r.reservation_id)
         and w.content <> '-'",
    "update cancellation_waiver w set reason = '-' from reservation r
     where r.owner = $1 and r.guest_email = $2 and (w.hotel_id, w.reservation_id) = (r.hotel_id, r.reservation_id)
         and w.reason <> '-'",
    "update departure_waiver w set reason = '-' from reservation r
     where r.owner = $1 and r.guest_email = $2 and (w.hotel_id, w.reservation_id) = (r.hotel_id, r.reservation_id)
         and w.reason <> '-'",
    "update hotel_cancellation w set reason = '-' from reservation r
     where r.owner = $1 and r.guest_email = $2 and (w.hotel_id, w.reservation_id) = (r.hotel_id, r.reservation_id)
         and w.reason <> '-'",
];

impl Store {
    /// Records that the account of an owner was deleted. Idempotent.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn insert_forgotten(&self, owner: &str) -> Result<(), ReservationError> {
        sqlx::query("insert into forgotten_owner (owner) values ($1) on conflict (owner) do nothing")
            .bind(owner)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Owners with reservations that are not erased yet, longest deleted first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn pending_forgotten(&self, limit: i64) -> Result<Vec<String>, ReservationError> {
        let owners = sqlx::query_scalar(
            "select owner from forgotten_owner where erased_at is null order by deleted_at limit $1",
        );
        Ok(owners.bind(limit).fetch_all(&self.pool).await?)
    }

    /// Erases the personal data of an owner's reservations that are over on `today`: the e-mail address, the client
    /// reference, the guests of rooms, notes, the reason of a waiver, and the name unless money was paid, because accounts of paid
    /// stays have to be kept. Returns the number of reservations erased.
    ///
    /// An expired hold may still be paid for, so it counts as over only after its stay.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn erase_guests(&self, owner: &str, today: Date) -> Result<u64, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        let erased: i64 = sqlx::query_scalar(
            "with erased as (
             update reservation
             set guest_email = $3, client_reference = null,
                 guest_name = case when paid_at is null then '-' else guest_name end
             where owner = $1 and guest_email <> $3
                 and (check_out < $2 or status in ('refunded', 'rejected')
                      or (status = 'cancelled' and cancellation_reason <> 'hold_expired'))
             returning hotel_id, reservation_id
             ), rooms as (
             update reservation_room l set guest = null
             from erased
             where l.hotel_id = erased.hotel_id and l.reservation_id = erased.reservation_id and l.guest is not null
             )
             select count(*) from erased",
        )
        .bind(owner)
        .bind(today.to_sqlx())
        .bind(ERASED_EMAIL)
        .fetch_one(&mut *transaction)
        .await?;
        for erase in ERASE_TEXTS {
            sqlx::query(erase).bind(owner).bind(ERASED_EMAIL).execute(&mut *transaction).await?;
        }
        sqlx::query(
            "update forgotten_owner set erased_at = now()
             where owner = $1 and erased_at is null
                 and not exists (select from reservation where reservation.owner = $1 and guest_email <> $2)",
        )
        .bind(owner)
        .bind(ERASED_EMAIL)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(erased.unsigned_abs())
    }
}
