//! The whole mesh as processes on this machine: `cargo xtask up` and the tests start it in the same way.
//!
//! PostgreSQL, Redis, the five services, the payment provider's stand-in and Envoy, all on loopback, with their files
//! below one directory, and never longer than the process that started them. The table of what each service is told is
//! in `settings.rs`.

mod plan;
mod progress;
mod replica;
mod settings;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use staymesh_parts::{
    Durability, Envoy, EnvoyOptions, Launch, Postgres, PostgresOptions, Process, Redis, dev_dir, install,
    port::free_port,
    wait::{http_ok, wait_until},
};

use plan::Plan;
pub use progress::{Progress, Quiet};
pub use replica::Replica;
pub use settings::{ADMIN_EMAIL, SERVICES};

/// How long a service may take to be ready.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where all files are; data is kept from one start to the next.
    pub dir: PathBuf,
    /// The `staymesh` binary.
    pub binary: PathBuf,
    /// Port of the public gateway; a free one when not given.
    pub public_port: Option<u16>,
    /// Port of the internal gateway; a free one when not given.
    pub internal_port: Option<u16>,
    /// Whether acknowledged writes must survive a power cut.
    pub durability: Durability,
    /// Further settings: service (`edge` for the edge), environment variable, value. They win over those made here.
    pub settings: Vec<(&'static str, &'static str, String)>,
}

/// The running mesh. Dropping it stops it.
#[derive(Debug)]
pub struct LocalMesh {
    // In the order of a drop: the edge first, the stores last.
    envoy: Option<Envoy>,
    services: Vec<Process>,
    redis: Redis,
    postgres: Postgres,
    plan: Plan,
    options: Options,
}

impl LocalMesh {
    /// Starts everything; returns when all of it is ready.
    ///
    /// # Errors
    /// When a part is missing, or something does not start: with the end of its log.
    pub fn start(options: Options, progress: &dyn Progress) -> Result<Self> {
        fs::create_dir_all(&options.dir).with_context(|| format!("making {}", options.dir.display()))?;
        progress.begin("PostgreSQL");
        let postgres_options = PostgresOptions { durability: options.durability, ..PostgresOptions::default() };
        let postgres = Postgres::start(&options.dir.join("postgres"), postgres_options)?;
        progress.done(&format!("127.0.0.1:{}", postgres.port()));
        progress.begin("Redis");
        let redis = Redis::start(&options.dir.join("redis"), None)?;
        progress.done(&format!("127.0.0.1:{}", redis.port()));

        let plan = Plan::make(&options, &postgres, &redis)?;
        let mut mesh = Self { envoy: None, services: Vec::new(), redis, postgres, plan, options };
        mesh.migrate(progress)?;
        mesh.register(progress)?;
        mesh.start_services(progress)?;
        mesh.start_edge(progress)?;
        Ok(mesh)
    }

    /// The public gateway, `http://127.0.0.1:PORT`.
    pub fn public_url(&self) -> String {
        format!("http://{}", self.plan.public)
    }

    /// The internal gateway, `http://127.0.0.1:PORT`.
    pub fn internal_url(&self) -> String {
        format!("http://{}", self.plan.internal)
    }

    /// Where a service listens, `http://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When there is no service of this name.
    pub fn service_url(&self, service: &str) -> Result<String> {
        self.plan.url(service)
    }

    /// Where a service tells operators how it is.
    ///
    /// # Errors
    /// When there is no service of this name.
    pub fn operations(&self, service: &str) -> Result<SocketAddr> {
        Ok(self.plan.address(service)?.1)
    }

    /// The database of a service, as its owner.
    ///
    /// # Errors
    /// When there is no service of this name with a database.
    pub fn database_url(&self, service: &str) -> Result<&str> {
        self.plan.databases.get(service).map(String::as_str).with_context(|| format!("{service} has no database"))
    }

