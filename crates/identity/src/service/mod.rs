//! Rules of identity: signing up, logging in, client credentials, and what they stand on.

pub(crate) mod accounts;
pub(crate) mod admission;
mod client_secrets;
pub(crate) mod clients;
pub(crate) mod critical_tasks;
pub(crate) mod guests;
mod hash_queue;
pub(crate) mod keyring;
pub(crate) mod logins;
pub(crate) mod ownership;
mod password_rules;
pub(crate) mod passwords;
pub(crate) mod revoke;
pub(crate) mod roles;
pub(crate) mod source_limit;
pub(crate) mod throttle;
pub(crate) mod tokens;

use std::sync::Arc;

use sqlx::PgPool;
use staymesh_mesh::auth::Revocations;
use staymesh_store::outbox::Wake;

use crate::{clients::hotel::HotelClient, config::Lives, crypto::EncryptionKey};
use accounts::AccountService;
use admission::Admission;
use clients::ClientService;
use critical_tasks::CriticalTasks;
use guests::GuestService;
use keyring::Keyring;
use logins::LoginService;
use ownership::OwnershipService;
use passwords::Passwords;
use revoke::RevokedInStore;
use roles::RoleService;
use source_limit::SourceLimit;
use throttle::Throttle;
use tokens::Tokens;

/// What the services are built from.
pub(crate) struct Dependencies {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) throttle: Throttle,
    pub(crate) key: EncryptionKey,
    pub(crate) tokens: Tokens,
    pub(crate) keyring: Keyring,
    pub(crate) revocations: Revocations,
    pub(crate) admission: Admission,
    pub(crate) lives: Lives,
    pub(crate) limits: SourceLimits,
    pub(crate) wake: Wake,
    pub(crate) hotels: Arc<dyn HotelClient>,
}

/// Limits of what one source may do.
pub(crate) struct SourceLimits {
    /// Requests for mails that reset a password.
    pub(crate) mail_requests: SourceLimit,
    /// Guest checkouts.
    pub(crate) guest_sessions: SourceLimit,
    /// Invalid keys of booking links.
    pub(crate) guest_keys: SourceLimit,
}

/// The rules, wired up.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) accounts: AccountService,
    pub(crate) roles: RoleService,
    pub(crate) logins: LoginService,
    pub(crate) clients: ClientService,
    pub(crate) ownership: OwnershipService,
    pub(crate) guests: GuestService,
    pub(crate) keyring: Keyring,
    /// Issuer of tokens: the base URL of the public gateway.
    pub(crate) issuer: String,
    pub(crate) revoked: RevokedInStore,
    pub(crate) critical: CriticalTasks,
}

impl Services {
    /// Wires the services up. They share one limit of [`CriticalTasks`].
    pub(crate) fn new(dependencies: Dependencies) -> Self {
        let Dependencies {
            pool,
            passwords,
            throttle,
            key,
            tokens,
            keyring,
            revocations,
            admission,
            lives,
            limits,
            wake,
            hotels,
        } = dependencies;
        let critical = CriticalTasks::default();
        let issuer = tokens.issuer().to_owned();
        let accounts = AccountService {
            pool: pool.clone(),
            passwords: Arc::clone(&passwords),
            throttle: Some(throttle.clone()),
            revocations: revocations.clone(),
            critical: critical.clone(),
            wake: wake.clone(),
        };
        let logins = LoginService {
            pool: pool.clone(),
            passwords: Arc::clone(&passwords),
            throttle: throttle.clone(),
            key: key.clone(),
            tokens: tokens.clone(),
            revocations: revocations.clone(),
            admission: admission.clone(),
            lives,
            critical: critical.clone(),
        };
        Self {
            roles: RoleService { accounts: accounts.clone(), hotels },
            accounts,
            ownership: OwnershipService {
                pool: pool.clone(),
                passwords,
                throttle,
                mail_limit: limits.mail_requests,
                revocations: revocations.clone(),
                critical: critical.clone(),
                key: key.clone(),
                wake,
            },
            guests: GuestService {
                pool: pool.clone(),
                key: key.clone(),
                logins: logins.clone(),
                sessions: limits.guest_sessions,
                failures: limits.guest_keys,
            },
            logins,
            revoked: RevokedInStore(pool.clone()),
            clients: ClientService { pool, key, tokens, revocations, admission, lives, critical: critical.clone() },
            keyring,
            issuer,
            critical,
        }
    }
}
