//! What runs: the whole mesh on loopback with a second reservation service on the same database, durable.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use sqlx::PgPool;
use staymesh_domain::{DateRange, HotelId, RoomTypeId, StayDates};
use staymesh_localmesh::{LocalMesh, Replica};
use staymesh_reservation::{
    OfferKeys,
    store::{InventoryChange, Store},
};

use crate::{
    callers::Caller,
    processes,
    world::{NIGHTS, Want},
};

const HOTEL: i32 = 1;
const ROOM_TYPE: i32 = 1;
/// Days from today to the first of the nights that everybody wants.
const AHEAD: i32 = 30;
/// How long everybody wants the same nights before everybody wants the next ones: long enough to sell them out, and to
/// fight for a while over what is cancelled.
pub(super) const WAVE: Duration = Duration::from_secs(30);
/// Partners who book: their tokens live for an hour, longer than any run.
const CALLERS: usize = 8;
/// No hold ends during a run, so that a booking is lost when it is not what its client was told.
const HOLD: &str = "2h";
/// The services log every booking.
const LOG: &str = "warn";

/// The mesh and its files, which go with it.
pub(crate) struct Place {
    pub(super) mesh: LocalMesh,
    pub(super) second: Replica,
    pub(super) callers: Vec<Caller>,
    pub(super) keys: OfferKeys,
    /// What everybody wants, one wave after the other. No two share a night.
    pub(super) wants: Vec<Want>,
    /// Rooms that may be sold in each night.
    pub(super) limit: i64,
    dir: PathBuf,
}

impl Place {
    /// Starts everything and puts the rooms on sale.
    pub(super) async fn start(binary: PathBuf, rooms: i32, time: Duration) -> Result<Self> {
        let (mesh, second, dir) = tokio::task::spawn_blocking(move || start_mesh(binary)).await??;
        let pool = processes::connect(mesh.database_url("reservation")?)?;
        processes::ensure_durable(&pool).await?;
        let wants = (0..=time.as_secs() / WAVE.as_secs()).map(want).collect::<Result<Vec<_>>>()?;
        put_on_sale(&Store::new(pool.clone()), &wants, rooms).await?;
        pool.close().await;
        let (mesh, callers) = processes::partners(mesh, "soak", CALLERS).await?;
        let keys = processes::offer_keys(&mesh)?;
        Ok(Self { mesh, second, callers, keys, wants, limit: i64::from(rooms) * 110 / 100, dir })
    }

    /// Where the replicas listen.
    pub(super) fn urls(&self) -> Result<[String; 2]> {
        Ok([self.mesh.service_url("reservation")?, self.second.url()])
    }

    /// Connections to the reservation database, for what is not load. New ones: PostgreSQL does not live through a run.
    pub(super) fn connect(&self) -> Result<PgPool> {
        processes::connect(self.mesh.database_url("reservation")?)
    }

    /// Stops everything. The files are kept when something was not as it must be.
    pub(super) async fn close(self, good: bool) -> Result<()> {
        tokio::task::spawn_blocking(move || {
            drop(self.second);
            self.mesh.stop()?;
            if good {
                return fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()));
            }
            eprintln!("database and logs are kept in {}", self.dir.display());
            Ok(())
        })
        .await?
    }
}

fn start_mesh(binary: PathBuf) -> Result<(LocalMesh, Replica, PathBuf)> {
    let mut settings = vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())];
    settings.extend(["reservation", "payment"].map(|service| (service, "STAYMESH_LOG", LOG.to_owned())));
    let (mesh, dir) = processes::start(binary, settings)?;
    let second = mesh.replica("reservation")?;
    Ok((mesh, second, dir))
}

async fn put_on_sale(store: &Store, wants: &[Want], rooms: i32) -> Result<()> {
    for want in wants {
        let change = InventoryChange {
            room_type_id: RoomTypeId::try_from(want.room_type_id)?,
            nights: DateRange::new(want.stay.check_in(), want.stay.check_out())?,
            total_inventory: rooms,
            overbooking_percent: 10,
            for_future_nights: false,
        };
        store.set_inventory(HotelId::try_from(want.hotel_id)?, &[change]).await?;
    }
    Ok(())
}

fn want(wave: u64) -> Result<Want> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let check_in = today.checked_add((AHEAD + i32::try_from(wave)? * NIGHTS).days())?;
    let stay = StayDates::new(check_in, check_in.checked_add(NIGHTS.days())?)?;
    Ok(Want { hotel_id: HOTEL, room_type_id: ROOM_TYPE, stay })
}
