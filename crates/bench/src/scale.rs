//! Whether a large database is as fast as a small one: the same work on both, in turn.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Args;
use comfy_table::{Table, presets};
use staymesh_load::{closed, progress};

use crate::{
    pgbench,
    phase::{Phase, Timing},
    reads::viewer,
    report::{self, Row},
    rig::{Rig, Scale},
    server::{CONNECTIONS, Server},
    strategy::Strategy,
    world::Load,
};

/// Database connections of the service.
const DATABASE_CONNECTIONS: u32 = 32;
/// Lanes of the booking writer.
const LANES: usize = 4;
/// More requests than can be sent in a phase.
const MANY: usize = 100_000_000;

/// Options of `staymesh-bench scale`. `--hotels` is the size of the larger database [default: 5000, or 500 with --quick].
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scale: Scale,
    /// Seconds that a phase is measured for [default: 10, or 2 with --quick]
    #[arg(long)]
    seconds: Option<f64>,
    /// Seconds of the same work before each phase. The first change of a page after a checkpoint writes the whole page to
    /// the WAL, which the small database completes early
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Only these numbers of clients
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
    clients: Vec<usize>,
}

/// The work that is measured on both databases.
#[derive(Clone, Copy)]
enum Work {
    /// Availability reads.
    Views(usize),
    /// Bookings through the service.
    Bookings(Strategy, usize),
    /// Bookings as plain SQL.
    Sql(usize),
}

/// One of the databases, and the services on it.
struct Side {
    rig: Rig,
    writer: Server,
    constraint: Server,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let (small, large) = options.scale.start_two().await?;
    let (small, large) = (Side::new(small).await?, Side::new(large).await?);
    let pairs = measure(&options, &small, &large).await;
    let conditions = large.rig.database.conditions().await;
    small.rig.database.close().await?;
    large.rig.database.close().await?;
    let pairs = pairs?;
    let notes = [format!("{} nights against {}", small.rig.world.rows(), large.rig.world.rows())];
    report::print_conditions(&conditions?, &notes);
    let rows: Vec<Row> = pairs.iter().flatten().cloned().collect();
    report::print_rows(&rows);
    print_ratios(&pairs);
    options.scale.end(&rows)
}

async fn measure(options: &Options, small: &Side, large: &Side) -> Result<Vec<[Row; 2]>> {
    let seconds = options.seconds.unwrap_or(if options.scale.quick { 2.0 } else { 10.0 });
    let timing = Timing {
        time: Duration::try_from_secs_f64(seconds)?,
        rounds: 1,
        warm_up: Duration::try_from_secs_f64(options.warm_up)?,
        rate: None,
    };
    let works = options.works();
    let bar = progress(u64::try_from(2 * works.len())?, "measuring");
    let mut pairs = Vec::new();
    for work in works {
        let mut pair = Vec::with_capacity(2);
        for side in [small, large] {
            pair.extend(side.measure(work, timing).await?);
            bar.inc(1);
        }
        // Without `pgbench` there is no pair.
        pairs.extend(<[Row; 2]>::try_from(pair).ok());
    }
    bar.finish_and_clear();
    Ok(pairs)
}

impl Options {
    fn works(&self) -> Vec<Work> {
        let mut works = Vec::new();
        for clients in self.clients.iter().copied() {
            works.push(Work::Views(clients));
            works.push(Work::Bookings(Strategy::Writer, clients));
            works.push(Work::Bookings(Strategy::Constraint, clients));
            works.push(Work::Sql(clients));
        }
        works
    }
}

impl Side {
    async fn new(rig: Rig) -> Result<Self> {
        let writer = Server::start(Strategy::Writer, DATABASE_CONNECTIONS, LANES, &rig).await?;
        let constraint = Server::start(Strategy::Constraint, DATABASE_CONNECTIONS, LANES, &rig).await?;
        Ok(Self { rig, writer, constraint })
    }

    async fn measure(&self, work: Work, timing: Timing) -> Result<Option<Row>> {
        let row = match work {
            Work::Views(clients) => Some(self.views(clients, timing).await?),
            Work::Bookings(strategy, clients) => {
                let server = if strategy == Strategy::Writer { &self.writer } else { &self.constraint };
                let phase = Phase { load: Load::Spread, clients, strategy };
                Some(phase.row(vec![phase.run(&self.rig, server, timing).await?], timing)?)
            }
            Work::Sql(clients) => pgbench::run(&self.rig, Load::Spread, clients, timing.time).await?,
        };
        Ok(row.map(|row| Row { nights: Some(self.rig.world.rows()), ..row }))
    }

    async fn views(&self, clients: usize, timing: Timing) -> Result<Row> {
        let view = viewer(self.rig.world, &self.writer.clients(clients.min(CONNECTIONS)).await?);
        closed(clients, MANY, timing.warm_up, view.clone()).await?;
        let tally = closed(clients, MANY, timing.time, view).await?;
        Ok(Row::new("reads", "availability", clients, &tally))
    }
}

fn print_ratios(pairs: &[[Row; 2]]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(["what", "clients", "of", "small", "large", "large / small"]);
    for [small, large] in pairs {
        let values = [
            ("per second", small.per_second, large.per_second),
            ("p50 ms", small.p50_ms, large.p50_ms),
            ("p99 ms", small.p99_ms, large.p99_ms),
        ];
        for (of, small_value, large_value) in values {
            table.add_row([
                small.strategy.to_owned(),
                small.clients.to_string(),
                of.to_owned(),
                format!("{small_value:.2}"),
                format!("{large_value:.2}"),
                format!("{:.2}", large_value / small_value),
            ]);
        }
    }
    println!("{table}");
}
