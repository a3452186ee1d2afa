//! New bookings, many in one transaction.
//!
//! Four steps, whatever their number: begin, lock the nights in the order of their keys, write, commit. The rooms are
//! counted here while the rows are locked; the CHECK has the last word all the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::PgConnection;
use staymesh_mesh::Problem;
use staymesh_store::ResultExt;
use uuid::Uuid;

use super::{
    Store,
    booking::NOT_OVERBOOKED,
    nights::{self, Columns, date_of, day_of},
};
use crate::{
    error::ReservationError,
    model::{NewReservation, Reservation, Status},
    writer::{Demand, Night, Verdict, admit, microseconds},
};

/// What came of a new booking.
#[derive(Clone, Debug)]
pub enum Created {
    /// It was made.
    New(Reservation),
    /// The same was asked for before: this is what became of it.
    Repeat(Reservation),
}

type Outcome = Result<Created, ReservationError>;

impl Store {
    /// Makes bookings in the order given: each gets its rooms in every night, or nothing, and one that is refused
    /// refuses only itself. Those that were made before, alone or in the same call, get the same answer.
    ///
    /// # Errors
    /// Of each booking: [`ReservationError::SoldOut`], [`ReservationError::NotOnSale`], [`ReservationError::IdReused`].
    /// Of all of them, when the database fails; then nothing is known of any.
    pub async fn admit(&self, orders: &[NewReservation]) -> Result<Vec<Outcome>, ReservationError> {
        let mut known = BTreeMap::new();
        // Bookings that exist are rare, so nobody looks for them before. A write that has met some is rolled back and
        // tried again without them; every round knows more, so there are never more rounds than bookings.
        for _ in 0..=orders.len() {
            if let Some(made) = self.attempt(orders, &mut known).await? {
                return Ok(answers(orders, &made, &known));
            }
        }
        Err(Problem::internal(&"bookings that exist cannot be read").into())
    }

    /// Writes those of the bookings that are not known, or nothing and none when others of them exist by now. Adds what
    /// it learns to `known`.
    async fn attempt(
        &self,
        orders: &[NewReservation],
        known: &mut BTreeMap<Uuid, Reservation>,
    ) -> Result<Option<Made>, ReservationError> {
        let fresh: Vec<_> = orders.iter().filter(|order| !known.contains_key(&order.id.as_uuid())).collect();
        let demands: Vec<_> = fresh.iter().map(|order| demand(order)).collect();
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let wanted: BTreeSet<Night> = demands.iter().flat_map(Demand::nights).collect();
        let mut left = nights::lock(&mut transaction, wanted).await?;
        let verdicts = admit(&demands, &mut left);
        let (taken, refused): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| !matches!(verdict, Verdict::RepeatOf(_)))
            .partition(|(_, verdict)| **verdict == Verdict::Taken);
        let taken: Vec<_> = taken.into_iter().map(|(order, _)| order).collect();
        let times = write(&mut transaction, &taken).await?;
        let complete = times.len() == taken.len();
        // One that was refused may have been made before: then it gets that answer.
        let met = taken.iter().map(|order| order.id.as_uuid()).filter(|id| !times.contains_key(id));
        let unsure: Vec<Uuid> = met.chain(refused.iter().map(|(order, _)| order.id.as_uuid())).collect();
        if !unsure.is_empty() {
            known.extend(existing(&mut transaction, &unsure).await?);
        }
        if complete {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        let short = refused.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::SoldOut(night) => Some(*night),
            _ => None,
        });
        // Good to know, and no reason to fail bookings that are made.
        let holds = self.earliest_holds(short.collect()).await.unwrap_or_default();
        let verdicts = demands.iter().map(|demand| demand.id).zip(verdicts).collect();
        Ok(complete.then_some(Made { verdicts, times, holds }))
    }
}

/// Begins, and has less patience with locks than others: whoever holds the rows of one hotel must not keep the other
/// hotels of a lane waiting. Statements are planned for the nights at hand: a plan for any nights reads all partitions.
const BEGIN: &str = "begin; set local lock_timeout = '500ms'; set local plan_cache_mode = force_custom_plan";

/// Those of the bookings that exist.
async fn existing(
    transaction: &mut PgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
    let rows: Vec<super::rows::ReservationRow> = sqlx::query_as(
        "select r.* from unnest($1::uuid[]) id
         join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id",
    )
    .bind(ids)
    .fetch_all(transaction)
    .await?;
    rows.into_iter()
        .map(|row| {
            let reservation = Reservation::try_from(row)?;
            Ok((reservation.id.as_uuid(), reservation))
        })
        .collect()
}

/// What a write has come to.
struct Made {
    /// Of each booking that was not known before, in order.
    verdicts: Vec<(Uuid, Verdict)>,
    /// When each that got its rooms was made.
    times: BTreeMap<Uuid, Timestamp>,
    /// Of the nights that are sold out, when the earliest unpaid hold on each ends.
    holds: BTreeMap<Night, Timestamp>,
}

/// The answer to each booking, in order.
fn answers(orders: &[NewReservation], made: &Made, known: &BTreeMap<Uuid, Reservation>) -> Vec<Outcome> {
    let mut verdicts = made.verdicts.iter().peekable();
    let mut new: BTreeMap<Uuid, Reservation> = BTreeMap::new();
    orders
        .iter()
        .map(|order| {
            let id = order.id.as_uuid();
            let verdict = verdicts.next_if(|(judged, _)| *judged == id).map(|(_, verdict)| *verdict);
            if let Some(before) = known.get(&id).or_else(|| new.get(&id)) {
                return repeat(order, before);
            }
            match verdict {
                Some(Verdict::SoldOut(night)) => Err(ReservationError::SoldOut {
                    stay_date: date_of(night.2),
                    hold_expire_time: made.holds.get(&night).copied(),
                }),
                Some(Verdict::NotOnSale) => Err(ReservationError::NotOnSale),
                _ => {
                    let time = made.times.get(&id).copied().ok_or(ReservationError::NotFound)?;
                    new.insert(id, reservation(order, time));
                    Ok(Created::New(reservation(order, time)))
                }
            }
        })
        .collect()
}

