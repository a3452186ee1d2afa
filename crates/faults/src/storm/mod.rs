//! The storm test: guests pay while the simulated payment provider fails. Calls are not executed, executed without an
//! answer, or answered with an error; webhook events are lost, delayed, duplicated or reordered. Faults are random, and
//! reproducible by seed. At the end every reservation is paid or released, and the records of reservation, payment, ledger
//! and provider agree.
//!
//! | to change | look in |
//! |---|---|
//! | what a guest does, and how often it retries | `guest` |
//! | the invariants at the end | `verify` |

mod guest;
mod verify;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use serde::Serialize;
use staymesh_load::{
    Outcome, closed, inventory,
    mesh::{self, Binaries, Setting},
    progress,
};
use staymesh_localmesh::LocalMesh;

use self::guest::{End, Guests};

/// Number of partners, whose tokens the guests share.
const CALLERS: usize = 64;
/// How long an unpaid reservation holds its rooms: long enough to pay, short enough that unpaid ones end soon.
const HOLD: &str = "90s";
/// Timeout of calls from the payment service to the provider.
const PSP_TIMEOUT: &str = "1s";
/// Age at which the payment service polls the provider for a payment without an event.
const CHECK_AFTER: &str = "5s";
/// The longest time from the last guest until every event is delivered.
const SETTLE_LIMIT: Duration = Duration::from_mins(10);

/// Options of `staymesh-faults storm`.
#[derive(Args)]
pub(crate) struct Options {
    /// Number of payments
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=50_000))]
    payments: u32,
    /// Percentage of calls and events with a fault
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u8).range(0..=50))]
    fault_percent: u8,
    /// Seed of the random faults and of the guests' decisions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Concurrent guests
    #[arg(long, default_value_t = 96)]
    clients: usize,
    /// The `staymesh` binary, with `staymesh-dev` beside it [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the summary to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The summary of a run.
#[derive(Debug, Serialize)]
struct Summary {
    payments: u32,
    fault_percent: u8,
    seed: u64,
    seconds: f64,
    /// Reservations that were paid and kept, cancelled after payment, and released unpaid.
    kept: usize,
    cancelled: usize,
    released: usize,
    /// Errors that guests met because of the provider's faults, by kind.
    troubles: std::collections::BTreeMap<String, usize>,
    verdict: verify::Verdict,
}

/// Runs the test. The exit status says whether every invariant held.
///
/// # Errors
/// When the mesh cannot be started or read.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let binaries = Binaries::find(options.binary.as_deref())?;
    let settings = options.settings();
    let started = tokio::task::spawn_blocking(move || mesh::start(binaries, settings));
    let (local, dir) = started.await??;
    let (local, callers) = mesh::partners(local, "storm", CALLERS).await?;
    let pool = mesh::connect(local.database_url("reservation")?)?;
    mesh::ensure_durable(&pool).await?;
    let stay_requests = inventory::fifty_hotels(&pool).await?;
    pool.close().await;
    let guests = Guests::new(&local, callers, stay_requests, options.seed)?;
    let summary = pay_and_verify(&options, &guests, local, &dir).await?;
    summary.print();
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&summary)? + "\n")
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if summary.verdict.passed() {
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: an invariant was violated; databases and logs are kept in {}", dir.display());
    Ok(ExitCode::FAILURE)
}

impl Options {
    fn settings(&self) -> Vec<Setting> {
        vec![
            ("reservation", "STAYMESH_LOG", "warn".into()),
            ("reservation", "STAYMESH_HOLD", HOLD.into()),
            ("payment", "STAYMESH_LOG", "warn".into()),
            ("payment", "STAYMESH_PSP_TIMEOUT", PSP_TIMEOUT.into()),
            ("payment", "STAYMESH_PAYMENT_CHECK_AFTER", CHECK_AFTER.into()),
            ("psp-simulator", "STAYMESH_PSP_FAULT_PERCENT", self.fault_percent.to_string()),
            ("psp-simulator", "STAYMESH_PSP_FAULT_SEED", self.seed.to_string()),
        ]
    }
}

async fn pay_and_verify(options: &Options, guests: &Guests, local: LocalMesh, dir: &Path) -> Result<Summary> {
    let began = Instant::now();
    let bar = progress(u64::from(options.payments), "paying");
    let ends = Arc::new(Mutex::new(Vec::new()));
    let send = {
        let (guests, ends, bar) = (guests.clone(), ends.clone(), bar.clone());
        move |guest| {
            let (guests, ends, bar) = (guests.clone(), ends.clone(), bar.clone());
            async move {
                let end = guests.run(guest).await;
                let outcome =
                    end.as_ref().map_or_else(|error| Outcome::Error(format!("{error:#}")), |_| Outcome::Accepted);
                ends.lock().unwrap_or_else(PoisonError::into_inner).extend(end.ok());
                bar.inc(1);
                outcome
            }
        }
    };
    let tally = closed(options.clients, options.payments as usize, Duration::MAX, send).await?;
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    println!("all guests are done after {seconds:.0} s; waiting until every event is delivered");
    let verdict = verify::verify(local, dir, SETTLE_LIMIT, &tally.errors).await?;
    let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
    let count = |wanted| ends.iter().filter(|end| **end == wanted).count();
    Ok(Summary {
        payments: options.payments,
        fault_percent: options.fault_percent,
        seed: options.seed,
        seconds,
        kept: count(End::Paid),
        cancelled: count(End::Cancelled),
        released: count(End::Released),
        troubles: guests.troubles(),
        verdict,
    })
}

impl Summary {
    fn print(&self) {
        println!(
            "{} payments with {} % faults (seed {}) in {:.0} s: {} kept, {} cancelled, {} released",
            self.payments, self.fault_percent, self.seed, self.seconds, self.kept, self.cancelled, self.released
        );
        for (what, count) in &self.troubles {
            println!("  {count} times: {what}");
        }
        self.verdict.print();
    }
}
