//! What every benchmark stands on: the database, the world on sale in it, callers, and servers.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use prometheus::Registry;
use staymesh_mesh::{config::TelemetryConfig, telemetry};
use staymesh_reservation::OfferKeys;

use crate::{
    callers::Callers,
    database::Database,
    report::{self, Row},
    server::Server,
    strategy::Strategy,
    world::World,
};

/// Guests who book.
const CALLERS: usize = 256;

/// On how much, and what becomes of the rows.
#[derive(Args)]
pub(crate) struct Scale {
    /// A hundredth of the chain, and short phases
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write the rows to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Hotels of 20 room types and 730 days; 5000 is the whole chain [default: 500, or 50 with --quick]
    #[arg(long)]
    hotels: Option<i32>,
    /// A setting of PostgreSQL besides, of the larger database where there are two, such as `wal_compression=off`; may be
    /// given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Scale {
    /// Starts what is measured on.
    pub(crate) async fn start(&self) -> Result<Rig> {
        Rig::start(self.hotels.unwrap_or(if self.quick { 50 } else { 500 }), &self.settings).await
    }

    /// Starts two, of which the second has a hundred times the hotels: the whole chain if not said otherwise.
    pub(crate) async fn start_two(&self) -> Result<(Rig, Rig)> {
        let hotels = self.hotels.unwrap_or(if self.quick { 500 } else { 5000 });
        ensure!(hotels >= 100, "a hundredth of {hotels} hotels is less than one");
        // The settings are for the large one; the small one has memory for all it has.
        let small = Rig::start(hotels / 100, &[]).await?;
        match Rig::fill(hotels, &self.settings, small.registry.clone()).await {
            Ok(large) => Ok((small, large)),
            Err(error) => small.database.close().await.and(Err(error)),
        }
    }

    /// Keeps the rows. A violation fails the run.
    pub(crate) fn end(&self, rows: &[Row]) -> Result<ExitCode> {
        if let Some(path) = &self.json {
            report::write_json(path, rows)?;
        }
        let violations: u64 = rows.iter().map(|row| row.violations).sum();
        if violations == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("error: {violations} violations of what must always be true");
        Ok(ExitCode::FAILURE)
    }
}

/// A filled database, and what a server needs besides.
pub(crate) struct Rig {
    pub(crate) database: Database,
    pub(crate) world: World,
    pub(crate) callers: Callers,
    pub(crate) keys: OfferKeys,
    pub(crate) registry: Registry,
}

impl Rig {
    /// Starts the database and puts so many hotels on sale.
    async fn start(hotels: i32, settings: &[(String, String)]) -> Result<Self> {
        let log = TelemetryConfig { log: "error".into(), otlp_endpoint: None, trace_ratio: 0.0 };
        let telemetry = telemetry::init("bench", &log).map_err(|error| anyhow::anyhow!("telemetry: {error}"))?;
        Self::fill(hotels, settings, telemetry.registry).await
    }

    async fn fill(hotels: i32, settings: &[(String, String)], registry: Registry) -> Result<Self> {
        let key = BASE64_STANDARD.encode(rand::random::<[u8; 32]>());
        let keys = format!("bench:{key}").parse().map_err(anyhow::Error::msg)?;
        let (world, callers) = (World::new(hotels), Callers::new(CALLERS)?);
        let database = Database::start(settings).await?;
        let bar = progress(u64::try_from(world.rows())?, "filling the inventory");
        let filled = database.fill(world, &bar).await;
        bar.finish_and_clear();
        if let Err(error) = filled {
            database.close().await?;
            return Err(error);
        }
        Ok(Self { database, world, callers, keys, registry })
    }

    /// Serves with bookings made in this way, on so many database connections.
    pub(crate) async fn serve(&self, strategy: Strategy, connections: u32, lanes: usize) -> Result<Server> {
        Server::start(strategy, connections, lanes, self).await
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
