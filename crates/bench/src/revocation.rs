//! A revoked token beside full load, in every state of Redis: it must never be answered. And the cost of a check.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, value_parser};
use comfy_table::{Table, presets};
use futures::{FutureExt, future::BoxFuture};
use prometheus::Registry;
use staymesh_api::reservation::v1::{
    CreateReservationRequest, ListReservationsRequest, reservation_service_client::ReservationServiceClient,
    reservation_service_server::ReservationServiceServer,
};
use staymesh_devenv::{Link, Proxy, Redis, run_dir};
use staymesh_load::{Caller, Outcome, Tally, closed, open};
use staymesh_mesh::{
    Problem, Reason,
    auth::{RevocationSource, Revocations, Standing},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, service::Routes, transport::Channel};

use crate::{
    callers::Callers,
    reads::requests,
    server::{CONNECTIONS, Server},
    strategy::{CreateOnly, Floor},
};

/// Guests with a token.
const GUESTS: usize = 256;
/// Callers that send the revoked token, each as soon as the last answer has come.
const REVOKED_CALLERS: usize = 8;
/// Least share of the rate that must be reached.
const REACHED: f64 = 0.95;
/// Longest time until a new token is admitted in a state of Redis.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// Checks that are timed.
const CHECKS: u32 = 200_000;

/// Options of `staymesh-bench revocation`.
#[derive(Args)]
pub(crate) struct Options {
    /// Requests of guests per second, in open loop
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..))]
    rate: u32,
    /// Seconds in each state of Redis
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=600))]
    seconds: u32,
}

/// States of Redis, in the order in which they are measured.
#[derive(Clone, Copy, Debug)]
enum State {
    Healthy,
    /// Every response of Redis is a second late.
    Slow,
    /// Redis accepts no writes (`maxmemory` with `noeviction`).
    Full,
    Stopped,
    /// Redis runs again and has lost everything.
    Resumed,
}

