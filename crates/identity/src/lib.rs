//! Identity: who calls Staymesh, and what they may do.
//!
//! It keeps the accounts of people and the registrations of programs, and gives both access tokens: JSON Web Tokens
//! signed with ES256, whose public keys everybody can fetch. Other services verify tokens by themselves and never ask
//! here about a caller.
//!
//! | a question | its module |
//! |---|---|
//! | who has an account, with what role? | `accounts` |
//! | how does a person log in, stay logged in, log out? | `logins` |
//! | how does a program get a token? | `clients` |
//! | what are tokens signed with, and what do they say? | `keys`, `tokens` |
//! | how is a password kept? how are guesses slowed down? | `password`, `throttle` |
//! | what can an operator do? | [`admin`] |
//!
//! # When something is away
//!
//! - **PostgreSQL**: nobody can log in, refresh or log out; calls with tokens are still verified here, as the keys are
//!   in memory.
//! - **Redis**: failed logins are counted in each process for itself, so up to as many more guesses as there are
//!   replicas; an ended login's access tokens work until they end (10 minutes; an hour for programs), while its
//!   refresh tokens and the deleted program's secret stop at once, as PostgreSQL decides those.

mod accounts;
pub mod admin;
mod clients;
mod config;
mod crypto;
mod email;
mod error;
mod grpc;
mod keys;
mod logins;
mod password;
mod purge;
mod store;
#[cfg(test)]
mod tests;
mod throttle;
mod tokens;
mod uninterrupted;

use std::sync::Arc;

pub use config::{Config, KeyConfig, PasswordConfig};
pub use error::IdentityError;
use staymesh_mesh::{
    auth::TokenVerifier,
    node::{Node, NodeError},
};
use tokio_util::sync::CancellationToken;

/// The schema of this service's database.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/identity");

/// Serves identity until `stop`.
///
/// # Errors
/// When the configuration is wrong or an address cannot be listened on. A database or Redis that is away is no error.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let wrong = |error: IdentityError| NodeError::Config(error.to_string());
    let key = config.keys.encryption_key().map_err(wrong)?;
    let passwords = password::Argon2Passwords::new(&config.passwords).map_err(wrong)?;
    let node = Node::new("identity", config.node.clone(), stop)?;

    let keyring = keys::Keyring::new(node.pool.clone(), key.clone());
    let throttle = throttle::Throttle::new(node.redis.clone(), &key, config.login_failures);
    let services = grpc::Services::new(grpc::Parts {
        pool: node.pool.clone(),
        passwords: Arc::new(passwords),
        throttle,
        key,
        tokens: tokens::Tokens::new(keyring.clone(), &config.node.auth),
        keyring: keyring.clone(),
        revocations: node.revocations.clone(),
        lives: config.lives(),
    });
    node.spawn(keyring.clone().keep_fresh(node.stop.clone()));
    node.spawn(services.changes.clone().end(node.stop.clone()));
    node.spawn(purge::run(node.pool.clone(), node.stop.clone()));
    let verifier = TokenVerifier::new(keyring, &config.node.auth);
    node.serve(verifier, services.routes(), grpc::SERVICE_NAMES.to_vec(), &MIGRATOR).await
}
