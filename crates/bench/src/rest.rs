//! Latency of REST reads through the edge, of this build or of two builds in turns.

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Args, value_parser};
use comfy_table::{Table, presets};
use futures::{FutureExt, future::BoxFuture};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use staymesh_domain::StayDates;
use staymesh_load::{
    Outcome, inventory,
    mesh::{self, Binaries},
    open,
};
use staymesh_localmesh::{ADMIN_EMAIL, LocalMesh};

use crate::reads::requests;

/// Token buckets of the edge, which one address would exhaust.
const EDGE_RATES: [&str; 2] = ["STAYMESH_EDGE_REQUESTS_PER_SECOND", "STAYMESH_EDGE_BURST"];
/// A request that takes longer is an error.
const TIMEOUT: Duration = Duration::from_secs(15);

const PASSWORD: &str = "correct horse battery";

/// Options of `staymesh-bench rest`.
#[derive(Args)]
pub(crate) struct Options {
    /// Requests per second, in open loop; far below what the machine can do, so that queues do not matter
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Seconds of each turn and read
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Rounds of four turns: before, after, after, before
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The `staymesh` binary [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The `staymesh` binary of an earlier build, with a `staymesh-dev` beside it, to compare with
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

/// A read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Without a token, answered by the reservation service from its database.
    Availability,
    /// With a token, answered by identity from its database.
    OwnAccount,
}

const READS: [Read; 2] = [Read::Availability, Read::OwnAccount];

/// A running mesh with a guest.
struct Target {
    name: &'static str,
    local: LocalMesh,
    dir: PathBuf,
    guest: Guest,
    /// Median latencies in milliseconds, one for each turn, by read.
    medians: [Vec<f64>; READS.len()],
    errors: u64,
}

#[derive(Clone)]
struct Guest {
    http: Client,
    availability: Arc<str>,
    own_account: Arc<str>,
    token: Arc<str>,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let mut targets = vec![Target::start("after", Binaries::find(options.binary.as_deref())?).await?];
    if let Some(before) = &options.before {
        targets.push(Target::start("before", Binaries::find(Some(before))?).await?);
    }
    let measured = measure(&options, &mut targets).await;
    print(&options, &targets);
    let errors: u64 = targets.iter().map(|target| target.errors).sum();
    for target in targets {
        target.stop().await?;
    }
    measured?;
    if errors == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {errors} reads failed");
    Ok(ExitCode::FAILURE)
}

async fn measure(options: &Options, targets: &mut [Target]) -> Result<()> {
    let last = targets.len() - 1;
    for target in &mut *targets {
        // Connections, plans and caches.
        for read in READS {
            target.turn(read, options).await?;
        }
        target.medians = Default::default();
    }
    for _ in 0..options.rounds {
        for at in [last, 0, 0, last] {
            for read in READS {
                targets[at].turn(read, options).await?;
            }
        }
    }
    Ok(())
}

impl Target {
    async fn start(name: &'static str, binaries: Binaries) -> Result<Self> {
        let settings = EDGE_RATES.map(|rate| ("edge", rate, "100000".to_owned()));
        let (local, dir) = tokio::task::spawn_blocking(move || mesh::start(binaries, settings.into())).await??;
        let guest = Guest::new(&local).await?;
        Ok(Self { name, local, dir, guest, medians: Default::default(), errors: 0 })
    }

    async fn turn(&mut self, read: Read, options: &Options) -> Result<()> {
        let rate = f64::from(options.rate);
        let tally = open(rate, requests(rate, options.seconds.into()), self.guest.reader(read)).await?;
        for (what, count) in &tally.errors {
            eprintln!("{} {read:?}: {count} reads ended with {what}", self.name);
        }
        self.errors += tally.error_count();
        self.medians[read as usize].push(tally.quantile_ms(0.5));
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        let stopped = tokio::task::spawn_blocking(move || {
            self.local.stop()?;
            fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))
        });
        stopped.await?
    }
}

