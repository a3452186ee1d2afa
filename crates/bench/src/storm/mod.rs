//! Payments while everything goes wrong at the provider: calls that are not done, done and not answered, or answered with
//! an error; events that are lost, late, sent twice or in another order. At random, but the same for the same seed. In the
//! end every booking is paid or released, and all books agree.
//!
//! | to change | look in |
//! |---|---|
//! | what a guest does | `guest` |
//! | what must be true in the end | `verify` |

mod guest;
mod verify;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use serde::Serialize;
use staymesh_localmesh::LocalMesh;

use self::guest::{End, Guests};
use crate::{
    load::{self, Outcome},
    payments::put_on_sale,
    processes::{self, Setting},
    rig::progress,
};

/// Callers whose tokens guests share.
const CALLERS: usize = 64;
/// Short enough that what is late is over soon, long enough to pay in.
const HOLD: &str = "90s";
/// How long the payment service waits for the provider.
const PSP_TIMEOUT: &str = "1s";
/// How soon it asks for a payment that it has not heard of.
const CHECK_AFTER: &str = "5s";
/// The longest time from the last guest to the last event.
const CALM: Duration = Duration::from_mins(10);

/// Options of `staymesh-bench storm`.
#[derive(Args)]
pub(crate) struct Options {
    /// How many payments
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=50_000))]
    payments: u32,
    /// How many of a hundred calls and events suffer a fault
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u8).range(0..=50))]
    fault_percent: u8,
    /// What the faults and the guests' doings follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Guests at once
    #[arg(long, default_value_t = 96)]
    clients: usize,
    /// The `staymesh` binary [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the summary to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Summary {
    payments: u32,
    fault_percent: u8,
    seed: u64,
    seconds: f64,
    /// Bookings that were paid and kept, cancelled after they were paid, and ended unpaid.
    kept: usize,
    cancelled: usize,
    released: usize,
    /// What guests ran into that is nobody's fault but the provider's, by kind.
    troubles: std::collections::BTreeMap<String, usize>,
    verdict: verify::Verdict,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let binary = processes::binary(options.binary.as_ref())?;
    let settings = options.settings();
    let started = tokio::task::spawn_blocking(move || processes::start(binary, settings));
    let (mesh, dir) = started.await??;
    let (mesh, callers) = processes::partners(mesh, "storm", CALLERS).await?;
    let pool = processes::connect(mesh.database_url("reservation")?)?;
    processes::ensure_durable(&pool).await?;
    let guests = Guests::new(&mesh, callers, put_on_sale(pool).await?, options.seed)?;
    let summary = live_through(&options, &guests, mesh, &dir).await?;
    summary.show();
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&summary)? + "\n")
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if summary.verdict.is_good() {
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: something is not as it must be; databases and logs are kept in {}", dir.display());
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

async fn live_through(options: &Options, guests: &Guests, mesh: LocalMesh, dir: &std::path::Path) -> Result<Summary> {
    let began = Instant::now();
    let bar = progress(u64::from(options.payments), "paying");
    let ends = Arc::new(Mutex::new(Vec::new()));
    let live = {
        let (guests, ends, bar) = (guests.clone(), ends.clone(), bar.clone());
        move |at| {
            let (guests, ends, bar) = (guests.clone(), ends.clone(), bar.clone());
            async move {
                let end = guests.live(at).await;
                let outcome =
                    end.as_ref().map_or_else(|error| Outcome::Error(format!("{error:#}")), |_| Outcome::Accepted);
                ends.lock().unwrap_or_else(PoisonError::into_inner).extend(end.ok());
                bar.inc(1);
                outcome
            }
        }
    };
    let tally = load::closed(options.clients, options.payments as usize, Duration::MAX, live).await?;
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    println!("every guest has left after {seconds:.0} s; waiting until nothing is on its way");
    let verdict = verify::verify(mesh, dir, CALM, &tally.errors).await?;
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
    fn show(&self) {
        println!(
            "{} payments with {} % faults (seed {}) in {:.0} s: {} kept, {} cancelled, {} released",
            self.payments, self.fault_percent, self.seed, self.seconds, self.kept, self.cancelled, self.released
        );
        for (what, count) in &self.troubles {
            println!("  {count} times: {what}");
        }
        self.verdict.show();
    }
}
