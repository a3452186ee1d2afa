//! Books rooms out of a group block, in a transaction of its own.
//!
//! The rooms are reserved already, for the block: `total_reserved` of the nights stays as it is, so that no night is locked
//! and neither a stop-sell nor a room out of order refuses the booking.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_mesh::Problem;
use uuid::Uuid;

use super::{
    hold_limits::Holds,
    outcome::{Created, Outcome, created, repeat, unpaid},
};
use crate::{
    error::ReservationError,
    group_block::refusal,
    model::NewReservation,
    room_line::shortage,
    store::{Store, Transaction, holders},
};

/// Attempts: a booking that another replica creates meanwhile is read by the second one.
const ATTEMPTS: usize = 2;

/// Creates a reservation out of a block. One that was created before with the same content is returned as it is now, also
/// after the block was released.
///
/// # Errors
/// [`ReservationError::BlockNotFound`], [`ReservationError::BlockNotDefinite`], [`ReservationError::BlockReleased`],
/// [`ReservationError::SoldOut`] if the block has too few rooms left in a night, [`ReservationError::NotOnSale`] if it has no
/// rooms of the type or in the night, [`ReservationError::Unpaid`], [`ReservationError::IdReused`],
/// [`ReservationError::ReferenceTaken`].
pub(crate) async fn pick_up(store: &Store, block: Uuid, order: &NewReservation, now: Timestamp) -> Outcome {
    for _ in 0..ATTEMPTS {
        let mut transaction = store.begin().await?;
        // First: what its lock waited for, such as an equal pick-up of the last room, is visible then.
        let block = transaction.lock_group_block(order.id.hotel_id(), block).await?;
        let known = transaction.existing(std::slice::from_ref(order)).await?;
        if let Some(known) = known.get(&order.id.as_uuid()) {
            return repeat(order, known);
        }
        if let Some(first) = transaction.client_references(&[order]).await?.into_values().next() {
            return Err(ReservationError::ReferenceTaken(first));
        }
        block.require_open(now)?;
        let rooms = order.nights();
        if let Some(short) = shortage(&rooms, &block.left()) {
            return Err(refusal(short));
        }
        require_limits(&mut transaction, order).await?;
        transaction.pick_up(&block, order.id, &rooms).await?;
        let Some(times) = transaction.create_reserved(order).await? else { continue };
        transaction.record_creation(order).await?;
        transaction.commit().await?;
        return created(order, &times).map(Created::New);
    }
    Err(Problem::internal(&"a reservation that exists cannot be read").into())
}

/// Requires that the account and the source may hold the rooms unpaid. The share of a night is no limit here: it is one of what
/// is on sale.
async fn require_limits(transaction: &mut Transaction, order: &NewReservation) -> Result<(), ReservationError> {
    let mut keys: Vec<_> = holders(order).map(|(holder, _)| holder).collect();
    keys.sort_unstable();
    let mut holds = Holds { holders: transaction.lock_holders(&keys).await?, ..Holds::default() };
    match holds.refuse_or_add(order) {
        Some(refusal) => Err(unpaid(refusal, &BTreeMap::new())),
        None => Ok(()),
    }
}
