//! `staymesh-dev seed`: fills the inventory of a load-test database.

use std::{
    num::NonZeroU16,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use staymesh_reservation::seed::{self, Seed};
use staymesh_store::StoreConfig;

/// Statement timeout of the bulk load. The limits of a service are made for requests.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(15);
/// How long a writer waits for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// Fills the inventory of hotels 1 to N, each with room types 1 to M.
#[derive(Args)]
pub(crate) struct SeedInventory {
    /// Number of hotels
    #[arg(long, default_value_t = 5000, value_parser = value_parser!(u16).range(1..))]
    hotels: u16,
    /// Room types per hotel
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u16).range(1..=500))]
    room_types: u16,
    /// Nights per room type, starting today
    #[arg(long, default_value_t = 730, value_parser = value_parser!(u16).range(1..=1100))]
    days: u16,
    /// Rooms per room type and night
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u16).range(0..=10_000))]
    rooms: u16,
    /// Concurrent writers, each with its own connection; more than the database has processors does not help
    #[arg(long, default_value = "2")]
    writers: NonZeroU16,
    #[command(flatten)]
    store: StoreConfig,
}

impl SeedInventory {
    pub(crate) async fn run(self) -> Result<()> {
        let mut store = self.store;
        store.database_statement_timeout = store.database_statement_timeout.max(STATEMENT_TIMEOUT);
        store.database_acquire_timeout = store.database_acquire_timeout.max(ACQUIRE_TIMEOUT);
        // With fewer connections than writers, a writer would time out while it waits for one.
        store.database_max_connections = store.database_max_connections.max(self.writers.get().into());
        let pool = staymesh_store::connect(&store)?;
        let seed = Seed {
            hotels: self.hotels,
            room_types: self.room_types,
            days: self.days,
            rooms: self.rooms,
            writers: self.writers,
        };
        let bar = ProgressBar::new(seed.nights());
        let style = "{bar:40} {percent} % of {human_len} nights, {per_sec}, {elapsed}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style)?);
        let begun = Instant::now();
        let done = seed::run(&pool, seed, Timestamp::now(), |done| bar.set_position(done.new + done.found))
            .await
            .context("filling the inventory; completed hotels are committed, run the command again to continue")?;
        bar.finish_and_clear();
        let took = begun.elapsed();
        let per_second = u128::from(done.new) * 1000 / took.as_millis().max(1);
        println!(
            "{} nights inserted in {:.1} s ({per_second} per second), {} already present; the inventory occupies {} on disk",
            HumanCount(done.new),
            took.as_secs_f64(),
            HumanCount(done.found),
            HumanBytes(seed::disk_used(&pool).await?)
        );
        Ok(())
    }
}
