//! `staymesh-dev replay`: replays a recording of real bookings through the API and compares the result with it.

mod admin;
mod compare;
mod plan;
mod play;
mod recording;
mod report;
mod run;
mod sold;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::civil::Date;
use secrecy::SecretString;
use staymesh_api::reservation::v1::reservation_service_client::ReservationServiceClient;

use crate::{
    gateway::{Credentials, connect},
    today::today_in,
};
use admin::Administrator;
use compare::{Answers, Comparison};
use plan::{Plan, Shift};
use play::{Booked, Player};
use recording::{Recording, Window};
use run::Run;
use sold::{Reserved, Sold};

/// Most lanes replayed concurrently.
const PLAYERS: usize = 16;

const LONG_HELP: &str = "\
Plays the bookings and cancellations of a file in the format of the public hotel-bookings table (one row a
booking: hotel, lead_time, arrival_date_year, ..., adr, reservation_status, reservation_status_date) through
the API of a running mesh, as fast as it takes them. Not for a mesh in use: its hotels stay.

Makes a hotel for each in the file and a room type for each reserved_room_type, with just as many rooms as
the recording held at once and no overbooking. Every booking is made by a partner who collects, on the day
it was made (arrival less lead_time), for its price (adr for every night, no taxes); it is cancelled on
reservation_status_date if it was cancelled; on one day bookings come first. Room types are played side by
side, each in its order. Guests who did not come keep their booking. What cannot be sold by the night for a
price is left out and counted.

All dates are moved by one number of whole weeks, so that the first guest arrives within the next seven
days; months are shown in the recording's own dates. At the end bookings, cancellations, room nights and
revenue by month of arrival, the inventory by month, and every single booking are compared with what the
services answer. The status is 0 when all of it is exact.

Safe to stop and to repeat: the same file, --from, --until and --run by the same administrator find their
hotels again, make what is missing and compare. Two at once do not double a booking unnoticed: the later one
stops the earlier. Another --run begins anew with new hotels; it must, when the first guests of a broken-off
run would have arrived before today.";

/// Plays a recording.
#[derive(Args)]
#[command(after_long_help = LONG_HELP)]
pub(crate) struct Replay {
    /// The file: CSV, compressed with gzip if its name ends in .gz
    recording: PathBuf,
    /// The public gateway, where partners book
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    public_url: String,
    /// The internal gateway
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    internal_url: String,
    /// The administrator
    #[arg(long)]
    email: String,
    /// The administrator's password
    #[arg(long, env = "STAYMESH_ADMIN_PASSWORD", hide_env_values = true)]
    password: SecretString,
    /// The name of the run; another name starts a new run
    #[arg(long, default_value = "1")]
    run: String,
    /// Only bookings that arrive on this date of the recording or later
    #[arg(long)]
    from: Option<Date>,
    /// Only bookings that arrive before this date of the recording
    #[arg(long)]
    until: Option<Date>,
    /// Also write the comparison to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A run: its plan, the administrator, and the ids of the hotels and room types it created.
struct Stage {
    plan: Plan,
    admin: Administrator,
    /// Ids by the recording's names.
    hotels: BTreeMap<String, i32>,
    room_types: BTreeMap<(String, String), i32>,
}

impl Replay {
    pub(crate) async fn run(self) -> Result<()> {
        let window = Window { from: self.from, until: self.until };
        let recording = Recording::open(&self.recording, window)?;
        let run = Run::new(&recording, window, &self.run);
        for (reason, rows) in &recording.left_out {
            println!("left out: {} rows {}", HumanCount(*rows), reason.text());
        }
        let plan = Plan::make(recording.rows)?;
        // Fails before the first write.
        let fresh = plan.shift(today_in(admin::TIME_ZONE)?)?;

        let internal = connect(&self.internal_url).await?;
        let account = Credentials::Account { email: self.email.clone(), password: self.password.clone() };
        let admin = Administrator::new(&internal, &account.log_in(&internal).await?);
        // Fencing: partners of earlier attempts, running or interrupted, can no longer book.
        admin.remove_partners(&run.partners()).await?;
        let stage = Stage::set(&run, plan, admin).await?;
        let booked = stage.booked().await?;
        let shift = stage.shift_of(&booked)?.unwrap_or(fresh);
        let partners = run.partners_of_an_attempt();
        let played = stage.play(&self.public_url, &partners, shift, booked).await;
        let removed = stage.admin.remove_partners(&partners).await;
        played.context("playing; what is done stays done, so run it again")?;
        removed?;

        let comparison = Comparison::new(&stage.plan, shift, &stage.answers(shift).await?);
        if let Some(path) = &self.json {
            report::write(path, &comparison, &recording.left_out, &stage.hotels, shift.days)?;
        }
        report::show(&comparison);
        ensure!(comparison.is_exact(), "the services do not answer what was recorded");
        println!("exact: every booking and every month");
        Ok(())
    }
}

impl Stage {
    /// Creates hotels and room types. Idempotent.
    async fn set(run: &Run, plan: Plan, admin: Administrator) -> Result<Self> {
        let (mut hotels, mut room_types) = (BTreeMap::new(), BTreeMap::new());
        for name in plan.hotels() {
            let hotel_id = admin.hotel(run, name).await?;
            println!("hotel {hotel_id}: {name}");
            hotels.insert(name.to_owned(), hotel_id);
            for lane in plan.lanes.iter().filter(|lane| lane.hotel == name) {
                let room_type_id = admin.room_type(run, hotel_id, lane).await?;
                room_types.insert((name.to_owned(), lane.room_type.clone()), room_type_id);
            }
        }
        Ok(Self { plan, admin, hotels, room_types })
    }

