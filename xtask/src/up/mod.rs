//! `cargo xtask up`: the whole mesh on this machine, until Ctrl-C.

mod greeting;
mod lock;
mod preflight;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use staymesh_devenv::{Component, Durability, dev_dir};
use staymesh_localmesh::LocalMesh;

use crate::components;
use crate::progress::Lines;
use crate::tools::{BUILD, Binaries, cargo, interrupted, run as run_tool};
use lock::Lock;

/// How often the running mesh is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Flags of `cargo xtask up`.
#[derive(Debug, Args)]
#[command(after_help = "Everything it writes is under .dev/run; data is kept from one run to the next.\n\n\
                        Examples:\n  cargo xtask up\n  cargo xtask up --smoke        # set up, run the smoke test, stop\n  \
                        cargo xtask up --public-port 9080 --internal-port 9081")]
pub(crate) struct Options {
    /// Run a complete booking as a smoke test, then stop; the exit status is that of the test
    #[arg(long)]
    smoke: bool,

    /// Delete the data of earlier runs first
    #[arg(long)]
    fresh: bool,

    /// Build with optimisation, for measuring
    #[arg(long)]
    release: bool,

    /// Where guests and partners connect, on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    public_port: u16,

    /// Where staff and admins connect, on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    internal_port: u16,

    /// How long an unpaid booking holds its rooms, for example 30s, to see a hold end [default: 15m]
    #[arg(long, value_name = "TIME")]
    hold: Option<String>,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let dir = dev_dir().join("run");
    let _lock = Lock::take(&dir)?;
    preflight::check(&dir, options)?;
    remove_old(&dir, options.fresh)?;
    components::install(&[Component::Postgres, Component::Redis, Component::Envoy])?;
    let binaries = build(options.release)?;
    // From here on an error drops the mesh, which stops what it has started.
    let mut mesh = start(dir, binaries, options)?;
    let outcome = if options.smoke {
        mesh.smoke()
    } else {
        println!("{}", greeting::text(&mesh)?);
        watch(&mut mesh)
    };
    eprintln!("\nstopping …");
    let stopped = mesh.stop();
    outcome.and(stopped).map(|()| ExitCode::SUCCESS)
}

fn start(dir: PathBuf, binaries: Binaries, options: &Options) -> Result<LocalMesh> {
    let mesh = staymesh_localmesh::Options {
        dir,
        binary: binaries.staymesh,
        dev_binary: binaries.staymesh_dev,
        public_port: Some(options.public_port),
        internal_port: Some(options.internal_port),
        durability: Durability::On,
        settings: options.hold.iter().map(|hold| ("reservation", "STAYMESH_HOLD", hold.clone())).collect(),
    };
    let progress = Lines::default();
    let mesh = LocalMesh::start(mesh, &progress)?;
    mesh.load_demo_data(&progress)?;
    Ok(mesh)
}

fn build(release: bool) -> Result<Binaries> {
    eprintln!("  build: the first time takes some minutes");
    let args = [&BUILD[..], if release { &["--release"] } else { &[] }].concat();
    run_tool(cargo(&args))?;
    Ok(Binaries::of_profile(if release { "release" } else { "debug" }))
}

/// Waits for Ctrl-C. An error if something ends by itself.
fn watch(mesh: &mut LocalMesh) -> Result<()> {
    while !interrupted() {
        mesh.check()?;
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Removes the logs of the last run, and with `data` everything else it left but the lock, which this run holds.
fn remove_old(dir: &Path, data: bool) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let logs = path.file_name().is_some_and(|name| name == "logs");
        if lock::is_lock(&path) || !(data || logs) {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}
