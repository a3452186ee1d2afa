//! The soak test: clients book while replicas and PostgreSQL are killed. No acknowledged booking may be lost and no night
//! oversold.
//!
//! | to change | look in |
//! |---|---|
//! | the mesh and the inventory of the test | `cluster` |
//! | the times at which processes are killed | `schedule`, `kills` |
//! | the requests and retries of clients | `client` |
//! | the answers that clients received | `acknowledgements` |
//! | the invariants at the end | `verify` |

mod acknowledgements;
mod client;
mod cluster;
mod counters;
mod kills;
mod report;
mod schedule;
mod verify;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use staymesh_load::mesh::Binaries;
use tokio_util::sync::CancellationToken;

use self::{
    acknowledgements::Acknowledgements,
    client::{Client, Shared},
    cluster::Cluster,
    counters::Counters,
    report::Summary,
    schedule::Schedule,
};

/// How often progress is printed.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Options of `staymesh-faults soak`.
#[derive(Args)]
pub(crate) struct Options {
    /// How long clients book, in minutes
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=50))]
    minutes: u64,
    /// Interval at which each replica is killed, in seconds; the second replica half an interval after the first
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(4..=600))]
    kill_every: u64,
    /// Concurrent clients
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u16).range(1..=1024))]
    clients: u16,
    /// Rooms of the one room type that all clients book; 10 % more may be sold. Every half minute the clients move on to
    /// its next three nights
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(i32).range(1..=10_000))]
    rooms: i32,
    /// The `staymesh` binary, with `staymesh-dev` beside it [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the summary to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the test. The exit status says whether every invariant held.
///
/// # Errors
/// When the mesh cannot be started, restarted or read.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let time = Duration::from_mins(options.minutes);
    let cluster = Cluster::start(Binaries::find(options.binary.as_deref())?, options.rooms, time).await?;
    let summary = book_and_kill(&options, cluster).await?;
    summary.print();
    if let Some(path) = &options.json {
        summary.write(path)?;
    }
    if summary.passed() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: an invariant was violated, or nothing was booked or cancelled");
    Ok(ExitCode::FAILURE)
}

async fn book_and_kill(options: &Options, cluster: Cluster) -> Result<Summary> {
    let time = Duration::from_mins(options.minutes);
    let counters = Arc::new(Counters::new());
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared::new(&cluster, counters.clone(), stop.clone())?);
    let clients: Vec<_> = (0..usize::from(options.clients))
        .map(|number| tokio::spawn(Client::new(shared.clone(), number).run()))
        .collect();
    let reporting = tokio::spawn(print_progress(counters.clone(), stop.clone()));

    let schedule = Schedule::new(time, Duration::from_secs(options.kill_every));
    let (cluster, killed) = kills::carry_out(cluster, schedule, counters.clone()).await?;
    // Every process runs again, unless a restart failed.
    let elapsed = counters.elapsed();
    stop.cancel();
    reporting.await?;
    let mut acknowledgements = Acknowledgements::default();
    for client in clients {
        acknowledgements.extend(client.await.context("a client panicked")?);
    }
    killed?;
    println!("comparing {} answers with the database", acknowledgements.len());
    let verdict = verify::verify(&cluster, &acknowledgements).await?;
    let summary = Summary::new(options.clients, elapsed, &counters, &acknowledgements, verdict);
    cluster.close(summary.passed()).await?;
    Ok(summary)
}

async fn print_progress(counters: Arc<Counters>, stop: CancellationToken) {
    let mut before = counters.snapshot();
    while stop.run_until_cancelled(tokio::time::sleep(REPORT_INTERVAL)).await.is_some() {
        let now = counters.snapshot();
        println!("{}", now.line_since(&before));
        before = now;
    }
}