/// Stands for identity's database.
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl RevocationSource for Sessions {
    async fn list(&self) -> Result<Vec<String>, String> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Redis, identity's side of the revocations, and a server that follows them over a link that can fail.
struct Scene {
    redis: Redis,
    link: Proxy,
    sessions: Sessions,
    identity: Revocations,
    follower: Revocations,
    callers: Callers,
    _server: Server,
    clients: Arc<[ReservationServiceClient<Channel>]>,
    _stop: DropGuard,
}

/// What was measured in one state.
struct Measured {
    state: State,
    guests: Tally,
    /// Accepted are requests that were answered although their token is revoked; refused are the others.
    revoked: Tally,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let mut scene = Scene::start().await?;
    let (standing, verification) = scene.time_checks().await?;
    let mut rows = Vec::new();
    for state in [State::Healthy, State::Slow, State::Full, State::Stopped, State::Resumed] {
        scene.enter(state)?;
        rows.push(scene.measure(state, &options).await?);
    }
    print(&rows);
    let share = |cost: Duration| cost.as_secs_f64() * f64::from(options.rate) * 100.0;
    println!(
        "a check of a session: {} ns, {:.2} % of a core at {} a second; verification of its token: {} ns, {:.1} %",
        standing.as_nanos(),
        share(standing),
        options.rate,
        verification.as_nanos(),
        share(verification)
    );
    let rate = f64::from(options.rate);
    let held = |row: &Measured| row.guests.error_count() == 0 && row.guests.per_second() >= REACHED * rate;
    let never_answered =
        |row: &Measured| row.revoked.accepted == 0 && row.revoked.error_count() == 0 && row.revoked.refused > 0;
    if rows.iter().all(|row| held(row) && never_answered(row)) {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: a revoked token was answered, a guest was refused, or the rate was not reached");
    Ok(ExitCode::FAILURE)
}

impl Scene {
    async fn start() -> Result<Self> {
        let redis = Redis::start(&run_dir::of_this_process("bench").join("redis"), None)?;
        let link = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port())))?;
        let connect = |url: String| {
            let redis = staymesh_mesh::redis::Redis::connect_lazily(&url.into()).map_err(anyhow::Error::msg)?;
            anyhow::Ok(Revocations::new(Some(redis)))
        };
        let (sessions, stop) = (Sessions::default(), CancellationToken::new());
        let identity = connect(redis.url())?;
        tokio::spawn(identity.clone().follow_and_publish(sessions.clone(), stop.clone()));
        let follower = connect(format!("redis://{}", link.address()))?;
        tokio::spawn(follower.clone().follow_log(stop.clone()));
        tokio::spawn(follower.clone().follow_source(sessions.clone(), stop.clone()));
        let callers = Callers::new(GUESTS)?;
        let routes = Routes::new(ReservationServiceServer::new(CreateOnly(Floor)));
        let server = Server::serve(routes, callers.verifier(), follower.clone(), Registry::new()).await?;
        let clients = server.clients(CONNECTIONS).await?.into();
        Ok(Self {
            redis,
            link,
            sessions,
            identity,
            follower,
            callers,
            _server: server,
            clients,
            _stop: stop.drop_guard(),
        })
    }

    /// The cost of looking up a session, and of verifying a token.
    async fn time_checks(&self) -> Result<(Duration, Duration)> {
        let caller = self.callers.all.first().context("no caller")?;
        let (_, token) = caller.bearer.to_str()?.split_once(' ').context("no token")?;
        let verifier = self.callers.verifier();
        let verify = async || verifier.verify(token).await.map_err(|error| anyhow::anyhow!("{error:?}"));
        let session = verify().await?.session;
        let began = Instant::now();
        for _ in 0..CHECKS {
            ensure!(self.follower.standing(&session).await != Standing::Revoked, "a guest is revoked");
        }
        let standing = began.elapsed() / CHECKS;
        let began = Instant::now();
        for _ in 0..CHECKS / 20 {
            verify().await?;
        }
        Ok((standing, began.elapsed() / (CHECKS / 20)))
    }

    /// Brings Redis, or the link to it, into a state.
    fn enter(&mut self, state: State) -> Result<()> {
        match state {
            State::Healthy => Ok(()),
            State::Slow => {
                self.link.set(Link::Slow);
                Ok(())
            }
            State::Full => {
                self.link.set(Link::Healthy);
                self.command("CONFIG SET maxmemory-policy noeviction")?;
                self.command("CONFIG SET maxmemory 1")
            }
            State::Stopped => tokio::task::block_in_place(|| self.redis.stop()),
            State::Resumed => tokio::task::block_in_place(|| self.redis.resume()),
        }
    }

    fn command(&self, command: &str) -> Result<()> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.redis.port()))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(connection, "{command}\r\nQUIT\r\n")?;
        let mut reply = String::new();
        connection.read_to_string(&mut reply)?;
        ensure!(reply.starts_with("+OK"), "{command}: {reply}");
        Ok(())
    }

    /// Ends a session of a member of staff as identity does, then sends its token beside the load.
    async fn measure(&self, state: State, options: &Options) -> Result<Measured> {
        let session = format!("dismissed-{state:?}");
        let staff = self.callers.staff(&session)?;
        let began = Instant::now();
        while ask(&self.clients[0], &staff).await != Outcome::Accepted {
            ensure!(began.elapsed() < SETTLE_LIMIT, "{state:?}: a valid token is not admitted");
            tokio::task::yield_now().await;
        }
        self.sessions.0.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
        // An error means that the log could not be written: the other processes then read identity.
        let _ = self.identity.revoke(&[session]).await;

        let (rate, time) = (f64::from(options.rate), Duration::from_secs(options.seconds.into()));
        let (guests, revoked) = tokio::try_join!(
            open(rate, requests(rate, time.as_secs_f64()), self.guests()),
            closed(REVOKED_CALLERS, usize::MAX, time, self.asker(staff)),
        )?;
        Ok(Measured { state, guests, revoked })
    }

    /// Calls the method that is cheapest, with the tokens of guests in turn.
    fn guests(&self) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let (clients, callers) = (self.clients.clone(), Arc::<[_]>::from(self.callers.all.clone()));
        move |at| {
            let mut client = clients[at % clients.len()].clone();
            let request = callers[at % callers.len()].request(CreateReservationRequest::default());
            async move { Outcome::of(&client.create_reservation(request).await) }.boxed()
        }
    }

    fn asker(&self, staff: Caller) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let clients = self.clients.clone();
        move |at| {
            let (client, staff) = (clients[at % clients.len()].clone(), staff.clone());
            async move { ask(&client, &staff).await }.boxed()
        }
    }
}

/// A method for staff that the server does not implement: `UNIMPLEMENTED` means that the token was accepted.
async fn ask(client: &ReservationServiceClient<Channel>, staff: &Caller) -> Outcome {
    match client.clone().list_reservations(staff.request(ListReservationsRequest::default())).await {
        Ok(_) => Outcome::Accepted,
        Err(status) if status.code() == Code::Unimplemented => Outcome::Accepted,
        Err(status) => match Problem::reason_of(&status) {
            Some(Reason::TokenRevoked | Reason::DependencyUnavailable) => Outcome::Refused,
            _ => Outcome::Error(status.to_string()),
        },
    }
}

fn print(rows: &[Measured]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "Redis",
        "guests per second",
        "p50 ms",
        "p99 ms",
        "guests refused",
        "revoked token sent",
        "answered",
    ]);
    for Measured { state, guests, revoked } in rows {
        table.add_row([
            format!("{state:?}").to_lowercase(),
            format!("{:.0}", guests.per_second()),
            format!("{:.2}", guests.quantile_ms(0.5)),
            format!("{:.2}", guests.quantile_ms(0.99)),
            guests.error_count().to_string(),
            (revoked.accepted + revoked.refused + revoked.error_count()).to_string(),
            revoked.accepted.to_string(),
        ]);
    }
    println!("{table}");
}
