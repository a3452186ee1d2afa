//! The checker's SQL. Counts and lists share the same text, so that they cannot disagree.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, PgPool, Postgres, Transaction};
use staymesh_store::{Cause, StoreError};
use uuid::Uuid;

use super::report::{Kind, Violation};

/// Hotels with ids above `after` up to `until`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) after: i32,
    pub(super) until: i32,
}

/// Begins a read-only snapshot. No month can move to the archive while it is open: the table is locked before the
/// snapshot is taken.
pub(super) async fn begin_snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>, StoreError> {
    let mut snapshot = pool.begin_with("begin isolation level repeatable read read only").await?;
    sqlx::query("lock table only room_type_inventory in access share mode").execute(&mut *snapshot).await?;
    Ok(snapshot)
}

/// Hotel ids after `$1`, by a loose index scan: each id is found by a descent into two indexes.
macro_rules! hotels {
    ($select:literal) => {
        concat!(
            "with recursive hotel (id) as (
                 select least(
                     (select hotel_id from room_type_inventory where hotel_id > $1 order by hotel_id limit 1),
                     (select hotel_id from reservation where hotel_id > $1 order by hotel_id limit 1))
                 union all
                 select least(
                     (select hotel_id from room_type_inventory where hotel_id > hotel.id order by hotel_id limit 1),
                     (select hotel_id from reservation where hotel_id > hotel.id order by hotel_id limit 1))
                 from hotel where hotel.id is not null
             )
             select ",
            $select
        )
    };
}

/// Every night of the hotels in (`$1`, `$2`] from `$3` on that has inventory or reservations, and which rules it breaks.
/// Reserved are the live lines of active reservations, what pending changes hold, and what definite group blocks set aside.
macro_rules! nights {
    ($select:literal) => {
        concat!(
            "with booked as (
                 select l.hotel_id, l.room_type_id, l.check_in + n as stay_date,
                     count(*) filter (where holds_room(l.status) and r.status in ('pending_payment', 'paid')) as rooms
                 from reservation_room l
                 join reservation r on r.hotel_id = l.hotel_id and r.reservation_id = l.reservation_id
                 cross join generate_series(0, l.check_out - l.check_in - 1) n
                 where l.hotel_id > $1 and l.hotel_id <= $2 and l.check_out > coalesce($3, '-infinity'::date)
                     and l.check_in + n >= coalesce($3, '-infinity'::date)
                 group by 1, 2, 3
             ), held as (
                 select c.hotel_id, (h ->> 0)::integer as room_type_id, date '1970-01-01' + (h ->> 1)::integer as stay_date,
                     sum((h ->> 2)::integer) as rooms
                 from reservation_change c cross join jsonb_array_elements(c.held) h
                 where c.hotel_id > $1 and c.hotel_id <= $2 and c.status = 'pending'
                     and date '1970-01-01' + (h ->> 1)::integer >= coalesce($3, '-infinity'::date)
                 group by 1, 2, 3
             ), set_aside as (
                 select n.hotel_id, n.room_type_id, n.stay_date, sum(n.blocked - n.picked_up) as rooms
                 from group_block b
                 join group_block_night n on n.hotel_id = b.hotel_id and n.group_block_id = b.group_block_id
                 where b.hotel_id > $1 and b.hotel_id <= $2 and b.status = 'definite' and b.released_at is null
                     and n.stay_date >= coalesce($3, '-infinity'::date)
                 group by 1, 2, 3
             ), taken as (
                 select hotel_id, room_type_id, stay_date, sum(rooms)::bigint as rooms
                 from (select * from booked union all select * from held union all select * from set_aside) each
                 group by 1, 2, 3
             ), inventory as (
                 select * from room_type_inventory
                 where hotel_id > $1 and hotel_id <= $2 and stay_date >= coalesce($3, '-infinity'::date)
             ), blocked as (
                 select b.hotel_id, b.room_type_id, b.from_date + n as stay_date, count(distinct b.room_id) as blocked
                 from out_of_order b
                 cross join generate_series(0, coalesce(b.end_date, b.until_date) - b.from_date - 1) n
                 where b.hotel_id > $1 and b.hotel_id <= $2 and b.kind = 'out_of_order'
                     and b.from_date + n >= coalesce($3, '-infinity'::date)
                 group by 1, 2, 3
             ), night as (
                 select hotel_id, room_type_id, stay_date, total_inventory, total_reserved, overbooking_percent,
                     out_of_order, coalesce(blocked, 0) as blocked, coalesce(rooms, 0) as rooms,
                     total_reserved is null as missing, out_of_order <> coalesce(blocked, 0) as lost,
                     total_reserved <> coalesce(rooms, 0) as differs,
                     total_reserved < 0 or total_reserved::bigint * 100
                         > total_inventory::bigint * (100 + overbooking_percent) as overbooked
                 from inventory full join taken using (hotel_id, room_type_id, stay_date)
                 left join blocked using (hotel_id, room_type_id, stay_date)
             )
             select ",
            $select
        )
    };
}

