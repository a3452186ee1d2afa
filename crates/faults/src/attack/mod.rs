//! The attack test: one address holds thousands of requests open, in each form that the gateways offer. No request of another
//! address may be refused, and their latency must stay what it is without the attack.

mod report;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use staymesh_load::{
    attack::{Attack, FORMS, Gateways, Size},
    mesh::{self, Binaries},
};

use self::report::Report;

/// Token buckets of the edge.
const EDGE_RATES: [&str; 4] = [
    "STAYMESH_EDGE_REQUESTS_PER_SECOND",
    "STAYMESH_EDGE_BURST",
    "STAYMESH_EDGE_WEBHOOKS_PER_SECOND",
    "STAYMESH_EDGE_WEBHOOK_BURST",
];

/// Options of `staymesh-faults attack`.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds of each measurement: one without and one with the attack, in turns
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Turns of each form
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=100))]
    turns: u32,
    /// Requests that the attacker holds open
    #[arg(long, default_value_t = 2000)]
    held: usize,
    /// Requests per second of the other addresses
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Highest accepted ratio of the 99th percentiles of the latency with and without the attack, the median of the turns
    #[arg(long, default_value_t = 2.0)]
    limit: f64,
    /// Only forms whose name contains this text
    #[arg(long, default_value = "")]
    form: String,
    /// The `staymesh` binary, with `staymesh-dev` beside it [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the test. The exit status says whether the others were unharmed.
///
/// # Errors
/// When the mesh cannot be started, or the load cannot be generated.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let binaries = Binaries::find(options.binary.as_deref())?;
    // Without limits of the rate of an address, which would refuse most of the attack.
    let settings = EDGE_RATES.map(|name| ("edge", name, "100000".to_owned()));
    let (local, dir) = tokio::task::spawn_blocking(move || mesh::start(binaries, settings.into())).await??;
    let gateways = Gateways { public: local.public_url(), internal: local.internal_url() };
    let report = measure(&options, gateways).await;
    let stopped = tokio::task::spawn_blocking(move || {
        local.stop()?;
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))
    });
    stopped.await??;
    let report = report?;
    report.print();
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    if report.passed() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: requests of other addresses were refused or delayed");
    Ok(ExitCode::FAILURE)
}

async fn measure(options: &Options, gateways: Gateways) -> Result<Report> {
    let rate = f64::from(options.rate);
    let calls = usize::try_from(options.rate.saturating_mul(options.seconds))?;
    let attack = Attack::new(gateways, Size { held: options.held, rate, calls })?;
    attack.warm_up().await?;
    let mut report = Report::new(options.limit);
    for form in FORMS.into_iter().filter(|form| form.name.contains(&options.form)) {
        let mut turns = Vec::new();
        for _ in 0..options.turns {
            turns.push(attack.turn(form).await?);
        }
        report.add(form.name, turns)?;
    }
    Ok(report)
}
