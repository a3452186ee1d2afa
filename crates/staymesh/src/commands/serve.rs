//! `staymesh serve SERVICE`.

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use staymesh_mesh::{config::TelemetryConfig, shutdown, telemetry};

/// The services. `staymesh serve SERVICE --help` shows what each reads from its environment.
#[derive(Subcommand)]
pub(crate) enum Service {
    /// Accounts, logins, tokens and keys
    Identity(staymesh_identity::Config),
    /// Hotels, room types and rooms
    Hotel(staymesh_hotel::Config),
    /// Prices and taxes
    Rate(staymesh_rate::Config),
    /// Inventory, offers and bookings
    Reservation(staymesh_reservation::Config),
    /// Payments and refunds
    Payment(staymesh_payment::Config),
    /// A stand-in payment provider, for development and tests
    PspSimulator(Simulator),
}

/// The stand-in provider is no part of the mesh, but logs as one.
#[derive(Args)]
pub(crate) struct Simulator {
    #[command(flatten)]
    config: staymesh_psp_simulator::Config,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

pub(crate) async fn run(service: Service) -> Result<()> {
    let stop = shutdown::on_signal()?;
    match service {
        Service::Identity(config) => staymesh_identity::serve(config, stop).await?,
        Service::Hotel(config) => staymesh_hotel::serve(config, stop).await?,
        Service::Rate(config) => staymesh_rate::serve(config, stop).await?,
        Service::Reservation(config) => staymesh_reservation::serve(config, stop).await?,
        Service::Payment(config) => staymesh_payment::serve(config, stop).await?,
        Service::PspSimulator(simulator) => {
            let telemetry = telemetry::init("psp-simulator", &simulator.telemetry)
                .map_err(|error| anyhow!("telemetry: {error}"))?;
            staymesh_psp_simulator::serve(simulator.config, stop).await?;
            telemetry.flush();
        }
    }
    Ok(())
}
