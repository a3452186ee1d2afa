//! `staymesh job payout` and `staymesh job payout-statement`.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, parse_date};
use staymesh_payment::jobs::{
    payouts::{self as job, Found, Options},
    statements,
};
use staymesh_store::StoreConfig;
use uuid::Uuid;

use super::{patient, status::Findings};

/// Pays hotels for stays that are over.
#[derive(Args)]
pub(crate) struct Payout {
    /// Pay for stays whose check-out date is before this, yyyy-mm-dd; yesterday, UTC, when not given. A future date pays
    /// for stays that are not over
    #[arg(long, value_parser = date)]
    until: Option<Date>,
    /// Pay this hotel only
    #[arg(long, value_parser = hotel)]
    hotel: Option<HotelId>,
    /// Only print what would be paid
    #[arg(long)]
    dry_run: bool,
    /// Retry failed payouts, to the present destination of the hotel
    #[arg(long)]
    retry_failed: bool,
    #[command(flatten)]
    store: StoreConfig,
}

/// Writes the lines of a payout as CSV.
#[derive(Args)]
pub(crate) struct PayoutStatement {
    /// The id of the payout
    #[arg(long)]
    payout: Uuid,
    /// The file to write as CSV, or - for the standard output
    #[arg(long)]
    csv: PathBuf,
    #[command(flatten)]
    store: StoreConfig,
}

fn date(text: &str) -> Result<Date, String> {
    parse_date(text).map_err(|error| error.to_string())
}

fn hotel(text: &str) -> Result<HotelId, String> {
    let number: i32 = text.parse().map_err(|_| "must be a number".to_owned())?;
    HotelId::try_from(number).map_err(|error| error.to_string())
}

impl Payout {
    pub(crate) async fn run(self) -> Result<()> {
        let pool = staymesh_store::connect(&patient(self.store))?;
        let until = self.until.unwrap_or_else(|| job::default_cutoff(Timestamp::now()));
        let options = Options { until, hotel: self.hotel, dry_run: self.dry_run, retry_failed: self.retry_failed };
        println!(
            "stays that ended before {until}{}",
            if self.dry_run { "; nothing is paid, for it is a dry run" } else { "" }
        );
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} accounts of hotels, {eta} left")?);
        let mut counts = Counts::default();
        job::run(&pool, &options, |at| {
            bar.set_length(at.all);
            bar.set_position(at.done);
            if let Some(found) = at.found {
                bar.suspend(|| println!("{}", counts.add(found)));
            }
        })
        .await
        .context("paying hotels; the job is idempotent, so run it again")?;
        bar.finish_and_clear();
        let Counts { paid, retried, waiting, carried, refused } = counts;
        println!(
            "{paid} payouts, {retried} asked for again, {waiting} wait for a destination, {carried} carried forward, \
             {refused} refused"
        );
        if refused > 0 {
            return Err(Findings(format!("{refused} payouts were refused by the database")).into());
        }
        Ok(())
    }
}

#[derive(Default)]
struct Counts {
    paid: u64,
    retried: u64,
    waiting: u64,
    carried: u64,
    refused: u64,
}

impl Counts {
    /// Counts a result and describes it in one line.
    fn add(&mut self, found: &Found) -> String {
        match found {
            Found::Paid { payout_id, hotel_id, amount, lines } => {
                self.paid += 1;
                let id = payout_id.map_or_else(|| "none yet".to_owned(), |id| id.to_string());
                format!("hotel {hotel_id}: {amount}, {lines} lines, payout {id}")
            }
            Found::Waiting { hotel_id, amount } => {
                self.waiting += 1;
                format!("hotel {hotel_id}: {amount} waits: the hotel has no payout destination")
            }
            Found::Carried { hotel_id, amount } => {
                self.carried += 1;
                format!("hotel {hotel_id}: {amount} is carried forward")
            }
            Found::Retried { payout_id } => {
                self.retried += 1;
                format!("payout {payout_id} is asked for again")
            }
            Found::Refused { hotel_id, constraint } => {
                self.refused += 1;
                format!("hotel {hotel_id}: refused by the database, {constraint}")
            }
        }
    }
}

impl PayoutStatement {
    pub(crate) async fn run(self) -> Result<()> {
        let pool = staymesh_store::connect(&patient(self.store))?;
        let file = statements::csv(&pool, self.payout).await.context("reading the statement")?;
        if self.csv.as_os_str() == "-" {
            return io::stdout().write_all(&file).context("writing the statement");
        }
        fs::write(&self.csv, file).with_context(|| format!("writing {}", self.csv.display()))
    }
}
