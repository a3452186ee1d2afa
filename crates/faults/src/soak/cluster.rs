//! The mesh under test: durable, on loopback, with a second reservation replica on the same database.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use sqlx::PgPool;
use staymesh_load::{
    Caller,
    booking::{NIGHTS, StayRequest},
    inventory::{self, DAYS_AHEAD, OVERBOOKING_PERCENT},
    mesh::{self, Binaries},
};
use staymesh_localmesh::{LocalMesh, Replica};
use staymesh_reservation::OfferKeys;

const HOTEL: i32 = 1;
const ROOM_TYPE: i32 = 1;
/// How long all clients book the same nights before they move on to the next ones: long enough to sell them out and to
/// compete for cancelled rooms.
pub(super) const WAVE: Duration = Duration::from_secs(30);
/// Number of partners. Their tokens are valid for an hour, longer than any run.
const CALLERS: usize = 8;
/// Holds outlive the run, so that a booking that disappears is a lost booking.
const HOLD: &str = "2h";
/// Services log every booking at `info`.
const LOG: &str = "warn";

/// The running mesh and its files.
pub(super) struct Cluster {
    pub(super) mesh: LocalMesh,
    pub(super) second: Replica,
    pub(super) callers: Vec<Caller>,
    pub(super) keys: OfferKeys,
    /// The nights that clients book, one wave after the other. Waves share no night.
    pub(super) waves: Vec<StayRequest>,
    /// Most rooms that may be sold in each night, overbooking included.
    pub(super) limit: i64,
    dir: PathBuf,
}

impl Cluster {
    /// Starts the mesh and puts the rooms on sale.
    ///
    /// # Errors
    /// When a process does not start or the database is not durable.
    pub(super) async fn start(binaries: Binaries, rooms: i32, time: Duration) -> Result<Self> {
        let (mesh, second, dir) = tokio::task::spawn_blocking(move || start_mesh(binaries)).await??;
        let pool = mesh::connect(mesh.database_url("reservation")?)?;
        mesh::ensure_durable(&pool).await?;
        let waves = (0..=time.as_secs() / WAVE.as_secs()).map(wave).collect::<Result<Vec<_>>>()?;
        inventory::put_on_sale(&pool, &waves, rooms).await?;
        pool.close().await;
        let (mesh, callers) = mesh::partners(mesh, "soak", CALLERS).await?;
        let keys = mesh::offer_keys(&mesh)?;
        let limit = i64::from(rooms) * i64::from(100 + OVERBOOKING_PERCENT) / 100;
        Ok(Self { mesh, second, callers, keys, waves, limit, dir })
    }

    /// Addresses of the two reservation replicas.
    ///
    /// # Errors
    /// When the mesh has no reservation service.
    pub(super) fn urls(&self) -> Result<[String; 2]> {
        Ok([self.mesh.service_url("reservation")?, self.second.url()])
    }

    /// New connections to the reservation database: PostgreSQL is killed during a run, which breaks earlier ones.
    ///
    /// # Errors
    /// When the mesh has no reservation database.
    pub(super) fn connect(&self) -> Result<PgPool> {
        mesh::connect(self.mesh.database_url("reservation")?)
    }

    /// Stops the mesh. Its files are removed after a passed test and kept after a failed one.
    ///
    /// # Errors
    /// When a process had to be killed, or the files cannot be removed.
    pub(super) async fn close(self, passed: bool) -> Result<()> {
        tokio::task::spawn_blocking(move || {
            drop(self.second);
            self.mesh.stop()?;
            if passed {
                return fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()));
            }
            eprintln!("database and logs are kept in {}", self.dir.display());
            Ok(())
        })
        .await?
    }
}

fn start_mesh(binaries: Binaries) -> Result<(LocalMesh, Replica, PathBuf)> {
    let mut settings = vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())];
    settings.extend(["reservation", "payment"].map(|service| (service, "STAYMESH_LOG", LOG.to_owned())));
    let (mesh, dir) = mesh::start(binaries, settings)?;
    let second = mesh.replica("reservation")?;
    Ok((mesh, second, dir))
}

fn wave(number: u64) -> Result<StayRequest> {
    let stay = inventory::stay_in(DAYS_AHEAD + i32::try_from(number)? * NIGHTS)?;
    Ok(StayRequest { hotel_id: HOTEL, room_type_id: ROOM_TYPE, stay, rooms: 1 })
}
