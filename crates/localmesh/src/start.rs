//! The start sequence of the components.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result};
use staymesh_devenv::{
    Envoy, EnvoyOptions, Launch, dev_dir, install,
    port::free_port,
    wait::{http_ok, wait_until},
};

use super::{
    ADMIN_EMAIL, LocalMesh, Progress, SERVICES,
    commands::run,
    services::{self, PROVIDER},
    settings,
};

/// How long a service may take to be ready.
pub(super) const READY_LIMIT: Duration = Duration::from_mins(1);

impl LocalMesh {
    /// Brings every database up to date; services may run.
    ///
    /// # Errors
    /// When a database cannot be migrated, with the end of the log.
    pub fn migrate(&self, progress: &dyn Progress) -> Result<()> {
        progress.begin("migrations");
        for service in self.plan.databases.keys() {
            progress.say(service);
            progress.check()?;
            run(self.command(&format!("migrating {service}"), service, &["migrate", service])?)?;
        }
        progress.done(&format!("{} databases", self.plan.databases.len()));
        Ok(())
    }

    /// Creates the first administrator and registers the services with identity.
    pub(super) fn register(&self, progress: &dyn Progress) -> Result<()> {
        progress.begin("accounts");
        let admin = self
            .command("making the first administrator", "identity", &["identity", "create-admin", ADMIN_EMAIL])?
            .env("STAYMESH_ADMIN_PASSWORD", self.admin_password()?);
        run(admin)?;
        for service in SERVICES.into_iter().filter(|s| services::calls_others(s)) {
            progress.check()?;
            let id = services::client_id(service);
            let what = format!("registering {service}");
            let client = self
                .command(&what, "identity", &["identity", "register-client", &id, "--role", "service"])?
                .env("STAYMESH_CLIENT_SECRET", self.plan.secrets.get(&format!("client-{service}"))?);
            run(client)?;
        }
        progress.done("an administrator and the services");
        Ok(())
    }

    pub(super) fn start_services(&mut self, progress: &dyn Progress) -> Result<()> {
        progress.begin("services");
        for (at, service) in SERVICES.into_iter().enumerate() {
            progress.check()?;
            self.services.push(self.launch(service)?.spawn()?);
            // The other services get their tokens from identity, so it starts first.
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

    pub(super) fn launch(&self, service: &'static str) -> Result<Launch> {
        let launch = if service == PROVIDER {
            Launch::new(service, &self.options.dev_binary).args([PROVIDER])
        } else {
            Launch::new(service, &self.options.binary).args(["serve", service])
        };
        let launch = launch.without_inherited_settings().log(self.logs().join(format!("{service}.log")));
        Ok(self.settings_of(service)?.into_iter().fold(launch, |launch, (name, value)| launch.env(name, value)))
    }

    pub(super) fn settings_of(&self, service: &str) -> Result<Vec<(&'static str, String)>> {
        let mut all = settings::of(service, &self.plan)?;
        let own = self.options.settings.iter().filter(|(of, ..)| *of == service);
        all.extend(own.map(|(_, name, value)| (*name, value.clone())));
        Ok(all)
    }

    pub(super) fn wait_until_ready(&mut self, at: usize, progress: &dyn Progress) -> Result<()> {
        let (listen, operations) = self.plan.address(SERVICES[at])?;
        let process = &mut self.services[at];
        wait_until(&format!("{} is ready", SERVICES[at]), READY_LIMIT, || {
            progress.check()?;
            process.check_running()?;
            // The stand-in provider speaks HTTP alone and serves its health check at the same address.
            Ok((http_ok(operations, "/readyz") || http_ok(listen, "/healthz")).then_some(()))
        })
        .with_context(|| format!("{} did not start{}", process.name(), process.log_tail()))
    }

    pub(super) fn start_edge(&mut self, progress: &dyn Progress) -> Result<()> {
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

    /// Until it has identity's keys, the edge refuses every token.
    fn wait_for_keys(&mut self, progress: &dyn Progress) -> Result<()> {
        let public = self.plan.public;
        wait_until("the edge has identity's keys", READY_LIMIT, || {
            progress.check()?;
            Ok(http_ok(public, "/.well-known/jwks.json").then_some(()))
        })
    }
}
