//! Passwords: argon2id hashing with bounded concurrency and a bounded queue.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use staymesh_domain::FieldError;
use tokio::sync::Semaphore;

use crate::{config::PasswordConfig, crypto::random_secret, error::IdentityError};

/// Characters of a password.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=128;

/// Parses the password of a new account: 8 to 128 characters.
///
/// # Errors
/// Names `password`.
pub(crate) fn parse_new(text: String) -> Result<SecretString, FieldError> {
    if text.is_empty() {
        return Err(FieldError::new("password", "is required"));
    }
    if !LENGTHS.contains(&text.chars().count()) {
        return Err(FieldError::new("password", "must have 8 to 128 characters"));
    }
    Ok(text.into())
}

/// Parses the password of a login: 1 to 128 characters. A shorter one than [`parse_new`] accepts is only wrong, not
/// invalid; a longer one is not hashed.
///
/// # Errors
/// Names `password`.
pub(crate) fn parse_given(text: String) -> Result<SecretString, FieldError> {
    if text.is_empty() {
        return Err(FieldError::new("password", "is required"));
    }
    if text.chars().count() > *LENGTHS.end() {
        return Err(FieldError::new("password", "must have at most 128 characters"));
    }
    Ok(text.into())
}

/// Hashes passwords and verifies them.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait Passwords: Send + Sync + 'static {
    /// Checks that the queue has a free place, before a caller does other work that leads to a hash. Reserves nothing.
    ///
    /// # Errors
    /// [`IdentityError::Overloaded`].
    fn ensure_capacity(&self) -> Result<(), IdentityError>;

    /// Hashes a password into a PHC string.
    ///
    /// # Errors
    /// [`IdentityError::Overloaded`] when the queue is full.
    async fn hash(&self, password: &SecretString) -> Result<String, IdentityError>;

    /// Whether the password matches a PHC string.
    ///
    /// # Errors
    /// [`IdentityError::Overloaded`] when the queue is full.
    async fn verify(&self, password: &SecretString, phc: &str) -> Result<bool, IdentityError>;

    /// The PHC string of a random password. Verifying against it takes the same time as for an existing account.
    fn decoy_hash(&self) -> String;
}

/// Argon2id on blocking threads (RFC 9106). Each hash takes about 20 MB and tens of milliseconds, so concurrency and
/// queue are bounded: a burst of logins is shed with `OVERLOADED` instead of exhausting memory and processor.
pub(crate) struct Argon2Passwords {
    argon2: Argon2<'static>,
    decoy_hash: String,
    /// One permit per hash that is being computed.
    running: Arc<Semaphore>,
    /// One permit per hash that is being computed or waits.
    admitted: Arc<Semaphore>,
}

impl Argon2Passwords {
    /// A hasher with these parameters. Computes one hash, the decoy.
    ///
    /// # Errors
    /// [`IdentityError::Config`] when the parameters are out of bounds.
    pub(crate) fn new(config: &PasswordConfig) -> Result<Self, IdentityError> {
        let params = Params::new(config.argon2_memory_kib, config.argon2_iterations, 1, None)
            .map_err(|_| IdentityError::Config("the argon2 parameters are out of bounds"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy_hash = hash(&argon2, &random_secret()?)?;
        let parallel = usize::from(config.argon2_parallel);
        Ok(Self {
            argon2,
            decoy_hash,
            running: Arc::new(Semaphore::new(parallel)),
            admitted: Arc::new(Semaphore::new(parallel + usize::from(config.argon2_queue))),
        })
    }

    /// Runs `work` on a blocking thread once a permit is free.
    async fn queued<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| IdentityError::Overloaded)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(IdentityError::defect)?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            // Held until the work is done, even if the caller is dropped meanwhile.
            let _permits = (admitted, running);
            work(&argon2)
        })
        .await
        .map_err(IdentityError::defect)?
    }
}

