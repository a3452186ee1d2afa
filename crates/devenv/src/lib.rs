//! The development environment: real PostgreSQL, Redis and Envoy servers for `cargo xtask up`, tests and benchmarks.
//!
//! This crate finds or installs the components ([`install`]) and runs them as private child processes: on loopback, on
//! free ports, with their files below a directory that the caller names, and never longer than the process that started
//! them ([`process`]). It knows nothing of the services, and it compiles quickly: no async runtime, no database driver.
//!
//! ```no_run
//! use staymesh_devenv::{Component, Postgres, PostgresOptions, dev_dir, install};
//!
//! # fn main() -> anyhow::Result<()> {
//! install::install(&dev_dir(), &[Component::Postgres], &|line| eprintln!("{line}"))?;
//! let mut postgres = Postgres::start("/tmp/example".as_ref(), PostgresOptions::default())?;
//! println!("{}", postgres.url("postgres"));
//! postgres.stop()?;
//! # Ok(())
//! # }
//! ```

mod account;
mod envoy;
pub mod install;
pub mod kept_logs;
pub mod port;
mod postgres;
pub mod process;
mod proxy;
mod redis;
pub mod run_dir;
mod secret;
mod spawner;
pub mod wait;

use std::path::{Path, PathBuf};

pub use envoy::{Envoy, EnvoyOptions};
pub use install::Component;
pub use postgres::{Durability, Postgres, PostgresOptions};
pub use process::{Launch, Process, Signal};
pub use proxy::{Link, Proxy};
pub use redis::Redis;
pub use secret::keep_secret;

/// `.dev` at the root of the repository: installed components, data of local runs, logs.
///
/// Removing this directory while no mesh and no test runs is always safe; it is filled again on demand.
pub fn dev_dir() -> PathBuf {
    repository().join(".dev")
}

/// The root of the repository this crate was compiled in.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
