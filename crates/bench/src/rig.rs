//! The rig of a benchmark: a database with a world on sale, callers and keys; and the options that size it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use prometheus::Registry;
use staymesh_load::progress;
use staymesh_mesh::{config::TelemetryConfig, telemetry};
use staymesh_reservation::OfferKeys;

use crate::{
    callers::Callers,
    database::Database,
    report::{self, Row},
    world::World,
};

/// Number of guests with a token.
const CALLERS: usize = 256;

/// The size of the world, and where the results are written.
#[derive(Args)]
pub(crate) struct Scale {
    /// A small world and short phases
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write the results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Hotels of 20 room types and 730 nights; 5000 is the full size [default: 500, or 50 with --quick]
    #[arg(long)]
    hotels: Option<i32>,
    /// A PostgreSQL setting such as `wal_compression=off`, for the larger database where there are two; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Scale {
    /// Starts a rig.
    pub(crate) async fn start(&self) -> Result<Rig> {
        Rig::start(self.hotels.unwrap_or(if self.quick { 50 } else { 500 }), &self.settings).await
    }

    /// Starts two rigs; the second has a hundred times the hotels of the first.
    pub(crate) async fn start_two(&self) -> Result<(Rig, Rig)> {
        let hotels = self.hotels.unwrap_or(if self.quick { 500 } else { 5000 });
        ensure!(hotels >= 100, "a hundredth of {hotels} hotels is less than one");
        // The settings are for the large database; the small one fits into memory in any case.
        let small = Rig::start(hotels / 100, &[]).await?;
        match Rig::fill(hotels, &self.settings, small.registry.clone()).await {
            Ok(large) => Ok((small, large)),
            Err(error) => small.database.close().await.and(Err(error)),
        }
    }

    /// Writes the results. Any violation fails the run.
    pub(crate) fn end(&self, rows: &[Row]) -> Result<ExitCode> {
        if let Some(path) = &self.json {
            report::write_json(path, rows)?;
        }
        let violations: u64 = rows.iter().map(|row| row.violations).sum();
        if violations == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("error: {violations} violations of invariants");
        Ok(ExitCode::FAILURE)
    }
}

/// A filled database, and what a server on it needs.
pub(crate) struct Rig {
    pub(crate) database: Database,
    pub(crate) world: World,
    pub(crate) callers: Callers,
    pub(crate) keys: OfferKeys,
    pub(crate) registry: Registry,
}

impl Rig {
    /// Starts a database with `hotels` hotels on sale.
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
}
