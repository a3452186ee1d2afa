//! The comparison: every strategy under every load, in one run, on one database.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use staymesh_load::progress;

use crate::{
    budget::{self, Reading},
    pgbench,
    phase::{Measured, Phase, Timing},
    report::{self, Row},
    rig::{Rig, Scale},
    server::Server,
    strategy::Strategy,
    world::Load,
};

/// Concurrent clients of the sellout load.
const SELLOUT_CLIENTS: usize = 64;

/// Options of `staymesh-bench booking`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scale: Scale,
    /// Seconds that each strategy is measured for under each load [default: 10, or 2 with --quick]
    #[arg(long)]
    seconds: Option<f64>,
    /// Rounds into which that time is divided. Each round measures all strategies, so that a temporary disturbance of the
    /// machine affects all of them [default: 3, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Only these numbers of clients
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    clients: Vec<usize>,
    /// Only these strategies
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Strategy::ALL)]
    strategies: Vec<Strategy>,
    /// Only these loads
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Load::Spread, Load::Hot, Load::Sellout])]
    loads: Vec<Load>,
    /// Rooms of each booking, 1 to 50. With more than one, only `writer` and `floor` are measured: the usual strategies and
    /// pgbench book one room
    #[arg(long, default_value_t = 1, value_parser = rooms)]
    rooms: usize,
    /// Send this many requests per second in open loop instead; the latency of a request counts from its scheduled time
    #[arg(long)]
    rate: Option<f64>,
    /// Database connections that each strategy may use
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Lanes of the booking writer
    #[arg(long, default_value_t = 4)]
    lanes: usize,
}

fn rooms(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rooms) if (1..=50).contains(&rooms) => Ok(rooms),
        _ => Err("must be 1 to 50".to_owned()),
    }
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let mut rig = options.scale.start().await?;
    rig.world.rooms = options.rooms;
    // The database is stopped and removed even if the measurement fails.
    let rows = measure(&options, &rig).await;
    rig.database.close().await?;
    options.scale.end(&rows?)
}

async fn measure(options: &Options, rig: &Rig) -> Result<Vec<Row>> {
    let timing = options.timing()?;
    let mut servers = BTreeMap::new();
    let strategies = options.strategies();
    for strategy in &strategies {
        servers.insert(*strategy, Server::start(*strategy, options.connections, options.lanes, rig).await?);
    }
    let loads = options.loads();
    let bar = progress(u64::try_from(loads.len() * strategies.len())?, "");
    let (mut rows, mut budgets) = (Vec::new(), Vec::new());
    for (load, clients) in loads {
        bar.set_message(format!("{} load, {clients} clients", load.name()));
        let (measured, spent) = compare(&options.phases(load, clients), &servers, rig, timing).await?;
        for (phase, times) in measured {
            let row = phase.row(times, timing)?;
            bar.suspend(|| eprintln!("{}: {:.0}/s, p50 {:.2} ms", phase.name(), row.per_second, row.p50_ms));
            if phase.strategy == Strategy::Writer {
                budgets.push(spent.budget(&row));
            }
            rows.push(row);
            bar.inc(1);
        }
    }
    for (load, clients) in options.raw() {
        bar.set_message(format!("{} load, {clients} clients, {}", load.name(), pgbench::NAME));
        match pgbench::run(rig, load, clients, timing.time * timing.rounds).await {
            Ok(row) => rows.extend(row),
            // Another version of pgbench may fail; the other results are kept.
            Err(error) => bar.suspend(|| eprintln!("pgbench is left out: {error:#}")),
        }
    }
    bar.finish_and_clear();
    let notes = [
        format!(
            "{} rows of inventory, {} connections, {} lanes, {} rooms in a booking",
            rig.world.rows(),
            options.connections,
            options.lanes,
            options.rooms
        ),
        format!(
            "{} times {:.1} s for each, after {:.1} s of warm-up",
            timing.rounds,
            timing.time.as_secs_f64(),
            timing.warm_up.as_secs_f64()
        ),
    ];
    report::print_conditions(&rig.database.conditions().await?, &notes);
    report::print_rows(&rows);
    budget::print(&budgets);
    report::print_claims(&report::claims(&rows));
    Ok(rows)
}

impl Options {
    fn timing(&self) -> Result<Timing> {
        let seconds = self.seconds.unwrap_or(if self.scale.quick { 2.0 } else { 10.0 });
        let rounds = self.rounds.unwrap_or(if self.scale.quick { 1 } else { 3 });
        let time = Duration::try_from_secs_f64(seconds / f64::from(rounds))?;
        let warm_up = Duration::from_millis(if self.scale.quick { 500 } else { 1_000 });
        Ok(Timing { time, rounds, warm_up, rate: self.rate })
    }

    /// The strategies to measure: those that book so many rooms.
    fn strategies(&self) -> Vec<Strategy> {
        self.strategies.iter().copied().filter(|strategy| self.rooms == 1 || !strategy.is_usual()).collect()
    }

    /// Loads and numbers of clients that pgbench measures; none in open loop.
    fn raw(&self) -> impl Iterator<Item = (Load, usize)> {
        let measured = self.rate.is_none() && self.rooms == 1;
        let loads = self.loads.iter().filter(move |load| **load != Load::Sellout && measured);
        loads.flat_map(|load| self.clients.iter().map(|clients| (*load, *clients)))
    }

    /// Loads and numbers of clients to measure.
    fn loads(&self) -> Vec<(Load, usize)> {
        let clients = |load| if load == Load::Sellout { &[SELLOUT_CLIENTS][..] } else { &self.clients };
        self.loads.iter().flat_map(|load| clients(*load).iter().map(|clients| (*load, *clients))).collect()
    }

    fn phases(&self, load: Load, clients: usize) -> Vec<Phase> {
        // The floor sells nothing, so it does not sell out.
        let strategies = self.strategies().into_iter().filter(|is| load != Load::Sellout || *is != Strategy::Floor);
        strategies.map(|strategy| Phase { load, clients, strategy }).collect()
    }
}

/// Measures the phases in turn, `timing.rounds` times, and reads the metrics of the writer around its phases.
async fn compare(
    phases: &[Phase],
    servers: &BTreeMap<Strategy, Server>,
    rig: &Rig,
    timing: Timing,
) -> Result<(Vec<(Phase, Vec<Measured>)>, Reading)> {
    let mut measured: Vec<_> = phases.iter().map(|phase| (*phase, Vec::new())).collect();
    let mut spent = Reading::default();
    for _ in 0..timing.rounds {
        for (phase, times) in &mut measured {
            let server = servers.get(&phase.strategy).context("no server")?;
            let before = Reading::take(rig).await?;
            times.push(phase.run(rig, server, timing).await.with_context(|| phase.name())?);
            if phase.strategy == Strategy::Writer {
                spent = spent.and(Reading::take(rig).await?.since(before));
            }
        }
    }
    Ok((measured, spent))
}
