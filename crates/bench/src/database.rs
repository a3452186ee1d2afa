//! A private `PostgreSQL` for one run: durable, migrated, filled.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use sqlx::{PgPool, Row};
use staymesh_devenv::{Component, Durability, Postgres, PostgresOptions, dev_dir, install, run_dir};
use staymesh_reservation::{Writer, store::Store};
use staymesh_store::StoreConfig;

use crate::world::{HOT, SCARCE, SCARCE_ROOMS, World};

/// Rooms per room type under the spread load: 200 per hotel.
const ROOMS: i32 = 10;
/// Rooms of the hot room type.
const HOT_ROOMS: i32 = 10_000_000;
/// Hotels filled per statement.
const CHUNK: i32 = 5;
/// PostgreSQL settings of a benchmark: the data fits into shared buffers, and no checkpoint falls into a phase.
const SETTINGS: [(&str, &str); 5] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "30min"),
    ("log_checkpoints", "off"),
    ("track_wal_io_timing", "on"),
];

/// Number of databases that this process has started; names their directories.
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A PostgreSQL server and its files. [`Self::close`] removes the files.
pub(crate) struct Database {
    postgres: Postgres,
    dir: PathBuf,
    /// Connections for setup and checks, which are not measured.
    pub(crate) pool: PgPool,
}

/// The conditions of a measurement: server version and settings.
pub(crate) struct Conditions {
    pub(crate) version: String,
    pub(crate) settings: Vec<(String, String)>,
}

impl Database {
    /// Starts a server and applies the migrations of the reservation service.
    pub(crate) async fn start(settings: &[(String, String)]) -> Result<Self> {
        let ours = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = ours.iter().chain(settings).cloned().collect();
        let (postgres, dir) = tokio::task::spawn_blocking(|| start_server(settings)).await??;
        let pool = staymesh_store::connect(&config(&postgres, 4))?;
        staymesh_reservation::MIGRATOR.run(&pool).await.context("migrating")?;
        let database = Self { postgres, dir, pool };
        let conditions = database.conditions().await?;
        for name in ["fsync", "synchronous_commit"] {
            ensure!(conditions.is_on(name), "{name} must be on, or nothing is measured");
        }
        Ok(database)
    }

    /// Connections for a service, with the limits that a service has.
    pub(crate) fn connect(&self, connections: u32) -> Result<PgPool> {
        Ok(staymesh_store::connect(&config(&self.postgres, connections))?)
    }

    /// Connections for reading, as the service opens them.
    pub(crate) fn connect_reads(&self, connections: u32) -> Result<PgPool> {
        Ok(staymesh_store::connect(&Store::connections(&config(&self.postgres, connections)))?)
    }

    /// Connections for the lanes of the booking writer, as the service opens them.
    pub(crate) fn connect_lanes(&self, lanes: usize) -> Result<PgPool> {
        Ok(staymesh_store::connect(&Writer::connections(&config(&self.postgres, 1), lanes))?)
    }

    /// `pgbench` on this database, if it is installed.
    pub(crate) fn pgbench(&self) -> Option<Command> {
        let command = self.postgres.client("pgbench");
        Path::new(command.get_program()).exists().then_some(command)
    }

    /// A directory for temporary files; [`Self::close`] removes it.
    pub(crate) fn scratch(&self) -> &Path {
        &self.dir
    }

