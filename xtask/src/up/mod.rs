//! `cargo xtask up`: the whole mesh on this machine, until Ctrl-C.

mod greeting;
mod lock;
mod preflight;
mod secrets;
mod smoke;
mod stack;
mod table;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use staymesh_parts::{Part, dev_dir};

use crate::checks::install_parts;
use crate::tools::{cargo, interrupted, run as run_tool, staymesh_binary};
use lock::Lock;
use stack::Stack;

/// How often the running mesh is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Flags of `cargo xtask up`.
#[derive(Debug, Args)]
#[command(after_help = "Everything it writes is under .dev/run; data is kept from one run to the next.\n\n\
                        Examples:\n  cargo xtask up\n  cargo xtask up --smoke        # set up, walk through a booking, stop\n  \
                        cargo xtask up --public-port 9080 --internal-port 9081")]
pub(crate) struct Options {
    /// Walk through a booking by itself, then stop; the exit status tells whether it worked
    #[arg(long)]
    smoke: bool,

    /// Throw away the data of earlier runs first
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
}

impl Options {
    fn public(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.public_port))
    }

    fn internal(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.internal_port))
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let dir = dev_dir().join("run");
    let _lock = Lock::take(&dir)?;
    preflight::check(&dir, options)?;
    if options.fresh {
        remove_data(&dir)?;
    }
    install_parts(&[Part::Postgres, Part::Redis, Part::Envoy])?;
    let binary = build(options.release)?;
    // From here on an error drops the stack, which stops what it has started.
    let mut stack = Stack::start(&dir, &binary, options)?;
    let outcome = if options.smoke {
        smoke::run(stack.mesh())
    } else {
        println!("{}", greeting::text(stack.mesh()));
        watch(&mut stack)
    };
    eprintln!("\nstopping …");
    stack.stop()?;
    outcome.map(|()| ExitCode::SUCCESS)
}

fn build(release: bool) -> Result<PathBuf> {
    eprintln!("  build: the first time takes some minutes");
    let mut args = vec!["build", "--package", "staymesh", "--locked"];
    args.extend(release.then_some("--release"));
    run_tool(cargo(&args))?;
    Ok(staymesh_binary(if release { "release" } else { "debug" }))
}

/// Waits for Ctrl-C. An error if something ends by itself.
fn watch(stack: &mut Stack) -> Result<()> {
    while !interrupted() {
        stack.check()?;
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Removes what earlier runs have left, except the lock that this run holds.
fn remove_data(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else if lock::is_lock(&path) {
            Ok(())
        } else {
            std::fs::remove_file(&path)
        };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// Ends the start at once when the user wants to stop.
fn unless_interrupted() -> Result<()> {
    if interrupted() {
        bail!("interrupted; everything that was started is stopped");
    }
    Ok(())
}
