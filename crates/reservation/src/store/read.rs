//! Reads reservations.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use staymesh_domain::{HotelId, ReservationId};
use uuid::Uuid;

use super::{Store, lines::reservation_columns, rows::ReservationRow};
use crate::{
    error::ReservationError,
    model::{Reservation, Status},
};

/// Which reservations to list. Without an owner and a hotel the whole table would be read, so one must be given; a filter of
/// dates needs a hotel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only reservations of this account's subject.
    pub owner: Option<String>,
    /// Only reservations in this hotel.
    pub hotel_id: Option<HotelId>,
    /// Only reservations in this status.
    pub status: Option<Status>,
    /// Only the owner's reservation with this client reference; only with an owner.
    pub client_reference: Option<String>,
    /// Only reservations with these dates.
    pub stays: Option<StayFilter>,
    /// Only reservations created from then on.
    pub created_from: Option<Timestamp>,
    /// Only reservations created before.
    pub created_until: Option<Timestamp>,
}

/// Ranges of dates, each with its first date and the date after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StayFilter {
    /// Of the first check-in of a reservation.
    pub check_in: (Date, Date),
    /// Of its last check-out.
    pub check_out: (Date, Date),
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

    pub(super) const fn create_time(self) -> Timestamp {
        self.create_time
    }

    pub(super) const fn reservation_id(self) -> Uuid {
        self.reservation_id
    }
}

/// A page of the reservations that fulfil a condition.
macro_rules! listed {
    ($table:literal, $condition:literal) => {
        concat!(
            "select ",
            reservation_columns!(),
            " from ",
            $table,
            " r where ",
            $condition,
            " and ($2::integer is null or hotel_id = $2) and ($3::text is null or status = $3)
                 and ($4::timestamptz is null or (create_time, reservation_id) < ($4, $5))
                 and ($7::timestamptz is null or create_time >= $7) and ($8::timestamptz is null or create_time < $8)
                 and ($9::date is null or check_in >= $9) and ($10::date is null or check_in < $10)
                 and ($11::date is null or check_out >= $11) and ($12::date is null or check_out < $12)
             order by create_time desc, reservation_id desc limit $6"
        )
    };
}

/// Those with stays in ranges of dates: a bounded set, which is sorted. By the dates, whatever the planner expects of the order
/// of creation.
const BY_STAY: &str = listed!(
    "(select * from reservation
      where hotel_id = $2 and status <> 'pending_payment'
          and check_in >= $9 and check_in < $10 and check_out >= $11 and check_out < $12
      union all
      select * from reservation
      where hotel_id = $2 and status = 'pending_payment'
          and check_in >= $9 and check_in < $10 and check_out >= $11 and check_out < $12
      offset 0)",
    "($1::text is null or owner = $1) and $13::text is null"
);

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
        // A statement for each index rather than one with "or".
        let sql = match (&filter.client_reference, &filter.stays, &filter.owner) {
            (Some(_), ..) => listed!("reservation", "owner = $1 and client_reference = $13"),
            (None, Some(_), _) => BY_STAY,
            (None, None, Some(_)) => listed!("reservation", "owner = $1 and $13::text is null"),
            (None, None, None) => listed!("reservation", "$1::text is null and $13::text is null and hotel_id = $2"),
        };
        let rows = sqlx::query_as::<_, ReservationRow>(sql)
            .bind(&filter.owner)
            .bind(filter.hotel_id.map(HotelId::get))
            .bind(filter.status.map(Status::as_str))
            .bind(after.map(|position| position.create_time.to_sqlx()))
            .bind(after.map(|position| position.reservation_id))
            .bind(limit)
            .bind(filter.created_from.map(ToSqlx::to_sqlx))
            .bind(filter.created_until.map(ToSqlx::to_sqlx));
        let date = |of: fn(&StayFilter) -> Date| filter.stays.as_ref().map(|stays| of(stays).to_sqlx());
        let rows = rows
            .bind(date(|stays| stays.check_in.0))
            .bind(date(|stays| stays.check_in.1))
            .bind(date(|stays| stays.check_out.0))
            .bind(date(|stays| stays.check_out.1))
            .bind(filter.client_reference.as_deref());
        let rows = rows.fetch_all(&self.pool).await?;
        rows.into_iter().map(|row| Ok(row.try_into()?)).collect()
    }
}
