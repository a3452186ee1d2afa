//! The invariants that every strategy must keep in every phase.

use anyhow::Result;
use sqlx::PgPool;
use uuid::Uuid;

/// The number of violations in the whole database.
///
/// `acknowledged`: ids of the bookings whose creation was acknowledged. `unknown`: number of requests without an answer,
/// each of which may or may not have been committed.
pub(crate) async fn violations(pool: &PgPool, acknowledged: &[Uuid], unknown: u64) -> Result<u64> {
    let mut count = nights_that_are_wrong(pool).await?;
    count += without_history(pool).await?;
    count += lost(pool, acknowledged).await?;
    let booked = u64::try_from(scalar(pool, "select count(*) from reservation").await?)?;
    let answered = u64::try_from(acknowledged.len())?;
    // An unacknowledged booking is correct only if the answer to its request was lost.
    count += booked.saturating_sub(answered.saturating_add(unknown));
    Ok(count)
}

/// Number of nights whose `total_reserved` differs from the rooms of active bookings or exceeds the overbooking limit.
pub(crate) async fn nights_that_are_wrong(pool: &PgPool) -> Result<u64> {
    let wrong = scalar(
        pool,
        "with sold as (
             select hotel_id, room_type_id, night::date as stay_date, sum(rooms) as rooms
             from reservation, generate_series(check_in, check_out - 1, interval '1 day') night
             where status in ('pending_payment', 'paid')
             group by 1, 2, 3
         )
         select count(*)
         from sold full join (select * from room_type_inventory where total_reserved <> 0) i
             using (hotel_id, room_type_id, stay_date)
         where coalesce(sold.rooms, 0) <> coalesce(i.total_reserved, 0)
             or i.total_reserved::bigint * 100 > i.total_inventory::bigint * (100 + i.overbooking_percent)",
    )
    .await?;
    Ok(u64::try_from(wrong)?)
}

/// Number of bookings without a transition row for their present version and status.
async fn without_history(pool: &PgPool) -> Result<u64> {
    let missing = scalar(
        pool,
        "select count(*) from reservation r left join reservation_transition t
             on t.hotel_id = r.hotel_id and t.reservation_id = r.reservation_id and t.version = r.version
         where t.status is distinct from r.status",
    )
    .await?;
    Ok(u64::try_from(missing)?)
}

/// Number of acknowledged bookings that do not exist.
async fn lost(pool: &PgPool, acknowledged: &[Uuid]) -> Result<u64> {
    let there: i64 =
        sqlx::query_scalar("select count(*) from reservation where reservation_id in (select unnest($1::uuid[]))")
            .bind(acknowledged)
            .fetch_one(pool)
            .await?;
    Ok(u64::try_from(acknowledged.len())?.saturating_sub(u64::try_from(there)?))
}

async fn scalar(pool: &PgPool, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}
