//! Passwords: what may be one, and how they are hashed without being able to sink the service.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use staymesh_domain::FieldError;
use tokio::sync::Semaphore;

use crate::{config::PasswordConfig, crypto::random_secret, error::IdentityError};

const LENGTHS: std::ops::RangeInclusive<usize> = 8..=128;

/// Reads a password that somebody chooses: 8 to 128 characters.
pub(crate) fn choose(text: String) -> Result<SecretString, FieldError> {
    if text.is_empty() {
        return Err(FieldError::new("password", "is required"));
    }
    if !LENGTHS.contains(&text.chars().count()) {
        return Err(FieldError::new("password", "must have 8 to 128 characters"));
    }
    Ok(text.into())
}

/// Reads a password that somebody logs in with. A short one is merely wrong; a huge one is not worth hashing.
pub(crate) fn present(text: String) -> Result<SecretString, FieldError> {
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
    /// Refuses with [`IdentityError::Overloaded`] when the next hash would have nowhere to wait: a look ahead, for
    /// those who do something before they hash.
    fn ensure_room(&self) -> Result<(), IdentityError>;

    /// The PHC string of a password.
    async fn hash(&self, password: &SecretString) -> Result<String, IdentityError>;

    /// Whether this is the password of a PHC string.
    async fn verify(&self, password: &SecretString, phc: &str) -> Result<bool, IdentityError>;

    /// The PHC string of a password that nobody knows, to do the usual work for an account that is not there.
    fn nobodys(&self) -> String;
}

/// Argon2id on threads of its own, a few at a time, with a bounded queue before them: each hash takes some 20 MB and
/// tens of milliseconds, so without a bound a storm of logins would take the whole machine.
pub(crate) struct Argon2Passwords {
    argon2: Argon2<'static>,
    nobodys: String,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Argon2Passwords {
    /// A hasher with these parameters. Computes one hash.
    pub(crate) fn new(config: &PasswordConfig) -> Result<Self, IdentityError> {
        let params = Params::new(config.argon2_memory_kib, config.argon2_iterations, 1, None)
            .map_err(|_| IdentityError::Config("the argon2 parameters are out of bounds"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys = hash(&argon2, &random_secret()?)?;
        let parallel = usize::from(config.argon2_parallel);
        Ok(Self {
            argon2,
            nobodys,
            turns: Arc::new(Semaphore::new(parallel)),
            places: Arc::new(Semaphore::new(parallel + usize::from(config.argon2_queue))),
        })
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| IdentityError::Overloaded)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(IdentityError::defect)?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            // Kept until the work is done, also when the caller has gone away meanwhile.
            let _kept = (place, turn);
            work(&argon2)
        })
        .await
        .map_err(IdentityError::defect)?
    }
}

#[tonic::async_trait]
impl Passwords for Argon2Passwords {
    fn ensure_room(&self) -> Result<(), IdentityError> {
        if self.places.available_permits() == 0 {
            return Err(IdentityError::Overloaded);
        }
        Ok(())
    }

    async fn hash(&self, password: &SecretString) -> Result<String, IdentityError> {
        let password = password.clone();
        self.in_turn(move |argon2| hash(argon2, &password)).await
    }

    async fn verify(&self, password: &SecretString, phc: &str) -> Result<bool, IdentityError> {
        let (password, phc) = (password.clone(), phc.to_owned());
        self.in_turn(move |argon2| {
            let stored = PasswordHash::new(&phc).map_err(IdentityError::defect)?;
            match argon2.verify_password(password.expose_secret().as_bytes(), &stored) {
                Ok(()) => Ok(true),
                Err(HashError::PasswordInvalid) => Ok(false),
                Err(error) => Err(IdentityError::defect(error)),
            }
        })
        .await
    }

    fn nobodys(&self) -> String {
        self.nobodys.clone()
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
    fn lengths_are_counted_in_characters() {
        assert!(choose("é".repeat(128)).is_ok());
        for text in ["", "1234567", &"x".repeat(129), &"é".repeat(7)] {
            assert_eq!(choose(text.to_owned()).unwrap_err().field, "password");
        }
        assert!(present("short".to_owned()).is_ok());
        assert!(present(String::new()).is_err());
        assert!(present("x".repeat(129)).is_err());
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_and_knows_its_password() {
        let passwords = Argon2Passwords::new(&PasswordConfig::default()).unwrap();
        let secret = SecretString::from("correct horse");
        let (one, other) = (passwords.hash(&secret).await.unwrap(), passwords.hash(&secret).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "every hash has its own salt");
        assert!(passwords.verify(&secret, &one).await.unwrap());
        assert!(!passwords.verify(&"correct horsf".into(), &one).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_password_costs_what_others_cost() {
        let passwords = Argon2Passwords::new(&PasswordConfig::default()).unwrap();
        let parameters = |phc: &str| phc.split('$').take(4).collect::<Vec<_>>().join("$");
        let real = passwords.hash(&"password".into()).await.unwrap();
        assert_eq!(parameters(&passwords.nobodys()), parameters(&real));
        assert_eq!(passwords.nobodys().len(), real.len());
    }

    #[tokio::test]
    async fn those_who_find_the_queue_full_are_refused() {
        let passwords = cheap(1, 2);
        // Nobody's turn comes while this is held.
        let turn = passwords.turns.acquire().await.unwrap();
        let secret = SecretString::from("password");
        let mut queue: Vec<_> = (0..3).map(|_| passwords.hash(&secret)).collect();
        for waiting in &mut queue {
            assert!(futures::poll!(waiting).is_pending());
        }
        assert!(matches!(passwords.ensure_room(), Err(IdentityError::Overloaded)));
        assert!(matches!(passwords.hash(&secret).await, Err(IdentityError::Overloaded)));
        drop(turn);
        for waiting in queue {
            waiting.await.unwrap();
        }
        assert!(passwords.ensure_room().is_ok());
    }
}
