//! Password hashing with argon2id, with bounded concurrency and a bounded queue that sources share.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

use super::hash_queue::HashQueue;
pub(crate) use super::{
    hash_queue::Requester,
    password_rules::{parse_given, parse_new, refuse_context},
};
use crate::{config::PasswordConfig, crypto::random_secret, error::IdentityError};

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
    /// [`IdentityError::Overloaded`] when the queue has no place for the requester.
    async fn hash_for(&self, requester: Requester, password: &SecretString) -> Result<String, IdentityError>;

    /// Whether the password matches a PHC string.
    ///
    /// # Errors
    /// [`IdentityError::Overloaded`] when the queue has no place for the requester.
    async fn verify_for(&self, requester: Requester, password: &SecretString, phc: &str)
    -> Result<bool, IdentityError>;

    /// The PHC string of a random password. Verifying against it takes the same time as for an existing account.
    fn decoy_hash(&self) -> String;
}

impl dyn Passwords {
    /// As [`Passwords::verify_for`], for a request whose source is not known here.
    pub(crate) async fn verify(&self, password: &SecretString, phc: &str) -> Result<bool, IdentityError> {
        self.verify_for(Requester::default(), password, phc).await
    }
}

/// Argon2id on blocking threads (RFC 9106). Each hash takes about 20 MB and tens of milliseconds, so concurrency and
/// queue are bounded: a burst of logins is shed with `OVERLOADED` instead of exhausting memory and processor.
pub(crate) struct Argon2Passwords {
    argon2: Argon2<'static>,
    decoy_hash: String,
    queue: HashQueue,
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
        let queue = HashQueue::new(config.argon2_parallel.into(), config.argon2_queue.into());
        Ok(Self { argon2, decoy_hash, queue })
    }

    /// Runs `work` on a blocking thread in the requester's turn.
    async fn queued<T: Send + 'static>(
        &self,
        requester: Requester,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let turn = self.queue.turn(requester).await?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            // Held until the work is done, even if the caller is dropped meanwhile.
            let _turn = turn;
            work(&argon2)
        })
        .await
        .map_err(IdentityError::defect)?
    }
}

#[tonic::async_trait]
impl Passwords for Argon2Passwords {
    fn ensure_capacity(&self) -> Result<(), IdentityError> {
        if self.queue.has_capacity() { Ok(()) } else { Err(IdentityError::Overloaded) }
    }

    async fn hash_for(&self, requester: Requester, password: &SecretString) -> Result<String, IdentityError> {
        let password = password.clone();
        self.queued(requester, move |argon2| hash(argon2, &password)).await
    }

    async fn verify_for(
        &self,
        requester: Requester,
        password: &SecretString,
        phc: &str,
    ) -> Result<bool, IdentityError> {
        let (password, phc) = (password.clone(), phc.to_owned());
        self.queued(requester, move |argon2| {
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

    #[tokio::test]
    async fn hash_is_argon2id_with_owasp_parameters_and_verifies_its_password_only() {
        let passwords = Argon2Passwords::new(&PasswordConfig::default()).unwrap();
        let secret = SecretString::from("correct horse");
        let (one, other) = (
            passwords.hash_for(Requester::default(), &secret).await.unwrap(),
            passwords.hash_for(Requester::default(), &secret).await.unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "every hash has its own salt");
        assert!(passwords.verify_for(Requester::default(), &secret, &one).await.unwrap());
        assert!(!passwords.verify_for(Requester::default(), &"correct horsf".into(), &one).await.unwrap());
    }

    #[tokio::test]
    async fn decoy_hash_has_the_parameters_of_a_real_hash() {
        let passwords = Argon2Passwords::new(&PasswordConfig::default()).unwrap();
        let parameters = |phc: &str| phc.split('$').take(4).collect::<Vec<_>>().join("$");
        let real = passwords.hash_for(Requester::default(), &"password".into()).await.unwrap();
        assert_eq!(parameters(&passwords.decoy_hash()), parameters(&real));
        assert_eq!(passwords.decoy_hash().len(), real.len());
    }

    #[tokio::test]
    async fn hash_beyond_the_queue_is_overloaded() {
        let passwords = cheap(1, 2);
        // No hash starts during this turn.
        let running = passwords.queue.turn(Requester::default()).await.ok();
        let secret = SecretString::from("password");
        let mut queue: Vec<_> = (0..2).map(|_| passwords.hash_for(Requester::default(), &secret)).collect();
        for waiting in &mut queue {
            assert!(futures::poll!(waiting).is_pending());
        }
        assert!(matches!(passwords.hash_for(Requester::default(), &secret).await, Err(IdentityError::Overloaded)));
        // Another source gets a place, so there is capacity.
        assert!(passwords.ensure_capacity().is_ok());
        drop(running);
        for waiting in queue {
            waiting.await.unwrap();
        }
    }
}
