//! Commands of the binaries against a running mesh.

use std::{path::Path, time::Duration};

use anyhow::Result;
use staymesh_devenv::{Launch, wait::wait_until};

use super::{ADMIN_EMAIL, LocalMesh, Progress};

impl LocalMesh {
    /// Loads the demo data as the administrator. Idempotent.
    ///
    /// # Errors
    /// When it cannot be loaded, with what went wrong.
    pub fn load_demo_data(&self, progress: &dyn Progress) -> Result<()> {
        progress.begin("demo data");
        let load = Launch::new("loading the demo data", &self.options.dev_binary)
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
        run(Launch::new("the walk through a booking", &self.options.dev_binary)
            .args(["smoke", "--public-url", &self.public_url()])
            .without_inherited_settings())
    }

    /// The command that replays a recording as the administrator, not yet spawned.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn replay(&self, recording: &Path) -> Result<Launch> {
        let (public, internal) = (self.public_url(), self.internal_url());
        Ok(Launch::new("playing a recording", &self.options.dev_binary)
            .args(["replay", &recording.display().to_string(), "--email", ADMIN_EMAIL])
            .args(["--public-url", &public, "--internal-url", &internal])
            .without_inherited_settings()
            .env("STAYMESH_ADMIN_PASSWORD", self.admin_password()?))
    }

    /// A command of `staymesh job` on the database of a service, not yet spawned.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn job(&self, service: &str, args: &[&str]) -> Result<Launch> {
        self.command("a job", service, &[&["job"], args].concat())
    }

    /// The command that checks the bookings and the money, not yet spawned; it writes what it finds to `report`.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn verify(&self, report: &Path) -> Result<Launch> {
        let launch =
            self.command("checking the databases", "reservation", &["check", "--json", &report.display().to_string()])?;
        Ok(launch.env("STAYMESH_PAYMENT_DATABASE_URL", self.database_url("payment")?))
    }

    /// A command of `staymesh job` with all the settings of a service, not yet spawned.
    ///
    /// # Errors
    /// When the service is not one of this mesh.
    pub fn job_of(&self, service: &'static str, args: &[&str]) -> Result<Launch> {
        let launch = Launch::new("a job", &self.options.binary).args(["job"]).args(args).without_inherited_settings();
        Ok(self.settings_of(service)?.into_iter().fold(launch, |launch, (name, value)| launch.env(name, value)))
    }

    /// Registers a partner as an OAuth 2.0 client and returns its secret. Idempotent.
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

    /// A command of the binary that talks to the database of a service.
    pub(super) fn command(&self, what: &str, service: &str, args: &[&str]) -> Result<Launch> {
        Ok(Launch::new(what, &self.options.binary)
            .args(args)
            .without_inherited_settings()
            .env("STAYMESH_DATABASE_URL", self.database_url(service)?)
            .log(self.logs().join("setup.log")))
    }
}

/// Runs a command to its end.
pub(super) fn run(launch: Launch) -> Result<()> {
    let mut process = launch.spawn()?;
    wait_until(&format!("{} is done", process.name().to_owned()), Duration::from_mins(2), || process.exit_status())
        .and_then(|status| {
            anyhow::ensure!(status.success(), "{} failed{}", process.name(), process.log_tail());
            Ok(())
        })
}
