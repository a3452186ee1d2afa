//! The commands of a developer: `cargo xtask up`, `cargo xtask test` and their helpers.
//!
//! Each sets up what it needs by itself, under `.dev/` and `target/`; see `cargo xtask help`.

mod checks;
mod components;
mod contract;
mod conversions;
mod docs;
mod failures;
mod licences;
mod logs;
mod modules;
mod progress;
mod source;
mod steps;
mod test;
mod tools;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use staymesh_devenv::Component;

/// Sets up, runs, tests and checks Staymesh. Everything it makes is under .dev/ and target/.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole mesh on this machine until Ctrl-C
    Up(up::Options),
    /// Run every check and every test, as CI does
    Test(test::Options),
    /// Run only the checks: formatting, contract, licences, clippy
    Lint,
    /// Install what is missing of PostgreSQL, Redis, Envoy and buf
    Install,
    /// Write the contract's descriptor set to target/staymesh.binpb
    Descriptor,
    /// Record the present contract as published: later changes must stay compatible with it
    PublishContract(contract::PublishOptions),
    /// Check licences, banned crates and sources of everything that is built against deny.toml
    Licences,
    /// Check that no modules import each other in a circle, or print their lines of code
    Modules(modules::Options),
    /// Check that no failed conversion of a number or a date is replaced by a default
    Conversions,
    /// Look for personal data and secrets in the logs of tests and of `cargo xtask up`
    Logs(logs::Options),
    /// Check that every link and path in the documentation names something that exists
    Docs,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    tools::watch_for_interrupts()?;
    match cli.command {
        Command::Up(options) => up::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Lint => checks::run(),
        Command::Install => components::install(&Component::ALL).map(|()| ExitCode::SUCCESS),
        Command::Descriptor => contract::write_descriptor().map(|()| ExitCode::SUCCESS),
        Command::PublishContract(options) => contract::publish(&options).map(|()| ExitCode::SUCCESS),
        Command::Modules(options) => modules::run(&options),
        Command::Licences => print(licences::check()),
        Command::Conversions => print(conversions::check()),
        Command::Logs(options) => logs::run(options),
        Command::Docs => print(docs::check()),
    }
}

/// Prints what a check found in order.
fn print(checked: Result<String>) -> Result<ExitCode> {
    checked.map(|sentence| {
        println!("{sentence}");
        ExitCode::SUCCESS
    })
}
