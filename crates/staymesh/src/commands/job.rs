//! `staymesh job …`.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use staymesh_reservation::{extend, store::Store};
use staymesh_store::StoreConfig;

/// Work that is done once a day or by hand.
#[derive(Subcommand)]
pub(crate) enum Job {
    /// Put nights on sale up to two years ahead, as the inventory plans say; run it daily. Safe to stop, to repeat and
    /// to run twice at once
    ExtendInventory(ExtendInventory),
}

#[derive(Args)]
pub(crate) struct ExtendInventory {
    #[command(flatten)]
    store: StoreConfig,
}

impl Job {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::ExtendInventory(job) => job.run().await,
        }
    }
}

impl ExtendInventory {
    async fn run(self) -> Result<()> {
        let store = Store::new(staymesh_store::connect(&self.store)?);
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} room types, {msg}, {eta} left")?);
        let done = extend::run(&store, Timestamp::now(), |done, all| {
            bar.set_length(all);
            bar.set_position(done.room_types);
            bar.set_message(format!("{} new nights", done.nights));
        })
        .await
        .context("extending the inventory; what is done stays done, so run it again")?;
        bar.finish_and_clear();
        println!("{} room types, {} new nights", done.room_types, done.nights);
        Ok(())
    }
}
