//! Logins of people: log in, refresh, log out.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool};
use staymesh_api::options::v1::Gateway;
use staymesh_domain::{Email, UserId};
use staymesh_mesh::auth::{Revocations, Role};
use uuid::Uuid;

use super::{
    admission::Admission,
    critical_tasks::CriticalTasks,
    passwords::{Passwords, Requester},
    revoke::revoke,
    throttle::{Source, Throttle},
    tokens::{Subject, Tokens},
};
use crate::{
    config::Lives,
    crypto::{EncryptionKey, SECRET_LENGTH, SecretHash, random_secret},
    error::IdentityError,
    model::Account,
    store::{logins as store, users},
};

/// The tokens of a login.
#[derive(Debug)]
pub(crate) struct LoginTokens {
    pub(crate) access: SecretString,
    pub(crate) access_life: Duration,
    pub(crate) refresh: SecretString,
}

/// An access token that no refresh token goes with.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub(crate) token: SecretString,
    pub(crate) life: Duration,
}

/// The logins.
#[derive(Clone)]
pub(crate) struct LoginService {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) throttle: Throttle,
    pub(crate) key: EncryptionKey,
    pub(crate) tokens: Tokens,
    pub(crate) revocations: Revocations,
    pub(crate) admission: Admission,
    pub(crate) lives: Lives,
    pub(crate) critical: CriticalTasks,
}

impl LoginService {
    /// Opens a login. Response and timing do not disclose whether the address, the password or the gateway was wrong: for
    /// an address without an account a decoy hash is verified, and the right password at the wrong gateway counts as a
    /// failed login.
    ///
    /// # Errors
    /// [`IdentityError::BadCredentials`], [`IdentityError::LoginThrottled`] and [`IdentityError::Overloaded`].
    pub(crate) async fn log_in(
        &self,
        email: &Email,
        password: &SecretString,
        source: Source,
        entered: Gateway,
    ) -> Result<LoginTokens, IdentityError> {
        // Failures of this service come first, so that they do not count as failed logins of the address.
        self.passwords.ensure_capacity()?;
        self.tokens.ensure_ready().await?;
        let (user_id, hash) = match users::credentials(&self.pool, email).await? {
            Some(found) => {
                let admitted = self.admission.role(&found.role, entered)?.is_some();
                (admitted.then_some(found.user_id), found.hash)
            }
            None => (None, self.passwords.decoy_hash()),
        };
        let known = self.throttle.admit(email, source).await?;
        let valid = match self.passwords.verify_for(Requester { source, known }, password, &hash).await {
            Err(IdentityError::Overloaded) => {
                self.throttle.not_verified(email, source).await;
                return Err(IdentityError::Overloaded);
            }
            verified => verified?,
        };
        let user_id = user_id.filter(|_| valid).ok_or(IdentityError::BadCredentials)?;
        self.throttle.succeeded(email, source).await;
        self.open(user_id, Some(&hash), entered).await
    }

    /// Checks that tokens can be signed, before a caller makes changes that lead to a login.
    ///
    /// # Errors
    /// When no key is in memory and the database is unavailable.
    pub(super) async fn ensure_ready(&self) -> Result<(), IdentityError> {
        self.tokens.ensure_ready().await
    }

    /// Inserts a login that ends with its access token.
    pub(super) async fn insert_without_refresh(
        &self,
        connection: &mut PgConnection,
        user_id: UserId,
    ) -> Result<Uuid, IdentityError> {
        let login_id = Uuid::now_v7();
        store::insert(connection, login_id, user_id, self.lives.access, self.lives.access).await?;
        Ok(login_id)
    }

    /// The access token of a guest's login.
    ///
    /// # Errors
    /// [`IdentityError::BadCredentials`] when the account is no guest's any more.
    pub(super) async fn access(&self, account: &Account, login_id: Uuid) -> Result<AccessToken, IdentityError> {
        let role = self.admission.role(&account.role, Gateway::Public)?.ok_or(IdentityError::BadCredentials)?;
        Ok(AccessToken { token: self.sign(account, role, login_id).await?, life: self.lives.access })
    }

