//! `staymesh-protocol-model`: explores the protocol within larger bounds than the tests do. The exit status says whether
//! every property holds.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use staymesh_protocol_model::{Bounds, Protocol, Report, change, explore, partner};

/// Explores every interleaving of the protocol between the reservation and the payment service.
#[derive(Parser)]
struct Args {
    /// What is explored; everything without it.
    #[arg(value_enum)]
    model: Option<Explored>,
}

/// A model within its larger bounds.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Explored {
    /// A booking that is paid, paid late or not at all.
    Booking,
    /// A paid booking that changes.
    Changes,
    /// Refunds of an administrator beside changes.
    Administrator,
    /// A booking of a partner who collects, and its changes.
    Partner,
}

impl Explored {
    fn explore(self) -> anyhow::Result<Report> {
        Ok(match self {
            Self::Booking => explore(Protocol::new(Bounds::LARGE, None)?),
            Self::Changes => explore(change::Changes::new(change::Bounds::LARGE, None)?),
            Self::Administrator => explore(change::Changes::new(change::Bounds::LARGE_ADMINISTRATOR, None)?),
            Self::Partner => explore(partner::Partner::new(partner::Bounds::LARGE, None)?),
        })
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let one = Args::parse().model;
    let models = one.map_or(Explored::value_variants().to_vec(), |one| vec![one]);
    let mut holds = true;
    for model in models {
        let report = model.explore()?;
        println!("{model:?}: {} states, {} steps deep, in {:.1?}", report.states, report.depth, report.duration);
        for (property, steps) in &report.violated {
            println!("violated: {property}");
            for step in steps {
                println!("  {step}");
            }
        }
        for example in &report.missing {
            println!("never reached: {example}");
        }
        holds &= report.holds();
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
