//! A complete local mesh for tests: every service in its own process, behind a real Envoy.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, ensure};
use staymesh_devenv::{Component, Durability, dev_dir, install, kept_logs::keep_logs};
use staymesh_localmesh::{LocalMesh, Options, Quiet};
use tokio::sync::OnceCell;

/// A service (`edge` for the edge), an environment variable and its value.
pub type Setting = (&'static str, &'static str, String);

/// A running mesh with the demo data. It stops when the value is dropped or the process ends.
#[derive(Debug)]
pub struct TestMesh {
    local: Mutex<LocalMesh>,
    public_url: String,
    internal_url: String,
    _lock: File,
}

impl TestMesh {
    /// The mesh that all tests of this process share; the first of them starts it. Tests that stop or kill processes
    /// start [a private mesh](Self::start) instead.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<TestMesh> = OnceCell::const_new();
        // Many concurrent tests need more connections than a small machine serves within the default timeout.
        let acquire_timeout = |service| (service, "STAYMESH_DATABASE_ACQUIRE_TIMEOUT", "10s".to_owned());
        let settings = ["identity", "hotel", "rate", "reservation", "payment"].map(acquire_timeout);
        SHARED.get_or_try_init(|| Self::start(settings.into())).await
    }

    /// Starts a private mesh with these settings on top of the defaults.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn start(settings: Vec<Setting>) -> Result<Self> {
        let (binary, dev_binary) = binaries()?;
        Self::of_binaries(binary, dev_binary, settings).await
    }

    /// As [`Self::start`], with these binaries `staymesh` and `staymesh-dev`.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn of_binaries(binary: PathBuf, dev_binary: PathBuf, settings: Vec<Setting>) -> Result<Self> {
        let settings = [relaxed_limits(), settings].concat();
        tokio::task::spawn_blocking(|| start(binary, dev_binary, settings)).await?
    }

    /// Starts a private mesh with the default limits of unpaid holds, which a test of them needs.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn with_default_unpaid_limits() -> Result<Self> {
        let settings = relaxed_limits().into_iter().filter(|(service, ..)| *service != "reservation").collect();
        let (binary, dev_binary) = binaries()?;
        tokio::task::spawn_blocking(|| start(binary, dev_binary, settings)).await?
    }

    /// The public gateway.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The internal gateway.
    pub fn internal_url(&self) -> &str {
        &self.internal_url
    }

    /// The URL of a service, bypassing the edge.
    ///
    /// # Errors
    ///
    /// If there is no service of this name.
    pub fn service_url(&self, service: &str) -> Result<String> {
        self.local().service_url(service)
    }

    /// The processes and their secrets. Starting and stopping takes seconds and blocks the thread: in async code use
    /// `tokio::task::block_in_place`.
    pub fn local(&self) -> MutexGuard<'_, LocalMesh> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All callers of a test share one address, sign up without confirming it, and sell out small hotels; the limits of that
/// have their own tests.
fn relaxed_limits() -> Vec<Setting> {
    [
        ("edge", "STAYMESH_EDGE_REQUESTS_PER_SECOND", "100000"),
        ("edge", "STAYMESH_EDGE_BURST", "100000"),
        ("edge", "STAYMESH_EDGE_WEBHOOKS_PER_SECOND", "100000"),
        ("edge", "STAYMESH_EDGE_WEBHOOK_BURST", "100000"),
        ("reservation", "STAYMESH_SOURCE_UNPAID_ROOM_NIGHTS", "0"),
        ("reservation", "STAYMESH_UNCONFIRMED_UNPAID_ROOM_NIGHTS", "210"),
        ("reservation", "STAYMESH_UNPAID_SHARE", "0"),
    ]
    .map(|(service, name, value)| (service, name, value.to_owned()))
    .into()
}

fn start(binary: PathBuf, dev_binary: PathBuf, settings: Vec<Setting>) -> Result<TestMesh> {
    install::install(&dev_dir(), &[Component::Postgres, Component::Redis, Component::Envoy], &|_| {})?;
    let (dir, lock) = slot()?;
    let options = Options {
        dir,
        binary,
        dev_binary,
        public_port: None,
        internal_port: None,
        durability: Durability::Off,
        settings,
    };
    let local = LocalMesh::start(options, &Quiet)?;
    local.load_demo_data(&Quiet)?;
    Ok(TestMesh {
        public_url: local.public_url(),
        internal_url: local.internal_url(),
        local: Mutex::new(local),
        _lock: lock,
    })
}

/// An empty directory for this mesh alone; the logs of the mesh that had it before are kept. The kernel releases the lock with this value or process.
fn slot() -> Result<(PathBuf, File)> {
    let parent = dev_dir().join("test");
    fs::create_dir_all(&parent).with_context(|| format!("making {}", parent.display()))?;
    for slot in 0..u32::MAX {
        let lock = File::create(parent.join(format!("mesh-{slot}.lock")))?;
        if lock.try_lock().is_ok() {
            let dir = parent.join(format!("mesh-{slot}"));
            if dir.exists() {
                keep_logs(&dir, "mesh")?;
                fs::remove_dir_all(&dir).with_context(|| format!("emptying {}", dir.display()))?;
            }
            return Ok((dir, lock));
        }
    }
    anyhow::bail!("there are more slots than processes")
}

/// The binaries `staymesh` and `staymesh-dev`.
fn binaries() -> Result<(PathBuf, PathBuf)> {
    Ok((binary("STAYMESH_BIN", "staymesh")?, binary("STAYMESH_DEV_BIN", "staymesh-dev")?))
}

/// The path of a binary: the value of `variable`, which `cargo xtask test` sets, or the file `name` that was built beside
/// this test.
///
/// # Errors
///
/// If it is not built.
pub fn binary(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("the test is in no folder")?;
    let binary = folder.join(name);
    ensure!(binary.is_file(), "build {name} first: cargo build --workspace --bin staymesh --bin staymesh-dev");
    Ok(binary)
}
