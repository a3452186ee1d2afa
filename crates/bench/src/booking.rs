//! The comparison: every strategy under every load, in one run, on one database.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use staymesh_api::reservation::v1::{CreateReservationRequest, reservation_service_client::ReservationServiceClient};
use staymesh_mesh::{config::TelemetryConfig, telemetry};
use staymesh_reservation::OfferKeys;
use tonic::{Request, transport::Channel};

use crate::{
    callers::{Caller, Callers},
    check,
    database::Database,
    load::{self, Outcome, Tally},
    orders::{self, Order},
    report::{self, Row},
    server::{LONGEST, Server, Shared},
    strategy::Strategy,
    world::{Load, SCARCE_CAPACITY, World},
};

/// Most connections of the clients: as many as callers would have replicas. More clients share them.
const CONNECTIONS: usize = 4;
/// Guests who book.
const CALLERS: usize = 256;
/// Most orders that are sent to warm up.
const WARM_UP_ORDERS: usize = 4_000;
/// Clients that want the scarce room.
const SELLOUT_CLIENTS: usize = 64;

/// Options of `staymesh-bench booking`.
#[derive(Args)]
pub(crate) struct Options {
    /// A hundredth of the chain, and short phases: about two minutes
    #[arg(long)]
    quick: bool,
    /// Write the rows to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Hotels of 20 room types and 730 days; 5000 is the whole chain [default: 500, or 50 with --quick]
    #[arg(long)]
    hotels: Option<i32>,
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
    let database = Database::start().await?;
    // The database is to be stopped and removed whatever happens.
    let rows = measure(&options, &database).await;
    database.close().await?;
    let rows = rows?;
    if let Some(path) = &options.json {
        report::write_json(path, &rows)?;
    }
    let violations: u64 = rows.iter().map(|row| row.violations).sum();
    if violations == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {violations} violations of what must always be true");
    Ok(ExitCode::FAILURE)
}

async fn measure(options: &Options, database: &Database) -> Result<Vec<Row>> {
    let world = World::new(options.hotels.unwrap_or(if options.quick { 50 } else { 500 }));
    let bar = progress(u64::try_from(world.rows())?, "filling the inventory");
    database.fill(world, &bar).await?;
    bar.finish_and_clear();

    let bench = Bench::new(options, database, world).await?;
    let phases = bench.phases();
    let bar = progress(u64::try_from(phases.len())?, "");
    let mut rows = Vec::with_capacity(phases.len());
    for phase in phases {
        bar.set_message(phase.name());
        let row = bench.phase(phase).await.with_context(|| phase.name())?;
        bar.suspend(|| eprintln!("{}: {:.0}/s, p50 {:.2} ms", phase.name(), row.per_second, row.p50_ms));
        rows.push(row);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let notes = [
        format!(
            "{} rows of inventory, {} database connections, {} lanes",
            world.rows(),
            options.connections,
            options.lanes
        ),
        format!("{:.1} s a phase, after {:.1} s of warm-up", bench.time.as_secs_f64(), bench.warm_up.as_secs_f64()),
    ];
    report::print_conditions(&database.conditions().await?, &notes);
    report::print_rows(&rows);
    report::print_claims(&report::claims(&rows));
    Ok(rows)
}

#[derive(Clone, Copy)]
struct Phase {
    load: Load,
    clients: usize,
    strategy: Strategy,
}

impl Phase {
    fn name(self) -> String {
        format!("{} load, {} clients, {}", self.load.name(), self.clients, self.strategy.name())
    }
}

struct Bench<'a> {
    options: &'a Options,
    database: &'a Database,
    world: World,
    callers: Callers,
    keys: OfferKeys,
    servers: BTreeMap<Strategy, Server>,
    time: Duration,
    warm_up: Duration,
}

impl<'a> Bench<'a> {
    async fn new(options: &'a Options, database: &'a Database, world: World) -> Result<Self> {
        let log = TelemetryConfig { log: "error".into(), otlp_endpoint: None, trace_ratio: 0.0 };
        let telemetry = telemetry::init("bench", &log).map_err(|error| anyhow::anyhow!("telemetry: {error}"))?;
        let callers = Callers::new(CALLERS)?;
        let keys: OfferKeys = format!("bench:{}", BASE64_STANDARD.encode(rand::random::<[u8; 32]>()))
            .parse()
            .map_err(anyhow::Error::msg)?;
        let shared = Shared {
            callers: &callers,
            keys: &keys,
            connections: options.connections,
            lanes: options.lanes,
            registry: telemetry.registry.clone(),
        };
        let mut servers = BTreeMap::new();
        for strategy in &options.strategies {
            servers.insert(*strategy, Server::start(*strategy, database, &shared).await?);
        }
        let seconds = options.seconds.unwrap_or(if options.quick { 2.0 } else { 10.0 });
        let time = Duration::try_from_secs_f64(seconds)?;
        let warm_up = if options.quick { Duration::from_millis(500) } else { Duration::from_secs(2) };
        Ok(Self { options, database, world, callers, keys, servers, time, warm_up })
    }

    fn phases(&self) -> Vec<Phase> {
        let mut phases = Vec::new();
        for load in &self.options.loads {
            let clients = if *load == Load::Sellout { &[SELLOUT_CLIENTS][..] } else { &self.options.clients };
            for clients in clients {
                for strategy in &self.options.strategies {
                    // The floor sells nothing, so it does not sell out.
                    if *load != Load::Sellout || *strategy != Strategy::Floor {
                        phases.push(Phase { load: *load, clients: *clients, strategy: *strategy });
                    }
                }
            }
        }
        phases
    }

