//! A real Envoy with the generated configuration in front of an [`Upstream`].

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use staymesh_devenv::{Component, Envoy, EnvoyOptions, dev_dir, install, kept_logs::keep_logs, port::free_port};
use staymesh_edge::{EdgeConfig, render};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{keys::Keys, upstream::Upstream};

/// Attempts to start: another process may take a free port before Envoy does.
const ATTEMPTS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// An Envoy for one test.
pub(crate) struct Edge {
    pub(crate) config: EdgeConfig,
    pub(crate) upstream: Upstream,
    pub(crate) keys: Keys,
    _envoy: Envoy,
    client: Client,
    dir: TempDir,
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Err(error) = keep_logs(self.dir.path(), "edge") {
            eprintln!("{error:#}");
        }
    }
}

/// The default configuration of the command line.
pub(crate) fn defaults() -> Result<EdgeConfig> {
    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        edge: EdgeConfig,
    }
    Ok(Cli::try_parse_from(["edge"])?.edge)
}

impl Edge {
    pub(crate) async fn start() -> Result<Self> {
        Self::with(|_| {}).await
    }

    /// Starts with a changed default configuration.
    pub(crate) async fn with(change: impl Fn(&mut EdgeConfig)) -> Result<Self> {
        install::install(&dev_dir(), &[Component::Envoy], &|line| eprintln!("{line}"))?;
        let keys = Keys::generate()?;
        let (upstream, address) = Upstream::start(keys.public.clone()).await?;
        let dir = tempfile::tempdir()?;
        let mut attempt = 1;
        let (config, envoy) = loop {
            let config = config(dir.path(), address, &change)?;
            let options = write(dir.path(), &config)?;
            match tokio::task::spawn_blocking(move || Envoy::start(options)).await? {
                Ok(envoy) => break (config, envoy),
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("Address already in use") => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Self { config, upstream, keys, _envoy: envoy, client: Client::new(), dir })
    }

    /// Waits until the edge has fetched identity's keys.
    pub(crate) async fn with_keys(self) -> Result<Self> {
        let token = self.keys.token("first")?;
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/v1/reservations").bearer_auth(&token).send().await?;
            if answer.status() == StatusCode::OK {
                return Ok(self);
            }
            ensure!(Instant::now() < give_up, "no keys: {} {}", answer.status(), answer.text().await?);
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.public(Method::GET, path)
    }

    pub(crate) fn public(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.config.public_listen))
    }

    pub(crate) fn internal(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.config.internal_listen))
    }

    /// Waits for the access log entry of a path.
    pub(crate) async fn logged(&self, path: &str) -> Result<Value> {
        let log = self.dir.path().join("access.log");
        let give_up = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(line) = lines.into_iter().find(|line| line["path"] == path) {
                return Ok(line);
            }
            ensure!(Instant::now() < give_up, "no {path} in {text}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn config(dir: &Path, upstream: SocketAddr, change: &impl Fn(&mut EdgeConfig)) -> Result<EdgeConfig> {
    let free = || anyhow::Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
    let mut config = defaults()?;
    config.public_listen = free()?;
    config.internal_listen = free()?;
    config.admin_listen = free()?;
    config.descriptor_set = dir.join("contract.binpb");
    config.access_log = Some(dir.join("access.log"));
    let upstreams = &mut config.upstreams;
    for place in [
        &mut upstreams.identity,
        &mut upstreams.hotel,
        &mut upstreams.rate,
        &mut upstreams.reservation,
        &mut upstreams.payment,
    ] {
        *place = upstream.into();
    }
    change(&mut config);
    Ok(config)
}

/// Writes the files that Envoy reads.
pub(crate) fn write(dir: &Path, config: &EdgeConfig) -> Result<EnvoyOptions> {
    let rendered = render(config, staymesh_api::DESCRIPTOR_SET)?;
    fs::write(&config.descriptor_set, rendered.descriptor_set)?;
    let bootstrap = dir.join("envoy.yaml");
    fs::write(&bootstrap, rendered.bootstrap)?;
    Ok(EnvoyOptions {
        binary: install::envoy(&dev_dir()).context("Envoy is installed")?,
        config: bootstrap,
        admin: config.admin_listen,
        concurrency: 1,
        log: dir.join("envoy.log"),
    })
}
