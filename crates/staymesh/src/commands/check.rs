//! `staymesh check`.

use std::{collections::BTreeMap, fmt::Display, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use secrecy::SecretString;
use staymesh_payment::check as money;
use staymesh_reservation::check::{self, Options, Report};
use staymesh_store::{StoreConfig, parse_duration};

use super::{patient, status::Findings};

/// Most violations per kind printed on the terminal. The file has more.
const SHOWN: usize = 10;

/// Checks the invariants of a whole reservation database, and of a payment database if one is given.
#[derive(Args)]
pub(crate) struct Check {
    /// How long a hold may outlive its expiry
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    hold_bound: Duration,
    /// Most violations listed per kind; all are counted
    #[arg(long, default_value_t = 100)]
    list: usize,
    /// Also write the violations to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// URL of the payment database, to check the money as well. Prefer the environment variable: every user of the machine
    /// can read the arguments
    #[arg(long, env = "STAYMESH_PAYMENT_DATABASE_URL", hide_env_values = true)]
    payment_database_url: Option<SecretString>,
    #[command(flatten)]
    store: StoreConfig,
}

impl Check {
    pub(crate) async fn run(self) -> Result<()> {
        let bookings = self.bookings().await?;
        let books = match &self.payment_database_url {
            Some(url) => Some(self.money(url.clone()).await?),
            None => None,
        };
        let violations = bookings.violations() + books.as_ref().map_or(0, money::Report::violations);
        if let Some(path) = &self.json {
            let mut json = serde_json::json!({
                "clean": violations == 0,
                "violations": violations,
                "nights": bookings.nights,
                "reservations": bookings.reservations,
                "counts": bookings.counts,
                "listed": bookings.listed,
            });
            if let Some(books) = &books {
                json["money"] = serde_json::to_value(books)?;
            }
            fs::write(path, format!("{json:#}\n")).with_context(|| format!("writing {}", path.display()))?;
        }
        println!("{} nights and {} bookings checked", HumanCount(bookings.nights), HumanCount(bookings.reservations));
        show(&bookings.counts, &bookings.listed, |kind| kind.as_str(), |violation| violation.kind);
        if let Some(books) = &books {
            let [payments, sales, payouts, transactions, accounts] =
                [books.payments, books.partner_sales, books.payouts, books.transactions, books.accounts]
                    .map(HumanCount);
            println!(
                "{payments} payments, {sales} partner sales, {payouts} payouts, {transactions} postings and \
                 {accounts} accounts checked"
            );
            show(&books.counts, &books.listed, |kind| kind.as_str(), |violation| violation.kind);
        }
        if violations > 0 {
            return Err(Findings(format!("{} violations", HumanCount(violations))).into());
        }
        Ok(())
    }

    async fn bookings(&self) -> Result<Report> {
        let pool = staymesh_store::connect(&patient(self.store.clone()))?;
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
        Ok(report)
    }

    async fn money(&self, database_url: SecretString) -> Result<money::Report> {
        let pool = staymesh_store::connect(&patient(StoreConfig { database_url, ..self.store.clone() }))?;
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} of the books, {msg}, {eta} left")?);
        let report = money::run(&pool, &money::Options { listed: self.list }, |at| {
            bar.set_length(at.all.max(at.done));
            bar.set_position(at.done);
            bar.set_message(format!("{} violations", at.violations));
        })
        .await
        .context("checking the money; nothing is known of what was not reached")?;
        bar.finish_and_clear();
        Ok(report)
    }
}

fn show<K: Ord, V: Display>(
    counts: &BTreeMap<K, u64>,
    listed: &[V],
    name: impl Fn(&K) -> &'static str,
    kind_of: impl Fn(&V) -> K,
) {
    for (kind, count) in counts {
        println!("{}: {}", name(kind), HumanCount(*count));
        for violation in listed.iter().filter(|violation| kind_of(violation) == *kind).take(SHOWN) {
            println!("  {violation}");
        }
    }
}
