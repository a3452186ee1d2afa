//! The one binary of Staymesh: every service, and everything an operator does.

mod commands;
mod demo;
mod gateway;
mod replay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// A booking is a few hundred small allocations, many of them freed by another thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A hotel reservation backend as a mesh of gRPC services.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a service until SIGTERM or SIGINT
    #[command(subcommand)]
    Serve(Box<commands::serve::Service>),
    /// Make a service's database if it is missing, and bring it up to date; safe to repeat
    Migrate(commands::migrate::Migrate),
    /// Administrators, programs and keys of the identity service
    #[command(subcommand)]
    Identity(commands::identity::Identity),
    /// Work that is done once a day or by hand
    #[command(subcommand)]
    Job(commands::job::Job),
    /// Check a whole reservation database: nothing oversold, nothing lost; with a payment database the books, too. Reads only, also while the service sells.
    /// Ends with status 0 when all is as it must be, and with 1 otherwise
    Check(commands::check::Check),
    /// Fill an inventory for load tests; safe to stop and to repeat. Not for a database in use
    Seed(commands::seed::SeedInventory),
    /// Write the edge's configuration for Envoy, and the descriptor set it transcodes by
    EdgeConfig(Box<commands::edge::EdgeConfigCommand>),
    /// Write the compiled contract, a google.protobuf.FileDescriptorSet
    Descriptor(commands::edge::Descriptor),
    /// Load a small data set to try things with, through the internal gateway; safe to repeat
    DemoData(demo::DemoData),
    /// Walk through a booking as a guest, through the public gateway: from sign-up to the refund
    Smoke(demo::Smoke),
    /// Play a recording of real bookings through the API, and compare what the services answer with it
    Replay(replay::Replay),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::Serve(service) => commands::serve::run(*service).await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::Identity(identity) => identity.run().await,
        Command::Job(job) => job.run().await,
        Command::Check(check) => check.run().await,
        Command::Seed(seed) => seed.run().await,
        Command::EdgeConfig(edge) => edge.run(),
        Command::Descriptor(descriptor) => descriptor.run(),
        Command::DemoData(data) => data.run().await,
        Command::Smoke(smoke) => smoke.run().await,
        Command::Replay(replay) => replay.run().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<commands::reconcile::CouldNotLook>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
