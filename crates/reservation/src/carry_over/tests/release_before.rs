//! The release before reservations had rooms of their own (f7c40c4c), as far as it uses its database: the statements of its
//! hot paths as it prepares them, `select *` included, on connections that stay open.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::{Timestamp, ToSpan, civil::Date};
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection, PgPool};
use staymesh_domain::ReservationId;
use staymesh_store::StoreError;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::night::day_of;

/// Longest time until a call is answered.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const TYPE: i32 = 3;

const CREATE: &str = "with night as materialized (
    select i.hotel_id, i.room_type_id, i.stay_date, t.rooms
    from unnest($16::integer[], $17::integer[], $18::integer[], $19::integer[]) t (hotel_id, room_type_id, day, rooms)
    join room_type_inventory i on i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id
        and i.stay_date = date '1970-01-01' + t.day
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21
    order by i.hotel_id, i.room_type_id, i.stay_date
    for no key update of i
), taken as (
    update room_type_inventory i set total_reserved = i.total_reserved + night.rooms, version = i.version + 1
    from night
    where i.hotel_id = night.hotel_id and i.room_type_id = night.room_type_id and i.stay_date = night.stay_date
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21
    returning 1
), booked as (
    insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
        guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time,
        paid_at, source)
    select reservation_hotel_id(id), id, owner, room_type_id, date '1970-01-01' + check_in,
        date '1970-01-01' + check_out, rooms, guests, guest_name, guest_email, payment_mode,
        case when hold is null then 'paid' else 'pending_payment' end, currency, total_minor, price, content_hash,
        timestamptz 'epoch' + hold * interval '1 microsecond', case when hold is null then now() end,
        source
    from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::jsonb[], $14::bytea[], $15::bigint[], $23::text[])
        o (id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name, guest_email, payment_mode, currency,
            total_minor, price, content_hash, hold, source)
    where (select admit_reservations($22, (select count(*) from taken), $24, $25, $26, $27, $28, $29, $30, $31))
    order by id
    returning reservation_id, create_time
)
select reservation_id, create_time from booked";

const LOCK: &str = "select r.* from unnest($1::uuid[]) id
    join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id
    order by r.hotel_id, r.reservation_id for no key update of r";

const EXPIRED: &str = "select * from reservation
    where status = 'pending_payment' and hold_expire_time <= $1 and (hold_expire_time, reservation_id) > ($2, $3)
    order by hold_expire_time, reservation_id limit $4 for no key update skip locked";

const LIST: &str = "select * from reservation
    where ($1::text is null or owner = $1) and hotel_id = $2 and ($3::text is null or status = $3)
        and ($4::timestamptz is null or (create_time, reservation_id) < ($4, $5))
    order by create_time desc, reservation_id desc limit $6";

const LOCK_NIGHTS: &str = "select i.hotel_id, i.room_type_id, i.stay_date - date '1970-01-01',
        i.total_inventory * (100 + i.overbooking_percent) / 100 - i.total_reserved
    from unnest($1::integer[], $2::integer[], $3::integer[]) wanted (hotel_id, room_type_id, day)
    join room_type_inventory i on i.hotel_id = wanted.hotel_id and i.room_type_id = wanted.room_type_id
        and i.stay_date = date '1970-01-01' + wanted.day
    where i.stay_date between date '1970-01-01' + $4 and date '1970-01-01' + $5
    order by i.hotel_id, i.room_type_id, i.stay_date
    for no key update of i";

const ADD_RESERVED: &str =
    "update room_type_inventory i set total_reserved = i.total_reserved + t.rooms, version = i.version + 1
    from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) t (hotel_id, room_type_id, day, rooms)
    where i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id and i.stay_date = date '1970-01-01' + t.day
        and i.stay_date between date '1970-01-01' + $5 and date '1970-01-01' + $6";

