//! `staymesh seed`.

use std::{num::NonZeroU16, time::Instant};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use staymesh_reservation::seed::{self, Seed};
use staymesh_store::StoreConfig;

use super::patient;

/// Fills an inventory for load tests, hotels 1 to N, each with room types 1 to M.
#[derive(Args)]
pub(crate) struct SeedInventory {
    /// Hotels
    #[arg(long, default_value_t = 5000, value_parser = value_parser!(u16).range(1..))]
    hotels: u16,
    /// Room types of each hotel
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u16).range(1..=500))]
    room_types: u16,
    /// Nights from today on
    #[arg(long, default_value_t = 730, value_parser = value_parser!(u16).range(1..=1100))]
    days: u16,
    /// Rooms of each room type in each night
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u16).range(0..=10_000))]
    rooms: u16,
    /// Connections that write at once; more than the database has processors does not help
    #[arg(long, default_value = "2")]
    writers: NonZeroU16,
    #[command(flatten)]
    store: StoreConfig,
}

impl SeedInventory {
    pub(crate) async fn run(self) -> Result<()> {
        let mut store = patient(self.store);
        // A writer that waits for another's connection would give up.
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
            .context("filling the inventory; what is done stays done, so run it again")?;
        bar.finish_and_clear();
        let took = begun.elapsed();
        let per_second = u128::from(done.new) * 1000 / took.as_millis().max(1);
        println!(
            "{} new nights in {:.1} s ({per_second} a second), {} were there; the inventory takes {} on the disk",
            HumanCount(done.new),
            took.as_secs_f64(),
            HumanCount(done.found),
            HumanBytes(seed::disk_used(&pool).await?)
        );
        Ok(())
    }
}
