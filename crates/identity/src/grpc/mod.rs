//! Proto in, domain out, domain error to status; no rules.

mod admin;
mod auth;
mod users;

use std::sync::Arc;

use sqlx::PgPool;
use staymesh_api::identity::v1::{
    User,
    auth_service_server::{self, AuthServiceServer},
    identity_admin_service_server::{self, IdentityAdminServiceServer},
    user_service_server::{self, UserServiceServer},
};
use staymesh_domain::FieldError;
use staymesh_mesh::{
    auth::{Claims, Revocations, Role},
    proto_types::timestamp,
};
use tonic::service::Routes;

use crate::{
    accounts::Accounts, clients::Clients, config::Lives, crypto::EncryptionKey, keys::Keyring, logins::Logins,
    password::Passwords, store::users::UserRow, throttle::Throttle, tokens::Tokens, uninterrupted::Uninterrupted,
};

/// The services that are served, for health.
pub(crate) const SERVICE_NAMES: [&str; 3] =
    [user_service_server::SERVICE_NAME, auth_service_server::SERVICE_NAME, identity_admin_service_server::SERVICE_NAME];

/// What the services stand on.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) throttle: Throttle,
    pub(crate) key: EncryptionKey,
    pub(crate) tokens: Tokens,
    pub(crate) keyring: Keyring,
    pub(crate) revocations: Revocations,
    pub(crate) lives: Lives,
}

/// The gRPC services of identity.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) accounts: Accounts,
    pub(crate) logins: Logins,
    pub(crate) clients: Clients,
    pub(crate) keyring: Keyring,
    pub(crate) changes: Uninterrupted,
}

impl Services {
    /// Puts the parts together.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { pool, passwords, throttle, key, tokens, keyring, revocations, lives } = parts;
        let changes = Uninterrupted::default();
        Self {
            accounts: Accounts {
                pool: pool.clone(),
                passwords: Arc::clone(&passwords),
                revocations: revocations.clone(),
                changes: changes.clone(),
            },
            logins: Logins {
                pool: pool.clone(),
                passwords,
                throttle,
                tokens: tokens.clone(),
                revocations: revocations.clone(),
                lives,
                changes: changes.clone(),
            },
            clients: Clients { pool, key, tokens, revocations, lives, changes: changes.clone() },
            keyring,
            changes,
        }
    }

    /// What the server serves.
    pub(crate) fn routes(self) -> Routes {
        Routes::new(UserServiceServer::new(self.clone()))
            .add_service(AuthServiceServer::new(self.clone()))
            .add_service(IdentityAdminServiceServer::new(self))
    }
}

/// A field that must not be empty, whatever else it is.
fn required(field: &str, text: String) -> Result<String, FieldError> {
    if text.is_empty() { Err(FieldError::new(field, "is required")) } else { Ok(text) }
}

fn user(row: UserRow) -> User {
    User {
        user_id: row.user_id.to_string(),
        email: row.email,
        display_name: row.display_name,
        role: role(&row.role),
        hotel_ids: row.hotel_ids,
        create_time: Some(timestamp(row.created_at.to_jiff())),
    }
}

/// The number of a role that the database names.
fn role(name: &str) -> i32 {
    Claims::role_from_name(name).unwrap_or(Role::Unspecified).into()
}
