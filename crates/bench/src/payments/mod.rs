//! Payments from end to end: book, open the checkout page, pay there, wait until the reservation is confirmed. All services,
//! the edge and the simulated payment provider are real processes; the databases are durable.

mod guest;
mod posting;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use staymesh_load::{closed, inventory, mesh};
use staymesh_localmesh::LocalMesh;

use self::guest::Guests;
use crate::report::{self, Row};

/// Number of partners with a token: several, because each caller has a quota.
const CALLERS: usize = 64;
/// Required payments per second.
const REQUIRED: f64 = 10.0;
/// Name of the results that are payments from end to end.
const LOAD: &str = "payments";
/// Above any number of payments in a run.
const UNLIMITED: usize = 10_000_000;

/// Options of `staymesh-bench payments`.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds measured for each number of guests, after a warm-up of 3 seconds
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Concurrent guests; several numbers are measured in turn
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    clients: Vec<usize>,
    /// The `staymesh` binary [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the benchmark.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let binaries = mesh::Binaries::find(options.binary.as_deref())?;
    let settings = ["reservation", "payment"].map(|service| (service, "STAYMESH_LOG", "warn".to_owned()));
    let started = tokio::task::spawn_blocking(move || mesh::start(binaries, settings.into()));
    let (local, dir) = started.await??;
    let (local, callers) = mesh::partners(local, "payments", CALLERS).await?;
    let pool = mesh::connect(local.database_url("reservation")?)?;
    mesh::ensure_durable(&pool).await?;
    let stay_requests = inventory::fifty_hotels(&pool).await?;
    pool.close().await;
    let guests = Guests::new(&local, callers, stay_requests)?;
    let rows = measure(&options, &guests).await;
    let violations = violations(&local).await;
    let postings = posting::measure(&local, Duration::from_secs(options.seconds.min(10))).await;
    let stopped = tokio::task::spawn_blocking(move || {
        local.stop()?;
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))
    });
    stopped.await??;
    let rows: Vec<Row> = rows?.into_iter().chain(postings?).collect();
    show(&options, &rows, violations?)
}

async fn measure(options: &Options, guests: &Guests) -> Result<Vec<Row>> {
    let warm_up = Duration::from_secs(3);
    closed(8, UNLIMITED, warm_up, guests.payer()).await?;
    let mut rows = Vec::new();
    for clients in options.clients.iter().copied() {
        let tally = closed(clients, UNLIMITED, Duration::from_secs(options.seconds), guests.payer()).await?;
        for (what, count) in &tally.errors {
            eprintln!("{clients} guests: {count} payments ended with {what}");
        }
        let row = Row::new(LOAD, "end to end", clients, &tally);
        eprintln!("{clients} guests: {:.0} payments per second, p50 {:.1} ms", row.per_second, row.p50_ms);
        rows.push(row);
    }
    Ok(rows)
}

/// The difference between the numbers of paid reservations and paid payments. Every guest has waited until its reservation
/// was paid, so the two databases agree unless an event was lost.
async fn violations(local: &LocalMesh) -> Result<u64> {
    let count = async |service, sql| {
        let pool = mesh::connect(local.database_url(service)?)?;
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await?;
        pool.close().await;
        anyhow::Ok(count)
    };
    let bookings = count("reservation", "select count(*) from reservation where status = 'paid'").await?;
    let payments = count("payment", "select count(*) from payment_order where status = 'PAID'").await?;
    Ok(bookings.abs_diff(payments))
}

fn show(options: &Options, rows: &[Row], violations: u64) -> Result<ExitCode> {
    report::print_rows(rows);
    for row in rows.iter().filter(|row| row.load == LOAD) {
        println!(
            "{} guests: {:.1} times the required {REQUIRED:.0} payments per second",
            row.clients,
            row.per_second / REQUIRED
        );
    }
    for pair in rows.iter().filter(|row| row.load != LOAD).collect::<Vec<_>>().chunks(2) {
        if let [plain, posted] = pair {
            println!(
                "{} connections: ledger postings run at {:.2} times the rate of plain inserts",
                plain.clients,
                posted.per_second / plain.per_second
            );
        }
    }
    if let Some(path) = &options.json {
        report::write_json(path, rows)?;
    }
    let errors: u64 = rows.iter().map(|row| row.errors).sum();
    if violations == 0 && errors == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {violations} payments or reservations without the other, {errors} failed payments");
    Ok(ExitCode::FAILURE)
}
