//! The stock OAuth 2.0 client libraries of Python that the tests run, as `tests/oauth/requirements.txt` pins them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Report;
use super::fetch::{Scratch, put_in_place, run};
use super::pip::pip;
use crate::repository;

const NEEDS_MEGABYTES: u64 = 100;

/// The folder of the libraries, for `PYTHONPATH`. It is named by the list of versions, so another list is another folder.
pub(super) fn path(dir: &Path) -> Result<PathBuf> {
    let list = fs::read(requirements()).context("reading the list of OAuth libraries")?;
    let digest = Sha256::digest(list);
    let name = digest.iter().take(8).fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
    Ok(dir.join(format!("oauth-{name:016x}")))
}

fn requirements() -> PathBuf {
    repository().join("tests/oauth/requirements.txt")
}

pub(super) fn install(dir: &Path, report: Report) -> Result<()> {
    let scratch = Scratch::new(dir, "oauth", NEEDS_MEGABYTES)?;
    let libraries = scratch.path().join("libraries");
    let mut command = pip(scratch.path(), report)?;
    command
        .args(["install", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--no-input", "--root-user-action=ignore", "--target"])
        .arg(&libraries)
        .arg("--requirement")
        .arg(requirements())
        .env("TMPDIR", scratch.path());
    run(command, "fetching the OAuth libraries of Python", scratch.path(), report).context(
        "the Python package index cannot be reached or lacks a package: check the network and the settings of pip",
    )?;
    put_in_place(&libraries, &path(dir)?)
}
