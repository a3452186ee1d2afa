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
    /// Reservations that cannot be read. They are skipped, and tried again in the next run.
    pub(crate) stuck: BTreeSet<Uuid>,
}

/// Completes every hour until `stop`. Outages of the database are waited out.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let gauge = global::meter("staymesh")
        .u64_gauge("staymesh.departures.stuck")
        .with_description("Reservations whose departed guests cannot be checked out.")
        .build();
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        match once(&store, Timestamp::now()).await {
            Ok(Departures { rooms, stuck }) => {
                gauge.record(stuck.len() as u64, &[]);
                if rooms > 0 {
                    tracing::info!(rooms, "rooms of guests who were not checked out are completed");
                }
            }
            Err(error) => tracing::warn!(error.cause = %error, "rooms of departed guests cannot be completed"),
        }
    }
}

/// Completes what is due at `now`. A reservation that cannot be read is logged and skipped.
///
/// # Errors
/// When the database fails. Committed batches stay.
pub(crate) async fn once(store: &Store, now: Timestamp) -> Result<Departures, ReservationError> {
    let today = today(now);
    let mut done = Departures::default();
    loop {
        let mut transaction = store.begin().await?;
        let due = transaction.departed(today, &done.stuck, BATCH).await?;
        let before = (done.rooms, done.stuck.len());
        for (id, booking) in transaction.lock_each(&due).await? {
            match booking {
                Ok(booking) => done.rooms += complete(&mut transaction, &booking, today).await?,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(reservation_id = %id, error.cause = %error, cause, "departed guests cannot be checked out");
                    done.stuck.insert(id);
                }
            }
        }
        transaction.commit().await?;
        if before == (done.rooms, done.stuck.len()) {
            return Ok(done);
        }
    }
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
