//! Running other programs, and noticing Ctrl-C.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use staymesh_devenv::{Launch, repository};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// From now on Ctrl-C, TERM and HUP do not end this process but are seen by [`interrupted`], so that whatever was
/// started can be stopped in order.
pub(crate) fn watch_for_interrupts() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("listening for Ctrl-C")
}

/// Whether the user wants to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Runs a program in the repository to its end, its output going where ours goes.
pub(crate) fn run(launch: Launch) -> Result<()> {
    run_while(launch, || Ok(()))
}

/// As [`run`], with the output written to the file `log` as well, which is replaced.
pub(crate) fn run_logged(launch: Launch, log: &Path) -> Result<()> {
    let opened = File::create(log).and_then(|_| File::open(log));
    let mut written = opened.with_context(|| format!("opening {}", log.display()))?;
    run_while(launch.log(log), || Ok(io::copy(&mut written, &mut io::stderr()).map(drop)?))
}

/// Runs a program to its end; `look` is called while it runs and once after it has ended.
fn run_while(launch: Launch, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    let mut process = launch.dir(repository()).spawn()?;
    loop {
        let ended = process.exit_status()?;
        look()?;
        if let Some(status) = ended {
            ensure!(status.success(), "{} failed ({status})", process.name());
            return Ok(());
        }
        if interrupted() {
            process.kill_now()?;
            bail!("{} was interrupted", process.name());
        }
        sleep(LOOK_EVERY);
    }
}

/// A run of cargo, to be given to [`run`].
pub(crate) fn cargo(args: &[&str]) -> Launch {
    let title = format!("cargo {}", args.first().unwrap_or(&""));
    Launch::new(title, cargo_program()).args(args)
}

/// Runs cargo silently and yields what it printed.
pub(crate) fn cargo_output(args: &[&str]) -> Result<String> {
    let program = cargo_program();
    let output = Command::new(&program).args(args).current_dir(repository()).output();
    let output = output.with_context(|| format!("running {}", program.display()))?;
    ensure!(output.status.success(), "cargo {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn cargo_program() -> PathBuf {
    env::var_os("CARGO").unwrap_or_else(|| OsStr::new("cargo").to_owned()).into()
}

/// The directory of build output, which `CARGO_TARGET_DIR` may have moved.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), |dir| repository().join(dir))
}

/// Arguments of the build that `up` and `test` need. `--workspace` resolves dependency features exactly as
/// `cargo build --workspace` does, so that after it nothing is compiled again.
pub(crate) const BUILD: [&str; 7] = ["build", "--workspace", "--locked", "--bin", STAYMESH, "--bin", STAYMESH_DEV];

/// Arguments of the build before the tests of the whole workspace: binaries and tests share the features that development
/// dependencies add, so that no crate is compiled once for each.
pub(crate) const BUILD_TESTS: [&str; 6] = ["build", "--workspace", "--locked", "--lib", "--bins", "--tests"];

/// Name of the production binary.
const STAYMESH: &str = "staymesh";
/// Name of the binary with the development tools.
const STAYMESH_DEV: &str = "staymesh-dev";

/// Paths of the binaries that [`BUILD`] leaves in the target directory.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) staymesh: PathBuf,
    pub(crate) staymesh_dev: PathBuf,
}

impl Binaries {
    /// `profile` is the name of the directory: `debug` or `release`.
    pub(crate) fn of_profile(profile: &str) -> Self {
        let directory = target_dir().join(profile);
        Self { staymesh: directory.join(STAYMESH), staymesh_dev: directory.join(STAYMESH_DEV) }
    }
}