const WRITE: &str = "update reservation r set status = c.status, cancellation_reason = c.reason,
        payment_id = coalesce(c.payment_id, r.payment_id),
        paid_at = case when c.status = 'paid' then now() else r.paid_at end,
        refunded_minor = coalesce(c.refunded_minor, r.refunded_minor),
        hold_expire_time = case when c.status = 'pending_payment' then r.hold_expire_time end,
        source = case when c.status = 'pending_payment' then r.source end
    from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[])
        c (id, status, reason, payment_id, refunded_minor)
    where r.hotel_id = reservation_hotel_id(c.id) and r.reservation_id = c.id
    returning r.*";

/// What it reads of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(super) struct Row {
    pub(super) reservation_id: Uuid,
    pub(super) room_type_id: i32,
    pub(super) check_in: jiff_sqlx::Date,
    pub(super) check_out: jiff_sqlx::Date,
    pub(super) rooms: i16,
    pub(super) status: String,
    pub(super) payment_id: Option<Uuid>,
    pub(super) price: Value,
}

/// What it changes: to a status, with a reason and a payment.
type Change = (&'static str, Option<&'static str>, Option<Uuid>);

pub(super) const PAID: fn(Uuid) -> Change = |payment| ("paid", None, Some(payment));
pub(super) const CANCELLED: Change = ("cancelled", Some("requested"), None);
const EXPIRED_HOLD: Change = ("cancelled", Some("hold_expired"), None);

/// The release before, with its connections.
pub(super) struct ReleaseBefore {
    pub(super) pool: PgPool,
    /// Answers that a caller may retry, and statements that no longer fit (0A000), which it answers as a defect.
    pub(super) unavailable: AtomicU64,
    pub(super) outdated: AtomicU64,
}

impl ReleaseBefore {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, unavailable: AtomicU64::new(0), outdated: AtomicU64::new(0) }
    }

    /// Repeats a call until it is answered, as callers do, and counts the failures.
    pub(super) async fn answer<T>(&self, call: impl AsyncFn() -> Result<T, StoreError>) -> T {
        let started = Instant::now();
        loop {
            let failures = match call().await {
                Ok(answer) => return answer,
                Err(StoreError::Unexpected(cause)) if cause.sqlstate.as_deref() == Some("0A000") => &self.outdated,
                // A session that was closed, or the lock of a migration.
                Err(StoreError::Unavailable(_) | StoreError::Timeout(_) | StoreError::Conflict(_)) => &self.unavailable,
                Err(error) => panic!("{error:?}"),
            };
            failures.fetch_add(1, Ordering::Relaxed);
            assert!(started.elapsed() < ANSWER_LIMIT, "no answer");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Books rooms with a hold of 15 minutes. A repeat changes nothing.
    pub(super) async fn book(&self, id: ReservationId, from: Date, nights: i32, rooms: i32) -> Result<(), StoreError> {
        let (hotel, first) = (id.hotel_id().get(), day_of(from));
        let days: Vec<i32> = (first..first + nights).collect();
        let each = |value: i32| vec![value; days.len()];
        let hold = Timestamp::now().saturating_add(15.minutes()).expect("in range").as_microsecond();
        let booked = sqlx::query(CREATE)
            .bind(vec![id.as_uuid()])
            .bind(vec!["me"])
            .bind(vec![TYPE])
            .bind(vec![first])
            .bind(vec![first + nights])
            .bind(vec![rooms])
            .bind(vec![rooms])
            .bind(vec!["A guest"])
            .bind(vec!["guest@staymesh.example"])
            .bind(vec!["guest_pays"])
            .bind(vec!["EUR"])
            .bind(vec![i64::from(nights * rooms) * 10_000])
            .bind(vec![price(from, nights, rooms)])
            .bind(vec![[7_u8; 32].as_slice()])
            .bind(vec![Some(hold)])
            .bind(each(hotel))
            .bind(each(TYPE))
            .bind(days.clone())
            .bind(each(rooms))
            .bind(first)
            .bind(first + nights - 1)
            .bind(i64::from(nights))
            .bind(vec![None::<&str>])
            .bind(Vec::<String>::new())
            .bind(Vec::<i64>::new())
            .bind(Vec::<i64>::new())
            .bind(Vec::<i32>::new())
            .bind(Vec::<i32>::new())
            .bind(Vec::<i32>::new())
            .bind(Vec::<i32>::new())
            .bind(0)
            .execute(&self.pool)
            .await
            .map_err(StoreError::from);
        match booked {
            Err(error) if error.constraint() == Some("reservation_pkey") => Ok(()),
            booked => booked.map(drop),
        }
    }

    /// One reservation.
    pub(super) async fn get(&self, id: ReservationId) -> Result<Option<Row>, StoreError> {
        let found = sqlx::query_as("select * from reservation where hotel_id = $1 and reservation_id = $2");
        Ok(found.bind(id.hotel_id().get()).bind(id.as_uuid()).fetch_optional(&self.pool).await?)
    }

    /// The first reservations of a hotel.
    pub(super) async fn list(&self, hotel: i32) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query_as(LIST)
            .bind(None::<String>)
            .bind(hotel)
            .bind(None::<String>)
            .bind(None::<jiff_sqlx::Timestamp>)
            .bind(None::<Uuid>)
            .bind(50_i64);
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Confirms a payment, or cancels; a repeat changes nothing.
    pub(super) async fn change(&self, id: ReservationId, change: Change) -> Result<Row, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let row: Row = sqlx::query_as(LOCK).bind(vec![id.as_uuid()]).fetch_one(&mut *transaction).await?;
        if row.status == change.0 {
            return Ok(row);
        }
        let written = write(&mut transaction, &row, change).await?;
        transaction.commit().await?;
        Ok(written)
    }

    /// Ends the holds that have expired at `now`.
    pub(super) async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(EXPIRED)
            .bind(now.to_sqlx())
            .bind(Timestamp::UNIX_EPOCH.to_sqlx())
            .bind(Uuid::nil())
            .bind(50_i64)
            .fetch_all(&mut *transaction)
            .await?;
        for row in &rows {
            write(&mut transaction, row, EXPIRED_HOLD).await?;
        }
        transaction.commit().await?;
        Ok(rows.len())
    }
}

