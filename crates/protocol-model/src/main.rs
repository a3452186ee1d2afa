//! `staymesh-protocol-model`: explores the protocol within larger bounds than the tests do. The exit status says whether
//! every property holds.

use std::process::ExitCode;

use clap::Parser;
use staymesh_protocol_model::{Bounds, Protocol, explore};

/// Explores every interleaving of the protocol between the reservation and the payment service.
#[derive(Parser)]
struct Args {
    /// Requests of the guest to pay.
    #[arg(long, default_value_t = Bounds::LARGE.asks)]
    asks: u8,
    /// Lost, repeated and late messages and crashes, together.
    #[arg(long, default_value_t = Bounds::LARGE.faults)]
    faults: u8,
}

fn main() -> anyhow::Result<ExitCode> {
    let Args { asks, faults } = Args::parse();
    let report = explore(Protocol::new(Bounds { asks, faults }, None)?);
    println!("{} states, {} steps deep, in {:.1?}", report.states, report.depth, report.duration);
    for (property, steps) in &report.violated {
        println!("violated: {property}");
        for step in steps {
            println!("  {step}");
        }
    }
    for example in &report.missing {
        println!("never reached: {example}");
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
