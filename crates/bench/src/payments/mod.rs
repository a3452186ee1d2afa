//! Payments from end to end: book, open the provider's page, pay there, and the booking is paid. All services, the edge
//! and the provider's stand-in are real processes, the databases durable.

mod guest;
mod posting;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use sqlx::PgPool;
use staymesh_domain::{DateRange, HotelId, RoomTypeId, StayDates};
use staymesh_localmesh::LocalMesh;
use staymesh_reservation::store::{InventoryChange, Store};

use self::guest::Guests;
use crate::{
    load, processes,
    report::{self, Row},
    world::{NIGHTS, Want},
};

/// Guests' tokens: several, because callers have quotas.
const CALLERS: usize = 64;
/// Hotels of one room type that payments are for.
const HOTELS: i32 = 50;
const ROOMS: i32 = 10_000;
/// Days from today to the first of the nights.
const AHEAD: i32 = 30;
/// What the notes ask for, a second.
const WANTED: f64 = 10.0;
/// The name of the rows that are payments from end to end.
const LOAD: &str = "payments";
/// More than can be paid in a run.
const MANY: usize = 10_000_000;

/// Options of `staymesh-bench payments`.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds that are measured, after a few to warm up
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Guests who pay at once; several numbers are measured in turn
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    clients: Vec<usize>,
    /// The `staymesh` binary [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the rows to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let binary = processes::binary(options.binary.as_ref())?;
    let settings = ["reservation", "payment"].map(|service| (service, "STAYMESH_LOG", "warn".to_owned()));
    let started = tokio::task::spawn_blocking(move || processes::start(binary, settings.into()));
    let (mesh, dir) = started.await??;
    let (mesh, callers) = processes::partners(mesh, "payments", CALLERS).await?;
    let pool = processes::connect(mesh.database_url("reservation")?)?;
    processes::ensure_durable(&pool).await?;
    let wants = put_on_sale(pool).await?;
    let guests = Guests::new(&mesh, callers, wants)?;
    let rows = measure(&options, &guests).await;
    let violations = violations(&mesh).await;
    let postings = posting::measure(&mesh, Duration::from_secs(options.seconds.min(10))).await;
    let stopped = tokio::task::spawn_blocking(move || {
        mesh.stop()?;
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))
    });
    stopped.await??;
    let rows: Vec<Row> = rows?.into_iter().chain(postings?).collect();
    show(&options, &rows, violations?)
}

/// Different hotels, the same nights.
pub(crate) async fn put_on_sale(pool: PgPool) -> Result<Vec<Want>> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let check_in = today.checked_add(AHEAD.days())?;
    let stay = StayDates::new(check_in, check_in.checked_add(NIGHTS.days())?)?;
    let store = Store::new(pool.clone());
    let mut wants = Vec::new();
    for hotel in 1..=HOTELS {
        let change = InventoryChange {
            room_type_id: RoomTypeId::try_from(hotel)?,
            nights: DateRange::new(stay.check_in(), stay.check_out())?,
            total_inventory: ROOMS,
            overbooking_percent: 10,
            for_future_nights: false,
        };
        store.set_inventory(HotelId::try_from(hotel)?, &[change]).await?;
        wants.push(Want { hotel_id: hotel, room_type_id: hotel, stay });
    }
    pool.close().await;
    Ok(wants)
}

async fn measure(options: &Options, guests: &Guests) -> Result<Vec<Row>> {
    let warm_up = Duration::from_secs(3);
    load::closed(8, MANY, warm_up, guests.payer()).await?;
    let mut rows = Vec::new();
    for clients in options.clients.iter().copied() {
        let tally = load::closed(clients, MANY, Duration::from_secs(options.seconds), guests.payer()).await?;
        for (what, count) in &tally.errors {
            eprintln!("{clients} guests: {count} payments ended with {what}");
        }
        let row = Row::new(LOAD, "end to end", clients, &tally);
        eprintln!("{clients} guests: {:.0} payments a second, p50 {:.1} ms", row.per_second, row.p50_ms);
        rows.push(row);
    }
    Ok(rows)
}

/// Paid bookings without a payment that is paid, and the other way round: both sides have heard of each other when this
/// is asked, because every guest has waited until the booking was paid.
async fn violations(mesh: &LocalMesh) -> Result<u64> {
    let count = async |service, sql| {
        let pool = processes::connect(mesh.database_url(service)?)?;
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await?;
        pool.close().await;
        anyhow::Ok(count)
    };
    let bookings = count("reservation", "select count(*) from reservation where status = 'paid'").await?;
    let payments = count("payment", "select count(*) from payment_order where status = 'PAID'").await?;
    Ok(bookings.abs_diff(payments))
}

fn show(options: &Options, rows: &[Row], violations: u64) -> Result<ExitCode> {
    report::print_rows(rows);
    for row in rows.iter().filter(|row| row.load == LOAD) {
        println!(
            "{} guests: {:.1} times the {WANTED:.0} payments a second of the notes",
            row.clients,
            row.per_second / WANTED
        );
    }
    for pair in rows.iter().filter(|row| row.load != LOAD).collect::<Vec<_>>().chunks(2) {
        if let [plain, posted] = pair {
            println!(
                "{} connections: the ledger is written at {:.2} times the rate of plain inserts",
                plain.clients,
                posted.per_second / plain.per_second
            );
        }
    }
    if let Some(path) = &options.json {
        report::write_json(path, rows)?;
    }
    let errors: u64 = rows.iter().map(|row| row.errors).sum();
    if violations == 0 && errors == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {violations} payments or bookings without the other, {errors} payments that failed");
    Ok(ExitCode::FAILURE)
}
