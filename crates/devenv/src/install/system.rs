//! Programs that the system provides: PostgreSQL and Redis.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::find_program;

/// The oldest PostgreSQL that the migrations are written for.
const OLDEST_POSTGRES: u32 = 15;

/// Debian's directory of PostgreSQL versions; their programs are not on PATH.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// The programs of one PostgreSQL installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresBinaries {
    bin: PathBuf,
    /// The major version, for example 15.
    pub major: u32,
}

impl PostgresBinaries {
    /// The newest installation on this machine.
    ///
    /// # Errors
    ///
    /// If there is none, or the newest is older than version 15.
    pub fn find() -> Result<Self> {
        let debian = fs::read_dir(DEBIAN_POSTGRES).into_iter().flatten().flatten().map(|e| e.path().join("bin"));
        let on_path = find_program(Path::new("postgres")).and_then(|p| p.canonicalize().ok());
        let on_path = on_path.and_then(|postgres| postgres.parent().map(Path::to_path_buf));
        let newest = debian.chain(on_path).filter_map(Self::at).max_by_key(|found| found.major);
        let newest = newest.context("PostgreSQL is not installed: run `cargo xtask install`")?;
        ensure!(
            newest.major >= OLDEST_POSTGRES,
            "PostgreSQL {OLDEST_POSTGRES} or later is needed and {} is {}: install the package \
             postgresql-{OLDEST_POSTGRES} or a later one",
            newest.bin.display(),
            newest.major
        );
        Ok(newest)
    }

    fn at(bin: PathBuf) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { bin, major })
    }

    /// The path of a program of this installation, for example `initdb`. It may not exist.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// Reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" and "postgres (PostgreSQL) 19beta1".
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The path of `redis-server`, from PATH.
///
/// # Errors
///
/// If it is not installed.
pub fn redis_server() -> Result<PathBuf> {
    find_program(Path::new("redis-server")).context("Redis is not installed: run `cargo xtask install`")
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn major_version_reads_debian_and_beta_versions() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_version("something else entirely"), None);
        assert_eq!(major_version(""), None);
    }
}
