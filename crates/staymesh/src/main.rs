//! `staymesh`: the production binary with every service and every operator command. Development tools, the simulated
//! payment provider among them, are in `staymesh-dev`.

mod commands;

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
    /// Create a service's database if it is missing, and apply its migrations; idempotent
    Migrate(commands::migrate::Migrate),
    /// Manage administrators, OAuth 2.0 clients and keys of the identity service
    #[command(subcommand)]
    Identity(commands::identity::Identity),
    /// Run a daily or manual job
    #[command(subcommand)]
    Job(commands::job::Job),
    /// Check a whole reservation database: nothing oversold, nothing lost; with a payment database the books, too. Reads only, also while the service sells.
    /// Ends with status 0 if no invariant is violated, with 3 if one is, and with 1 if something could not be read
    Check(commands::check::Check),
    /// Write the edge's configuration for Envoy, and the descriptor set it transcodes by
    EdgeConfig(Box<commands::edge::EdgeConfigCommand>),
    /// Write the compiled contract, a google.protobuf.FileDescriptorSet
    Descriptor(commands::edge::Descriptor),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::Serve(service) => commands::serve::run(*service).await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::Identity(identity) => identity.run().await,
        Command::Job(job) => job.run().await,
        Command::Check(check) => check.run().await,
        Command::EdgeConfig(edge) => edge.run(),
        Command::Descriptor(descriptor) => descriptor.run(),
    };
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    commands::status::of(&outcome)
}
