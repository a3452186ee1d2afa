//! A private Envoy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Launch, Process};
use crate::wait::{http_ok, wait_until};

const READY_LIMIT: Duration = Duration::from_mins(1);

/// How to run an Envoy.
#[derive(Debug, Clone)]
pub struct EnvoyOptions {
    /// The binary, from [`crate::install::envoy`].
    pub binary: PathBuf,
    /// The bootstrap configuration, YAML or JSON by its extension.
    pub config: PathBuf,
    /// Where the configuration puts the admin interface.
    pub admin: SocketAddr,
    /// Worker threads.
    pub concurrency: u32,
    /// Where the log goes.
    pub log: PathBuf,
}

/// A running Envoy. Dropping it stops it.
#[derive(Debug)]
pub struct Envoy {
    options: EnvoyOptions,
    process: Option<Process>,
}

impl Envoy {
    /// Starts Envoy; returns when every listener is up and the first clusters are known.
    pub fn start(options: EnvoyOptions) -> Result<Self> {
        let mut envoy = Self { options, process: None };
        envoy.resume()?;
        Ok(envoy)
    }

    /// Checks a configuration without serving it. The error holds Envoy's own explanation.
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

    /// The Envoy process, while it is started.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Stops Envoy.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop().map(drop))
    }

    /// Starts a stopped Envoy again with the same options.
    pub fn resume(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(Process::is_running) {
            return Ok(());
        }
        let options = &self.options;
        let mut process = Launch::new("Envoy", &options.binary)
            .args(["--config-path".as_ref(), options.config.as_os_str()])
            .args(["--concurrency", &options.concurrency.to_string(), "--log-level", "warning"])
            // Hot restart shares memory by a number that every other Envoy on the machine would use as well.
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
