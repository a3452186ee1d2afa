//! The checker's SQL of lines and revisions: whether the rooms of every reservation are what its latest revision agreed, and
//! add up to it. Counts and lists share the same text, so that they cannot disagree.
//!
//! A reservation that never changed keeps no second copy of its lines: of it are compared the total, the dates, the number of
//! guests, the first room type, and that no line has a later revision. Other terms of its lines, changed by hand so that these
//! stay as they are, are not found.

use sqlx::PgConnection;
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{
    report::{Kind, Violation},
    store::{Range, listed, of_booking, unsigned},
};

/// Every reservation of the hotels in (`$1`, `$2`], and what is wrong with its lines and with its revisions; both are null
/// when nothing is. Lines are compared with the latest revision, or with the row of a reservation that never changed.
macro_rules! rooms {
    ($select:literal) => {
        concat!(
            "with last_change as (
                 select distinct on (hotel_id, reservation_id, room_position) hotel_id, reservation_id, room_position,
                     status as last_status
                 from room_status_change where hotel_id > $1 and hotel_id <= $2
                 order by hotel_id, reservation_id, room_position, change_id desc
             ), line as (
                 select hotel_id, reservation_id, count(*) as rows, max(room_position) as last,
                     count(*) filter (where dropped_revision is null) as lines,
                     min(check_in) filter (where dropped_revision is null) as first_day,
                     max(check_out) filter (where dropped_revision is null) as last_day,
                     sum(total_minor) filter (where dropped_revision is null) as total,
                     sum(adults + cardinality(child_ages)) filter (where dropped_revision is null) as guests,
                     min(room_type_id) filter (where room_position = 1) as first_type,
                     bool_and(total_minor = (price ->> 'total_minor')::bigint) as priced,
                     min(price ->> 'currency') as least_currency, max(price ->> 'currency') as most_currency,
                     min(case when holds_room(status) then 'live' else status end)
                         filter (where dropped_revision is null) as least_status,
                     max(case when holds_room(status) then 'live' else status end)
                         filter (where dropped_revision is null) as most_status,
                     bool_or(dropped_revision is not null and status <> 'cancelled') as dropped_lives,
                     max(revision) as line_revision,
                     bool_or(holds_room(status) and status <> coalesce(last_status, 'live')) as misplaced,
                     jsonb_agg(jsonb_build_object('room_type_id', room_type_id, 'rate_plan', rate_plan,
                         'check_in', check_in, 'check_out', check_out, 'adults', adults, 'child_ages', child_ages,
                         'price', price) order by room_position) filter (where dropped_revision is null) as terms
                 from reservation_room left join last_change using (hotel_id, reservation_id, room_position)
                 where hotel_id > $1 and hotel_id <= $2 group by 1, 2
             ), agreement as (
                 select hotel_id, reservation_id, revision, document, currency, total_minor, retained_minor
                 from reservation_revision where hotel_id > $1 and hotel_id <= $2
                 union all
                 -- The first revision of one that never changed is its lines.
                 select hotel_id, reservation_id, 1, null, currency, total_minor, null
                 from reservation r
                 where hotel_id > $1 and hotel_id <= $2 and revision = 1 and not exists (
                     select from reservation_revision v where v.hotel_id = r.hotel_id and v.reservation_id = r.reservation_id
                 )
             ), revisions as (
                 select hotel_id, reservation_id, count(*) as steps, max(revision) as latest,
                     max(total_minor) filter (where revision = 1) as first_total,
                     max(jsonb_array_length((document -> 'rooms')::jsonb)) filter (where revision = 1) as first_rooms
                 from agreement group by 1, 2
             ), changes as (
                 select hotel_id, reservation_id, max(revision) filter (where status = 'pending') as pending,
                     count(*) filter (where status <> 'pending') as ended,
                     sum(penalty_minor) filter (where status = 'applied') as penalties,
                     max((select max((room ->> 'position')::integer) from jsonb_array_elements(document -> 'rooms') room))
                         filter (where status = 'applied') as last_room
                 from reservation_change where hotel_id > $1 and hotel_id <= $2 group by 1, 2
             ), agreed as (
                 select v.hotel_id, v.reservation_id, v.steps, v.latest, v.first_total,
                     (d.document -> 'rooms')::jsonb as rooms, d.currency, d.total_minor, coalesce(d.retained_minor, 0) as retained, c.pending,
                     coalesce(c.ended, 0) as ended, coalesce(c.penalties, 0) as penalties,
                     -- Positions are never used again; null if it never changed.
                     greatest(v.first_rooms, c.last_room) as last_position
                 from revisions v
                 join agreement d on d.hotel_id = v.hotel_id and d.reservation_id = v.reservation_id
                     and d.revision = v.latest
                 left join changes c on c.hotel_id = v.hotel_id and c.reservation_id = v.reservation_id
             ), found as (
                 select hotel_id, reservation_id, r.status, r.revision, r.check_in, r.check_out, r.total_minor, r.currency,
                     r.pending_revision, coalesce(r.retained_minor, 0) as retained_minor, line.rows, line.dropped_lives,
                     coalesce(jsonb_array_length(agreed.rooms), r.rooms) as agreed_lines,
                     (line.guests, line.first_type) <> (r.guests, r.room_type_id) as other_rooms,
                     line.misplaced, line.line_revision,
                     agreed.first_total, agreed.retained, agreed.pending, agreed.ended, agreed.penalties,
                     agreed.last_position,
                     status_of_rooms(r.status, r.cancellation_reason) as room_status,
                     line.lines, line.last, line.first_day, line.last_day, line.total, line.priced, line.least_currency,
                     line.most_currency, line.least_status, line.most_status, line.terms,
                     agreed.steps, agreed.latest, agreed.rooms, agreed.currency as agreed_currency,
                     agreed.total_minor as agreed_total
                 from (select * from reservation where hotel_id > $1 and hotel_id <= $2) r
                 full join line using (hotel_id, reservation_id)
                 full join agreed using (hotel_id, reservation_id)
             ), priced_once as (
                 select *, case when latest = 1 then total_minor else agreed_total end as price from found
             ), judged as (
                 select hotel_id, reservation_id, case
                     when status is null then case when steps is not null then 'a revision without a booking' end
                     when steps is null then 'no revision'
                     when latest <> steps then 'its revisions have a gap'
                     when revision is distinct from latest
                         then 'has revision ' || coalesce(revision::text, 'none') || ' after ' || latest || ' revisions'
                     when agreed_currency <> currency or first_total <> total_minor
                         then 'was agreed for ' || first_total || ' ' || agreed_currency || ', but costs '
                             || total_minor || ' ' || currency
                     when ended <> latest - 1 then 'has ' || ended || ' changes after ' || latest || ' revisions'
                     when pending_revision is distinct from pending
                         then 'waits for change ' || coalesce(pending_revision::text, 'none') || ', but pending is '
                             || coalesce(pending::text, 'none')
                     when retained <> penalties or retained_minor <> penalties
                         then 'keeps ' || retained_minor || ', but its changes keep ' || penalties
                 end as wrong_revision, case
                     when status is null then case when lines is not null then 'rooms without a booking' end
                     when lines is null then 'no rooms'
                     when last <> rows then 'its rooms have a gap'
                     when last < last_position then 'room ' || last_position || ' is lost'
                     when dropped_lives then 'a dropped room is not cancelled'
                     when misplaced then 'a room is not what its last arrival or departure made it'
                     when line_revision > latest then 'a room has revision ' || line_revision || ' after ' || latest || ' revisions'
                     when lines <> agreed_lines then lines || ' rooms, but ' || agreed_lines || ' were agreed'
                     when (first_day, last_day) <> (check_in, check_out)
                         then 'rooms from ' || first_day || ' to ' || last_day || ', but the booking is from ' || check_in
                             || ' to ' || check_out
                     when least_status <> room_status or most_status <> room_status
                         then 'a room is ' || case when least_status <> room_status then least_status else most_status end
                             || ', but the booking is ' || status
                     when total + retained <> price or least_currency <> currency or most_currency <> currency
                         then 'rooms cost ' || total || ' ' || least_currency || ', but the booking '
                             || price - retained || ' ' || currency
                     when not priced then 'the price of a room is not its total'
                     when terms <> rooms or rooms is null and other_rooms then 'rooms differ from what was agreed'
                 end as wrong_rooms
                 from priced_once
             )
             select ",
            $select
        )
    };
}

