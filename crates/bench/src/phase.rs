//! A phase of the comparison: one strategy under one load, from an empty database to the check of the invariants.

use std::time::Duration;

use anyhow::Result;
use staymesh_load::{Outcome, Tally, closed, open};

use crate::{
    batch::{Batch, Clients},
    check,
    report::Row,
    rig::Rig,
    server::{CONNECTIONS, Server},
    strategy::Strategy,
    world::{Load, SCARCE_CAPACITY},
};

/// Most booking requests in the warm-up.
const WARM_UP_ORDERS: usize = 20_000;
/// Retries per request for the scarce room after an error.
const PERSISTENCE: usize = 100;
/// Timeout for selling out the scarce room.
const SELLOUT_LIMIT: Duration = Duration::from_mins(2);

/// A combination of load, number of clients and strategy.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) load: Load,
    pub(crate) clients: usize,
    pub(crate) strategy: Strategy,
}

/// The result of one round of a phase.
pub(crate) struct Measured {
    tally: Tally,
    violations: u64,
}

/// Duration and rate of a phase.
#[derive(Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) time: Duration,
    /// Number of rounds.
    pub(crate) rounds: u32,
    pub(crate) warm_up: Duration,
    /// Requests per second in open loop; `None` for closed loop.
    pub(crate) rate: Option<f64>,
}

impl Phase {
    pub(crate) fn name(self) -> String {
        format!("{} load, {} clients, {}", self.load.name(), self.clients, self.strategy.name())
    }

    /// Measures one round.
    pub(crate) async fn run(self, rig: &Rig, server: &Server, timing: Timing) -> Result<Measured> {
        rig.database.reset().await?;
        let clients = server.clients(self.clients.min(CONNECTIONS)).await?;
        let (tally, violations) = match self.load {
            Load::Sellout => self.sell_out(rig, &clients).await?,
            Load::Spread | Load::Hot => self.sell(rig, &clients, timing).await?,
        };
        for (what, count) in &tally.errors {
            eprintln!("{}: {count} requests ended with {what}", self.name());
        }
        Ok(Measured { tally, violations })
    }

    /// All rounds as one row.
    pub(crate) fn row(self, times: Vec<Measured>, timing: Timing) -> Result<Row> {
        let mut all = Tally::new()?;
        let mut violations = 0;
        for time in times {
            all.append(time.tally)?;
            violations += time.violations;
        }
        let rate = timing.rate.filter(|_| self.load != Load::Sellout);
        let clients = if rate.is_some() { 0 } else { self.clients };
        let row = Row::new(self.load.name(), self.strategy.name(), clients, &all);
        Ok(Row { rate, violations, ..row })
    }

    async fn sell(self, rig: &Rig, clients: &Clients, timing: Timing) -> Result<(Tally, u64)> {
        let prepare = |count| Batch::prepare(rig, self.strategy, self.load, count, clients);
        let warming = prepare(WARM_UP_ORDERS)?;
        let warm = closed(self.clients, warming.len(), timing.warm_up, warming.sender()).await?;
        let batch = prepare(orders_needed(&warm, timing))?;
        let tally = match timing.rate {
            None => closed(self.clients, batch.len(), timing.time, batch.sender()).await?,
            Some(rate) => open(rate, orders_needed(&warm, timing), batch.sender()).await?,
        };
        if self.strategy == Strategy::Floor {
            return Ok((tally, 0));
        }
        let unknown = warm.error_count() + tally.error_count();
        let acknowledged: Vec<_> = warming.acknowledged(&warm).chain(batch.acknowledged(&tally)).collect();
        let violations = check::violations(&rig.database.pool, &acknowledged, unknown).await?;
        Ok((tally, violations))
    }

    /// Requests twice as many bookings as the scarce room type can take. Errors are retried, so exactly as many as fit
    /// into [`SCARCE_CAPACITY`] must be accepted.
    async fn sell_out(self, rig: &Rig, clients: &Clients) -> Result<(Tally, u64)> {
        let capacity = SCARCE_CAPACITY / rig.world.rooms;
        let batch = Batch::prepare(rig, self.strategy, self.load, 2 * capacity, clients)?;
        let send = batch.sender();
        let persistent = move |at| {
            let send = send.clone();
            async move {
                let mut end = send(at).await;
                for _ in 0..PERSISTENCE {
                    if !matches!(end, Outcome::Error(_)) {
                        break;
                    }
                    end = send(at).await;
                }
                end
            }
        };
        let tally = closed(self.clients, batch.len(), SELLOUT_LIMIT, persistent).await?;
        let acknowledged: Vec<_> = batch.acknowledged(&tally).collect();
        let mut violations = check::violations(&rig.database.pool, &acknowledged, tally.error_count()).await?;
        if acknowledged.len() != capacity {
            eprintln!("{}: took {} bookings of {capacity}", self.name(), acknowledged.len());
            violations += 1;
        }
        Ok((tally, violations))
    }
}

/// Number of requests to prepare: in closed loop twice the expected number, in open loop the exact number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
fn orders_needed(warm: &Tally, timing: Timing) -> usize {
    let seconds = timing.time.as_secs_f64();
    timing.rate.map_or_else(|| (warm.per_second() * seconds * 2.0) as usize + 1_000, |rate| (rate * seconds) as usize)
}