/// Every reservation of the hotels in (`$1`, `$2`], and what is wrong with its history; `wrong` is null for a legal one.
/// The pairs of statuses are those of [`crate::lifecycle::TRANSITIONS`]; a test compares them.
macro_rules! histories {
    ($select:literal) => {
        concat!(
            "with step as (
                 select hotel_id, reservation_id, version, status,
                     lag(cancellation_reason) over history_order as cancelled_for, row_number() over history_order as position,
                     lag(status) over history_order as before, lag(status, 2) over history_order as before_that,
                     lead(status) over history_order as after
                 from reservation_transition where hotel_id > $1 and hotel_id <= $2
                 window history_order as (partition by hotel_id, reservation_id order by version)
             ), history as (
                 select hotel_id, reservation_id, count(*) as steps, bool_and(version = position) as gapless,
                     max(status) filter (where before is null) as first,
                     max(status) filter (where after is null) as last,
                     bool_or(status = 'paid') as was_paid,
                     bool_and(before is null or (before, status) in (
                             ('pending_payment', 'paid'), ('pending_payment', 'rejected'),
                             ('pending_payment', 'cancelled'), ('paid', 'cancelled'), ('cancelled', 'refunded'))
                         -- A late payment for a hold that had expired, or a no-show that was taken back. Not known are the
                         -- reasons of before no-shows could be taken back.
                         or before_that is not null
                             and (before_that, before, status, coalesce(cancelled_for, 'unknown')) in (
                                 ('pending_payment', 'cancelled', 'paid', 'hold_expired'),
                                 ('pending_payment', 'cancelled', 'paid', 'unknown'),
                                 ('paid', 'cancelled', 'paid', 'no_show'))) as legal
                 from step group by hotel_id, reservation_id
             ), judged as (
                 select hotel_id, reservation_id, r.status is not null as exists, case
                     when r.status is null then 'a history without a booking'
                     when steps is null then 'no history'
                     when not (first = 'pending_payment' or first = 'paid' and payment_mode = 'partner_collects')
                         then 'begins as ' || first
                     when not gapless then 'its versions have a gap'
                     when not legal then 'has a step that is not legal'
                     when last <> r.status then 'ends as ' || last || ', but is ' || r.status
                     when cancellation_reason = 'no_show' and not was_paid then 'a no-show that was never paid'
                     when cancellation_reason = 'cancelled_by_hotel' and not exists (
                         select from hotel_cancellation c
                         where c.hotel_id = r.hotel_id and c.reservation_id = r.reservation_id)
                         then 'cancelled by the hotel without a reason'
                     when r.version <> steps then 'has version ' || r.version || ' after ' || steps || ' steps'
                 end as wrong
                 from (select * from reservation where hotel_id > $1 and hotel_id <= $2) r
                 full join history using (hotel_id, reservation_id)
             )
             select ",
            $select
        )
    };
}

/// Number of hotels with inventory or reservations.
pub(super) async fn hotel_count(pool: &PgPool) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(hotels!("count(id) from hotel")).bind(i32::MIN).fetch_one(pool).await?;
    unsigned(count)
}

/// The last id of the next `limit` hotels after `after`, and their number. On the last page the id is the largest
/// possible one, so that no hotel falls between two pages.
pub(super) async fn next_hotels(pool: &PgPool, after: i32, limit: i64) -> Result<(i32, u64), StoreError> {
    let ids: Vec<i32> = sqlx::query_scalar(hotels!("id from hotel where id is not null limit $2"))
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    let full = i64::try_from(ids.len()) == Ok(limit);
    let until = ids.last().copied().filter(|_| full).unwrap_or(i32::MAX);
    Ok((until, ids.len() as u64))
}

