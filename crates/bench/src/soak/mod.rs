//! Everything dies while everybody books: no acknowledged booking is lost, nothing is oversold.
//!
//! | to change | look in |
//! |---|---|
//! | what runs | `place` |
//! | who is killed when | `kills` |
//! | what clients do, and when they ask again | `client` |
//! | what they were told | `ledger` |
//! | what must be true in the end | `verify` |

mod client;
mod counts;
mod kills;
mod ledger;
mod place;
mod report;
mod verify;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use tokio_util::sync::CancellationToken;

use self::{
    client::{Client, Shared},
    counts::Counts,
    kills::Schedule,
    ledger::Ledger,
    place::Place,
    report::Summary,
};
use crate::processes;

/// How often the terminal hears of it.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long after the end a request may still wait for its answer. Longer than any recovery here.
const PATIENCE: Duration = Duration::from_mins(1);

/// Options of `staymesh-bench soak`.
#[derive(Args)]
pub(crate) struct Options {
    /// How long clients book, in minutes
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=50))]
    minutes: u64,
    /// How often each replica is killed, in seconds; the second one half of it after the first
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(4..=600))]
    kill_every: u64,
    /// How many clients book at once
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u16).range(1..=1024))]
    clients: u16,
    /// Rooms of the room type that everybody wants; a tenth more may be sold. Every half minute everybody wants the next
    /// three nights of it
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(i32).range(1..=10_000))]
    rooms: i32,
    /// The `staymesh` binary [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the summary to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let time = Duration::from_mins(options.minutes);
    let place = Place::start(processes::binary(options.binary.as_ref())?, options.rooms, time).await?;
    let summary = live_through(&options, place).await?;
    summary.show();
    if let Some(path) = &options.json {
        summary.write(path)?;
    }
    if summary.is_good() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: something is not as it must be");
    Ok(ExitCode::FAILURE)
}

async fn live_through(options: &Options, place: Place) -> Result<Summary> {
    let time = Duration::from_mins(options.minutes);
    let counts = Arc::new(Counts::new());
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared::new(&place, counts.clone(), stop.clone())?);
    let clients: Vec<_> =
        (0..usize::from(options.clients)).map(|at| tokio::spawn(Client::new(shared.clone(), at).live())).collect();
    let telling = tokio::spawn(tell(counts.clone(), stop.clone()));

    let schedule = Schedule::new(time, Duration::from_secs(options.kill_every));
    let (place, killed) = kills::carry_out(place, schedule, counts.clone()).await?;
    // Everything is up again, unless that has failed; then clients are not waited for.
    let elapsed = counts.elapsed();
    stop.cancel();
    telling.await?;
    let mut ledger = Ledger::default();
    for client in clients {
        ledger.add(client.await.context("a client panicked")?);
    }
    killed?;
    println!("checking {} bookings that clients were told of", ledger.len());
    let verdict = verify::verify(&place, &ledger).await?;
    let summary = Summary::new(options, elapsed, &counts, &ledger, verdict);
    place.close(summary.is_good()).await?;
    Ok(summary)
}

async fn tell(counts: Arc<Counts>, stop: CancellationToken) {
    let mut before = counts.seen();
    while stop.run_until_cancelled(tokio::time::sleep(TELL_EVERY)).await.is_some() {
        let now = counts.seen();
        println!("{}", now.line_since(&before));
        before = now;
    }
}
