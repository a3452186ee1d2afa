//! Identity service: who calls Staymesh, and what they may do.
//!
//! Keeps the accounts of people and the registrations of clients (programs that use OAuth 2.0 client credentials), and
//! issues access tokens to both: JSON Web Tokens signed with ES256. Other services verify tokens with the published key
//! set (JWKS, RFC 7517) and do not call identity for each request.
//!
//! | module | contents |
//! |---|---|
//! | `grpc` | `UserService`, `AuthService`, `OAuthService`, `IdentityAdminService`, `RevocationService` and `MailRecipientService` |
//! | `service` | rules: `accounts`, `ownership`, `guests`, `logins`, `clients`; `passwords`, `throttle`, `source_limit`, `tokens`, `keyring`, `critical_tasks` |
//! | `events`, `mails` | the outbox: mails to owners of accounts, and deleted accounts |
//! | `clients` | the hotel and the reservation service |
//! | `store` | SQL |
//! | `model` | accounts, clients, published keys |
//! | `crypto` | random secrets and their hashes, encryption at rest, signing keys |
//! | [`admin`] | what an operator does from the command line |
//! | `purge` | background task that deletes expired rows |
//!
//! # Outages
//!
//! - **PostgreSQL unavailable**: login, refresh and logout fail with `STORE_UNAVAILABLE`. Access tokens are still
//!   verified, because the keys are in memory.
//! - **Redis unavailable**: each replica counts failed logins on its own, so n replicas admit up to n times as many
//!   guesses. Services read ended logins and deleted clients from this service instead, within a second.
//! - **Both**: services refuse staff, administrators, partners and services, whose tokens may be revoked, and accept guests
//!   until their tokens expire (10 minutes).

pub mod admin;
mod clients;
mod config;
mod crypto;
mod error;
mod events;
mod grpc;
mod mails;
mod model;
mod purge;
mod service;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use config::{Config, KeyConfig, PasswordConfig};
pub use error::IdentityError;

use std::sync::Arc;

use staymesh_mail::Mailer;
use staymesh_mesh::{
    auth::{RoleGateways, TokenVerifier},
    node::{Node, NodeError},
};
use staymesh_store::outbox::{RelayOptions, Wake};
use tokio_util::sync::CancellationToken;

use crate::{
    clients::{hotel::GrpcHotelClient, reservation::GrpcReservationClient},
    mails::OutboxReceiver,
    service::{
        Dependencies, Services, SourceLimits,
        admission::Admission,
        keyring::Keyring,
        passwords::Argon2Passwords,
        source_limit::{Limited, SourceLimit},
        throttle::Throttle,
        tokens::Tokens,
    },
};

/// Requests of one source for mails in 15 minutes.
const MAIL_REQUESTS: u16 = 20;

/// Migrations of the service's own database, `migrations/identity`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/identity");

/// Serves the identity service until `stop` is cancelled, then drains.
///
/// # Errors
/// [`NodeError`] when the configuration is invalid or a listen address cannot be bound. An unavailable database or Redis
/// is not an error: requests that need it fail until it is available again.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let invalid = |error: IdentityError| NodeError::Config(error.to_string());
    let key = config.keys.encryption_key().map_err(invalid)?;
    let passwords = Argon2Passwords::new(&config.passwords).map_err(invalid)?;
    let node = Node::new("identity", config.node.clone(), stop)?;

    let keyring = Keyring::new(node.pool.clone(), key.clone());
    let throttle =
        Throttle::new(node.redis.clone(), &key, config.login_failures).with_source_limit(config.source_failures);
    let role_gateways = RoleGateways::read(staymesh_api::DESCRIPTOR_SET)
        .map_err(|error| NodeError::Config(format!("the contract: {error}")))?;
    let limit = |limited, most| SourceLimit::new(limited, most, node.redis.clone(), &key);
    let limits = SourceLimits {
        mail_requests: limit(Limited::MailRequests, MAIL_REQUESTS),
        guest_sessions: limit(Limited::GuestSessions, config.guest_sessions),
        guest_keys: limit(Limited::GuestKeys, config.source_failures),
    };
    let wake = Wake::default();
    let mesh = node.callees(&config.client)?;
    let services = Services::new(Dependencies {
        pool: node.pool.clone(),
        passwords: Arc::new(passwords),
        throttle,
        key: key.clone(),
        tokens: Tokens::new(keyring.clone(), &config.node.auth),
        keyring: keyring.clone(),
        revocations: node.revocations.clone(),
        admission: Admission::new(role_gateways),
        lives: config.lives(),
        limits,
        wake: wake.clone(),
        hotels: Arc::new(GrpcHotelClient::new(mesh.channel("hotel", &config.hotel_url)?)),
    });
    let receiver = OutboxReceiver {
        pool: node.pool.clone(),
        key,
        mailer: Mailer::new(&config.mail).map_err(|error| NodeError::Config(error.to_string()))?,
        site: config.mail.site().map_err(|error| NodeError::Config(error.to_string()))?,
        reservations: Box::new(GrpcReservationClient::new(mesh.channel("reservation", &config.reservation_url)?)),
    };
    node.relay_outbox(receiver, wake, RelayOptions::default());
    node.spawn(keyring.clone().keep_fresh(node.stop.clone()));
    let revoked = services.revoked.clone();
    node.spawn(node.revocations.clone().follow_and_publish(revoked, node.stop.clone()));
    node.spawn(services.critical.clone().drain(node.stop.clone()));
    node.spawn(purge::run(node.pool.clone(), node.stop.clone()));
    let verifier = TokenVerifier::new(keyring, &config.node.auth);
    node.serve(verifier, grpc::routes(&services), grpc::SERVICE_NAMES.to_vec(), &MIGRATOR).await
}
