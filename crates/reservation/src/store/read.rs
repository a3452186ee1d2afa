//! Reads reservations.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use staymesh_domain::{HotelId, ReservationId};
use uuid::Uuid;

use super::{Store, lines::reservation_columns, rows::ReservationRow};
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
    /// Only the owner's reservation with this client reference; only with an owner.
    pub client_reference: Option<String>,
}

/// Position of a reservation in a list. An id's time is chosen by the client that prepared the order form, so lists are
/// ordered by the database's time of creation; the id separates reservations of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPosition {
    create_time: Timestamp,
    reservation_id: Uuid,
}

impl ListPosition {
    /// The position of this reservation.
    pub fn of(reservation: &Reservation) -> Self {
        Self { create_time: reservation.create_time, reservation_id: reservation.id.as_uuid() }
    }
}

/// A page of the reservations that fulfil a condition.
macro_rules! listed {
    ($condition:literal) => {
        concat!(
            "select ",
            reservation_columns!(),
            " from reservation r where ",
            $condition,
            " order by create_time desc, reservation_id desc limit $6"
        )
    };
}

impl Store {
    /// One reservation; `None` when it does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, id: ReservationId) -> Result<Option<Reservation>, ReservationError> {
        let row: Option<ReservationRow> = sqlx::query_as(concat!(
            "select ",
            reservation_columns!(),
            " from reservation r where hotel_id = $1 and reservation_id = $2"
        ))
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Reservation::try_from).transpose()?)
    }

    /// Up to `limit` reservations, the latest created first, that follow `after` in this order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        filter: &ListFilter,
        after: Option<ListPosition>,
        limit: i64,
    ) -> Result<Vec<Reservation>, ReservationError> {
        // Statements of their own rather than one with "or": each has its index.
        let sql = if filter.client_reference.is_some() {
            listed!(
                "owner = $1 and client_reference = $7 and ($2::integer is null or hotel_id = $2)
                 and ($3::text is null or status = $3)
                 and ($4::timestamptz is null or (create_time, reservation_id) < ($4, $5))"
            )
        } else if filter.owner.is_some() {
            listed!(
                "owner = $1 and ($2::integer is null or hotel_id = $2) and ($3::text is null or status = $3)
                 and $7::text is null and ($4::timestamptz is null or (create_time, reservation_id) < ($4, $5))"
            )
        } else {
            listed!(
                "($1::text is null or owner = $1) and hotel_id = $2 and ($3::text is null or status = $3)
                 and $7::text is null and ($4::timestamptz is null or (create_time, reservation_id) < ($4, $5))"
            )
        };
        let rows: Vec<ReservationRow> = sqlx::query_as(sql)
            .bind(&filter.owner)
            .bind(filter.hotel_id.map(HotelId::get))
            .bind(filter.status.map(Status::as_str))
            .bind(after.map(|position| position.create_time.to_sqlx()))
            .bind(after.map(|position| position.reservation_id))
            .bind(limit)
            .bind(filter.client_reference.as_deref())
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(|row| Ok(row.try_into()?)).collect()
    }
}
