//! A further process of a service.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context, Result};
use staymesh_devenv::{
    Launch, Process,
    port::free_port,
    wait::{http_ok, wait_until},
};

use crate::start::READY_LIMIT;

/// A further process of a service, on the same database and at an address of its own. Dropping it stops it.
#[derive(Debug)]
pub struct Replica {
    launch: Launch,
    listen: SocketAddr,
    operations: SocketAddr,
    process: Process,
}

impl Replica {
    /// `launch` is how the service is started elsewhere.
    pub(crate) fn start(launch: Launch, log: PathBuf) -> Result<Self> {
        let local = || anyhow::Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        let (listen, operations) = (local()?, local()?);
        let launch = launch
            .env("STAYMESH_LISTEN", listen.to_string())
            .env("STAYMESH_OPS_LISTEN", operations.to_string())
            .log(log);
        let process = launch.clone().spawn()?;
        let mut replica = Self { launch, listen, operations, process };
        replica.wait_until_ready()?;
        Ok(replica)
    }

    /// Where it listens, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Kills it at once (SIGKILL).
    ///
    /// # Errors
    /// When it cannot be signalled or waited for.
    pub fn kill_now(&mut self) -> Result<()> {
        self.process.kill_now().map(drop)
    }

    /// Starts it again at the same address, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process = self.launch.clone().spawn()?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let operations = self.operations;
        let process = &mut self.process;
        wait_until(&format!("another {} is ready", process.name().to_owned()), READY_LIMIT, || {
            process.check_running()?;
            Ok(http_ok(operations, "/readyz").then_some(()))
        })
        .with_context(|| format!("{} did not start{}", process.name(), process.log_tail()))
    }
}
