//! `staymesh serve SERVICE`.

use anyhow::Result;
use clap::Subcommand;
use staymesh_mesh::shutdown;

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
}

pub(crate) async fn run(service: Service) -> Result<()> {
    let stop = shutdown::on_signal()?;
    match service {
        Service::Identity(config) => Box::pin(staymesh_identity::serve(config, stop)).await?,
        Service::Hotel(config) => staymesh_hotel::serve(config, stop).await?,
        Service::Rate(config) => staymesh_rate::serve(config, stop).await?,
        Service::Reservation(config) => staymesh_reservation::serve(config, stop).await?,
        Service::Payment(config) => staymesh_payment::serve(config, stop).await?,
    }
    Ok(())
}
