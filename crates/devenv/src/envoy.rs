//! A private Envoy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Launch, Process};
use crate::wait::{http_ok, wait_until};

const READY_LIMIT: Duration = Duration::from_mins(1);

/// Configuration of an Envoy process.
#[derive(Debug, Clone)]
pub struct EnvoyOptions {
    /// The binary, from [`crate::install::envoy`].
    pub binary: PathBuf,
    /// The bootstrap configuration, YAML or JSON by its extension.
    pub config: PathBuf,
    /// Address of the admin interface, as in the configuration.
    pub admin: SocketAddr,
    /// Worker threads.
    pub concurrency: u32,
    /// The log file; it is appended to.
    pub log: PathBuf,
}

/// A running Envoy. Dropping it stops it.
#[derive(Debug)]
pub struct Envoy {
    options: EnvoyOptions,
    process: Option<Process>,
}

impl Envoy {
    /// Starts Envoy. Returns when `/ready` of the admin interface answers 200: listeners are up, clusters are loaded.
    ///
    /// # Errors
    ///
    /// If the binary is missing, Envoy refuses the configuration, or it is not ready within 60 s.
    pub fn start(options: EnvoyOptions) -> Result<Self> {
        let mut envoy = Self { options, process: None };
        envoy.resume()?;
        Ok(envoy)
    }

    /// Validates a configuration without serving it.
    ///
    /// # Errors
    ///
    /// If Envoy refuses the configuration, with Envoy's own message, or cannot be run.
    pub fn validate(binary: &Path, config: &Path) -> Result<()> {
        let output = Command::new(binary)
            .args(["--mode", "validate", "--log-level", "warning", "--config-path"])
            .arg(config)
            .output()
            .with_context(|| format!("running {}", binary.display()))?;
        ensure!(
            output.status.success(),
            "Envoy refuses {}:\n{}",
            config.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    /// The Envoy process; `None` while stopped.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Stops Envoy. Does nothing if it is stopped already.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop().map(drop))
    }

    /// Starts a stopped Envoy again with the same options. Does nothing if it runs.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn resume(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(Process::is_running) {
            return Ok(());
        }
        let options = &self.options;
        let mut process = Launch::new("Envoy", &options.binary)
            .args(["--config-path".as_ref(), options.config.as_os_str()])
            .args(["--concurrency", &options.concurrency.to_string(), "--log-level", "warning"])
            // Hot restart uses shared memory under a number that is the same for every Envoy on the machine.
            .args(["--disable-hot-restart"])
            .log(&options.log)
            .spawn()?;
        wait_until("Envoy is ready", READY_LIMIT, || {
            let ready = http_ok(options.admin, "/ready");
            process.check_running()?;
            Ok(ready.then_some(()))
        })
        .with_context(|| format!("see {}", options.log.display()))?;
        self.process = Some(process);
        Ok(())
    }
}
