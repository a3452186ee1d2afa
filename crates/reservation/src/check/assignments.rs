//! The checker's SQL of assignments: every room of the hotel is assigned to guests who stay there in these nights.

use sqlx::PgConnection;
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{
    report::{Kind, Violation},
    store::{Range, listed, of_booking, unsigned},
};

/// The assignments of the hotels in (`$1`, `$2`] that break a rule. That a room has one guest in a night is up to the exclusion
/// constraint of the table.
const WRONG: &str = "with judged as (
         select a.hotel_id, a.reservation_id, a.room_position, a.from_date, case
             when l.status is null then 'a room for a line that is not there'
             when r.status <> 'paid' or not holds_room(l.status) then 'a room for guests who are not expected'
             when a.from_date < l.check_in or a.until_date > l.check_out then 'a room in nights that are not booked'
             when lead(a.from_date) over (
                     partition by a.hotel_id, a.reservation_id, a.room_position order by a.from_date) < a.until_date
                 then 'two rooms in one night'
             when exists (
                     select from out_of_order b
                     where b.hotel_id = a.hotel_id and b.room_id = a.room_id and b.from_date < a.until_date
                         and coalesce(b.end_date, b.until_date) > greatest(a.from_date, b.from_date))
                 then 'a room that is blocked'
         end as wrong
         from room_assignment a
         left join reservation_room l on l.hotel_id = a.hotel_id and l.reservation_id = a.reservation_id
             and l.room_position = a.room_position
         left join reservation r on r.hotel_id = a.hotel_id and r.reservation_id = a.reservation_id
         where a.hotel_id > $1 and a.hotel_id <= $2
     )
     select hotel_id, reservation_id, wrong, count(*) over ()
     from judged where wrong is not null order by hotel_id, reservation_id, room_position, from_date limit $3";

/// The number of violations, and the first `limit`.
pub(super) async fn wrong(
    snapshot: &mut PgConnection,
    range: Range,
    limit: usize,
) -> Result<(u64, Vec<Violation>), StoreError> {
    let rows: Vec<(i32, Uuid, String, i64)> =
        sqlx::query_as(WRONG).bind(range.after).bind(range.until).bind(listed(limit)?).fetch_all(snapshot).await?;
    let count = unsigned(rows.first().map_or(0, |row| row.3))?;
    let found = rows.into_iter().map(|(hotel, id, wrong, _)| of_booking(Kind::AssignmentDiffers, (hotel, id, wrong)));
    Ok((count, found.collect()))
}
