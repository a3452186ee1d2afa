//! What the tests of the parts share.
#![allow(dead_code, reason = "every test file uses its own share of this")]

use anyhow::Result;
use staymesh_devenv::{Part, dev_dir, install};
use tempfile::TempDir;

/// Makes sure that these parts are there, so that the tests run by themselves too.
pub(crate) fn installed(parts: &[Part]) -> Result<()> {
    install::install(&dev_dir(), parts, &|line| eprintln!("{line}"))
}

/// A directory that goes away with the test.
pub(crate) fn scratch() -> Result<TempDir> {
    Ok(tempfile::tempdir()?)
}
