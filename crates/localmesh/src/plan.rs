//! Addresses, databases and secrets of a mesh, decided before any service starts.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use staymesh_devenv::{Postgres, Redis, keep_secret, port::free_port};

use crate::{
    Options,
    services::{self, SERVICES},
};

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) dir: PathBuf,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    pub(crate) redis_url: String,
    pub(crate) secrets: Secrets,
    pub(crate) databases: BTreeMap<&'static str, String>,
    /// Addresses of the services: gRPC (HTTP for the stand-in provider), and operations.
    addresses: BTreeMap<&'static str, (SocketAddr, SocketAddr)>,
}

impl Plan {
    pub(crate) fn make(options: &Options, postgres: &Postgres, redis: &Redis) -> Result<Self> {
        let local = |port: Option<u16>| {
            Ok::<_, anyhow::Error>(SocketAddr::from((Ipv4Addr::LOCALHOST, port.map_or_else(free_port, Ok)?)))
        };
        let mut addresses = BTreeMap::new();
        let mut databases = BTreeMap::new();
        for service in SERVICES {
            addresses.insert(service, (local(None)?, local(None)?));
            if services::has_database(service) {
                databases.insert(service, postgres.ensure_database(service)?);
            }
        }
        Ok(Self {
            dir: options.dir.clone(),
            public: local(options.public_port)?,
            internal: local(options.internal_port)?,
            redis_url: redis.url(),
            secrets: Secrets::below(&options.dir)?,
            databases,
            addresses,
        })
    }

    /// The folder of mails, an absolute path.
    pub(crate) fn mails(&self) -> PathBuf {
        let dir = self.dir.join("mails");
        std::path::absolute(&dir).unwrap_or(dir)
    }

    pub(crate) fn provider_journal(&self) -> PathBuf {
        self.dir.join("psp-simulator.jsonl")
    }

    pub(crate) fn url(&self, service: &str) -> Result<String> {
        Ok(format!("http://{}", self.address(service)?.0))
    }

    pub(crate) fn address(&self, service: &str) -> Result<(SocketAddr, SocketAddr)> {
        self.addresses.get(service).copied().with_context(|| format!("there is no service {service}"))
    }
}

/// Passwords and keys: random, made once, kept with the data.
#[derive(Debug)]
pub(crate) struct Secrets {
    dir: PathBuf,
}

impl Secrets {
    fn below(dir: &Path) -> Result<Self> {
        let dir = dir.join("secrets");
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// The secret of this name: 64 hexadecimal digits, the same in every run over the same data.
    pub(crate) fn get(&self, name: &str) -> Result<String> {
        keep_secret(&self.dir.join(name))
    }
}