/// Writes a change of a locked reservation; one that ends gives back its rooms.
async fn write(transaction: &mut PgConnection, row: &Row, change: Change) -> Result<Row, StoreError> {
    let (status, reason, payment) = change;
    let (first, until) = (day_of(row.check_in.to_jiff()), day_of(row.check_out.to_jiff()));
    let days: Vec<i32> = (first..until).collect();
    let each = |value: i32| vec![value; days.len()];
    let hotel = each(ReservationId::try_from(row.reservation_id).expect("an id").hotel_id().get());
    sqlx::query(LOCK_NIGHTS)
        .bind(&hotel)
        .bind(each(row.room_type_id))
        .bind(&days)
        .bind(first)
        .bind(until - 1)
        .fetch_all(&mut *transaction)
        .await?;
    if status == "cancelled" {
        sqlx::query(ADD_RESERVED)
            .bind(&hotel)
            .bind(each(row.room_type_id))
            .bind(&days)
            .bind(each(-i32::from(row.rooms)))
            .bind(first)
            .bind(until - 1)
            .execute(&mut *transaction)
            .await?;
    }
    let written = sqlx::query_as(WRITE)
        .bind(vec![row.reservation_id])
        .bind(vec![status])
        .bind(vec![reason])
        .bind(vec![payment])
        .bind(vec![None::<i64>]);
    Ok(written.fetch_one(&mut *transaction).await?)
}

/// A price of 100.00 a night and room, as it wrote it.
fn price(from: Date, nights: i32, rooms: i32) -> Value {
    let night = |n: i32| json!({ "date": from.saturating_add(n.days()), "minor": rooms * 10_000 });
    let total = nights * rooms * 10_000;
    json!({
        "currency": "EUR", "nights": (0..nights).map(night).collect::<Vec<_>>(), "subtotal_minor": total, "taxes": [],
        "total_minor": total, "free_until_hours_before": 48, "late_penalty_percent": 30,
    })
}
