//! `staymesh-bench`: throughput and latency of the booking engine on this machine, compared with the usual strategies.
//!
//! The program starts everything it measures and stops it: a private, durable `PostgreSQL`, the reservation service behind
//! the product's server stack, and the load. Requests go over TCP on loopback. Fault tests, which have no figures but an exit
//! status, are in `staymesh-faults`.
//!
//! | to change | look in |
//! |---|---|
//! | the strategies that are compared | `strategy/` |
//! | the lower bounds of latency | `strategy/floor`, `pgbench` |
//! | the stays that clients book | `world`, `bookings` |
//! | how load is generated and measured | the crate `staymesh-load` |
//! | the invariants after each phase | `check` |
//! | the phases of the comparison and their order | `booking`, `phase` |
//! | the time of a booking by component | `budget` |
//! | availability reads and the booking funnel | `reads` |
//! | a large against a small database | `scale` |
//! | bookings during hold expiry and archiving | `upkeep` |
//! | payments from booking to confirmation | `payments/` |
//! | a revoked token beside full load | `revocation` |
//! | REST reads through the edge, of two builds in turns | `rest` |

mod batch;
mod booking;
mod bookings;
mod budget;
mod callers;
mod check;
mod database;

mod payments;
mod pgbench;
mod phase;
mod reads;
mod report;
mod rest;
mod revocation;
mod rig;
mod scale;
mod server;
mod strategy;
mod stub_clients;
mod upkeep;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The allocator of the production binary: a booking makes a few hundred small allocations, many freed by another thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Benchmarks of the booking engine. Each starts what it needs on loopback and stops it at the end.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare the booking writer with three usual strategies and an empty RPC
    Booking(booking::Options),
    /// Read availability at 30,000 requests per second in open loop, or at the highest rate that is sustained
    Reads(reads::Options),
    /// Read availability, prepare and book in the ratio 100 : 10 : 1, in open loop, or at the highest rate that is
    /// sustained
    Funnel(reads::Options),
    /// Read and book on a full-size database and on one of a hundredth of its size, in turn
    Scale(scale::Options),
    /// Book in open loop while 10,000 holds expire in one second, and while a past month is archived
    Upkeep(upkeep::Options),
    /// Book and pay through all services and the simulated payment provider, until the reservation is confirmed
    Payments(payments::Options),
    /// Send a revoked token beside 10,000 requests per second, with Redis healthy, slow, full, stopped and resumed. Ends with
    /// status 0 if it is never answered and the rate is reached
    Revocation(revocation::Options),
    /// Read over REST through the edge at a fixed rate, with this build and an earlier one in turns
    Rest(rest::Options),
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
        Command::Revocation(options) => revocation::run(options).await,
        Command::Rest(options) => rest::run(options).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
