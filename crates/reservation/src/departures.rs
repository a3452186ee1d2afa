//! Completes rooms whose guests were not checked out, on the day after their check-out date.
//!
//! Every replica runs it. The hotels' zones are not read: a room completes when the day after its check-out date has begun at
//! every hotel.

use std::{collections::BTreeSet, time::Duration};

use jiff::{Timestamp, civil::Date};
use opentelemetry::global;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    calendar::today,
    error::ReservationError,
    model::Reservation,
    room_line::RoomLine,
    room_status::RoomStatus,
    store::{SYSTEM, Store, Transaction},
};

/// Pause between runs.
const INTERVAL: Duration = Duration::from_hours(1);
/// Rooms of one transaction.
const BATCH: i64 = 200;

/// What a run has done.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    /// Rooms completed.
    pub(crate) rooms: usize,
    /// Reservations that cannot be read or written. They are skipped, and tried again in the next run.
    pub(crate) stuck: BTreeSet<Uuid>,
}

/// Completes every hour until `stop`. Outages of the database are waited out.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let gauge = global::meter("staymesh")
        .u64_gauge("staymesh.departures.stuck")
        .with_description("Reservations whose departed guests cannot be checked out.")
        .build();
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let mut done = Departures::default();
        let outcome = once(&store, Timestamp::now(), &mut done).await;
        gauge.record(done.stuck.len() as u64, &[]);
        if done.rooms > 0 {
            tracing::info!(rooms = done.rooms, "rooms of guests who were not checked out are completed");
        }
        if let Err(error) = outcome {
            tracing::warn!(error.cause = %error, "rooms of departed guests cannot be completed");
        }
    }
}

/// Completes what is due at `now`, and adds it to `done`. A reservation that cannot be read or written is logged and skipped.
///
/// # Errors
/// When the database fails. Committed batches stay, and are in `done`.
pub(crate) async fn once(store: &Store, now: Timestamp, done: &mut Departures) -> Result<(), ReservationError> {
    let today = today(now);
    loop {
        let before = (done.rooms, done.stuck.len());
        batch(store, today, done).await?;
        if before == (done.rooms, done.stuck.len()) {
            return Ok(());
        }
    }
}

/// Completes a batch; one with a reservation that cannot be written is rolled back, and the next one goes without it.
async fn batch(store: &Store, today: Date, done: &mut Departures) -> Result<(), ReservationError> {
    let mut transaction = store.begin().await?;
    let due = transaction.departed(today, &done.stuck, BATCH).await?;
    let mut rooms = 0;
    for (id, booking) in transaction.lock_each(&due).await? {
        let completed = match booking {
            Ok(booking) => complete(&mut transaction, &booking, today).await,
            Err(error) => {
                skip(done, id, &error);
                continue;
            }
        };
        match completed {
            Ok(completed) => rooms += completed,
            Err(error) if error.may_concern_one_row() => {
                skip(done, id, &error);
                return transaction.rollback().await;
            }
            Err(error) => return Err(error),
        }
    }
    transaction.commit().await?;
    done.rooms += rooms;
    Ok(())
}

fn skip(done: &mut Departures, id: Uuid, error: &ReservationError) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(reservation_id = %id, error.cause = %error, cause, "departed guests cannot be checked out");
    done.stuck.insert(id);
}

/// Completes the rooms of a reservation that are due. Returns their number.
async fn complete(
    transaction: &mut Transaction,
    booking: &Reservation,
    today: Date,
) -> Result<usize, ReservationError> {
    let is_due = |(_, line): &(i32, &RoomLine)| line.status == RoomStatus::InHouse && line.stay.check_out() < today;
    let rooms: Vec<_> = booking.placed_lines().filter(is_due).map(|(position, _)| position).collect();
    if !rooms.is_empty() {
        transaction.set_room_status(booking, &rooms, RoomStatus::Completed, today, SYSTEM).await?;
    }
    Ok(rooms.len())
}

#[cfg(test)]
mod tests;
