//! Checks before anything is started: ports and disk space.

use std::path::Path;

use anyhow::{Result, ensure};
use staymesh_devenv::install::free_megabytes;
use staymesh_devenv::port::is_free;

use super::Options;

/// Room for a small data set, logs and the build.
const NEEDS_MEGABYTES: u64 = 2_000;

/// Checks ports and disk.
pub(super) fn check(dir: &Path, options: &Options) -> Result<()> {
    ensure!(
        options.public_port != options.internal_port,
        "the public and the internal port must differ, both are {}",
        options.public_port
    );
    check_port(options.public_port, "public", "--public-port")?;
    check_port(options.internal_port, "internal", "--internal-port")?;
    let free = free_megabytes(dir)?;
    ensure!(
        free >= NEEDS_MEGABYTES,
        "{} has {free} MB free, {NEEDS_MEGABYTES} MB are needed: free some space, or remove .dev and target to start \
         afresh",
        dir.display()
    );
    Ok(())
}

fn check_port(port: u16, name: &str, flag: &str) -> Result<()> {
    ensure!(
        is_free(port),
        "the {name} port {port} cannot be opened on 127.0.0.1, most likely because another program uses it: stop that \
         program (`ss -ltnp` names it) or choose another port with {flag}"
    );
    Ok(())
}
