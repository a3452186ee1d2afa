//! What an operator does from the command line, against the database alone.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use staymesh_domain::FieldError;
use staymesh_mesh::auth::{Revocations, Role};

pub use crate::keys::Rotation;
use crate::{
    accounts::{Accounts, SignUp},
    clients::{self, Registration},
    config::{KeyConfig, PasswordConfig},
    email::Email,
    error::IdentityError,
    keys,
    password::{self, Argon2Passwords},
};

/// The shortest secret that a service account may be given. Its hash is a fast one, so it must be random.
const SHORTEST_SECRET: usize = 32;

/// What asking for an administrator has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminOutcome {
    /// The account was made.
    Created,
    /// The address belongs to an administrator already; the password was not looked at.
    AlreadyThere,
}

/// Makes an account for an administrator. Safe to repeat.
///
/// # Errors
/// [`IdentityError::EmailTaken`] when the address belongs to somebody who is no administrator: whoever signed up with it
/// shall not become one in passing.
pub async fn create_admin(pool: &PgPool, email: &str, password: &SecretString) -> Result<AdminOutcome, IdentityError> {
    let email = Email::parse(email)?;
    let password = password::choose(password.expose_secret().to_owned())?;
    let accounts = Accounts {
        pool: pool.clone(),
        passwords: Arc::new(Argon2Passwords::new(&PasswordConfig::default())?),
        revocations: Revocations::new(None),
        changes: crate::uninterrupted::Uninterrupted::default(),
    };
    let sign_up = SignUp { email: email.clone(), password, display_name: "Administrator".to_owned(), request_id: None };
    match accounts.make(sign_up, Role::Admin).await {
        Ok(_) => Ok(AdminOutcome::Created),
        Err(IdentityError::EmailTaken) if accounts.find(&email).await?.role == "admin" => {
            Ok(AdminOutcome::AlreadyThere)
        }
        Err(error) => Err(error),
    }
}

/// Registers a program with a given secret, or brings the registration of that id up to date. Safe to repeat. A token
/// that was issued with another role keeps it until it ends.
///
/// # Errors
/// [`IdentityError::Fields`] naming `client_id`, `display_name`, `role` or `client_secret` (fewer than 32 characters);
/// [`IdentityError::ClientExists`] when the id belongs to a deleted program.
pub async fn register_client(
    pool: &PgPool,
    client_id: &str,
    display_name: &str,
    role: Role,
    secret: &SecretString,
) -> Result<(), IdentityError> {
    let new =
        Registration::parse(client_id.to_owned(), display_name.to_owned(), role).map_err(IdentityError::Fields)?;
    if secret.expose_secret().len() < SHORTEST_SECRET {
        return Err(FieldError::new("client_secret", "must be random and have at least 32 characters").into());
    }
    clients::register(pool, &new, secret).await
}

/// Makes a new signing key: published at once, signing after the lead that `config` says. The key before it stays
/// published until the last token it signed has ended. Safe to repeat while the new one waits to take over.
///
/// # Errors
/// When the encryption key is malformed or the database is away.
pub async fn rotate_keys(pool: &PgPool, config: &KeyConfig) -> Result<Rotation, IdentityError> {
    keys::rotate(pool, &config.encryption_key()?, config.key_publish_lead).await
}