    /// Opens a login of an account whose owner has proved to be it, with the password of this hash if there is one. A
    /// password that was replaced while it was verified opens none: its replacement has ended all logins, and this one would
    /// outlive it.
    ///
    /// # Errors
    /// [`IdentityError::BadCredentials`] when there is no such account any more, it has another password, or the gateway does
    /// not accept its role.
    pub(super) async fn open(
        &self,
        user_id: UserId,
        password: Option<&str>,
        entered: Gateway,
    ) -> Result<LoginTokens, IdentityError> {
        let login_id = Uuid::now_v7();
        let mut transaction = self.pool.begin().await?;
        let locked = match password {
            Some(hash) => users::lock_role_with_password(&mut transaction, user_id, hash).await?,
            None => users::lock_role(&mut transaction, user_id).await?,
        };
        if !locked {
            return Err(IdentityError::BadCredentials);
        }
        let account = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::BadCredentials)?;
        let role = self.admission.role(&account.role, entered)?.ok_or(IdentityError::BadCredentials)?;
        store::insert(&mut transaction, login_id, user_id, self.lives.access, self.lives.refresh).await?;
        let refresh = random_secret()?;
        let hash = SecretHash::of(refresh.expose_secret());
        store::insert_token(&mut transaction, login_id, hash, self.lives.refresh).await?;
        transaction.commit().await?;
        self.issue(&account, role, login_id, refresh).await
    }

    /// Exchanges a refresh token for new tokens (refresh token rotation with reuse detection, RFC 9700, section 4.14.2).
    /// One statement marks the token as used, so exactly one of several uses issues its successor. A repeat within the
    /// grace (10 s) gets the same successor, as long as that is unused: two tabs that refresh at once, or a retry after a
    /// lost response. A thief who repeats a token so gets no token but the owner's, and their next two uses of it reveal the
    /// theft. Any other use ends the login, because the token may have been stolen. At a gateway that does not accept the
    /// role of the account nothing changes, and the token stays valid.
    ///
    /// # Errors
    /// [`IdentityError::RefreshTokenInvalid`].
    pub(crate) async fn refresh(&self, token: &SecretString, entered: Gateway) -> Result<LoginTokens, IdentityError> {
        if token.expose_secret().len() != SECRET_LENGTH {
            return Err(IdentityError::RefreshTokenInvalid);
        }
        let successor = self.key.successor(token);
        let token = SecretHash::of(token.expose_secret());
        self.tokens.ensure_ready().await?;
        let logins = self.clone();
        self.critical.run(Box::pin(async move { logins.rotate(token, successor, entered).await })).await
    }

    async fn rotate(
        &self,
        token: SecretHash,
        successor: SecretString,
        entered: Gateway,
    ) -> Result<LoginTokens, IdentityError> {
        let next = SecretHash::of(successor.expose_secret());
        let mut transaction = self.pool.begin().await?;
        let owner = store::owner_of_token(&mut transaction, token).await?;
        let user_id = owner.ok_or(IdentityError::RefreshTokenInvalid)?;
        let account =
            account_with_locked_role(&mut transaction, user_id).await?.ok_or(IdentityError::RefreshTokenInvalid)?;
        let role = self.admission.role(&account.role, entered)?.ok_or(IdentityError::RefreshTokenInvalid)?;
        let Some(login_id) = store::use_token(&mut transaction, token).await? else {
            if let Some(login_id) = store::repeated(&mut transaction, token, next, self.lives.grace).await? {
                // It may have been revoked since.
                if !store::extend(&mut transaction, login_id, self.lives.access, self.lives.refresh).await? {
                    return Err(IdentityError::RefreshTokenInvalid);
                }
                transaction.commit().await?;
                return self.issue(&account, role, login_id, successor).await;
            }
            let reused = store::revoke_reused(&mut transaction, token).await?;
            transaction.commit().await?;
            if let Some(login_id) = reused {
                tracing::warn!(user.id = %user_id, login.id = %login_id, "a refresh token was used twice; its login has been revoked");
                revoke(&self.revocations, &[login_id.to_string()]).await;
            }
            return Err(IdentityError::RefreshTokenInvalid);
        };
        if !store::extend(&mut transaction, login_id, self.lives.access, self.lives.refresh).await? {
            return Err(IdentityError::RefreshTokenInvalid);
        }
        store::insert_token(&mut transaction, login_id, next, self.lives.refresh).await?;
        transaction.commit().await?;
        self.issue(&account, role, login_id, successor).await
    }

    /// Ends a login. Idempotent.
    pub(crate) async fn log_out(&self, login_id: Uuid) -> Result<(), IdentityError> {
        let Self { pool, revocations, .. } = self.clone();
        let end = async move {
            store::revoke(&pool, login_id).await?;
            revoke(&revocations, &[login_id.to_string()]).await;
            Ok(())
        };
        self.critical.run(end).await
    }

    /// Ends the login of a refresh token, used or not (RFC 7009). Idempotent; a token that is unknown or whose login is over
    /// changes nothing.
    pub(crate) async fn revoke_refresh_token(&self, token: &SecretString) -> Result<(), IdentityError> {
        if token.expose_secret().len() != SECRET_LENGTH {
            return Ok(());
        }
        match store::login_of_token(&self.pool, SecretHash::of(token.expose_secret())).await? {
            Some(login_id) => self.log_out(login_id).await,
            None => Ok(()),
        }
    }

    async fn issue(
        &self,
        account: &Account,
        role: Role,
        login_id: Uuid,
        refresh: SecretString,
    ) -> Result<LoginTokens, IdentityError> {
        let access = self.sign(account, role, login_id).await?;
        Ok(LoginTokens { access, access_life: self.lives.access, refresh })
    }

    async fn sign(&self, account: &Account, role: Role, login_id: Uuid) -> Result<SecretString, IdentityError> {
        let subject = Subject {
            id: account.user_id.to_string(),
            session: login_id.to_string(),
            role,
            hotel_ids: account.hotel_ids.clone(),
            email_verified: account.email_verified_time.is_some(),
        };
        self.tokens.sign(subject, self.lives.access).await
    }
}

