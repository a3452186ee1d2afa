//! The real parts of the mesh: PostgreSQL, Redis and Envoy.
//!
//! This crate finds or installs them ([`install`]) and runs them privately: on loopback, on ports of their own, with
//! their files below a directory that the caller names, and never longer than the process that started them
//! ([`process`]). It is shared by `xtask` and the test kit, so it knows nothing of the services, and it stays small
//! enough that everything else can be compiled after it: no async runtime, no database driver.
//!
//! ```no_run
//! use staymesh_devenv::{Part, Postgres, PostgresOptions, dev_dir, install};
//!
//! # fn main() -> anyhow::Result<()> {
//! install::install(&dev_dir(), &[Part::Postgres], &|line| eprintln!("{line}"))?;
//! let mut postgres = Postgres::start("/tmp/example".as_ref(), PostgresOptions::default())?;
//! println!("{}", postgres.url("postgres"));
//! postgres.stop()?;
//! # Ok(())
//! # }
//! ```

mod account;
mod envoy;
pub mod install;
pub mod port;
mod postgres;
pub mod process;
mod proxy;
mod redis;
mod secret;
mod spawner;
pub mod wait;

use std::path::{Path, PathBuf};

pub use envoy::{Envoy, EnvoyOptions};
pub use install::Part;
pub use postgres::{Durability, Postgres, PostgresOptions};
pub use process::{Launch, Process, Signal};
pub use proxy::{Link, Proxy};
pub use redis::Redis;
pub use secret::keep_secret;

/// Where everything lives that is neither source nor build output: `.dev` at the root of the repository.
///
/// Removing this directory while nothing runs is always safe; it is filled again on demand.
pub fn dev_dir() -> PathBuf {
    repository().join(".dev")
}

/// The root of the repository this crate was compiled in.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
