//! Everything that runs: started in order, watched, stopped in the opposite order.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use staymesh_parts::port::free_port;
use staymesh_parts::wait::{http_ok, wait_until};
use staymesh_parts::{Envoy, EnvoyOptions, Launch, Postgres, PostgresOptions, Process, Redis, dev_dir, install};

use super::secrets::Secrets;
use super::table::{self, SERVICES, Service};
use super::{Options, unless_interrupted};
use crate::progress::Line;
use crate::tools::{self, interrupted};

/// How long a service may take to be ready.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// Where everything will be, known before anything is started.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) redis_url: String,
    pub(super) secrets: Secrets,
    /// Addresses of the services: gRPC (HTTP for the simulator), and operations.
    addresses: BTreeMap<&'static str, (SocketAddr, SocketAddr)>,
    databases: BTreeMap<&'static str, String>,
}

impl Plan {
    /// The URL of a service.
    pub(super) fn url(&self, service: &str) -> Result<String> {
        Ok(format!("http://{}", self.address(service)?.0))
    }

    fn address(&self, service: &str) -> Result<(SocketAddr, SocketAddr)> {
        self.addresses.get(service).copied().with_context(|| format!("there is no service {service}"))
    }
}

/// What a user of the running mesh has to know.
#[derive(Debug)]
pub(super) struct Mesh {
    pub(super) public: String,
    pub(super) internal: String,
    pub(super) services: BTreeMap<&'static str, String>,
    pub(super) logs: PathBuf,
}

/// The running mesh. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Stack {
    // In the order of a drop: the edge first, the stores last.
    envoy: Option<Envoy>,
    services: Vec<Process>,
    redis: Redis,
    postgres: Postgres,
    mesh: Mesh,
}

impl Stack {
    /// Starts everything; returns when all of it is ready.
    pub(super) fn start(dir: &Path, binary: &Path, options: &Options) -> Result<Self> {
        let line = Line::new("PostgreSQL");
        let postgres = Postgres::start(&dir.join("postgres"), PostgresOptions::default())?;
        line.done(&format!("127.0.0.1:{}", postgres.port()));
        let line = Line::new("Redis");
        let redis = Redis::start(&dir.join("redis"), None)?;
        line.done(&format!("127.0.0.1:{}", redis.port()));

        let plan = plan(dir, &postgres, &redis)?;
        let logs = dir.join("logs");
        // Each run has its own; those of the last one are kept until now.
        if logs.exists() {
            fs::remove_dir_all(&logs).with_context(|| format!("removing {}", logs.display()))?;
        }
        let mesh = Mesh {
            public: format!("http://{}", options.public()),
            internal: format!("http://{}", options.internal()),
            services: plan.addresses.iter().map(|(name, (address, _))| (*name, address.to_string())).collect(),
            logs,
        };
        let mut stack = Self { envoy: None, services: Vec::new(), redis, postgres, mesh };
        stack.migrate(binary, &plan)?;
        stack.start_services(binary, &plan)?;
        stack.start_edge(dir, binary, options, &plan)?;
        Ok(stack)
    }

    /// What a user has to know.
    pub(super) fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// An error if anything has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        let parts = [self.postgres.process(), self.redis.process(), self.envoy.as_mut().and_then(Envoy::process)];
        parts.into_iter().flatten().chain(&mut self.services).try_for_each(Process::check_running)
    }

    /// Stops everything, the edge first; the first fault is reported after all is done.
    pub(super) fn stop(mut self) -> Result<()> {
        let mut outcome = self.envoy.as_mut().map_or(Ok(()), Envoy::stop);
        for mut service in self.services.drain(..).rev() {
            outcome = outcome.and(service.stop().map(drop));
        }
        outcome.and(self.redis.stop()).and(self.postgres.stop())
    }

    fn migrate(&self, binary: &Path, plan: &Plan) -> Result<()> {
        let line = Line::new("migrations");
        for (service, database) in &plan.databases {
            unless_interrupted()?;
            line.say(service);
            let migrate = Launch::new(format!("migrating {service}"), binary)
                .args(["migrate", service])
                .without_inherited_settings()
                .env("STAYMESH_DATABASE_URL", database)
                .log(self.mesh.logs.join("migrate.log"));
            tools::run(migrate)?;
        }
        line.done(&format!("{} databases", plan.databases.len()));
        Ok(())
    }

    fn start_services(&mut self, binary: &Path, plan: &Plan) -> Result<()> {
        let line = Line::new("services");
        for service in &SERVICES {
            let launch = launch(service, binary, plan, &self.mesh.logs)?;
            self.services.push(launch.spawn()?);
        }
        for (service, process) in SERVICES.iter().zip(&mut self.services) {
            line.say(service.name);
            let (_, operations) = plan.address(service.name)?;
            let ready = wait_until(&format!("{} is ready", service.name), READY_LIMIT, || {
                process.check_running()?;
                Ok((interrupted() || http_ok(operations, "/readyz")).then_some(()))
            });
            unless_interrupted()?;
            ready.with_context(|| format!("{} does not start{}", service.name, process.log_tail()))?;
        }
        line.done(&format!("{} ready", SERVICES.len()));
        Ok(())
    }

    fn start_edge(&mut self, dir: &Path, binary: &Path, options: &Options, plan: &Plan) -> Result<()> {
        let line = Line::new("edge");
        let config = dir.join("envoy.yaml");
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut write = Launch::new("writing the edge's configuration", binary)
            .args([table::EDGE_CONFIG.as_ref(), config.as_os_str()])
            .without_inherited_settings()
            .env("STAYMESH_EDGE_PUBLIC", options.public().to_string())
            .env("STAYMESH_EDGE_INTERNAL", options.internal().to_string())
            .env("STAYMESH_EDGE_ADMIN", admin.to_string());
        for service in &SERVICES {
            let variable = format!("STAYMESH_{}_URL", service.name.replace('-', "_").to_uppercase());
            write = write.env(variable, plan.url(service.name)?);
        }
        tools::run(write)?;
        let log = self.mesh.logs.join("envoy.log");
        let binary = install::envoy(&dev_dir())?;
        self.envoy = Some(Envoy::start(EnvoyOptions { binary, config, admin, concurrency: 2, log })?);
        line.done(&format!("{} and {}", self.mesh.public, self.mesh.internal));
        Ok(())
    }
}

fn plan(dir: &Path, postgres: &Postgres, redis: &Redis) -> Result<Plan> {
    let mut addresses = BTreeMap::new();
    let mut databases = BTreeMap::new();
    for service in &SERVICES {
        let address = || Ok::<_, anyhow::Error>(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        addresses.insert(service.name, (address()?, address()?));
        if service.has_database {
            databases.insert(service.name, postgres.ensure_database(service.name)?);
        }
    }
    Ok(Plan { redis_url: redis.url(), secrets: Secrets::below(dir)?, addresses, databases })
}

fn launch(service: &Service, binary: &Path, plan: &Plan, logs: &Path) -> Result<Launch> {
    let (listen, operations) = plan.address(service.name)?;
    let mut launch = Launch::new(service.name, binary)
        .args(["serve", service.name])
        .without_inherited_settings()
        .env("STAYMESH_LISTEN", listen.to_string())
        .env("STAYMESH_OPS_LISTEN", operations.to_string())
        .log(logs.join(format!("{}.log", service.name)));
    if let Some(database) = plan.databases.get(service.name) {
        launch = launch.env("STAYMESH_DATABASE_URL", database);
    }
    for (name, value) in table::shared(plan).into_iter().chain((service.settings)(plan)?) {
        launch = launch.env(name, value);
    }
    Ok(launch)
}
