//! Reads reservations.

use staymesh_domain::{HotelId, ReservationId};
use uuid::Uuid;

use super::{Store, rows::ReservationRow};
use crate::{
    error::ReservationError,
    model::{Reservation, Status},
};

/// Which reservations to list. Without an owner and a hotel the whole table would be read, so one must be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFilter {
    /// Only reservations of this account's subject.
    pub owner: Option<String>,
    /// Only reservations in this hotel.
    pub hotel_id: Option<HotelId>,
    /// Only reservations in this status.
    pub status: Option<Status>,
}

impl Store {
    /// One reservation; `None` when it does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, id: ReservationId) -> Result<Option<Reservation>, ReservationError> {
        let row: Option<ReservationRow> =
            sqlx::query_as("select * from reservation where hotel_id = $1 and reservation_id = $2")
                .bind(id.hotel_id().get())
                .bind(id.as_uuid())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(Reservation::try_from).transpose()?)
    }

    /// Up to `limit` reservations, newest first, whose ids are before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        filter: &ListFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Reservation>, ReservationError> {
        // Ids sort by time. Two statements rather than one with "or": each has its index.
        let sql = if filter.owner.is_some() {
            "select * from reservation
             where owner = $1 and ($2::integer is null or hotel_id = $2) and ($3::text is null or status = $3)
                 and ($4::uuid is null or reservation_id < $4)
             order by reservation_id desc limit $5"
        } else {
            "select * from reservation
             where ($1::text is null or owner = $1) and hotel_id = $2 and ($3::text is null or status = $3)
                 and ($4::uuid is null or reservation_id < $4)
             order by reservation_id desc limit $5"
        };
        let rows: Vec<ReservationRow> = sqlx::query_as(sql)
            .bind(&filter.owner)
            .bind(filter.hotel_id.map(HotelId::get))
            .bind(filter.status.map(Status::as_str))
            .bind(before)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(|row| Ok(row.try_into()?)).collect()
    }
}