    /// The reservations of earlier attempts, by row number.
    async fn booked(&self) -> Result<HashMap<u64, Sold>> {
        let mut booked = HashMap::new();
        for hotel_id in self.hotels.values() {
            for reservation in self.admin.reservations(*hotel_id).await? {
                let sold = Sold::read(reservation)?;
                // Unknown and duplicate reservations are found by the comparison.
                booked.extend(sold.number.map(|number| (number, sold)));
            }
        }
        Ok(booked)
    }

    /// The shift of an earlier attempt; `None` without one.
    fn shift_of(&self, booked: &HashMap<u64, Sold>) -> Result<Option<Shift>> {
        let arrivals = self.plan.bookings().filter_map(|row| Some((row, booked.get(&row.number)?)));
        let shifts = arrivals.map(|(row, sold)| plan::days(row.stay.check_in(), sold.stay.check_in()));
        let mut shifts = shifts.collect::<Result<Vec<i32>>>()?;
        shifts.dedup();
        match shifts[..] {
            [] => Ok(None),
            [days] => Ok(Some(Shift { days })),
            _ => bail!("the bookings of this run are not all as far from the recording: choose another --run"),
        }
    }

    /// Replays the remaining events.
    async fn play(&self, public_url: &str, partners: &str, shift: Shift, booked: HashMap<u64, Sold>) -> Result<()> {
        let today = today_in(admin::TIME_ZONE)?;
        let late = self.plan.bookings().filter(|row| !booked.contains_key(&row.number));
        let late = late.filter(|row| shift.there(row.stay.check_in()) < today).count();
        ensure!(late == 0, "{late} bookings are still to be made for nights that are over: choose another --run");
        let public = connect(public_url).await?;
        let (first, last) = self.plan.nights(shift);
        let mut players = Vec::with_capacity(self.plan.lanes.len());
        for lane in &self.plan.lanes {
            let known =
                lane.bookings.iter().filter_map(|row| Some((row.number, Booked::earlier(booked.get(&row.number)?))));
            let known: HashMap<u64, Booked> = known.collect();
            let (hotel_id, room_type_id) = self.ids(lane)?;
            if known.len() < lane.bookings.len() {
                self.admin.put_on_sale((hotel_id, room_type_id), lane, (first.max(today), last)).await?;
            }
            // The edge limits the rate per partner, so each lane has a partner of its own.
            let bearer = self.admin.partner(partners).await?.log_in(&public).await?;
            players.push(Player {
                lane,
                hotel_id,
                room_type_id,
                shift,
                admin: self.admin.clone(),
                partner: ReservationServiceClient::with_interceptor(public.clone(), bearer),
                booked: known,
                prices: BTreeMap::new(),
            });
        }
        let bar = ProgressBar::new(self.plan.events() as u64);
        bar.set_style(ProgressStyle::with_template(
            "{bar:40} {human_pos} of {human_len} bookings and cancellations, {per_sec}, {elapsed}, {eta} left",
        )?);
        let begun = Instant::now();
        let plays = stream::iter(players.into_iter().map(|player| player.play(bar.clone())));
        plays.buffer_unordered(PLAYERS).try_collect::<()>().await?;
        bar.finish_and_clear();
        println!(
            "{} bookings and cancellations in {:.1} s",
            HumanCount(bar.length().unwrap_or(0)),
            begun.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// Reads the present state of the services.
    async fn answers(&self, shift: Shift) -> Result<Vec<Answers>> {
        let mut all = Vec::new();
        for (hotel, hotel_id) in &self.hotels {
            let sold = self.admin.reservations(*hotel_id).await?.into_iter().map(Sold::read).collect::<Result<_>>()?;
            let mut answers = Answers { hotel: hotel.clone(), sold, reserved: Vec::new(), room_types: HashMap::new() };
            for lane in self.plan.lanes.iter().filter(|lane| lane.hotel == *hotel) {
                let ids = self.ids(lane)?;
                answers.room_types.insert(ids.1, lane.room_type.clone());
                for night in self.admin.nights(ids, self.plan.nights(shift)).await? {
                    let date = staymesh_domain::parse_date(&night.stay_date)?;
                    answers.reserved.push(Reserved { night: date, rooms: night.total_reserved });
                }
            }
            all.push(answers);
        }
        Ok(all)
    }

    fn ids(&self, lane: &plan::Lane) -> Result<(i32, i32)> {
        let hotel_id = self.hotels.get(&lane.hotel).context("a hotel that was not made")?;
        let room_type_id = self.room_types.get(&(lane.hotel.clone(), lane.room_type.clone()));
        Ok((*hotel_id, *room_type_id.context("a room type that was not made")?))
    }
}
