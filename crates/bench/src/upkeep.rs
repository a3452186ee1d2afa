//! Booking latency during background work: the expiry of many holds at once, and the archiving of a month.
//!
//! Bookings are sent in open loop, so that a stall shows in the latency of every request scheduled during it. Three parts:
//! bookings alone; bookings while all holds expire; bookings while the previous month is detached and archived.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use futures::future::try_join;
use jiff::{Timestamp, ToSpan};
use jiff_sqlx::ToSqlx;
use staymesh_load::{Tally, booking::NIGHTS, open};
use staymesh_reservation::{archive, expiry, store::Store};
use staymesh_store::outbox::Wake;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    batch::{Batch, Clients},
    check,
    reads::requests,
    report::{self, Row},
    rig::{Rig, Scale},
    server::{CONNECTIONS, Server},
    strategy::Strategy,
    world::{Load, World},
};

/// Number of hold sweepers, each with its own connections.
const SWEEPERS: usize = 2;
/// Database connections per sweeper.
const SWEEPER_CONNECTIONS: u32 = 4;
/// Lifetime of the holds; longer than inserting them takes.
const HOLDS_LAST: Duration = Duration::from_secs(15);
/// Timeout for the expiry of all holds.
const PATIENCE: Duration = Duration::from_mins(2);

/// Options of `staymesh-bench upkeep`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scale: Scale,
    /// Seconds of bookings in each part; a part lasts at least until its background work is done
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Bookings per second, in open loop
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// Holds that expire in the same second
    #[arg(long, default_value_t = 10_000)]
    holds: i32,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let rig = options.scale.start().await?;
    let rows = measure(&options, &rig).await;
    rig.database.close().await?;
    options.scale.end(&rows?)
}

async fn measure(options: &Options, rig: &Rig) -> Result<Vec<Row>> {
    rig.database.reset().await?;
    let server = Server::start(Strategy::Writer, 32, 4, rig).await?;
    let clients = server.clients(CONNECTIONS).await?;
    let stop = CancellationToken::new();
    let _stopping = stop.clone().drop_guard();
    for _ in 0..SWEEPERS {
        let store = Store::new(rig.database.connect_reads(SWEEPER_CONNECTIONS)?);
        tokio::spawn(expiry::run(store, Wake::default(), stop.clone()));
    }
    let (nights, month) = fill_the_past(rig).await?;
    options.book(rig, &clients, 2.0).await?;

    let (alone, ()) = options.beside(rig, &clients, async { Ok(()) }).await?;
    let end = make_holds(rig, options.holds).await?;
    let until_end = end.duration_since(Timestamp::now());
    if until_end.is_positive() {
        sleep(Duration::try_from(until_end)?).await;
    }
    let (holds, freed_in) = options.beside(rig, &clients, until_freed(rig, end, options.holds)).await?;
    let (leaving, left_in) = options.beside(rig, &clients, leave(rig)).await?;

    let notes = [
        format!("{} rows of inventory, {nights} more in {month}", rig.world.rows()),
        format!("{} holds ended within {:.2} s of their time", options.holds, freed_in.as_secs_f64()),
        format!("{month} was detached and archived in {:.2} s", left_in.as_secs_f64()),
    ];
    report::print_conditions(&rig.database.conditions().await?, &notes);
    let mut rows = Vec::new();
    for (name, tally) in [("alone", &alone), ("holds end", &holds), ("month leaves", &leaving)] {
        println!("{name}: the longest answer took {:.2} ms", tally.longest_ms());
        rows.push(Row { rate: Some(options.rate), ..Row::new(name, Strategy::Writer.name(), 0, tally) });
    }
    report::print_rows(&rows);
    Ok(rows)
}

impl Options {
    /// Sends bookings for `seconds`.
    async fn book(&self, rig: &Rig, clients: &Clients, seconds: f64) -> Result<Tally> {
        let batch = Batch::prepare(rig, Strategy::Writer, Load::Spread, requests(self.rate, seconds), clients)?;
        open(self.rate, batch.len(), batch.sender()).await
    }