/// The account, with its role locked against changes until the transaction ends. A concurrent change of role therefore
/// either is in the token, or sees the login and revokes it.
async fn account_with_locked_role(
    connection: &mut PgConnection,
    user_id: UserId,
) -> Result<Option<Account>, IdentityError> {
    if !users::lock_role(connection, user_id).await? {
        return Ok(None);
    }
    Ok(users::get(&mut *connection, user_id).await?)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::{
        service::{keyring::Keyring, passwords::MockPasswords},
        testing::{LIVES, admission, auth_config, encryption_key},
    };

    /// Logins whose database refuses connections.
    fn logins(passwords: MockPasswords) -> LoginService {
        let pool = PgPoolOptions::new()
            .acquire_timeout(Duration::from_millis(100))
            .connect_lazy("postgres://unused@127.0.0.1:1/none")
            .unwrap();
        let keyring = Keyring::with_new_key(pool.clone(), encryption_key());
        LoginService {
            pool,
            passwords: Arc::new(passwords),
            throttle: Throttle::new(None, &encryption_key(), 1),
            key: encryption_key(),
            tokens: Tokens::new(keyring, &auth_config()),
            revocations: Revocations::of_this_process(),
            admission: admission(),
            lives: LIVES,
            critical: CriticalTasks::default(),
        }
    }

    #[tokio::test]
    async fn login_beyond_the_hash_queue_counts_no_attempt_and_hashes_nothing() {
        let mut passwords = MockPasswords::new();
        passwords.expect_ensure_capacity().times(2).returning(|| Err(IdentityError::Overloaded));
        passwords.expect_verify_for().never();
        let (logins, email) = (logins(passwords), Email::parse("ada@example.com").unwrap());
        for _ in 0..2 {
            assert!(matches!(
                logins.log_in(&email, &"password".into(), Source::default(), Gateway::Public).await,
                Err(IdentityError::Overloaded)
            ));
        }
        logins.throttle.admit(&email, Source::default()).await.unwrap();
    }

    #[tokio::test]
    async fn login_while_the_database_is_unavailable_counts_no_attempt_and_hashes_nothing() {
        let mut passwords = MockPasswords::new();
        passwords.expect_ensure_capacity().returning(|| Ok(()));
        passwords.expect_verify_for().never();
        let (logins, email) = (logins(passwords), Email::parse("ada@example.com").unwrap());
        for _ in 0..2 {
            assert!(matches!(
                logins.log_in(&email, &"password".into(), Source::default(), Gateway::Public).await,
                Err(IdentityError::Store(_))
            ));
        }
        logins.throttle.admit(&email, Source::default()).await.unwrap();
    }

    #[tokio::test]
    async fn malformed_refresh_token_is_refused_without_a_query() {
        let logins = logins(MockPasswords::new());
        for token in ["x".to_owned(), "x".repeat(100_000)] {
            assert!(matches!(
                logins.refresh(&token.into(), Gateway::Public).await,
                Err(IdentityError::RefreshTokenInvalid)
            ));
        }
    }
}