    /// The administrator's password; the address is [`ADMIN_EMAIL`].
    ///
    /// # Errors
    /// When the file with it cannot be read.
    pub fn admin_password(&self) -> Result<String> {
        self.plan.secrets.get("admin-password")
    }

    /// A secret that the mesh was started with, by its name.
    ///
    /// # Errors
    /// When the file with it cannot be read.
    pub fn secret(&self, name: &str) -> Result<String> {
        self.plan.secrets.get(name)
    }

    /// A small data set to try things with, loaded as the administrator; safe to repeat.
    ///
    /// # Errors
    /// When it cannot be loaded, with what went wrong.
    pub fn load_demo_data(&self, progress: &dyn Progress) -> Result<()> {
        progress.begin("demo data");
        let load = Launch::new("loading the demo data", &self.options.binary)
            .args(["demo-data", "--internal-url", &self.internal_url(), "--email", ADMIN_EMAIL])
            .without_inherited_settings()
            .env("STAYMESH_ADMIN_PASSWORD", self.admin_password()?)
            .log(self.logs().join("setup.log"));
        run(load)?;
        progress.done("three hotels");
        Ok(())
    }

    /// Walks through a booking as a guest and prints every step to standard output. Needs the demo data.
    ///
    /// # Errors
    /// When a step does not do what it should.
    pub fn smoke(&self) -> Result<()> {
        run(Launch::new("the walk through a booking", &self.options.binary)
            .args(["smoke", "--public-url", &self.public_url()])
            .without_inherited_settings())
    }

