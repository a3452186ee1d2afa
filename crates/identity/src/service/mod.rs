//! Rules of identity: signing up, logging in, client credentials, and what they stand on.

pub(crate) mod accounts;
mod client_secrets;
pub(crate) mod clients;
pub(crate) mod critical_tasks;
mod hash_queue;
pub(crate) mod keyring;
pub(crate) mod logins;
pub(crate) mod mail_limit;
pub(crate) mod ownership;
mod password_rules;
pub(crate) mod passwords;
pub(crate) mod revoke;
pub(crate) mod throttle;
pub(crate) mod tokens;

use std::sync::Arc;

use sqlx::PgPool;
use staymesh_mesh::auth::Revocations;
use staymesh_store::outbox::Wake;

use crate::{config::Lives, crypto::EncryptionKey};
use accounts::AccountService;
use clients::ClientService;
use critical_tasks::CriticalTasks;
use keyring::Keyring;
use logins::LoginService;
use mail_limit::MailLimit;
use ownership::OwnershipService;
use passwords::Passwords;
use revoke::RevokedInStore;
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
    pub(crate) lives: Lives,
    pub(crate) mail_limit: MailLimit,
    pub(crate) wake: Wake,
}

/// The rules, wired up.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) accounts: AccountService,
    pub(crate) logins: LoginService,
    pub(crate) clients: ClientService,
    pub(crate) ownership: OwnershipService,
    pub(crate) keyring: Keyring,
    /// Issuer of tokens: the base URL of the public gateway.
    pub(crate) issuer: String,
    pub(crate) revoked: RevokedInStore,
    pub(crate) critical: CriticalTasks,
}

impl Services {
    /// Wires the services up. They share one limit of [`CriticalTasks`].
    pub(crate) fn new(dependencies: Dependencies) -> Self {
        let Dependencies { pool, passwords, throttle, key, tokens, keyring, revocations, lives, mail_limit, wake } =
            dependencies;
        let critical = CriticalTasks::default();
        let issuer = tokens.issuer().to_owned();
        Self {
            accounts: AccountService {
                pool: pool.clone(),
                passwords: Arc::clone(&passwords),
                throttle: Some(throttle.clone()),
                revocations: revocations.clone(),
                critical: critical.clone(),
                wake: wake.clone(),
            },
            ownership: OwnershipService {
                pool: pool.clone(),
                passwords: Arc::clone(&passwords),
                throttle: throttle.clone(),
                mail_limit,
                revocations: revocations.clone(),
                critical: critical.clone(),
                key: key.clone(),
                wake,
            },
            logins: LoginService {
                pool: pool.clone(),
                passwords,
                throttle,
                key: key.clone(),
                tokens: tokens.clone(),
                revocations: revocations.clone(),
                lives,
                critical: critical.clone(),
            },
            revoked: RevokedInStore(pool.clone()),
            clients: ClientService { pool, key, tokens, revocations, lives, critical: critical.clone() },
            keyring,
            issuer,
            critical,
        }
    }
}
