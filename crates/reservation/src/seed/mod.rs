//! Generates inventory for load tests (R9): a number of hotels, room types and nights, as fast as the database allows.
//!
//! Rows are written by binary COPY into the hot table itself, with its key and CHECKs in place, a few hotels per
//! transaction. The same transaction writes their plans, so a hotel whose plans reach the horizon is complete, and a run
//! continues after an interrupted one. Existing nights are left unchanged.

mod store;

use std::num::NonZeroU16;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan};
use sqlx::PgPool;
use staymesh_store::{Cause, StoreError};

use crate::calendar::{DateOutOfRange, today};
use store::Batch;
pub use store::disk_used;

/// Nights per transaction, approximately.
const BATCH: u64 = 150_000;

/// The inventory to generate. Hotel ids count from 1, and so do the room type ids of each hotel.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// Number of hotels.
    pub hotels: u16,
    /// Room types per hotel.
    pub room_types: u16,
    /// Nights per room type, from today on.
    pub days: u16,
    /// Rooms per night.
    pub rooms: u16,
    /// Concurrent connections.
    pub writers: NonZeroU16,
}

impl Seed {
    /// Nights in all: rows of inventory.
    pub fn nights(&self) -> u64 {
        u64::from(self.hotels) * self.nights_of_hotel()
    }

    fn nights_of_hotel(&self) -> u64 {
        u64::from(self.room_types) * u64::from(self.days)
    }

    /// The batches, as first and last hotel id.
    fn batches(&self) -> impl Iterator<Item = (i32, i32)> + use<> {
        let hotels = i32::from(self.hotels.max(1));
        // As many hotels as fit into a batch, at least one.
        let nights = self.nights_of_hotel();
        let fitting = |step: &i32| u64::from(step.unsigned_abs()) * nights <= BATCH;
        let step = (1..=hotels).take_while(fitting).last().unwrap_or(1);
        let last = i32::from(self.hotels);
        (0..).map(move |n| n * step + 1).take_while(move |first| *first <= last).map(move |first| {
            let until = (first + step - 1).min(last);
            (first, until)
        })
    }
}

/// Progress of a run, in nights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Created by this run.
    pub new: u64,
    /// Found complete or existing.
    pub found: u64,
}

/// Generates what is missing, and calls `progress` after each batch.
///
/// # Errors
/// When the database fails. Committed batches stay.
pub async fn run(
    pool: &PgPool,
    seed: Seed,
    now: Timestamp,
    mut progress: impl FnMut(Seeded),
) -> Result<Seeded, StoreError> {
    let from = today(now);
    let until = from.checked_add(i64::from(seed.days).days()).map_err(|_| unexpected(&DateOutOfRange.to_string()))?;
    store::ensure_partitions(pool, from, until).await?;
    let mut all = Seeded::default();
    let batches = stream::iter(seed.batches()).map(|(first, last)| {
        let batch = Batch { first, last, room_types: seed.room_types, days: seed.days, rooms: seed.rooms, from, until };
        async move {
            let (new, found) = batch.run(pool).await?;
            Ok::<_, StoreError>(Seeded { new, found })
        }
    });
    let mut batches = batches.buffer_unordered(seed.writers.get().into());
    while let Some(done) = batches.try_next().await? {
        all.new += done.new;
        all.found += done.found;
        progress(all);
    }
    Ok(all)
}

fn unexpected(summary: &str) -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: summary.to_owned() })
}

#[cfg(test)]
mod tests;
