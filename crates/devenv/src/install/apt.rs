//! PostgreSQL and Redis from apt packages, without starting their system services.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::fetch::{Scratch, run};
use super::system::PostgresBinaries;
use super::{Component, Report, redis_server};
use crate::process::find_program;

const POLICY: &str = "/usr/sbin/policy-rc.d";
const NO_SERVICES: &str =
    "#!/bin/sh\n# Put here by `cargo xtask install` while it runs; remove it if it stayed.\nexit 101\n";
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";
const NO_MAIN_CLUSTER: &str = "create_main_cluster = false # while `cargo xtask install` runs\n";

/// Installs the apt packages of the missing components.
pub(super) fn install(missing: &[Component], report: Report) -> Result<()> {
    let packages: Vec<&str> = missing.iter().filter_map(|component| package(*component)).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install {}", packages.join(" "));
    if find_program(Path::new("apt-get")).is_none() {
        bail!("these are missing and this machine has no apt-get: {}; install them and try again", packages.join(", "));
    }
    if !rustix::process::geteuid().is_root() {
        bail!("these packages are missing: {}; install them as root and try again:\n  {by_hand}", packages.join(", "));
    }
    let scratch = Scratch::new(&std::env::temp_dir(), "staymesh-apt", 50)?;
    let apt = |packages: &[&str]| apt_install(packages, scratch.path(), report);
    let _quiet = QuietServices::begin()?;
    if packages.contains(&"postgresql") {
        // Its settings must exist before the server's package is configured, which makes a cluster by default.
        apt(&["postgresql-common"])?;
        let _no_cluster = NoMainCluster::begin()?;
        apt(&packages)?;
    } else {
        apt(&packages)?;
    }
    if missing.contains(&Component::Postgres) {
        PostgresBinaries::find()?;
    }
    if missing.contains(&Component::Redis) {
        redis_server()?;
    }
    Ok(())
}

fn package(component: Component) -> Option<&'static str> {
    match component {
        Component::Postgres => Some("postgresql"),
        Component::Redis => Some("redis-server"),
        Component::Envoy | Component::Buf | Component::OAuthLibraries => None,
    }
}

/// Installs packages; if that fails, fetches the package lists, which may be absent or outdated, and tries again.
fn apt_install(packages: &[&str], scratch: &Path, report: Report) -> Result<()> {
    let names = packages.join(", ");
    let install = || {
        let mut command = apt_get();
        command.args(["install", "--yes", "--no-install-recommends"]).args(packages);
        run(command, &format!("installing {names}"), scratch, report)
    };
    if install().is_ok() {
        return Ok(());
    }
    let mut update = apt_get();
    update.arg("update");
    run(update, "fetching the package lists", scratch, report)
        .and_then(|()| install())
        .with_context(|| format!("check the network, then try: apt-get update && apt-get install {names}"))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::Retries=3",
        "-o",
        "Acquire::http::Timeout=60",
    ]);
    command
}

/// Guard: while it lives, packages do not start their services when they are installed (`policy-rc.d`).
struct QuietServices {
    ours: bool,
}

impl QuietServices {
    fn begin() -> Result<Self> {
        // A policy file that exists is kept, unless a killed run of this program left it.
        let ours =
            fs::read_to_string(POLICY).map_or_else(|_| !Path::new(POLICY).exists(), |found| found == NO_SERVICES);
        if ours {
            fs::write(POLICY, NO_SERVICES).with_context(|| format!("writing {POLICY}"))?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for QuietServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// Guard: while it lives, installing PostgreSQL does not create the default cluster. Dropping it restores the setting.
struct NoMainCluster {
    before: String,
}

impl NoMainCluster {
    fn begin() -> Result<Self> {
        let before = fs::read_to_string(CLUSTER_SETTINGS).with_context(|| format!("reading {CLUSTER_SETTINGS}"))?;
        // A killed run of this program may have left its line.
        let before = before.replace(NO_MAIN_CLUSTER, "");
        fs::write(CLUSTER_SETTINGS, format!("{before}{NO_MAIN_CLUSTER}"))?;
        Ok(Self { before })
    }
}

impl Drop for NoMainCluster {
    fn drop(&mut self) {
        let _ = fs::write(CLUSTER_SETTINGS, &self.before);
    }
}
