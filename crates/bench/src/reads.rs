//! Availability reads and the booking funnel, in open loop, at a given rate or at the highest rate that is sustained.

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use clap::Args;
use futures::{FutureExt, future::BoxFuture};
use staymesh_api::reservation::v1::{GetAvailabilityRequest, PrepareReservationRequest, RoomRequest};
use staymesh_load::{Outcome, REQUEST_TIMEOUT, Tally, open};
use tonic::Request;

use crate::{
    batch::{Batch, Clients},
    check,
    report::{self, Row},
    rig::{Rig, Scale},
    server::{CONNECTIONS, Server},
    strategy::Strategy,
    world::{Load, World},
};

/// A rate is sustained if no request fails and the 99th percentile of the latency is at most this.
const GOOD_P99_MS: f64 = 100.0;
/// Most halvings of the rate.
const HALVINGS: usize = 8;
/// Availability reads, prepared reservations and bookings per second.
const FUNNEL: [f64; 3] = [30_000.0, 3_000.0, 300.0];

/// Options of `staymesh-bench reads` and `staymesh-bench funnel`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scale: Scale,
    /// Seconds that a rate is held [default: 10, or 3 with --quick]
    #[arg(long)]
    seconds: Option<f64>,
    /// Share of the full rate to begin with; it is halved until it holds
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Database connections of the service
    #[arg(long, default_value_t = 16)]
    connections: u32,
}

/// The part of the funnel that is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Availability alone.
    Views,
    /// Views, booking pages and bookings.
    Funnel,
}

/// Runs it.
pub(crate) async fn run(what: What, options: Options) -> Result<ExitCode> {
    let rig = options.scale.start().await?;
    let rows = measure(what, &options, &rig).await;
    rig.database.close().await?;
    options.scale.end(&rows?)
}

async fn measure(what: What, options: &Options, rig: &Rig) -> Result<Vec<Row>> {
    let server = Server::start(Strategy::Writer, options.connections, 4, rig).await?;
    let clients = server.clients(CONNECTIONS).await?;
    let seconds = options.seconds.unwrap_or(if options.scale.quick { 3.0 } else { 10.0 });
    let mut rows = Vec::new();
    let mut share = options.share;
    for _ in 0..=HALVINGS {
        let step = hold(what, rig, &clients, share, seconds).await?;
        let held = step.iter().all(holds);
        rows.extend(step);
        if held {
            break;
        }
        share /= 2.0;
    }
    let notes = [format!("{} rows of inventory, {} connections", rig.world.rows(), options.connections)];
    report::print_conditions(&rig.database.conditions().await?, &notes);
    report::print_rows(&rows);
    Ok(rows)
}

/// Measures one rate for `seconds`, after a warm-up of one second.
async fn hold(what: What, rig: &Rig, clients: &Clients, share: f64, seconds: f64) -> Result<Vec<Row>> {
    rig.database.reset().await?;
    let [views, pages, books] = FUNNEL.map(|rate| rate * share);
    let view = viewer(rig.world, clients);
    open(views / 4.0, requests(views / 4.0, 1.0), view.clone()).await?;
    let viewing = open(views, requests(views, seconds), view);
    if what == What::Views {
        return Ok(vec![row("reads", "availability", views, &viewing.await?)]);
    }
    let batch = Batch::prepare(rig, Strategy::Writer, Load::Spread, requests(books, seconds), clients)?;
    let (viewed, opened, booked) = futures::try_join!(
        viewing,
        open(pages, requests(pages, seconds), preparer(rig, clients)),
        open(books, batch.len(), batch.sender()),
    )?;
    let acknowledged: Vec<_> = batch.acknowledged(&booked).collect();
    let mut booked_row = row("funnel", "create", books, &booked);
    booked_row.violations = check::violations(&rig.database.pool, &acknowledged, booked.error_count()).await?;
    Ok(vec![row("funnel", "availability", views, &viewed), row("funnel", "prepare", pages, &opened), booked_row])
}

fn row(load: &'static str, strategy: &'static str, rate: f64, tally: &Tally) -> Row {
    for (what, count) in &tally.errors {
        eprintln!("{load} {strategy} at {rate:.0}/s: {count} requests ended with {what}");
    }
    Row { rate: Some(rate), ..Row::new(load, strategy, 0, tally) }
}

fn holds(row: &Row) -> bool {
    row.errors == 0 && row.p99_ms <= GOOD_P99_MS
}

/// Number of requests in `seconds` at `rate` per second, rounded up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
pub(crate) fn requests(rate: f64, seconds: f64) -> usize {
    (rate * seconds).ceil() as usize
}

/// Sends `GetAvailability` for a random hotel and stay, without a login.
pub(crate) fn viewer(
    world: World,
    clients: &Clients,
) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
    let clients: Arc<[_]> = clients.as_slice().into();
    move |at| {
        let mut client = clients[at % clients.len()].clone();
        async move {
            let Ok(want) = world.stay_request(Load::Spread) else { return Outcome::Error("no calendar".into()) };
            let mut request = Request::new(GetAvailabilityRequest {
                hotel_id: want.hotel_id,
                check_in: want.stay.check_in().to_string(),
                check_out: want.stay.check_out().to_string(),
                occupancies: vec![],
                room_type_ids: vec![],
            });
            request.set_timeout(REQUEST_TIMEOUT);
            Outcome::of(&client.get_availability(request).await)
        }
        .boxed()
    }
}

/// Sends `PrepareReservation` for a random room type and stay.
fn preparer(rig: &Rig, clients: &Clients) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
    let (world, clients, callers) = (rig.world, Arc::<[_]>::from(clients.as_slice()), rig.callers.all.clone());
    let callers: Arc<[_]> = callers.into();
    move |at| {
        let (mut client, callers) = (clients[at % clients.len()].clone(), callers.clone());
        async move {
            let Ok(want) = world.stay_request(Load::Spread) else { return Outcome::Error("no calendar".into()) };
            let request = callers[at % callers.len()].request(PrepareReservationRequest {
                hotel_id: want.hotel_id,
                check_in: want.stay.check_in().to_string(),
                check_out: want.stay.check_out().to_string(),
                rooms: vec![RoomRequest { room_type_id: want.room_type_id, adults: 2, ..RoomRequest::default() }],
                ..PrepareReservationRequest::default()
            });
            Outcome::of(&client.prepare_reservation(request).await)
        }
        .boxed()
    }
}
