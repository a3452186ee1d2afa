//! Helpers of the tests of this crate.
#![allow(dead_code, reason = "every test file uses its own share of this")]

use anyhow::Result;
use staymesh_devenv::{Component, dev_dir, install};
use tempfile::TempDir;

/// Installs components that are missing, so that a single test can be run on a bare machine.
pub(crate) fn installed(wanted: &[Component]) -> Result<()> {
    install::install(&dev_dir(), wanted, &|line| eprintln!("{line}"))
}

/// A directory that is removed at the end of the test.
pub(crate) fn scratch() -> Result<TempDir> {
    Ok(tempfile::tempdir()?)
}
