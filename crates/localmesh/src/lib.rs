//! A whole mesh as processes on this machine, as `cargo xtask up` and the tests start it.
//!
//! PostgreSQL, Redis, the five services, the simulated payment provider and Envoy, all on loopback, with their files below
//! one directory. They end with the process that started them. The settings of each service are in `settings.rs`.

mod commands;
mod plan;
mod progress;
mod replica;
mod services;
mod settings;
mod start;
mod upgrade;

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use staymesh_devenv::{Durability, Envoy, Postgres, PostgresOptions, Process, Redis};

use plan::Plan;
pub use progress::{Progress, Quiet};
pub use replica::Replica;
pub use services::{ADMIN_EMAIL, SERVICES};

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of all files; data is kept from one start to the next.
    pub dir: PathBuf,
    /// The `staymesh` binary: services and operator commands.
    pub binary: PathBuf,
    /// The `staymesh-dev` binary: the simulated payment provider, demo data, smoke test, replay.
    pub dev_binary: PathBuf,
    /// Port of the public gateway; `None` for a free one.
    pub public_port: Option<u16>,
    /// Port of the internal gateway; `None` for a free one.
    pub internal_port: Option<u16>,
    /// Whether acknowledged writes must survive a power cut.
    pub durability: Durability,
    /// Further settings: service (`edge` for the edge), environment variable, value. They override the defaults.
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
    /// Starts all processes; returns when every one is ready.
    ///
    /// # Errors
    /// When a component is missing or does not start; with the end of its log.
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

    /// The folder of the mails that services sent, one `.eml` file each.
    pub fn mails(&self) -> PathBuf {
        self.plan.mails()
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

    /// The operations address of a service, with its health and metrics endpoints.
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

    /// The folder with the logs.
    pub fn logs(&self) -> PathBuf {
        self.options.dir.join("logs")
    }

    /// The state file of the simulated payment provider: each change of a checkout appends it as a line of JSON.
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

    /// As [`Self::restart`], with further settings (environment variable, value) for this run alone. They override all
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

    /// Starts another process of a service, at an address of its own; the edge does not route to it.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn replica(&self, service: &'static str) -> Result<Replica> {
        Replica::start(self.launch(service)?, self.logs().join(format!("{service}-replica.log")))
    }

    /// An error if anything has ended by itself.
    ///
    /// # Errors
    /// Names what has ended, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let components = [self.postgres.process(), self.redis.process(), self.envoy.as_mut().and_then(Envoy::process)];
        components.into_iter().flatten().chain(&mut self.services).try_for_each(Process::check_running)
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
}