fn repeat(order: &NewReservation, known: &Reservation) -> Outcome {
    if known.content_hash == order.content_hash && known.owner == order.owner {
        return Ok(Created::Repeat(known.clone()));
    }
    Err(ReservationError::IdReused)
}

fn demand(order: &NewReservation) -> Demand {
    Demand {
        id: order.id.as_uuid(),
        hotel_id: order.id.hotel_id().get(),
        room_type_id: order.room_type_id.get(),
        first: day_of(order.stay.check_in()),
        end: day_of(order.stay.check_out()),
        rooms: order.rooms.get(),
    }
}

/// Writes bookings and takes their rooms in one statement. Yields when each was made; those that exist are left out.
async fn write(
    transaction: &mut PgConnection,
    orders: &[&NewReservation],
) -> Result<BTreeMap<Uuid, Timestamp>, ReservationError> {
    if orders.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut taken: BTreeMap<Night, i32> = BTreeMap::new();
    for demand in orders.iter().map(|order| demand(order)) {
        for night in demand.nights() {
            *taken.entry(night).or_default() += demand.rooms;
        }
    }
    let rooms_taken: Vec<i32> = taken.values().copied().collect();
    let nights: Columns = taken.into_keys().collect();
    let (first, last) = nights.span();
    let column = |of: &dyn Fn(&NewReservation) -> i32| orders.iter().map(|order| of(order)).collect::<Vec<i32>>();
    let texts = |of: &dyn Fn(&NewReservation) -> String| orders.iter().map(|order| of(order)).collect::<Vec<String>>();
    let prices = orders.iter().map(|order| sqlx::types::Json(&order.quote)).collect::<Vec<_>>();
    let rows: Vec<(Uuid, jiff_sqlx::Timestamp)> = sqlx::query_as(WRITE)
        .bind(orders.iter().map(|order| order.id.as_uuid()).collect::<Vec<_>>())
        .bind(texts(&|order| order.owner.clone()))
        .bind(column(&|order| order.room_type_id.get()))
        .bind(column(&|order| day_of(order.stay.check_in())))
        .bind(column(&|order| day_of(order.stay.check_out())))
        .bind(column(&|order| order.rooms.get()))
        .bind(column(&|order| order.guests.get()))
        .bind(texts(&|order| order.guest.full_name.clone()))
        .bind(texts(&|order| order.guest.email.clone()))
        .bind(texts(&|order| order.payment_mode.as_str().to_owned()))
        .bind(texts(&|order| order.quote.currency.clone()))
        .bind(orders.iter().map(|order| order.quote.total_minor).collect::<Vec<i64>>())
        .bind(prices)
        .bind(orders.iter().map(|order| order.content_hash.to_vec()).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.hold_expire_time.map(Timestamp::as_microsecond)).collect::<Vec<_>>())
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(rooms_taken)
        .bind(first)
        .bind(last)
        .fetch_all(transaction)
        .await
        .on_constraint(NOT_OVERBOOKED, |_| ReservationError::SoldOut { stay_date: None, hold_expire_time: None })?;
    Ok(rows.into_iter().map(|(id, made)| (id, made.to_jiff())).collect())
}

/// Rows travel as one array for each column. Times travel as microseconds since 1970, added up exactly.
const WRITE: &str = "\
with booked as (
    insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
        guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time,
        paid_at)
    select reservation_hotel_id(id), id, owner, room_type_id, date '1970-01-01' + check_in,
        date '1970-01-01' + check_out, rooms, guests, guest_name, guest_email, payment_mode,
        case when hold is null then 'paid' else 'pending_payment' end, currency, total_minor, price, content_hash,
        timestamptz 'epoch' + hold * interval '1 microsecond', case when hold is null then now() end
    from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::jsonb[], $14::bytea[], $15::bigint[])
        o (id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name, guest_email, payment_mode, currency,
            total_minor, price, content_hash, hold)
    on conflict (hotel_id, reservation_id) do nothing
    returning reservation_id, create_time
), taken as (
    update room_type_inventory i set total_reserved = i.total_reserved + t.rooms, version = i.version + 1
    from unnest($16::integer[], $17::integer[], $18::integer[], $19::integer[]) t (hotel_id, room_type_id, day, rooms)
    where i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id and i.stay_date = date '1970-01-01' + t.day
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21
)
select reservation_id, create_time from booked";

/// The booking as it was just written.
fn reservation(order: &NewReservation, made: Timestamp) -> Reservation {
    let held = order.hold_expire_time.is_some();
    Reservation {
        id: order.id,
        owner: order.owner.clone(),
        room_type_id: order.room_type_id,
        stay: order.stay,
        rooms: order.rooms,
        guests: order.guests,
        guest: order.guest.clone(),
        payment_mode: order.payment_mode,
        quote: order.quote.clone(),
        content_hash: order.content_hash.to_vec(),
        status: if held { Status::PendingPayment } else { Status::Paid },
        cancellation_reason: None,
        hold_expire_time: order.hold_expire_time.map(microseconds),
        payment_id: None,
        paid_at: (!held).then_some(made),
        create_time: made,
        update_time: made,
    }
}