impl Guest {
    /// A guest with a token, and a hotel on sale. Everything is made over REST, which earlier builds have alike.
    async fn new(local: &LocalMesh) -> Result<Self> {
        let (public, stay) = (local.public_url(), inventory::stay_in(inventory::DAYS_AHEAD)?);
        let mut caller = Caller::new(public.clone())?;
        let account = json!({ "email": "guest@bench.example", "password": PASSWORD });
        caller.send(Method::POST, "/v1/users", &account).await?;
        caller.log_in(&account).await?;
        let hotel = on_sale(local, stay).await?;
        let dates = format!("check_in={}&check_out={}", stay.check_in(), stay.check_out());
        Ok(Self {
            availability: format!("{public}/v1/hotels/{hotel}/availability?{dates}").into(),
            own_account: format!("{public}/v1/users/me").into(),
            token: caller.token.into(),
            http: caller.http,
        })
    }

    fn reader(&self, read: Read) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let guest = self.clone();
        move |_| {
            let request = match read {
                Read::Availability => guest.http.get(&*guest.availability),
                Read::OwnAccount => guest.http.get(&*guest.own_account).bearer_auth(&guest.token),
            };
            async move {
                let body = async { request.send().await?.error_for_status()?.bytes().await };
                body.await.map_or_else(|error| Outcome::Error(error.to_string()), |_| Outcome::Accepted)
            }
            .boxed()
        }
    }
}

/// The id of a new hotel that sells one room type.
async fn on_sale(local: &LocalMesh, stay: StayDates) -> Result<i64> {
    let mut admin = Caller::new(local.internal_url())?;
    admin.log_in(&json!({ "email": ADMIN_EMAIL, "password": local.admin_password()? })).await?;
    let hotel = json!({
        "display_name": "Hotel", "address": { "city": "Porto", "country_code": "PT" },
        "time_zone": "Europe/Lisbon", "currency_code": "EUR", "star_rating": 3,
    });
    let hotel = admin.send(Method::POST, "/v1/hotels", &hotel).await?["hotel_id"].as_i64().context("no hotel")?;
    let room_type = json!({
        "display_name": "Double", "beds": [{ "kind": "BED_KIND_DOUBLE", "count": 1 }], "max_occupancy": 2,
    });
    let path = format!("/v1/hotels/{hotel}/roomTypes");
    let room_type =
        admin.send(Method::POST, &path, &room_type).await?["room_type_id"].as_i64().context("no room type")?;
    let nights = json!({
        "from_date": stay.check_in().to_string(), "until_date": stay.check_out().to_string(), "total_inventory": 10,
    });
    admin.send(Method::PUT, &format!("{path}/{room_type}/inventory"), &nights).await?;
    Ok(hotel)
}

/// A caller of one gateway.
struct Caller {
    http: Client,
    gateway: String,
    token: String,
}

impl Caller {
    fn new(gateway: String) -> Result<Self> {
        let http = Client::builder().timeout(TIMEOUT).tls_certs_only([]).build()?;
        Ok(Self { http, gateway, token: String::new() })
    }

    async fn log_in(&mut self, account: &Value) -> Result<()> {
        let tokens = self.send(Method::POST, "/v1/auth/login", account).await?;
        tokens["access_token"].as_str().context("no token")?.clone_into(&mut self.token);
        Ok(())
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.gateway)).json(body);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

fn print(options: &Options, targets: &[Target]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "read",
        "build",
        "median of the medians ms",
        "range ms",
        "turns",
    ]);
    for read in READS {
        for target in targets {
            let mut medians = target.medians[read as usize].clone();
            medians.sort_by(f64::total_cmp);
            let at = |index: usize| medians.get(index).copied().unwrap_or(f64::NAN);
            table.add_row([
                format!("{read:?}"),
                target.name.to_owned(),
                format!("{:.2}", at(medians.len() / 2)),
                format!("{:.2} to {:.2}", at(0), at(medians.len().saturating_sub(1))),
                medians.len().to_string(),
            ]);
        }
    }
    println!("{table}");
    println!("{} requests a second, {} s for each turn and read", options.rate, options.seconds);
}
