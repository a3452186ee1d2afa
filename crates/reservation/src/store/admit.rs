//! New bookings, many in one transaction.
//!
//! Nearly always there are rooms for everybody: then one statement makes all bookings. When that is refused, the nights
//! are locked and counted, and everybody gets an answer of their own. The CHECK has the last word all the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::PgConnection;
use staymesh_mesh::Problem;
use staymesh_store::ResultExt;
use uuid::Uuid;

use super::{
    Store,
    nights::{self, date_of},
    rows::{ReservationRow, by_id},
    write::{ID_IS_UNIQUE, NOT_OVERBOOKED, ON_SALE, Times, demand, write},
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
    /// Makes all of the bookings in one statement, or none. `None`: one of them cannot be made or exists, and
    /// [`Self::admit`] tells which.
    ///
    /// # Errors
    /// When the database fails; then nothing is known of any.
    pub async fn admit_all(&self, orders: &[NewReservation]) -> Result<Option<Vec<Outcome>>, ReservationError> {
        let all: Vec<_> = orders.iter().collect();
        match write(&self.pool, &all).await {
            Ok(times) => Ok(Some(orders.iter().map(|order| made(order, &times).map(Created::New)).collect())),
            Err(error) => match error.constraint() {
                Some(NOT_OVERBOOKED | ON_SALE | ID_IS_UNIQUE) => Ok(None),
                _ => Err(error.into()),
            },
        }
    }

    /// Makes bookings in the order given: each gets its rooms in every night, or nothing, and one that is refused
    /// refuses only itself. Those that were made before, alone or in the same call, get the same answer.
    ///
    /// # Errors
    /// Of each booking: [`ReservationError::SoldOut`], [`ReservationError::NotOnSale`], [`ReservationError::IdReused`].
    /// Of all of them, when the database fails; then nothing is known of any.
    pub async fn admit(&self, orders: &[NewReservation]) -> Result<Vec<Outcome>, ReservationError> {
        // A booking that another replica makes between the look and the write is seen by the next look, so every round
        // knows more, and there are never more rounds than bookings.
        for _ in 0..=orders.len() {
            if let Some(outcomes) = self.attempt(orders).await? {
                return Ok(outcomes);
            }
        }
        Err(Problem::internal(&"bookings that exist cannot be read").into())
    }

    /// `None`: one of the bookings has come to exist meanwhile, and nothing was written.
    async fn attempt(&self, orders: &[NewReservation]) -> Result<Option<Vec<Outcome>>, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        let wanted: BTreeSet<Night> = orders.iter().flat_map(|order| demand(order).nights()).collect();
        let mut left = nights::lock(&mut transaction, wanted).await?;
        let known = existing(&mut transaction, orders).await?;
        let fresh: Vec<_> = orders.iter().filter(|order| !known.contains_key(&order.id.as_uuid())).collect();
        let demands: Vec<Demand> = fresh.iter().map(|order| demand(order)).collect();
        let verdicts = admit(&demands, &mut left);
        let taken = fresh.into_iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Taken);
        let taken: Vec<_> = taken.map(|(order, _)| order).collect();
        let times = match write(&mut *transaction, &taken).await {
            Err(error) if error.constraint() == Some(ID_IS_UNIQUE) => return Ok(None),
            written => written.on_constraint(NOT_OVERBOOKED, |_| ReservationError::SoldOut {
                stay_date: None,
                hold_expire_time: None,
            })?,
        };
        transaction.commit().await?;
        let short = verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::SoldOut(night) => Some(*night),
            _ => None,
        });
        // Good to know, and no reason to fail bookings that are made.
        let holds = self.earliest_holds(short.collect()).await.unwrap_or_default();
        Ok(Some(answers(orders, &Admitted { known, verdicts, times, holds })))
    }
}

/// Those of the bookings that exist.
async fn existing(
    transaction: &mut PgConnection,
    orders: &[NewReservation],
) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
    let rows: Vec<ReservationRow> = sqlx::query_as(
        "select r.* from unnest($1::uuid[]) id
         join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id",
    )
    .bind(orders.iter().map(|order| order.id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(transaction)
    .await?;
    Ok(by_id(rows)?)
}

/// What came of some bookings.
struct Admitted {
    /// Those that existed before.
    known: BTreeMap<Uuid, Reservation>,
    /// Of each that did not, in order.
    verdicts: Vec<Verdict>,
    /// When each that got its rooms was made.
    times: Times,
    /// Of the nights that are sold out, when the earliest unpaid hold on each ends.
    holds: BTreeMap<Night, Timestamp>,
}

/// The answer to each booking, in order.
fn answers(orders: &[NewReservation], admitted: &Admitted) -> Vec<Outcome> {
    let mut verdicts = admitted.verdicts.iter();
    let mut booked: BTreeMap<Uuid, Reservation> = BTreeMap::new();
    let mut answer = |order: &NewReservation| {
        let id = order.id.as_uuid();
        if let Some(before) = admitted.known.get(&id) {
            return repeat(order, before);
        }
        match verdicts.next() {
            Some(Verdict::Taken) => {
                let reservation = made(order, &admitted.times)?;
                booked.insert(id, reservation.clone());
                Ok(Created::New(reservation))
            }
            Some(Verdict::RepeatOf(_)) => repeat(order, booked.get(&id).ok_or(ReservationError::NotFound)?),
            Some(Verdict::SoldOut(night)) => Err(ReservationError::SoldOut {
                stay_date: date_of(night.2),
                hold_expire_time: admitted.holds.get(night).copied(),
            }),
            Some(Verdict::NotOnSale) | None => Err(ReservationError::NotOnSale),
        }
    };
    orders.iter().map(&mut answer).collect()
}

fn repeat(order: &NewReservation, known: &Reservation) -> Outcome {
    if known.content_hash == order.content_hash && known.owner == order.owner {
        return Ok(Created::Repeat(known.clone()));
    }
    Err(ReservationError::IdReused)
}

/// The booking as it was just written.
fn made(order: &NewReservation, times: &Times) -> Result<Reservation, ReservationError> {
    let made = times.get(&order.id.as_uuid()).copied().ok_or(ReservationError::NotFound)?;
    let held = order.hold_expire_time.is_some();
    Ok(Reservation {
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
    })
}
