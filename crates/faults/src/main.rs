//! `staymesh-faults`: fault tests of a whole mesh. Each is a proof with an exit status: 0 when every invariant holds, 1
//! otherwise. Figures of throughput and latency come from `staymesh-bench`.
//!
//! | to change | look in |
//! |---|---|
//! | bookings while replicas and PostgreSQL are killed | `soak/` |
//! | payments while the payment provider fails | `storm/` |
//! | requests that one address holds open while others call | `attack/` |
//! | how the mesh is started and load is generated | the crate `staymesh-load` |

mod attack;
mod soak;
mod storm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Fault tests of a whole mesh. Each starts what it needs on loopback and stops it at the end.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make 10,000 payments while calls and events of the payment provider fail at random; then compare all records
    Storm(storm::Options),
    /// Book for ten minutes over two replicas while each is killed every 20 seconds and PostgreSQL once; then compare
    /// every answer with the database. Ends with status 0 if no acknowledged booking is lost and nothing is oversold
    Soak(soak::Options),
    /// Hold 2,000 unfinished requests open from one address, in each form that the gateways offer, while other addresses
    /// call. Ends with status 0 if none of them is refused and their latency is what it is without the attack
    Attack(attack::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::Storm(options) => storm::run(options).await,
        Command::Soak(options) => soak::run(options).await,
        Command::Attack(options) => attack::run(options).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
