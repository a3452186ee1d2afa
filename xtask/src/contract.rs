//! The contract in `proto/`: lint, compatibility, descriptor set.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use staymesh_devenv::{Component, Launch, dev_dir, install, repository};

use crate::components;
use crate::tools::{BUILD, Binaries, cargo, run, target_dir};

/// The published contract as buf's image, relative to the repository. Clients may depend on it.
const PUBLISHED: &str = "proto/published.binpb";
/// The directory of our own proto files in the buf workspace; the others are vendored.
const OURS: &str = "proto";

/// Flags of `cargo xtask publish-contract`.
#[derive(Debug, Args)]
pub(crate) struct PublishOptions {
    /// Publish although the change breaks clients
    #[arg(long)]
    allow_breaking: bool,
}

/// Checks style and comments.
pub(crate) fn lint() -> Result<()> {
    run(buf(&["lint"])?)
}

/// Checks that the contract is backward compatible with the published one.
pub(crate) fn breaking() -> Result<()> {
    ensure!(
        repository().join(PUBLISHED).is_file(),
        "{PUBLISHED} is missing: `cargo xtask publish-contract` makes the present contract the published one"
    );
    run(buf(&["breaking", OURS, "--against", PUBLISHED])?)
        .context("the contract breaks its clients: add instead of changing, or deprecate")
}

/// `cargo xtask publish-contract`.
pub(crate) fn publish(options: &PublishOptions) -> Result<()> {
    components::install(&[Component::Buf])?;
    lint()?;
    if repository().join(PUBLISHED).is_file() && !options.allow_breaking {
        breaking()?;
    }
    run(buf(&["build", OURS, "--exclude-source-info", "-o", PUBLISHED])?)?;
    eprintln!("{PUBLISHED} holds the present contract; commit it with the change it belongs to");
    Ok(())
}

/// `cargo xtask descriptor`: the descriptor set that the services and the edge use.
pub(crate) fn write_descriptor() -> Result<()> {
    run(cargo(&BUILD))?;
    let path = descriptor_path();
    write_descriptor_to(&path)?;
    eprintln!("{}", path.display());
    Ok(())
}

fn descriptor_path() -> PathBuf {
    target_dir().join("staymesh.binpb")
}

fn write_descriptor_to(path: &Path) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let staymesh = Binaries::of_profile("debug").staymesh;
    run(Launch::new("staymesh descriptor", staymesh).args(["descriptor".as_ref(), path.as_os_str()]))
}

fn buf(args: &[&str]) -> Result<Launch> {
    Ok(Launch::new(format!("buf {}", args[0]), install::buf(&dev_dir())?).args(args))
}