    /// The command that plays a recording as the administrator, still to be spawned.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn replay(&self, recording: &Path) -> Result<Launch> {
        let (public, internal) = (self.public_url(), self.internal_url());
        Ok(Launch::new("playing a recording", &self.options.binary)
            .args(["replay", &text(recording), "--email", ADMIN_EMAIL])
            .args(["--public-url", &public, "--internal-url", &internal])
            .without_inherited_settings()
            .env("STAYMESH_ADMIN_PASSWORD", self.admin_password()?))
    }

    /// A command of `staymesh job` on the database of a service, still to be spawned.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn job(&self, service: &str, args: &[&str]) -> Result<Launch> {
        self.command("a job", service, &[&["job"], args].concat())
    }

    /// The command that checks the bookings and the money, still to be spawned; it writes what it finds to `report`.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn verify(&self, report: &Path) -> Result<Launch> {
        let launch = self.command("checking the databases", "reservation", &["check", "--json", &text(report)])?;
        Ok(launch.env("STAYMESH_PAYMENT_DATABASE_URL", self.database_url("payment")?))
    }

    /// A command of `staymesh job` with all the settings of a service, still to be spawned.
    ///
    /// # Errors
    /// When the service is not one of this mesh.
    pub fn job_of(&self, service: &'static str, args: &[&str]) -> Result<Launch> {
        let launch = Launch::new("a job", &self.options.binary).args(["job"]).args(args).without_inherited_settings();
        Ok(self.settings_of(service)?.into_iter().fold(launch, |launch, (name, value)| launch.env(name, value)))
    }

    /// The folder with the logs.
    pub fn logs(&self) -> PathBuf {
        self.options.dir.join("logs")
    }

    /// What the stand-in provider has written down: each change of a checkout appends all of it as a line of JSON.
    pub fn provider_journal(&self) -> PathBuf {
        self.plan.provider_journal()
    }

    /// The database server, to be stopped and started again.
    pub fn postgres(&mut self) -> &mut Postgres {
        &mut self.postgres
    }

    /// Redis, to be stopped and started again.
    pub fn redis(&mut self) -> &mut Redis {
        &mut self.redis
    }

    /// The process of a service.
    ///
    /// # Errors
    /// When there is no service of this name.
    pub fn service(&mut self, name: &str) -> Result<&mut Process> {
        self.services.iter_mut().find(|p| p.name() == name).with_context(|| format!("there is no service {name}"))
    }

    /// Starts a service again that was stopped or killed, at the same address, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self, name: &str) -> Result<()> {
        self.restart_with(name, &[])
    }

    /// As [`Self::restart`], with further settings (environment variable, value) for this run alone. They win over all
    /// others.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart_with(&mut self, name: &str, settings: &[(&str, &str)]) -> Result<()> {
        let at = self.services.iter().position(|p| p.name() == name).with_context(|| format!("no service {name}"))?;
        let launch = settings.iter().fold(self.launch(SERVICES[at])?, |launch, (name, value)| launch.env(name, value));
        self.services[at] = launch.spawn()?;
        self.wait_until_ready(at, &Quiet)
    }

    /// Starts another process of a service, at an address of its own; nobody but its caller knows of it.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn replica(&self, service: &'static str) -> Result<Replica> {
        Replica::start(self.launch(service)?, self.logs().join(format!("{service}-replica.log")))
    }

    /// Registers a partner's program with identity and tells its secret; safe to repeat.
    ///
    /// # Errors
    /// When identity's database refuses it.
    pub fn register_partner(&self, id: &str) -> Result<String> {
        let secret = self.plan.secrets.get(&format!("client-{id}"))?;
        let what = format!("registering {id}");
        let client = self
            .command(&what, "identity", &["identity", "register-client", id, "--role", "partner"])?
            .env("STAYMESH_CLIENT_SECRET", &secret);
        run(client)?;
        Ok(secret)
    }

    /// An error if anything has ended by itself.
    ///
    /// # Errors
    /// Names what has ended, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let parts = [self.postgres.process(), self.redis.process(), self.envoy.as_mut().and_then(Envoy::process)];
        parts.into_iter().flatten().chain(&mut self.services).try_for_each(Process::check_running)
    }

    /// Stops everything, the edge first; the first fault is reported after all is done.
    ///
    /// # Errors
    /// When something had to be killed or could not be waited for.
    pub fn stop(mut self) -> Result<()> {
        let mut outcome = self.envoy.as_mut().map_or(Ok(()), Envoy::stop);
        for mut service in self.services.drain(..).rev() {
            outcome = outcome.and(service.stop().map(drop));
        }
        outcome.and(self.redis.stop()).and(self.postgres.stop())
    }

    /// A command of the binary that talks to the database of a service.
    fn command(&self, what: &str, service: &str, args: &[&str]) -> Result<Launch> {
        Ok(Launch::new(what, &self.options.binary)
            .args(args)
            .without_inherited_settings()
            .env("STAYMESH_DATABASE_URL", self.database_url(service)?)
            .log(self.logs().join("setup.log")))
    }

    fn migrate(&self, progress: &dyn Progress) -> Result<()> {
        progress.begin("migrations");
        for service in self.plan.databases.keys() {
            progress.say(service);
            progress.check()?;
            run(self.command(&format!("migrating {service}"), service, &["migrate", service])?)?;
        }
        progress.done(&format!("{} databases", self.plan.databases.len()));
        Ok(())
    }

    /// Makes the first administrator and the services known to identity.
    fn register(&self, progress: &dyn Progress) -> Result<()> {
        progress.begin("accounts");
        let admin = self
            .command("making the first administrator", "identity", &["identity", "create-admin", ADMIN_EMAIL])?
            .env("STAYMESH_ADMIN_PASSWORD", self.admin_password()?);
        run(admin)?;
        for service in SERVICES.into_iter().filter(|s| settings::calls_others(s)) {
            progress.check()?;
            let id = settings::client_id(service);
            let what = format!("registering {service}");
            let client = self
                .command(&what, "identity", &["identity", "register-client", &id, "--role", "service"])?
                .env("STAYMESH_CLIENT_SECRET", self.plan.secrets.get(&format!("client-{service}"))?);
            run(client)?;
        }
        progress.done("an administrator and the services");
        Ok(())
    }

    fn start_services(&mut self, progress: &dyn Progress) -> Result<()> {
        progress.begin("services");
        for (at, service) in SERVICES.into_iter().enumerate() {
            progress.check()?;
            self.services.push(self.launch(service)?.spawn()?);
            // The others get their own tokens from identity: quickest when it is there first.
            if service == "identity" {
                self.wait_until_ready(at, progress)?;
            }
        }
        for (at, service) in SERVICES.into_iter().enumerate() {
            progress.say(service);
            self.wait_until_ready(at, progress)?;
        }
        progress.done(&format!("{} ready", SERVICES.len()));
        Ok(())
    }

    fn launch(&self, service: &'static str) -> Result<Launch> {
        let launch = Launch::new(service, &self.options.binary)
            .args(["serve", service])
            .without_inherited_settings()
            .log(self.logs().join(format!("{service}.log")));
        Ok(self.settings_of(service)?.into_iter().fold(launch, |launch, (name, value)| launch.env(name, value)))
    }

    fn settings_of(&self, service: &str) -> Result<Vec<(&'static str, String)>> {
        let mut all = settings::of(service, &self.plan)?;
        let own = self.options.settings.iter().filter(|(of, ..)| *of == service);
        all.extend(own.map(|(_, name, value)| (*name, value.clone())));
        Ok(all)
    }

    fn wait_until_ready(&mut self, at: usize, progress: &dyn Progress) -> Result<()> {
        let (listen, operations) = self.plan.address(SERVICES[at])?;
        let process = &mut self.services[at];
        wait_until(&format!("{} is ready", SERVICES[at]), READY_LIMIT, || {
            progress.check()?;
            process.check_running()?;
            // The stand-in provider speaks HTTP alone and tells at the same address how it is.
            Ok((http_ok(operations, "/readyz") || http_ok(listen, "/healthz")).then_some(()))
        })
        .with_context(|| format!("{} did not start{}", process.name(), process.log_tail()))
    }

    fn start_edge(&mut self, progress: &dyn Progress) -> Result<()> {
        progress.begin("edge");
        let dir = self.options.dir.join("edge");
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut write = Launch::new("writing the edge's configuration", &self.options.binary)
            .args(["edge-config", "--output", &dir.display().to_string()])
            .without_inherited_settings()
            .log(self.logs().join("setup.log"));
        for (name, value) in settings::of_edge(&self.plan, &dir, admin, &self.logs())? {
            write = write.env(name, value);
        }
        for (_, name, value) in self.options.settings.iter().filter(|(s, ..)| *s == "edge") {
            write = write.env(name, value);
        }
        run(write)?;
        self.envoy = Some(Envoy::start(EnvoyOptions {
            binary: install::envoy(&dev_dir())?,
            config: dir.join("envoy.yaml"),
            admin,
            concurrency: 2,
            log: self.logs().join("envoy.log"),
        })?);
        self.wait_for_keys(progress)?;
        progress.done(&format!("{} and {}", self.public_url(), self.internal_url()));
        Ok(())
    }

    /// The edge lets nobody in before it has identity's keys.
    fn wait_for_keys(&mut self, progress: &dyn Progress) -> Result<()> {
        let public = self.plan.public;
        wait_until("the edge has identity's keys", READY_LIMIT, || {
            progress.check()?;
            Ok(http_ok(public, "/.well-known/jwks.json").then_some(()))
        })
    }
}

/// Runs a command to its end.
fn run(launch: Launch) -> Result<()> {
    let mut process = launch.spawn()?;
    wait_until(&format!("{} is done", process.name().to_owned()), Duration::from_mins(2), || process.exit_status())
        .and_then(|status| {
            anyhow::ensure!(status.success(), "{} failed{}", process.name(), process.log_tail());
            Ok(())
        })
}

/// The path of a file as the settings name it.
fn text(path: &Path) -> String {
    path.display().to_string()
}
