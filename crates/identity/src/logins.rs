//! Logging in, staying logged in, logging out.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool};
use staymesh_mesh::auth::{Claims, Revocations};
use uuid::Uuid;

use crate::{
    accounts::revoke,
    config::Lives,
    crypto::{SECRET_LENGTH, SecretHash, random_secret},
    email::Email,
    error::IdentityError,
    password::Passwords,
    store::{
        logins as store,
        users::{self, UserRow},
    },
    throttle::{Source, Throttle},
    tokens::{Subject, Tokens},
    uninterrupted::Uninterrupted,
};

/// What a login or a renewal gives.
#[derive(Debug)]
pub(crate) struct LoginTokens {
    pub(crate) access: SecretString,
    pub(crate) access_life: Duration,
    pub(crate) refresh: SecretString,
}

/// The logins.
#[derive(Clone)]
pub(crate) struct Logins {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) throttle: Throttle,
    pub(crate) tokens: Tokens,
    pub(crate) revocations: Revocations,
    pub(crate) lives: Lives,
    pub(crate) changes: Uninterrupted,
}

impl Logins {
    /// Opens a login. Whether the address or the password was wrong can be told neither from the answer nor from the
    /// work: an account that is not there has its password hashed as well.
    pub(crate) async fn log_in(
        &self,
        email: &Email,
        password: &SecretString,
        source: Source,
    ) -> Result<LoginTokens, IdentityError> {
        // What fails for reasons of ours goes first, so that it does not count against the address.
        self.passwords.ensure_room()?;
        self.tokens.ensure_ready().await?;
        let (user_id, hash) = match users::credentials(&self.pool, email).await? {
            Some((user_id, hash)) => (Some(user_id), hash),
            None => (None, self.passwords.nobodys()),
        };
        self.throttle.admit(email, source).await?;
        let right = self.passwords.verify(password, &hash).await?;
        let user_id = user_id.filter(|_| right).ok_or(IdentityError::BadCredentials)?;
        self.throttle.succeeded(email, source).await;
        self.open(user_id).await
    }

    async fn open(&self, user_id: Uuid) -> Result<LoginTokens, IdentityError> {
        let login_id = Uuid::now_v7();
        let mut transaction = self.pool.begin().await?;
        let user = user_with_settled_role(&mut transaction, user_id).await?.ok_or(IdentityError::BadCredentials)?;
        store::insert(&mut transaction, login_id, user_id, self.lives.access, self.lives.refresh).await?;
        let refresh = self.new_refresh_token(&mut transaction, login_id).await?;
        transaction.commit().await?;
        self.issue(&user, login_id, refresh).await
    }

    /// Trades a refresh token for new tokens. The database uses it up, in one statement, so of several uses one wins.
    /// Every other use ends the login: one of the users has stolen it, and nobody can tell which. That holds for an
    /// owner, too, who repeats a renewal whose answer was lost; they log in again.
    pub(crate) async fn refresh(&self, token: &SecretString) -> Result<LoginTokens, IdentityError> {
        if token.expose_secret().len() != SECRET_LENGTH {
            return Err(IdentityError::RefreshTokenInvalid);
        }
        let token = SecretHash::of(token.expose_secret());
        self.tokens.ensure_ready().await?;
        let logins = self.clone();
        self.changes.run(async move { logins.renew(token).await }).await
    }

    async fn renew(&self, token: SecretHash) -> Result<LoginTokens, IdentityError> {
        let mut transaction = self.pool.begin().await?;
        let owner = store::owner_of_token(&mut transaction, token).await?;
        let user_id = owner.ok_or(IdentityError::RefreshTokenInvalid)?;
        let user =
            user_with_settled_role(&mut transaction, user_id).await?.ok_or(IdentityError::RefreshTokenInvalid)?;
        let Some(login_id) = store::use_token(&mut transaction, token).await? else {
            let reused = store::revoke_reused(&mut transaction, token).await?;
            transaction.commit().await?;
            if let Some(login_id) = reused {
                tracing::warn!(user.id = %user_id, login.id = %login_id, "a refresh token came twice; its login is over");
                revoke(&self.revocations, &login_id.to_string()).await;
            }
            return Err(IdentityError::RefreshTokenInvalid);
        };
        if !store::prolong(&mut transaction, login_id, self.lives.access, self.lives.refresh).await? {
            return Err(IdentityError::RefreshTokenInvalid);
        }
        let refresh = self.new_refresh_token(&mut transaction, login_id).await?;
        transaction.commit().await?;
        self.issue(&user, login_id, refresh).await
    }