/// The first night that is neither archived nor being archived; `None` without an archive.
pub(super) async fn first_hot_date(snapshot: &mut PgConnection) -> Result<Option<Date>, StoreError> {
    let date: Option<jiff_sqlx::Date> =
        sqlx::query_scalar("select (max(month) + interval '1 month')::date from inventory_archive")
            .fetch_one(snapshot)
            .await?;
    Ok(date.map(jiff_sqlx::Date::to_jiff))
}

/// Numbers of nights.
pub(super) struct NightCounts {
    pub(super) all: u64,
    pub(super) missing: u64,
    pub(super) differing: u64,
    pub(super) overbooked: u64,
    pub(super) out_of_order: u64,
}

/// Counts nights and violations.
pub(super) async fn count_nights(
    snapshot: &mut PgConnection,
    range: Range,
    hot_from: Option<Date>,
) -> Result<NightCounts, StoreError> {
    let (all, missing, differing, overbooked, out_of_order): (i64, i64, i64, i64, i64) = sqlx::query_as(nights!(
        "count(*), count(*) filter (where missing), count(*) filter (where differs),
             count(*) filter (where overbooked), count(*) filter (where lost)
         from night"
    ))
    .bind(range.after)
    .bind(range.until)
    .bind(hot_from.map(ToSqlx::to_sqlx))
    .fetch_one(snapshot)
    .await?;
    Ok(NightCounts {
        all: unsigned(all)?,
        missing: unsigned(missing)?,
        differing: unsigned(differing)?,
        overbooked: unsigned(overbooked)?,
        out_of_order: unsigned(out_of_order)?,
    })
}

/// Lists the first `limit` violations of each kind.
pub(super) async fn list_nights(
    snapshot: &mut PgConnection,
    range: Range,
    hot_from: Option<Date>,
    limit: usize,
) -> Result<Vec<Violation>, StoreError> {
    let mut found = Vec::new();
    for kind in [Kind::NightMissing, Kind::ReservedDiffers, Kind::Overbooked, Kind::OutOfOrderDiffers] {
        let rows: Vec<NightRow> = sqlx::query_as(nights!(
            "hotel_id, room_type_id, stay_date, case
                 when missing then 'booked, but has no inventory'
                 when $4 = 'reserved_differs'
                     then total_reserved || ' reserved, but active bookings have ' || rooms || ' rooms'
                 when $4 = 'out_of_order_differs'
                     then out_of_order || ' out of order, but blocks have ' || blocked || ' rooms'
                 else total_reserved || ' reserved of ' || total_inventory || ' with ' || overbooking_percent
                     || ' % overbooking' end as detail
             from night
             where case $4 when 'night_missing' then missing when 'reserved_differs' then differs
                 when 'out_of_order_differs' then lost else overbooked end
             order by hotel_id, room_type_id, stay_date limit $5"
        ))
        .bind(range.after)
        .bind(range.until)
        .bind(hot_from.map(ToSqlx::to_sqlx))
        .bind(kind.as_str())
        .bind(listed(limit)?)
        .fetch_all(&mut *snapshot)
        .await?;
        found.extend(rows.into_iter().map(|row| Violation {
            kind,
            hotel_id: row.hotel_id,
            room_type_id: Some(row.room_type_id),
            stay_date: Some(row.stay_date.to_jiff()),
            reservation_id: None,
            detail: row.detail,
        }));
    }
    Ok(found)
}

#[derive(FromRow)]
struct NightRow {
    hotel_id: i32,
    room_type_id: i32,
    stay_date: jiff_sqlx::Date,
    detail: String,
}

/// Numbers of reservations.
pub(super) struct HistoryCounts {
    pub(super) reservations: u64,
    pub(super) illegal: u64,
}

/// Counts reservations and illegal histories.
pub(super) async fn count_histories(snapshot: &mut PgConnection, range: Range) -> Result<HistoryCounts, StoreError> {
    let (reservations, illegal): (i64, i64) =
        sqlx::query_as(histories!("count(*) filter (where exists), count(wrong) from judged"))
            .bind(range.after)
            .bind(range.until)
            .fetch_one(snapshot)
            .await?;
    Ok(HistoryCounts { reservations: unsigned(reservations)?, illegal: unsigned(illegal)? })
}

/// Lists the first `limit` illegal histories.
pub(super) async fn list_histories(
    snapshot: &mut PgConnection,
    range: Range,
    limit: usize,
) -> Result<Vec<Violation>, StoreError> {
    let rows: Vec<(i32, Uuid, String)> = sqlx::query_as(histories!(
        "hotel_id, reservation_id, wrong from judged where wrong is not null
         order by hotel_id, reservation_id limit $3"
    ))
    .bind(range.after)
    .bind(range.until)
    .bind(listed(limit)?)
    .fetch_all(snapshot)
    .await?;
    Ok(rows.into_iter().map(|row| of_booking(Kind::IllegalHistory, row)).collect())
}