/// Numbers of reservations with wrong lines and wrong revisions.
pub(super) struct RoomCounts {
    pub(super) rooms: u64,
    pub(super) revisions: u64,
}

/// Counts violations.
pub(super) async fn count(snapshot: &mut PgConnection, range: Range) -> Result<RoomCounts, StoreError> {
    let (rooms, revisions): (i64, i64) =
        sqlx::query_as(rooms!("count(wrong_rooms), count(wrong_revision) from judged"))
            .bind(range.after)
            .bind(range.until)
            .fetch_one(snapshot)
            .await?;
    Ok(RoomCounts { rooms: unsigned(rooms)?, revisions: unsigned(revisions)? })
}

/// Lists the first `limit` violations of each kind.
pub(super) async fn list(
    snapshot: &mut PgConnection,
    range: Range,
    limit: usize,
) -> Result<Vec<Violation>, StoreError> {
    let mut found = Vec::new();
    for kind in [Kind::RoomsDiffer, Kind::IllegalRevision] {
        let rows: Vec<(i32, Uuid, String)> = sqlx::query_as(rooms!(
            "hotel_id, reservation_id, wrong
             from judged cross join lateral (
                 select case $3 when 'rooms_differ' then wrong_rooms else wrong_revision end as wrong
             ) of_kind
             where wrong is not null order by hotel_id, reservation_id limit $4"
        ))
        .bind(range.after)
        .bind(range.until)
        .bind(kind.as_str())
        .bind(listed(limit)?)
        .fetch_all(&mut *snapshot)
        .await?;
        found.extend(rows.into_iter().map(|row| of_booking(kind, row)));
    }
    Ok(found)
}
