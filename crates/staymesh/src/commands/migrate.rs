//! `staymesh migrate SERVICE`.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use staymesh_reservation::carry_over;
use staymesh_store::{StoreConfig, migrate, parse_duration};

use super::patient;

/// Brings the database of one service up to date: its migrations, and what they leave to be carried over in batches.
#[derive(Args)]
pub(crate) struct Migrate {
    /// Whose database the URL is
    service: Database,
    /// How long to wait for other migrations and long transactions
    #[arg(long, env = "STAYMESH_MIGRATE_PATIENCE", default_value = "1m", value_parser = parse_duration)]
    patience: Duration,
    /// Also close the sessions of services whose prepared statements may not fit any more: after a run that was interrupted
    #[arg(long)]
    close_sessions: bool,
    #[command(flatten)]
    store: StoreConfig,
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
    Identity,
    Hotel,
    Rate,
    Reservation,
    Payment,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<()> {
        let migrator = match self.service {
            Database::Identity => &staymesh_identity::MIGRATOR,
            Database::Hotel => &staymesh_hotel::MIGRATOR,
            Database::Rate => &staymesh_rate::MIGRATOR,
            Database::Reservation => &staymesh_reservation::MIGRATOR,
            Database::Payment => &staymesh_payment::MIGRATOR,
        };
        let created = migrate::ensure_database(&self.store).await.context("making the database")?;
        migrate::run(&self.store, migrator, self.patience).await.context("migrating")?;
        if self.close_sessions {
            migrate::close_sessions(&self.store).await.context("closing sessions")?;
        }
        if matches!(self.service, Database::Reservation) {
            let pool = staymesh_store::connect(&patient(self.store.clone()))?;
            let carried = carry_over::run(&pool, |_| {}).await.context("carrying over reservations")?;
            pool.close().await;
            if carried > 0 {
                println!("{carried} reservations carried over");
            }
        }
        println!("{}", if created { "made and migrated" } else { "up to date" });
        Ok(())
    }
}
