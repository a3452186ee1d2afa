//! `cargo xtask test`: every check and every test, as CI runs them.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use staymesh_devenv::{
    Component, Durability, Postgres, PostgresOptions, Redis, dev_dir, install, kept_logs::FOLDER_VARIABLE, run_dir,
};

use crate::failures::failures;
use crate::steps::Steps;
use crate::tools::{BUILD, BUILD_TESTS, Binaries, cargo, run as run_tool, run_logged, target_dir};
use crate::{checks, components, logs};

/// Flags of `cargo xtask test`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only tests -- -p staymesh-hotel\n  \
                        cargo xtask test --only tests -- --test it races")]
pub(crate) struct Options {
    /// Leave out the other half
    #[arg(long, value_enum)]
    only: Option<Half>,

    /// Passed on to `cargo test`; naming packages there replaces the whole workspace
    #[arg(last = true)]
    cargo_args: Vec<String>,
}

impl Options {
    /// What is built before the tests: the binaries that they start, and with the whole workspace also the tests.
    fn build(&self) -> &'static [&'static str] {
        if picks_packages(&self.cargo_args) { &BUILD } else { &BUILD_TESTS }
    }
}

fn picks_packages(cargo_args: &[String]) -> bool {
    cargo_args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    Lint,
    Tests,
}

/// The stores that all tests share; each test makes its own database or key space in them.
struct Stores {
    dir: PathBuf,
    postgres: Postgres,
    redis: Redis,
}

impl Stores {
    /// Stops both and removes their files, the first fault being reported after all is done.
    fn close(mut self) -> Result<()> {
        let stopped = self.redis.stop().and(self.postgres.stop());
        fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))?;
        stopped
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.only == Some(Half::Lint) {
        return checks::run();
    }
    let lint = options.only != Some(Half::Tests);
    let mut steps = Steps::new(if lint { checks::COUNT + 5 } else { 5 });
    let for_tests = [Component::Postgres, Component::Redis, Component::Envoy, Component::OAuthLibraries];
    let wanted = if lint { &Component::ALL[..] } else { &for_tests };
    let installed = steps.run("install components", || components::install(wanted))?.is_some();
    if lint {
        checks::add(&mut steps)?;
    }
    let built = steps.run("build", || run_tool(cargo(options.build())))?.is_some();
    let stores = if installed { steps.run("start stores", start_stores)? } else { None };
    match stores {
        Some(stores) => {
            let tested = if built {
                run_and_check_logs(&mut steps, &stores, &options.cargo_args)
            } else {
                steps.skip("tests", "the build failed");
                Ok(())
            };
            stores.close()?;
            tested?;
        }
        None => steps.skip("tests", "they need PostgreSQL and Redis"),
    }
    Ok(steps.finish())
}

/// Runs the tests, then looks for personal data and secrets in the logs of the stores and of all meshes.
fn run_and_check_logs(steps: &mut Steps, stores: &Stores, cargo_args: &[String]) -> Result<()> {
    let started = SystemTime::now();
    steps.run("tests", || run_tests(stores, cargo_args))?;
    let dirs = [stores.dir.clone(), dev_dir().join("test")];
    // Only the whole workspace has a test of every part.
    let expected = if cargo_args.is_empty() { logs::of_all_parts() } else { Vec::new() };
    steps.run("logs hold nothing private", || {
        logs::check(&dirs, started, &expected).map(|found| eprintln!("{found}"))
    })?;
    Ok(())
}

fn start_stores() -> Result<Stores> {
    // One directory for each run, so that concurrent runs are isolated.
    let dir = run_dir::of_this_process("test-runs");
    let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
    let postgres = Postgres::start(&dir.join("postgres"), options)?;
    let redis = Redis::start(&dir.join("redis"), None)?;
    eprintln!("PostgreSQL on port {}, Redis on port {}, files in {}", postgres.port(), redis.port(), dir.display());
    Ok(Stores { dir, postgres, redis })
}

fn run_tests(stores: &Stores, cargo_args: &[String]) -> Result<()> {
    let mut args = vec!["test", "--locked", "--no-fail-fast"];
    if !picks_packages(cargo_args) {
        args.push("--workspace");
    }
    let binaries = Binaries::of_profile("debug");
    let tests = cargo(&args)
        .args(cargo_args)
        .env("STAYMESH_TEST_POSTGRES_URL", stores.postgres.url("postgres"))
        .env("STAYMESH_TEST_REDIS_URL", stores.redis.url())
        .env(FOLDER_VARIABLE, stores.dir.join("logs"))
        .env("STAYMESH_TEST_ENVOY", install::envoy(&dev_dir())?)
        .env("STAYMESH_BIN", &binaries.staymesh)
        .env("STAYMESH_DEV_BIN", &binaries.staymesh_dev);
    let output = target_dir().join("test-output.txt");
    let tested = run_logged(tests, &output);
    for failure in failures(&String::from_utf8_lossy(&fs::read(&output)?)) {
        eprintln!("\nFAILED {failure}");
    }
    tested
}