#[tonic::async_trait]
impl Passwords for Argon2Passwords {
    fn ensure_capacity(&self) -> Result<(), IdentityError> {
        if self.admitted.available_permits() == 0 {
            return Err(IdentityError::Overloaded);
        }
        Ok(())
    }

    async fn hash(&self, password: &SecretString) -> Result<String, IdentityError> {
        let password = password.clone();
        self.queued(move |argon2| hash(argon2, &password)).await
    }

    async fn verify(&self, password: &SecretString, phc: &str) -> Result<bool, IdentityError> {
        let (password, phc) = (password.clone(), phc.to_owned());
        self.queued(move |argon2| {
            let stored = PasswordHash::new(&phc).map_err(IdentityError::defect)?;
            match argon2.verify_password(password.expose_secret().as_bytes(), &stored) {
                Ok(()) => Ok(true),
                Err(HashError::PasswordInvalid) => Ok(false),
                Err(error) => Err(IdentityError::defect(error)),
            }
        })
        .await
    }

    fn decoy_hash(&self) -> String {
        self.decoy_hash.clone()
    }
}

fn hash(argon2: &Argon2<'static>, password: &SecretString) -> Result<String, IdentityError> {
    let hash = argon2.hash_password(password.expose_secret().as_bytes()).map_err(IdentityError::defect)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap(parallel: u16, queue: u16) -> Argon2Passwords {
        let config = PasswordConfig {
            argon2_memory_kib: 64,
            argon2_iterations: 1,
            argon2_parallel: parallel,
            argon2_queue: queue,
        };
        Argon2Passwords::new(&config).unwrap()
    }

    #[test]
    fn password_length_is_counted_in_characters() {
        assert!(parse_new("é".repeat(128)).is_ok());
        for text in ["", "1234567", &"x".repeat(129), &"é".repeat(7)] {
            assert_eq!(parse_new(text.to_owned()).unwrap_err().field, "password");
        }
        assert!(parse_given("short".to_owned()).is_ok());
        assert!(parse_given(String::new()).is_err());
        assert!(parse_given("x".repeat(129)).is_err());
    }

    #[tokio::test]
    async fn hash_is_argon2id_with_owasp_parameters_and_verifies_its_password_only() {
        let passwords = Argon2Passwords::new(&PasswordConfig::default()).unwrap();
        let secret = SecretString::from("correct horse");
        let (one, other) = (passwords.hash(&secret).await.unwrap(), passwords.hash(&secret).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "every hash has its own salt");
        assert!(passwords.verify(&secret, &one).await.unwrap());
        assert!(!passwords.verify(&"correct horsf".into(), &one).await.unwrap());
    }

    #[tokio::test]
    async fn decoy_hash_has_the_parameters_of_a_real_hash() {
        let passwords = Argon2Passwords::new(&PasswordConfig::default()).unwrap();
        let parameters = |phc: &str| phc.split('$').take(4).collect::<Vec<_>>().join("$");
        let real = passwords.hash(&"password".into()).await.unwrap();
        assert_eq!(parameters(&passwords.decoy_hash()), parameters(&real));
        assert_eq!(passwords.decoy_hash().len(), real.len());
    }

    #[tokio::test]
    async fn hash_beyond_the_queue_is_overloaded() {
        let passwords = cheap(1, 2);
        // No hash starts while this permit is held.
        let running = passwords.running.acquire().await.unwrap();
        let secret = SecretString::from("password");
        let mut queue: Vec<_> = (0..3).map(|_| passwords.hash(&secret)).collect();
        for waiting in &mut queue {
            assert!(futures::poll!(waiting).is_pending());
        }
        assert!(matches!(passwords.ensure_capacity(), Err(IdentityError::Overloaded)));
        assert!(matches!(passwords.hash(&secret).await, Err(IdentityError::Overloaded)));
        drop(running);
        for waiting in queue {
            waiting.await.unwrap();
        }
        assert!(passwords.ensure_capacity().is_ok());
    }
}
