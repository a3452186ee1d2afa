//! Completes rooms whose guests were not checked out, on the day after their check-out date.
//!
//! Every replica runs it. The hotels' zones are not read: a room completes when the day after its check-out date has begun at
//! every hotel.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    calendar::today,
    error::ReservationError,
    room_line::RoomLine,
    room_status::RoomStatus,
    store::{SYSTEM, Store},
};

/// Pause between runs.
const INTERVAL: Duration = Duration::from_hours(1);
/// Rooms of one transaction.
const BATCH: i64 = 200;

/// Completes every hour until `stop`. Outages of the database are waited out.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        match once(&store, Timestamp::now()).await {
            Ok(0) => {}
            Ok(rooms) => tracing::info!(rooms, "rooms of guests who were not checked out are completed"),
            Err(error) => tracing::warn!(error.cause = %error, "rooms of departed guests cannot be completed"),
        }
    }
}

/// Completes what is due at `now`. Returns the number of rooms.
///
/// # Errors
/// When the database fails. Committed batches stay.
pub(crate) async fn once(store: &Store, now: Timestamp) -> Result<usize, ReservationError> {
    let today = today(now);
    let mut completed = 0;
    loop {
        let mut transaction = store.begin().await?;
        let due = transaction.departed(today, BATCH).await?;
        let bookings = transaction.lock_reservations(due.iter().copied()).await?;
        let before = completed;
        for booking in bookings.values() {
            let is_due =
                |(_, line): &(i32, &RoomLine)| line.status == RoomStatus::InHouse && line.stay.check_out() < today;
            let rooms: Vec<_> = booking.placed_lines().filter(is_due).map(|(position, _)| position).collect();
            if !rooms.is_empty() {
                transaction.set_room_status(booking, &rooms, RoomStatus::Completed, today, SYSTEM).await?;
                completed += rooms.len();
            }
        }
        transaction.commit().await?;
        if completed == before {
            return Ok(completed);
        }
    }
}

#[cfg(test)]
mod tests;