    /// Sends bookings while `work` runs, and checks the inventory afterwards.
    async fn beside<T>(
        &self,
        rig: &Rig,
        clients: &Clients,
        work: impl Future<Output = Result<T>>,
    ) -> Result<(Tally, T)> {
        let (tally, done) = try_join(self.book(rig, clients, self.seconds), work).await?;
        ensure!(check::nights_that_are_wrong(&rig.database.pool).await? == 0, "nights differ from their bookings");
        Ok((tally, done))
    }
}

/// Inserts the nights of the previous month; returns their number and the month as `YYYY-MM`.
async fn fill_the_past(rig: &Rig) -> Result<(u64, String)> {
    let first = rig.world.first.first_of_month().saturating_sub(1.month());
    let past = World { first, days: first.days_in_month().into(), ..rig.world };
    let nights = rig.database.fill_hotels(past, 1, past.hotels).await?;
    Ok((nights, first.strftime("%Y-%m").to_string()))
}

/// Inserts holds of random rooms that all expire at the same time, reserves their rooms, and returns that time.
async fn make_holds(rig: &Rig, holds: i32) -> Result<Timestamp> {
    let (world, end) = (rig.world, Timestamp::now() + HOLDS_LAST);
    let mut transaction = rig.database.pool.begin().await?;
    sqlx::query(
        "insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
             guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time)
         select hotel, (overlay(overlay(left(r, 28) placing '8' from 15) placing '8' from 20)
                 || lpad(to_hex(hotel), 8, '0'))::uuid, 'upkeep', (hotel - 1) * $3 + room, $4 + day, $4 + day + $5, 1, 2,
             'A guest', 'guest@staymesh.example', 'guest_pays', 'pending_payment', currency, total_minor, price,
             sha256(r::bytea), $6
         from (
             select 1 + floor(random() * $2)::integer as hotel, 1 + floor(random() * $3)::integer as room,
                 floor(random() * 700)::integer as day, gen_random_uuid()::text as r
             from generate_series(1, $1)
         ) any_room, (select currency, total_minor, price from reservation limit 1) as any_other",
    )
    .bind(holds)
    .bind(world.hotels)
    .bind(world.room_types)
    .bind(world.first.to_sqlx())
    .bind(NIGHTS)
    .bind(end.to_sqlx())
    .execute(&mut *transaction)
    .await
    .context("making holds")?;
    sqlx::query(
        "update room_type_inventory i set total_reserved = total_reserved + held.rooms
         from (
             select hotel_id, room_type_id, check_in + n as stay_date, count(*) as rooms
             from reservation, generate_series(0, $1 - 1) n where owner = 'upkeep' group by 1, 2, 3
         ) held
         where i.hotel_id = held.hotel_id and i.room_type_id = held.room_type_id and i.stay_date = held.stay_date",
    )
    .bind(NIGHTS)
    .execute(&mut *transaction)
    .await
    .context("taking the rooms of the holds")?;
    transaction.commit().await?;
    ensure!(Timestamp::now() < end, "making the holds took longer than they last");
    Ok(end)
}

/// Waits until all holds have expired and returns the time from their expiry until then.
async fn until_freed(rig: &Rig, end: Timestamp, holds: i32) -> Result<Duration> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let freed: i64 = sqlx::query_scalar(
            "select count(*) from reservation where owner = 'upkeep' and cancellation_reason = 'hold_expired'",
        )
        .fetch_one(&rig.database.pool)
        .await?;
        if freed == i64::from(holds) {
            return Duration::try_from(Timestamp::now().duration_since(end)).context("holds expired before their time");
        }
        ensure!(Instant::now() < deadline, "{freed} of {holds} holds have ended");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Archives the previous month and returns how long that took.
async fn leave(rig: &Rig) -> Result<Duration> {
    let began = Instant::now();
    let options = archive::Options { keep_days: 0, ..archive::Options::default() };
    let done = archive::run(&rig.database.pool, &options, Timestamp::now(), |_| {}).await?;
    ensure!(!done.is_empty(), "no month was archived");
    Ok(began.elapsed())
}
