//! Finds reservations of a hotel by guest, e-mail address, client reference or the beginning of an id.

use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, Row, postgres::PgRow};
use staymesh_domain::{FieldError, HotelId};
use uuid::Uuid;

use super::{ListPosition, Store, lines::reservation_columns, rows::ReservationRow};
use crate::{error::ReservationError, model::Reservation};

/// Most reservations, and guests of their rooms, that may fit.
const MAX_FOUND: i64 = 5_000;

/// What to find.
#[derive(Clone, PartialEq, Eq)]
pub enum FindFilter {
    /// The beginnings of words of a name, or of an e-mail address or a client reference.
    Guest(String),
    /// Ids in a range, both ends included.
    Ids(Uuid, Uuid),
}

macro_rules! found {
    ($ids:literal) => {
        concat!(
            "with found as materialized (",
            $ids,
            " limit $6::bigint + 1)
             select (select count(*) from found) as found, ",
            reservation_columns!(),
            // Each by its key, whatever the planner expects of the number that is found.
            " from (select distinct reservation_id from found) id
             cross join lateral (
                 select * from reservation one
                 where one.hotel_id = $1 and one.reservation_id = id.reservation_id
                     and ($3::timestamptz is null or (one.create_time, one.reservation_id) < ($3, $4)) offset 0
             ) r
             order by r.create_time desc, r.reservation_id desc limit $5"
        )
    };
}

/// With the conditions of the indexes: unpaid holds are in neither.
pub(super) const BY_GUEST: &str = found!(
    "select reservation_id from reservation
     where hotel_id = $1 and status <> 'pending_payment'
         and reservation_search(hotel_id, guest_name, guest_email, client_reference) @@ reservation_query($1, $2)
     union all
     select l.reservation_id from reservation_room l
     join reservation r on r.hotel_id = l.hotel_id and r.reservation_id = l.reservation_id
         and r.status <> 'pending_payment'
     where l.hotel_id = $1 and l.guest is not null
         and room_guest_search(l.hotel_id, l.guest) @@ reservation_query($1, $2)"
);
pub(super) const BY_ID: &str =
    found!("select reservation_id from reservation where hotel_id = $1 and reservation_id between $2 and $7");

impl Store {
    /// Up to `limit` reservations of a hotel, the latest created first, that follow `after` in this order.
    ///
    /// # Errors
    /// A text that more than [`MAX_FOUND`] fit, and when the database fails.
    pub(crate) async fn find_reservations(
        &self,
        hotel_id: HotelId,
        filter: &FindFilter,
        after: Option<ListPosition>,
        limit: i64,
    ) -> Result<Vec<Reservation>, ReservationError> {
        let (time, id) = (after.map(|after| after.create_time().to_sqlx()), after.map(ListPosition::reservation_id));
        let rows: Vec<PgRow> = match filter {
            FindFilter::Guest(text) => {
                sqlx::query(BY_GUEST)
                    .bind(hotel_id.get())
                    .bind(text)
                    .bind(time)
                    .bind(id)
                    .bind(limit)
                    .bind(MAX_FOUND)
                    .fetch_all(&self.pool)
                    .await?
            }
            FindFilter::Ids(first, last) => {
                sqlx::query(BY_ID)
                    .bind(hotel_id.get())
                    .bind(first)
                    .bind(time)
                    .bind(id)
                    .bind(limit)
                    .bind(MAX_FOUND)
                    .bind(last)
                    .fetch_all(&self.pool)
                    .await?
            }
        };
        if let Some(row) = rows.first()
            && row.try_get::<i64, _>("found")? > MAX_FOUND
        {
            return Err(FieldError::new("text", format!("must say more: more than {MAX_FOUND} fit")).into());
        }
        rows.iter().map(|row| Ok(Reservation::try_from(ReservationRow::from_row(row)?)?)).collect()
    }
}
