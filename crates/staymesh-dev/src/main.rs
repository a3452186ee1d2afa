//! `staymesh-dev`: the workshop beside the production binary `staymesh`. Nothing here belongs into a production image.
//!
//! | to change | look in |
//! |---|---|
//! | the process of the simulated payment provider (its behaviour is the crate `staymesh-psp-simulator`) | `psp_simulator` |
//! | the hotels that `cargo xtask up` loads | `demo_data` |
//! | the walk through a booking after a start | `smoke` |
//! | the inventory of a load-test database | `seed` |
//! | playing a recording of real bookings | `replay/` |
//! | connecting and logging in at a gateway | `gateway` |

mod demo_data;
mod gateway;
mod psp_simulator;
mod replay;
mod seed;
mod smoke;
mod today;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The allocator of the production binary, so that seeding and replaying are measured under the same conditions.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Development and test tools for a Staymesh mesh.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the simulated payment provider until SIGTERM or SIGINT; it never charges a card
    PspSimulator(Box<psp_simulator::PspSimulator>),
    /// Load three hotels with rooms, prices and inventory through the internal gateway; idempotent
    DemoData(demo_data::DemoData),
    /// Walk through a booking as a guest through the public gateway: sign-up, offer, booking, payment, cancellation, refund
    Smoke(smoke::Smoke),
    /// Fill a reservation database with inventory for load tests; idempotent, may be interrupted. Not for a database in use
    Seed(seed::SeedInventory),
    /// Replay a recording of real bookings through the API and compare the result with the recording
    Replay(replay::Replay),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::PspSimulator(simulator) => simulator.run().await,
        Command::DemoData(data) => data.run().await,
        Command::Smoke(smoke) => smoke.run().await,
        Command::Seed(seed) => seed.run().await,
        Command::Replay(replay) => replay.run().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