    async fn phase(&self, phase: Phase) -> Result<Row> {
        self.database.reset().await?;
        let server = self.servers.get(&phase.strategy).context("no server")?;
        let clients = server.clients(phase.clients.min(CONNECTIONS)).await?;
        if phase.load == Load::Sellout {
            return self.sell_out(phase, clients).await;
        }
        let warming = self.batch(phase, WARM_UP_ORDERS, &clients)?;
        let warm = load::closed(phase.clients, warming.len(), self.warm_up, warming.sender()).await?;
        let batch = self.batch(phase, self.orders_needed(&warm), &clients)?;
        let tally = match self.options.rate {
            None => load::closed(phase.clients, batch.len(), self.time, batch.sender()).await?,
            Some(rate) => load::open(rate, batch.len(), batch.sender()).await?,
        };
        let unknown = warm.error_count() + tally.error_count();
        let acknowledged: Vec<_> = warming.ids(&warm).chain(batch.ids(&tally)).collect();
        report_errors(phase, &tally);
        let mut row = Row::new(phase.load.name(), phase.strategy.name(), phase.clients, &tally);
        if self.options.rate.is_some() {
            (row.clients, row.rate) = (0, self.options.rate);
        }
        if phase.strategy != Strategy::Floor {
            row.violations = check::violations(&self.database.pool, &acknowledged, unknown).await?;
        }
        Ok(row)
    }

    /// As many as can be sent in the time, and some more.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
    fn orders_needed(&self, warm: &Tally) -> usize {
        let seconds = self.time.as_secs_f64();
        self.options
            .rate
            .map_or_else(|| (warm.per_second() * seconds * 2.0) as usize + 1_000, |r| (r * seconds) as usize)
    }

    /// Sells the scarce room until nothing is left, and once as much again: who got an error asks again, so exactly as
    /// many must have been accepted as there is room for.
    async fn sell_out(&self, phase: Phase, clients: Clients) -> Result<Row> {
        let batch = self.batch(phase, 2 * SCARCE_CAPACITY, &clients)?;
        let send = batch.sender();
        let persistent = move |at| {
            let send = send.clone();
            async move {
                for _ in 0..100 {
                    match send(at).await {
                        Outcome::Error(_) => {}
                        end => return end,
                    }
                }
                Outcome::Error("gave up".into())
            }
        };
        let tally = load::closed(phase.clients, batch.len(), Duration::from_mins(2), persistent).await?;
        report_errors(phase, &tally);
        let acknowledged: Vec<_> = batch.ids(&tally).collect();
        let mut row = Row::new(phase.load.name(), phase.strategy.name(), phase.clients, &tally);
        row.violations = check::violations(&self.database.pool, &acknowledged, tally.error_count()).await?;
        if acknowledged.len() != SCARCE_CAPACITY {
            eprintln!("{}: sold {} of {SCARCE_CAPACITY}", phase.name(), acknowledged.len());
            row.violations += 1;
        }
        Ok(row)
    }

    fn batch(&self, phase: Phase, count: usize, clients: &Clients) -> Result<Batch> {
        let orders = if phase.strategy == Strategy::Floor {
            None
        } else {
            Some(orders::prepare(self.world, phase.load, count, &self.callers.all, &self.keys)?.into())
        };
        Ok(Batch { orders, clients: clients.as_slice().into(), callers: self.callers.all.as_slice().into() })
    }
}

type Clients = Vec<ReservationServiceClient<Channel>>;

/// Orders and who sends them. Without orders, empty requests without end.
struct Batch {
    orders: Option<Arc<[Order]>>,
    clients: Arc<[ReservationServiceClient<Channel>]>,
    callers: Arc<[Caller]>,
}

impl Batch {
    fn len(&self) -> usize {
        self.orders.as_ref().map_or(usize::MAX, |orders| orders.len())
    }

    /// Sends one of the orders.
    fn sender(&self) -> impl Fn(usize) -> futures::future::BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let (orders, clients, callers) = (self.orders.clone(), self.clients.clone(), self.callers.clone());
        move |at| {
            let mut client = clients[at % clients.len()].clone();
            let (message, caller) = match &orders {
                Some(orders) => (orders[at].request.clone(), orders[at].caller),
                None => (CreateReservationRequest::default(), at % callers.len()),
            };
            let mut request = Request::new(message);
            request.set_timeout(LONGEST);
            request.metadata_mut().insert("authorization", callers[caller].bearer.clone());
            Box::pin(async move {
                match client.create_reservation(request).await {
                    Ok(_) => Outcome::Accepted,
                    Err(status) => Outcome::from(&status),
                }
            })
        }
    }

    fn ids(&self, tally: &Tally) -> impl Iterator<Item = uuid::Uuid> {
        self.orders.iter().flat_map(|orders| tally.acknowledged.iter().map(|at| orders[*at].id))
    }
}

fn report_errors(phase: Phase, tally: &Tally) {
    for (what, count) in &tally.errors {
        eprintln!("{}: {count} requests ended with {what}", phase.name());
    }
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn progress(length: u64, message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(message);
    // The template is a constant; were it wrong, the plain bar would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} {msg} ({eta} left)") {
        bar.set_style(style);
    }
    bar
}
