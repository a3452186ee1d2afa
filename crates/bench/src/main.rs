//! `staymesh-bench`: what the booking engine can do on this machine, against the ways that are usually proposed.
//!
//! Everything is started by this program and ends with it: a private `PostgreSQL` with durability on, the reservation
//! service behind the real server stack, and the load. Requests go over TCP on loopback.
//!
//! | to change | look in |
//! |---|---|
//! | what is compared | `strategy/` |
//! | the floors | `strategy/floor`, `pgbench` |
//! | what clients want | `orders`, `world` |
//! | how load is made and measured | `load/` |
//! | what must always be true | `check` |
//! | the phases of the comparison and their order | `booking`, `phase` |
//! | where the time goes | `budget` |
//! | reads and the funnel | `reads` |
//! | large against small | `scale` |
//! | what goes on beside bookings | `upkeep` |
//! | payments from end to end | `payments/` |
//! | payments while the provider fails | `storm/` |
//! | the run in which everything is killed | `soak/` |

mod batch;
mod booking;
mod budget;
mod callers;
mod check;
mod database;
mod front;
mod load;
mod neighbours;
mod orders;
mod payments;
mod pgbench;
mod phase;
mod processes;
mod reads;
mod report;
mod rig;
mod scale;
mod server;
mod soak;
mod storm;
mod strategy;
mod upkeep;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// A booking is a few hundred small allocations, many of them freed by another thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Benchmarks of the booking engine; each starts what it needs on loopback, and stops it.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare the booking writer with three usual strategies, and with an empty call
    Booking(booking::Options),
    /// Ask for availability at 30,000 a second, in open loop, or at the highest rate that holds
    Reads(reads::Options),
    /// Look, open the booking page and book, 100 : 10 : 1, in open loop at 100 times the rate of the chain, or at the
    /// highest that holds
    Funnel(reads::Options),
    /// Read and book on the whole chain and on a hundredth of it, in turn
    Scale(scale::Options),
    /// Book in open loop while 10,000 holds end in one second, and while a month of the past leaves
    Upkeep(upkeep::Options),
    /// Book and pay, from the booking to the paid booking, through all services and the payment provider's stand-in
    Payments(payments::Options),
    /// Pay 10,000 times while calls and events of the provider go wrong in every way; then compare all books
    Storm(storm::Options),
    /// Book for ten minutes over two replicas while each is killed every 20 seconds and PostgreSQL once; then compare
    /// every answer with the database. Ends with status 0 when nothing acknowledged is lost and nothing is oversold
    Soak(soak::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::Booking(options) => booking::run(options).await,
        Command::Reads(options) => reads::run(reads::What::Views, options).await,
        Command::Funnel(options) => reads::run(reads::What::Funnel, options).await,
        Command::Scale(options) => scale::run(options).await,
        Command::Upkeep(options) => upkeep::run(options).await,
        Command::Payments(options) => payments::run(options).await,
        Command::Storm(options) => storm::run(options).await,
        Command::Soak(options) => soak::run(options).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
