//! The comparison: every strategy under every load, in one run, on one database.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    budget::{self, Reading},
    pgbench,
    phase::{Phase, Timing},
    report::{self, Row},
    rig::{Rig, Scale, progress},
    strategy::Strategy,
    world::Load,
};

/// Clients that want the scarce room.
const SELLOUT_CLIENTS: usize = 64;

/// Options of `staymesh-bench booking`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scale: Scale,
    /// Seconds that a phase is measured for [default: 10, or 2 with --quick]
    #[arg(long)]
    seconds: Option<f64>,
    /// Only these numbers of clients
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    clients: Vec<usize>,
    /// Only these strategies
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Strategy::ALL)]
    strategies: Vec<Strategy>,
    /// Only these loads
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Load::Spread, Load::Hot, Load::Sellout])]
    loads: Vec<Load>,
    /// Send so many requests a second instead, whether or not they are answered; latency counts from the time at which
    /// each was meant to be sent
    #[arg(long)]
    rate: Option<f64>,
    /// Database connections that each strategy may use
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Lanes of the booking writer
    #[arg(long, default_value_t = 4)]
    lanes: usize,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let rig = options.scale.start().await?;
    // The database is to be stopped and removed whatever happens.
    let rows = measure(&options, &rig).await;
    rig.database.close().await?;
    options.scale.end(&rows?)
}

async fn measure(options: &Options, rig: &Rig) -> Result<Vec<Row>> {
    let timing = options.timing()?;
    let mut servers = BTreeMap::new();
    for strategy in &options.strategies {
        servers.insert(*strategy, rig.serve(*strategy, options.connections, options.lanes).await?);
    }
    let phases = options.phases();
    let bar = progress(u64::try_from(phases.len())?, "");
    let (mut rows, mut budgets) = (Vec::with_capacity(phases.len()), Vec::new());
    for phase in phases {
        bar.set_message(phase.name());
        let server = servers.get(&phase.strategy).context("no server")?;
        let before = Reading::take(rig).await?;
        let row = phase.run(rig, server, timing).await.with_context(|| phase.name())?;
        if phase.strategy == Strategy::Writer {
            budgets.push(before.budget(rig, format!("{}, {}", phase.load, phase.clients), &row).await?);
        }
        bar.suspend(|| eprintln!("{}: {:.0}/s, p50 {:.2} ms", phase.name(), row.per_second, row.p50_ms));
        rows.push(row);
        bar.inc(1);
    }
    for (load, clients) in options.raw() {
        bar.set_message(format!("{} load, {clients} clients, {}", load.name(), pgbench::NAME));
        match pgbench::run(rig, load, clients, timing.time).await {
            Ok(row) => rows.extend(row),
            // Another version of it may want other statements; that must not cost what was measured.
            Err(error) => bar.suspend(|| eprintln!("pgbench is left out: {error:#}")),
        }
    }
    bar.finish_and_clear();
    let notes = [
        format!("{} rows of inventory, {} connections, {} lanes", rig.world.rows(), options.connections, options.lanes),
        format!("{:.1} s a phase, after {:.1} s of warm-up", timing.time.as_secs_f64(), timing.warm_up.as_secs_f64()),
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
        let warm_up = if self.scale.quick { Duration::from_millis(500) } else { Duration::from_secs(2) };
        Ok(Timing { time: Duration::try_from_secs_f64(seconds)?, warm_up, rate: self.rate })
    }

    /// What is done in plain SQL as well, when everything else is measured in closed loop.
    fn raw(&self) -> impl Iterator<Item = (Load, usize)> {
        let loads = self.loads.iter().filter(|load| **load != Load::Sellout && self.rate.is_none());
        loads.flat_map(|load| self.clients.iter().map(|clients| (*load, *clients)))
    }

    /// Strategies change fastest, so that what disturbs the machine for a while disturbs all of them.
    fn phases(&self) -> Vec<Phase> {
        let mut phases = Vec::new();
        for load in &self.loads {
            let clients = if *load == Load::Sellout { &[SELLOUT_CLIENTS][..] } else { &self.clients };
            for clients in clients {
                for strategy in &self.strategies {
                    // The floor sells nothing, so it does not sell out.
                    if *load != Load::Sellout || *strategy != Strategy::Floor {
                        phases.push(Phase { load: *load, clients: *clients, strategy: *strategy });
                    }
                }
            }
        }
        phases
    }
}
