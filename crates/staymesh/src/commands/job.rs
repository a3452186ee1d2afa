//! `staymesh job …`.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, value_parser};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use staymesh_reservation::{
    archive::{self, Done},
    extend,
    store::Store,
};
use staymesh_store::{StoreConfig, parse_duration};

use super::{
    dead_letters::{ListDeadLetters, ReplayDeadLetters},
    payout::{Payout, PayoutStatement},
    post_missing::PostMissing,
    reconcile::{ListCases, Reconcile},
};

/// Daily and manual jobs.
#[derive(Subcommand)]
pub(crate) enum Job {
    /// Put nights on sale up to two years ahead, as the inventory plans say; run it daily. Safe to stop, to repeat and
    /// to run twice at once
    ExtendInventory(ExtendInventory),
    /// Move the nights of months that are over out of the hot table; bookings stay. Safe to stop and to repeat
    ArchiveInventory(ArchiveInventory),
    /// Pay hotels for stays that are over, taxes and commission kept; run it daily. Reads the payment database. Safe to
    /// stop, to repeat and to run twice at once
    Payout(Payout),
    /// Write the lines of a payout as a CSV file. Uses the payment database
    PayoutStatement(PayoutStatement),
    /// Post missing ledger entries of payments and refunds from releases without the ledger; once after the upgrade. Uses
    /// the payment database. Idempotent; may be interrupted and run concurrently
    PostMissing(PostMissing),
    /// List the dead letters of this service's outbox, with their errors. Read-only
    ListDeadLetters(ListDeadLetters),
    /// Replay dead letters of this service's outbox, after their cause is removed. Idempotent; may be interrupted and run
    /// concurrently
    ReplayDeadLetters(ReplayDeadLetters),
    /// Compare a day's money with the payment provider's settlement file, the wallets and the reservations; run it daily.
    /// Takes the settings of the payment service. Ends with status 0 when no case is open, with 3 when cases are open,
    /// and with 1 when it is incomplete. Safe to stop, to repeat and to run twice at once
    Reconcile(Box<Reconcile>),
    /// List the cases of the reconciliation with their state. Uses the payment database
    ListCases(ListCases),
}

#[derive(Args)]
pub(crate) struct ExtendInventory {
    #[command(flatten)]
    store: StoreConfig,
}

#[derive(Args)]
pub(crate) struct ArchiveInventory {
    /// Days since the end of a month before it is archived
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u16).range(1..))]
    keep_days: u16,
    /// Write every month of the archive to a CSV file in `--export-to`, and drop its table
    #[arg(long, requires = "export_to")]
    drop: bool,
    /// The folder for `--drop`
    #[arg(long, requires = "drop")]
    export_to: Option<PathBuf>,
    /// Longest wait for transactions that block the detaching of a month
    #[arg(long, default_value = "5m", value_parser = parse_duration)]
    patience: Duration,
    #[command(flatten)]
    store: StoreConfig,
}

impl Job {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::ExtendInventory(job) => job.run().await,
            Self::ArchiveInventory(job) => job.run().await,
            Self::Payout(job) => job.run().await,
            Self::PayoutStatement(job) => job.run().await,
            Self::PostMissing(job) => job.run().await,
            Self::ListDeadLetters(job) => job.run().await,
            Self::ReplayDeadLetters(job) => job.run().await,
            Self::Reconcile(job) => job.run().await,
            Self::ListCases(job) => job.run().await,
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

impl ArchiveInventory {
    async fn run(self) -> Result<()> {
        let pool = staymesh_store::connect(&self.store)?;
        let options =
            archive::Options { keep_days: self.keep_days, patience: self.patience, drop_into: self.export_to };
        let done = archive::run(&pool, &options, Timestamp::now(), show)
            .await
            .context("archiving; what is done stays done, so run it again")?;
        if done.is_empty() {
            println!("nothing to do");
        }
        Ok(())
    }
}

fn show(done: &Done) {
    match done {
        Done::Archived { month, nights } => {
            println!("{} is in the archive: {} nights", month.strftime("%Y-%m"), HumanCount(*nights));
        }
        Done::Dropped { month, file, nights } => {
            println!("{} is in {}: {} nights", month.strftime("%Y-%m"), file.display(), HumanCount(*nights));
        }
    }
}
