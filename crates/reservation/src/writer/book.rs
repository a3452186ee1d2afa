//! Creates the bookings of a batch.
//!
//! Nearly always every night has rooms for the whole batch: then one statement creates all bookings ([`book_all`]). When
//! it is refused, the nights are locked and counted and each booking is decided by itself ([`book_each`]). The database's
//! CHECK has the final decision in both cases.

use std::collections::BTreeSet;

use staymesh_mesh::Problem;

use super::{
    admission::{Verdict, admit},
    hold_limits::{Holds, Refusal},
    outcome::{Admitted, Created, Outcome, created, outcomes},
};
use crate::{
    error::ReservationError,
    model::NewReservation,
    night::Night,
    store::{Store, Transaction, holders, share},
};

/// Creates all of the bookings in one statement, or none. `None`: at least one is sold out, not on sale, over a limit of unpaid holds, exists, or has a client reference that is taken;
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
/// Of each booking: [`ReservationError::SoldOut`], [`ReservationError::StopSell`], [`ReservationError::NotOnSale`],
/// [`ReservationError::Unpaid`], [`ReservationError::UnpaidShare`], [`ReservationError::IdReused`],
/// [`ReservationError::ReferenceTaken`].
/// Of the whole batch, when the database fails; then it is unknown whether any was created.
pub(crate) async fn book_each(store: &Store, orders: &[NewReservation]) -> Result<Vec<Outcome>, ReservationError> {
    // A booking, or one with its reference, that another replica creates between the read and the insert is found by the next attempt's read, so
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
    let wanted: BTreeSet<Night> = orders.iter().flat_map(|order| order.nights().into_keys()).collect();
    let mut left = transaction.lock_nights(wanted).await?;
    let known = transaction.existing(orders).await?;
    let fresh: Vec<_> = orders.iter().filter(|order| !known.contains_key(&order.id.as_uuid())).collect();
    let mut holds = lock_holds(&mut transaction, &fresh).await?;
    // After the locks of the accounts: what they waited for is visible.
    let mut references = transaction.client_references(&fresh).await?;
    let verdicts = admit(&fresh, &mut left, &mut references, &mut holds);
    let admitted = fresh.into_iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Admitted);
    let admitted: Vec<_> = admitted.map(|(order, _)| order).collect();
    let Some(times) = transaction.create_all(&admitted).await? else { return Ok(None) };
    for order in &admitted {
        transaction.record_creation(order).await?;
    }
    transaction.commit().await?;
    let short = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::SoldOut(night, _) | Verdict::Unpaid(Refusal::Share(night, ..)) => Some(*night),
        _ => None,
    });
    // Advice for the refused callers; a failure must not fail bookings that are committed.
    let holds = store.earliest_holds(short.collect()).await.unwrap_or_default();
    Ok(Some(outcomes(orders, &Admitted { known, verdicts, times, holds })))
}

/// Locks the holders of the bookings, whose nights are locked, and reads what is held unpaid.
async fn lock_holds(transaction: &mut Transaction, orders: &[&NewReservation]) -> Result<Holds, ReservationError> {
    let keys: BTreeSet<_> = orders.iter().flat_map(|order| holders(order)).map(|(holder, _)| holder).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let holders = transaction.lock_holders(&keys).await?;
    let Some(percent) = orders.iter().filter_map(|order| share(order)).min() else {
        return Ok(Holds { holders, ..Holds::default() });
    };
    let limited = orders.iter().filter(|order| share(order).is_some());
    let nights: BTreeSet<Night> = limited.flat_map(|order| order.nights().into_keys()).collect();
    Ok(Holds { holders, nights: transaction.night_shares(nights, percent).await? })
}