/// Number of holds and pending changes that expired more than `bound` milliseconds ago, and the longest expired ones.
pub(super) async fn overdue_holds(
    pool: &PgPool,
    bound: i64,
    limit: usize,
) -> Result<(u64, Vec<Violation>), StoreError> {
    let rows: Vec<(i32, Uuid, String, i64)> = sqlx::query_as(
        "with overdue as (
             select hotel_id, reservation_id, '' as what, hold_expire_time as ended from reservation
             where status = 'pending_payment' and hold_expire_time < now() - $1 * interval '1 millisecond'
             union all
             select hotel_id, reservation_id, 'the change ' || revision || ' ', expire_time from reservation_change
             where status = 'pending' and expire_time < now() - $1 * interval '1 millisecond'
         )
         select hotel_id, reservation_id, what || 'should have ended at ' || to_json(ended)::text, count(*) over ()
         from overdue order by ended limit $2",
    )
    .bind(bound)
    .bind(listed(limit)?)
    .fetch_all(pool)
    .await?;
    let count = rows.first().map_or(Ok(0), |row| unsigned(row.3))?;
    let found = rows.into_iter().map(|(hotel, id, detail, _)| of_booking(Kind::HoldOverdue, (hotel, id, detail)));
    Ok((count, found.collect()))
}

pub(super) fn of_booking(kind: Kind, (hotel_id, id, detail): (i32, Uuid, String)) -> Violation {
    Violation { kind, hotel_id, room_type_id: None, stay_date: None, reservation_id: Some(id), detail }
}

/// A count of rows, which is never negative.
pub(super) fn unsigned(count: i64) -> Result<u64, StoreError> {
    u64::try_from(count).map_err(|_| unexpected("a count is negative"))
}

/// A limit of rows: at least one, because the first row carries the count.
pub(super) fn listed(limit: usize) -> Result<i64, StoreError> {
    i64::try_from(limit.max(1)).map_err(|_| unexpected("a limit is too large"))
}

fn unexpected(summary: &str) -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: summary.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{
        lifecycle::{Condition, TRANSITIONS},
        model::{CancellationReason, Status},
    };

    /// The names quoted in a tuple of SQL.
    fn names(text: &str) -> Vec<&str> {
        text.split('\'').skip(1).step_by(2).collect()
    }

    fn statuses(names: &[&str]) -> Vec<Status> {
        names.iter().map(|name| Status::from_name(name).expect("a status")).collect()
    }

    #[test]
    fn history_query_accepts_exactly_the_transitions_of_the_table() {
        let sql: String = histories!("* from judged").split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, pairs) = sql.split_once("(before, status) in (").expect("the list of pairs");
        let (pairs, rest) = pairs.split_once("))").expect("its end");
        let unconditional: BTreeSet<_> =
            pairs.split("), (").map(|pair| format!("{:?}", statuses(&names(pair)))).collect();
        let (_, revived) = rest.split_once("coalesce(cancelled_for, 'unknown')) in (").expect("the list of revivals");
        let revived: Vec<_> = revived.split_once("))").expect("its end").0.split("), (").map(names).collect();

        // The history has no payment ids, so a refund is checked by the trigger alone.
        let expected = TRANSITIONS.iter().filter(|t| t.condition != Condition::Revivable);
        let expected: BTreeSet<_> = expected.map(|t| format!("{:?}", vec![t.from, t.to])).collect();
        assert_eq!(unconditional, expected);
        let conditional: Vec<_> = TRANSITIONS.iter().filter(|t| t.condition == Condition::Revivable).collect();
        let [transition] = conditional.as_slice() else { panic!("{conditional:?}") };
        // A hold expires from pending_payment; a no-show was paid.
        let expected = [
            (Status::PendingPayment, "hold_expired"),
            (Status::PendingPayment, "unknown"),
            (Status::Paid, CancellationReason::NoShow.as_str()),
        ];
        assert_eq!(revived.len(), expected.len());
        for (found, (first, reason)) in revived.iter().zip(expected) {
            let [steps @ .., cancelled_for] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!((statuses(steps), *cancelled_for), (vec![first, transition.from, transition.to], reason));
        }
    }
}