    /// Ends a login. A repeat changes nothing.
    pub(crate) async fn log_out(&self, login_id: Uuid) -> Result<(), IdentityError> {
        let Self { pool, revocations, .. } = self.clone();
        let end = async move {
            store::revoke(&pool, login_id).await?;
            revoke(&revocations, &login_id.to_string()).await;
            Ok(())
        };
        self.changes.run(end).await
    }

    async fn new_refresh_token(
        &self,
        connection: &mut PgConnection,
        login_id: Uuid,
    ) -> Result<SecretString, IdentityError> {
        let token = random_secret()?;
        store::insert_token(connection, login_id, SecretHash::of(token.expose_secret()), self.lives.refresh).await?;
        Ok(token)
    }

    async fn issue(&self, user: &UserRow, login_id: Uuid, refresh: SecretString) -> Result<LoginTokens, IdentityError> {
        let subject = Subject {
            id: user.user_id.to_string(),
            session: login_id.to_string(),
            role: Claims::role_from_name(&user.role).ok_or_else(|| IdentityError::defect("an unknown role"))?,
            hotel_ids: user.hotel_ids.clone(),
        };
        let access = self.tokens.sign(subject, self.lives.access).await?;
        Ok(LoginTokens { access, access_life: self.lives.access, refresh })
    }
}

/// The account, with a role that nobody changes before the transaction ends: so a change of role either shows in the
/// token, or finds the login and revokes it.
async fn user_with_settled_role(
    connection: &mut PgConnection,
    user_id: Uuid,
) -> Result<Option<UserRow>, IdentityError> {
    if !users::hold_role(connection, user_id).await? {
        return Ok(None);
    }
    Ok(users::get(&mut *connection, user_id).await?)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::{
        keys::Keyring,
        password::MockPasswords,
        tests::{LIVES, auth_config, encryption_key},
    };

    /// Logins whose database would refuse the connection.
    fn logins(passwords: MockPasswords) -> Logins {
        let pool = PgPoolOptions::new()
            .acquire_timeout(Duration::from_millis(100))
            .connect_lazy("postgres://nobody@127.0.0.1:1/none")
            .unwrap();
        let keyring = Keyring::with_new_key(pool.clone(), encryption_key());
        Logins {
            pool,
            passwords: Arc::new(passwords),
            throttle: Throttle::new(None, &encryption_key(), 1),
            tokens: Tokens::new(keyring, &auth_config()),
            revocations: Revocations::new(None),
            lives: LIVES,
            changes: Uninterrupted::default(),
        }
    }

    #[tokio::test]
    async fn a_login_that_there_is_no_room_for_touches_nothing() {
        let mut passwords = MockPasswords::new();
        passwords.expect_ensure_room().times(2).returning(|| Err(IdentityError::Overloaded));
        passwords.expect_verify().never();
        let (logins, email) = (logins(passwords), Email::parse("ada@example.com").unwrap());
        for _ in 0..2 {
            assert!(matches!(
                logins.log_in(&email, &"password".into(), Source::default()).await,
                Err(IdentityError::Overloaded)
            ));
        }
        logins.throttle.admit(&email, Source::default()).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_that_is_away_costs_no_hash_and_no_attempt() {
        let mut passwords = MockPasswords::new();
        passwords.expect_ensure_room().returning(|| Ok(()));
        passwords.expect_verify().never();
        let (logins, email) = (logins(passwords), Email::parse("ada@example.com").unwrap());
        for _ in 0..2 {
            assert!(matches!(
                logins.log_in(&email, &"password".into(), Source::default()).await,
                Err(IdentityError::Store(_))
            ));
        }
        logins.throttle.admit(&email, Source::default()).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_a_refresh_token_is_refused_without_asking() {
        let logins = logins(MockPasswords::new());
        for token in ["x".to_owned(), "x".repeat(100_000)] {
            assert!(matches!(logins.refresh(&token.into()).await, Err(IdentityError::RefreshTokenInvalid)));
        }
    }
}