    /// Reads version and settings of the server.
    pub(crate) async fn conditions(&self) -> Result<Conditions> {
        let version = sqlx::query_scalar("select version()").fetch_one(&self.pool).await?;
        let settings = sqlx::query(
            "select name, current_setting(name) from pg_settings where name in ('fsync', 'synchronous_commit',
                 'full_page_writes', 'wal_level', 'wal_compression', 'shared_buffers', 'max_wal_size', 'max_connections', 'huge_pages') order by name",
        )
        .fetch_all(&self.pool)
        .await?;
        let settings = settings.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(Conditions { version, settings })
    }

    /// Inserts the inventory of the world.
    pub(crate) async fn fill(&self, world: World, progress: &ProgressBar) -> Result<()> {
        let next = AtomicI32::new(1);
        let worker = || async {
            loop {
                let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                if from > world.hotels {
                    return anyhow::Ok(());
                }
                let until = (from + CHUNK - 1).min(world.hotels);
                progress.inc(self.fill_hotels(world, from, until).await?);
            }
        };
        futures::future::try_join(worker(), worker()).await?;
        self.fill_wanted(world).await?;
        sqlx::query("vacuum analyze room_type_inventory").execute(&self.pool).await?;
        Ok(())
    }

    /// Inserts the inventory of hotels `from` to `until` (inclusive) and returns the number of rows.
    pub(crate) async fn fill_hotels(&self, world: World, from: i32, until: i32) -> Result<u64> {
        let done = sqlx::query(
            "insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory)
             select h, (h - 1) * $3 + t, $4::date + d, $5
             from generate_series($1, $2) h, generate_series(1, $3) t, generate_series(0, $6 - 1) d",
        )
        .bind(from)
        .bind(until)
        .bind(world.room_types)
        .bind(jiff_sqlx::ToSqlx::to_sqlx(world.first))
        .bind(ROOMS)
        .bind(world.days)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    async fn fill_wanted(&self, world: World) -> Result<()> {
        // One room type that does not sell out in a phase has more rooms than any hotel may have.
        sqlx::query("alter table room_type_inventory drop constraint room_type_inventory_total_in_bounds")
            .execute(&self.pool)
            .await?;
        for ((hotel_id, room_type_id), rooms) in [(HOT, HOT_ROOMS), (SCARCE, SCARCE_ROOMS)] {
            sqlx::query(
                "insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory)
                 select $1, $2, $3::date + d, $4 from generate_series(0, 59) d",
            )
            .bind(hotel_id)
            .bind(room_type_id)
            .bind(jiff_sqlx::ToSqlx::to_sqlx(world.first))
            .bind(rooms)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// Deletes all bookings and forces a checkpoint, so that each phase starts from the same state.
    pub(crate) async fn reset(&self) -> Result<()> {
        for statement in [
            "truncate reservation, reservation_room, reservation_revision, reservation_transition, outbox",
            "update room_type_inventory set total_reserved = 0 where total_reserved <> 0",
            "vacuum room_type_inventory",
            "checkpoint",
        ] {
            sqlx::query(statement).execute(&self.pool).await.with_context(|| statement.to_owned())?;
        }
        Ok(())
    }

    /// Stops the server and removes its files.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.pool.close().await;
        tokio::task::spawn_blocking(move || {
            self.postgres.stop()?;
            fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))?;
            // Removes the directory of the run if this was its last database; otherwise it is not empty.
            let _ = self.dir.parent().map(fs::remove_dir);
            Ok(())
        })
        .await?
    }
}

impl Conditions {
    fn is_on(&self, name: &str) -> bool {
        self.settings.iter().any(|(setting, value)| setting == name && value == "on")
    }
}

fn start_server(settings: Vec<(String, String)>) -> Result<(Postgres, PathBuf)> {
    install::install(&dev_dir(), &[Component::Postgres], &|line| eprintln!("{line}"))?;
    let dir = run_dir::of_this_process("bench").join(DATABASES.fetch_add(1, Ordering::Relaxed).to_string());
    let options = PostgresOptions { durability: Durability::On, settings, ..PostgresOptions::default() };
    Ok((Postgres::start(&dir, options)?, dir))
}

fn config(postgres: &Postgres, connections: u32) -> StoreConfig {
    let mut config = StoreConfig::new(postgres.url("postgres"));
    config.database_max_connections = connections;
    // Filling and checking exceed the statement timeout of a service.
    config.database_statement_timeout = Duration::from_mins(10);
    config.database_acquire_timeout = Duration::from_secs(10);
    config
}
