//! `staymesh check`.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use staymesh_reservation::check::{self, Options, Report};
use staymesh_store::{StoreConfig, parse_duration};

use super::patient;

/// How many violations of each kind are shown on the terminal. The file has more.
const SHOWN: usize = 10;

/// Reads a whole reservation database and says whether all that must be true of it is.
#[derive(Args)]
pub(crate) struct Check {
    /// How long a hold may outlive its expiry
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    hold_bound: Duration,
    /// How many violations of each kind are listed; all are counted
    #[arg(long, default_value_t = 100)]
    list: usize,
    /// Write what was found to this file, too, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    store: StoreConfig,
}

impl Check {
    pub(crate) async fn run(self) -> Result<()> {
        let pool = staymesh_store::connect(&patient(self.store))?;
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} hotels, {msg}, {eta} left")?);
        let options = Options { hold_bound: self.hold_bound, listed: self.list };
        let report = check::run(&pool, &options, |at| {
            bar.set_length(at.all_hotels);
            bar.set_position(at.hotels);
            bar.set_message(format!("{} nights, {} violations", HumanCount(at.nights), at.violations));
        })
        .await
        .context("checking; nothing is known of what was not reached")?;
        bar.finish_and_clear();
        if let Some(path) = &self.json {
            let json = serde_json::json!({
                "clean": report.is_clean(),
                "violations": report.violations(),
                "nights": report.nights,
                "reservations": report.reservations,
                "counts": report.counts,
                "listed": report.listed,
            });
            fs::write(path, format!("{json:#}\n")).with_context(|| format!("writing {}", path.display()))?;
        }
        show(&report);
        if !report.is_clean() {
            bail!("{} violations", HumanCount(report.violations()));
        }
        Ok(())
    }
}

fn show(report: &Report) {
    println!("{} nights and {} bookings checked", HumanCount(report.nights), HumanCount(report.reservations));
    for (kind, count) in &report.counts {
        println!("{}: {}", kind.as_str(), HumanCount(*count));
        for violation in report.listed.iter().filter(|violation| violation.kind == *kind).take(SHOWN) {
            println!("  {violation}");
        }
    }
}
