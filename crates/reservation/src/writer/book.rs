//! Creates the bookings of a batch.
//!
//! Nearly always every night has rooms for the whole batch: then one statement creates all bookings ([`book_all`]). When
//! it is refused, the nights are locked and counted and each booking is decided by itself ([`book_each`]). The database's
//! CHECK has the final decision in both cases.

use std::collections::BTreeSet;

use staymesh_mesh::Problem;

use super::{
    admission::{Demand, Verdict, admit},
    outcome::{Admitted, Created, Outcome, created, outcomes},
};
use crate::{error::ReservationError, model::NewReservation, night::Night, store::Store};

/// Creates all of the bookings in one statement, or none. `None`: at least one is sold out, not on sale, or exists;
/// [`book_each`] finds out which.
///
/// # Errors
/// When the database fails; then it is unknown whether any was created.
pub(crate) async fn book_all(
    store: &Store,
    orders: &[NewReservation],
) -> Result<Option<Vec<Outcome>>, ReservationError> {
    let all: Vec<_> = orders.iter().collect();
    let Some(times) = store.create_all(&all).await? else { return Ok(None) };
    Ok(Some(orders.iter().map(|order| created(order, &times).map(Created::New)).collect()))
}

/// Decides bookings in the order given: each gets its rooms in every night, or nothing, and a refusal affects no other
/// booking. Those created before, alone or earlier in the batch, get the same outcome again.
///
/// # Errors
/// Of each booking: [`ReservationError::SoldOut`], [`ReservationError::NotOnSale`], [`ReservationError::IdReused`].
/// Of the whole batch, when the database fails; then it is unknown whether any was created.
pub(crate) async fn book_each(store: &Store, orders: &[NewReservation]) -> Result<Vec<Outcome>, ReservationError> {
    // A booking that another replica creates between the read and the insert is found by the next attempt's read, so
    // each attempt knows at least one more, and there are at most as many as bookings.
    for _ in 0..=orders.len() {
        if let Some(outcomes) = attempt(store, orders).await? {
            return Ok(outcomes);
        }
    }
    Err(Problem::internal(&"reservations that exist cannot be read").into())
}

/// One attempt. `None`: one of the bookings was created concurrently, and nothing was written.
async fn attempt(store: &Store, orders: &[NewReservation]) -> Result<Option<Vec<Outcome>>, ReservationError> {
    let mut transaction = store.begin().await?;
    let wanted: BTreeSet<Night> = orders.iter().flat_map(|order| Demand::of(order).nights()).collect();
    let mut left = transaction.lock_nights(wanted).await?;
    let known = transaction.existing(orders).await?;
    let fresh: Vec<_> = orders.iter().filter(|order| !known.contains_key(&order.id.as_uuid())).collect();
    let demands: Vec<Demand> = fresh.iter().map(|order| Demand::of(order)).collect();
    let verdicts = admit(&demands, &mut left);
    let admitted = fresh.into_iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Admitted);
    let admitted: Vec<_> = admitted.map(|(order, _)| order).collect();
    let Some(times) = transaction.create_all(&admitted).await? else { return Ok(None) };
    transaction.commit().await?;
    let short = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::SoldOut(night) => Some(*night),
        _ => None,
    });
    // Advice for the refused callers; a failure must not fail bookings that are committed.
    let holds = store.earliest_holds(short.collect()).await.unwrap_or_default();
    Ok(Some(outcomes(orders, &Admitted { known, verdicts, times, holds })))
}
