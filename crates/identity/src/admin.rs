//! Operator API: what the command line does with the database alone, while the service may not run.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use staymesh_domain::{Email, FieldError, Language};
use staymesh_mesh::auth::{Revocations, Role};
use staymesh_store::outbox::Wake;

pub use crate::service::keyring::Rotation;
use crate::{
    config::{KeyConfig, PasswordConfig},
    error::IdentityError,
    model::{Registration, SignUp},
    service::{
        accounts::AccountService,
        clients,
        critical_tasks::CriticalTasks,
        keyring,
        passwords::{self, Argon2Passwords},
        throttle::Source,
    },
};

/// Fewest characters of a secret chosen by an operator. Its hash is a fast one (SHA-256), so it must be random.
const MIN_SECRET: usize = 32;

/// Result of [`create_admin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminOutcome {
    /// The account was created.
    Created,
    /// An administrator with this address exists; its password was not changed.
    AlreadyThere,
}

/// Creates the account of an administrator. Idempotent.
///
/// # Errors
/// [`IdentityError::EmailTaken`] when the address belongs to an account that is no administrator: an existing account is
/// never promoted here. [`IdentityError::Fields`] naming `email` or `password`.
pub async fn create_admin(pool: &PgPool, email: &str, password: &SecretString) -> Result<AdminOutcome, IdentityError> {
    let email = Email::parse(email).map_err(FieldError::from)?;
    let password = passwords::parse_new(password.expose_secret().to_owned())?;
    passwords::refuse_context(&password, email.as_str(), "")?;
    let accounts = AccountService {
        pool: pool.clone(),
        passwords: Arc::new(Argon2Passwords::new(&PasswordConfig::default())?),
        throttle: None,
        revocations: Revocations::of_this_process(),
        critical: CriticalTasks::default(),
        wake: Wake::default(),
    };
    let sign_up = SignUp {
        email: email.clone(),
        password,
        display_name: "Administrator".to_owned(),
        language: Language::default(),
        request_id: None,
    };
    match accounts.create(sign_up, Role::Admin, Source::default()).await {
        Ok(_) => Ok(AdminOutcome::Created),
        Err(IdentityError::EmailTaken) if accounts.find(&email).await?.role == "admin" => {
            Ok(AdminOutcome::AlreadyThere)
        }
        Err(error) => Err(error),
    }
}

/// Registers a client with a given secret, or updates the registration of that id. Idempotent. A token that was issued
/// with another role keeps that role until it expires.
///
/// # Errors
/// [`IdentityError::Fields`] naming `client_id`, `display_name`, `role` or `client_secret` (fewer than 32 characters);
/// [`IdentityError::ClientExists`] when the id belongs to a deleted client.
pub async fn register_client(
    pool: &PgPool,
    client_id: &str,
    display_name: &str,
    role: Role,
    secret: &SecretString,
) -> Result<(), IdentityError> {
    let new = Registration::parse(client_id.to_owned(), display_name, role).map_err(IdentityError::Fields)?;
    if secret.expose_secret().len() < MIN_SECRET {
        return Err(FieldError::new("client_secret", "must be random and have at least 32 characters").into());
    }
    clients::register(pool, &new, secret).await
}

/// Creates a signing key that is published at once and signs after [`KeyConfig::key_publish_lead`]. The previous key stays
/// published until the last token it signed has expired. Idempotent until the new key signs.
///
/// # Errors
/// [`IdentityError::Config`] when the encryption key is malformed; [`IdentityError::Store`] when the database is unavailable.
pub async fn rotate_keys(pool: &PgPool, config: &KeyConfig) -> Result<Rotation, IdentityError> {
    keyring::rotate(pool, &config.encryption_key()?, config.key_publish_lead).await
}
