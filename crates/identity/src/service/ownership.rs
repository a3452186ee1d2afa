//! What the owner of an account does with it: confirm the address, reset or change the password, end all logins, delete it.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgPool, Postgres, Transaction};
use staymesh_domain::{Email, FieldError, UserId};
use staymesh_mesh::auth::Revocations;
use staymesh_store::outbox::Wake;
use uuid::Uuid;

use super::{
    critical_tasks::CriticalTasks,
    passwords::{self, Passwords, Requester},
    revoke::revoke,
    source_limit::SourceLimit,
    throttle::{Source, Throttle},
};
use crate::{
    crypto::{EncryptionKey, SECRET_LENGTH, SecretHash},
    error::IdentityError,
    events::{self, AccountDeleted, ForgetOwner, NewToken, Notice, ResetRequested, SealedEmail},
    model::{Account, TokenPurpose},
    store::{
        guest_keys,
        logins::{self, RevokeReason},
        mail_tokens, users,
    },
};

/// The owner's side of accounts.
#[derive(Clone)]
pub(crate) struct OwnershipService {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) throttle: Throttle,
    pub(crate) mail_limit: SourceLimit,
    pub(crate) revocations: Revocations,
    pub(crate) critical: CriticalTasks,
    pub(crate) key: EncryptionKey,
    /// Wakes the relay of mails.
    pub(crate) wake: Wake,
}

impl OwnershipService {
    /// Confirms the address that a token was mailed to. Idempotent: a used token confirms what it has confirmed.
    ///
    /// # Errors
    /// [`IdentityError::MailTokenInvalid`].
    pub(crate) async fn confirm_email(&self, token: &SecretString) -> Result<(), IdentityError> {
        let token = hash_of(token)?;
        let purpose = TokenPurpose::ConfirmEmail;
        let owner = mail_tokens::owner(&self.pool, token, purpose).await?;
        let (user_id, used) = owner.ok_or(IdentityError::MailTokenInvalid)?;
        if used {
            return Ok(());
        }
        let mut transaction = self.lock(user_id).await?.ok_or(IdentityError::MailTokenInvalid)?;
        mail_tokens::use_once(&mut transaction, token, purpose).await?;
        mail_tokens::void(&mut transaction, user_id, purpose).await?;
        users::set_email_verified(&mut transaction, user_id).await?;
        Ok(transaction.commit().await?)
    }

    /// Mails another link that confirms the address, if one is due.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn request_confirmation(&self, user_id: UserId) -> Result<(), IdentityError> {
        let mut connection = self.pool.acquire().await?;
        let token = NewToken { token_id: Uuid::new_v4() };
        events::enqueue(&mut connection, user_id, events::CONFIRM_EMAIL, &token).await?;
        self.wake.wake();
        Ok(())
    }

    /// Mails a link that resets the password, if the address has an account. Whether it has one is looked up only when the
    /// mail is due, so that neither the answer nor its time depends on it.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] for a source with too many requests.
    pub(crate) async fn request_reset(&self, email: &Email, source: Source) -> Result<(), IdentityError> {
        self.mail_limit.admit(source).await?;
        let email = SealedEmail::seal(&self.key, email.as_str())?;
        let mut connection = self.pool.acquire().await?;
        let request = ResetRequested { token_id: Uuid::new_v4(), email };
        events::enqueue_alone(&mut connection, events::RESET_REQUESTED, &request).await?;
        self.wake.wake();
        Ok(())
    }

    /// Sets a new password with a mailed token, and confirms the address by it.
    ///
    /// # Errors
    /// [`IdentityError::MailTokenInvalid`], [`IdentityError::Fields`] when it consists of the owner's name or address, and
    /// [`IdentityError::Overloaded`].
    pub(crate) async fn reset_password(
        &self,
        token: &SecretString,
        new: &SecretString,
        source: Source,
    ) -> Result<(), IdentityError> {
        let token = hash_of(token)?;
        // Checked before the work of a hash, and again when the token is used.
        let owner = mail_tokens::owner(&self.pool, token, TokenPurpose::ResetPassword).await?;
        let user_id = owner.filter(|(_, used)| !used).ok_or(IdentityError::MailTokenInvalid)?.0;
        let account = users::get(&self.pool, user_id).await?.ok_or(IdentityError::MailTokenInvalid)?;
        refuse_personal(new, &account)?;
        let hash = self.passwords.hash_for(Requester { source, known: false }, new).await?;
        let service = self.clone();
        let work = async move {
            let mut transaction = service.lock(user_id).await?.ok_or(IdentityError::MailTokenInvalid)?;
            if !mail_tokens::use_once(&mut transaction, token, TokenPurpose::ResetPassword).await? {
                return Err(IdentityError::MailTokenInvalid);
            }
            users::set_password(&mut transaction, user_id, None, &hash).await?;
            users::set_email_verified(&mut transaction, user_id).await?;
            service.after_new_password(transaction, user_id).await
        };
        self.critical.run(Box::pin(work)).await
    }

    /// Changes the password of an account.
    ///
    /// # Errors
    /// [`IdentityError::BadCredentials`] for a wrong current password, [`IdentityError::LoginThrottled`] after too many,
    /// [`IdentityError::Fields`] when the new one is the same or consists of the owner's name or address, and
    /// [`IdentityError::Overloaded`].
    pub(crate) async fn change_password(
        &self,
        user_id: UserId,
        current: &SecretString,
        new: &SecretString,
        source: Source,
    ) -> Result<(), IdentityError> {
        let (_, before) = self.prove_password(user_id, current, source).await?;
        if current.expose_secret() == new.expose_secret() {
            return Err(FieldError::new("new_password", "must differ from the current password").into());
        }
        let account = users::get(&self.pool, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        refuse_personal(new, &account)?;
        let hash = self.passwords.hash_for(Requester { source, known: false }, new).await?;
        let service = self.clone();
        let work = async move {
            let mut transaction = service.lock(user_id).await?.ok_or(IdentityError::UserNotFound)?;
            if !users::set_password(&mut transaction, user_id, Some(&before), &hash).await? {
                return Err(IdentityError::BadCredentials);
            }
            service.after_new_password(transaction, user_id).await
        };
        self.critical.run(Box::pin(work)).await
    }

    /// Ends all logins of an account. Idempotent.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`].
    pub(crate) async fn log_out_everywhere(&self, user_id: UserId) -> Result<(), IdentityError> {
        let service = self.clone();
        let work = async move {
            let transaction = service.lock(user_id).await?.ok_or(IdentityError::UserNotFound)?;
            service.end_logins(transaction, user_id, "logout_everywhere").await
        };
        self.critical.run(Box::pin(work)).await
    }

    /// Deletes an account: erases its personal data, ends its logins, and reports it to the reservation service. Who has no
    /// account has no password to prove.
    ///
    /// # Errors
    /// [`IdentityError::Fields`] without a password, [`IdentityError::BadCredentials`] and
    /// [`IdentityError::LoginThrottled`], as for a login.
    pub(crate) async fn delete(&self, user_id: UserId, password: String, source: Source) -> Result<(), IdentityError> {
        let account = users::get(&self.pool, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        let proved = if account.guest_checkout {
            None
        } else {
            let (_, hash) = self.prove_password(user_id, &passwords::parse_given(password)?, source).await?;
            Some(hash)
        };
        let service = self.clone();
        let work = async move {
            let mut transaction = service.lock(user_id).await?.ok_or(IdentityError::UserNotFound)?;
            // A password that was replaced while it was verified deletes nothing.
            if let Some(hash) = proved
                && !users::has_password(&mut transaction, user_id, &hash).await?
            {
                return Err(IdentityError::BadCredentials);
            }
            let account = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::UserNotFound)?;
            // The address of a guest checkout may be unverified, so it gets no mail that its bookings do not explain.
            if !account.guest_checkout {
                let farewell = AccountDeleted {
                    email: SealedEmail::seal(&service.key, &account.email)?,
                    language: account.language.code().to_owned(),
                };
                events::enqueue_alone(&mut transaction, events::ACCOUNT_DELETED, &farewell).await?;
            }
            users::erase(&mut transaction, user_id).await?;
            mail_tokens::delete_all(&mut transaction, user_id).await?;
            guest_keys::delete_all(&mut transaction, user_id).await?;
            events::enqueue_alone(&mut transaction, events::FORGET_OWNER, &ForgetOwner { user_id }).await?;
            service.end_logins(transaction, user_id, "account_deleted").await?;
            tracing::info!(user.id = %user_id, "account deleted");
            service.wake.wake();
            Ok(())
        };
        self.critical.run(Box::pin(work)).await
    }

    /// Verifies the password of a logged-in owner, counted as a login. Returns the address and the password hash.
    async fn prove_password(
        &self,
        user_id: UserId,
        password: &SecretString,
        source: Source,
    ) -> Result<(Email, String), IdentityError> {
        self.passwords.ensure_capacity()?;
        let credentials = users::own_credentials(&self.pool, user_id).await?;
        let (email, hash) = credentials.ok_or(IdentityError::UserNotFound)?;
        let email = Email::parse(&email).map_err(IdentityError::defect)?;
        let known = self.throttle.admit(&email, source).await?;
        let valid = match self.passwords.verify_for(Requester { source, known }, password, &hash).await {
            Err(IdentityError::Overloaded) => {
                self.throttle.not_verified(&email, source).await;
                return Err(IdentityError::Overloaded);
            }
            verified => verified?,
        };
        if !valid {
            return Err(IdentityError::BadCredentials);
        }
        self.throttle.succeeded(&email, source).await;
        Ok((email, hash))
    }

    /// Begins a transaction that excludes logins and other changes of the account; `None` if there is no such account.
    async fn lock(&self, user_id: UserId) -> Result<Option<Transaction<'static, Postgres>>, IdentityError> {
        let mut transaction = self.pool.begin().await?;
        Ok(users::lock(&mut transaction, user_id).await?.then_some(transaction))
    }

    /// Voids links, ends logins and writes the notice, then commits.
    async fn after_new_password(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        user_id: UserId,
    ) -> Result<(), IdentityError> {
        mail_tokens::void(&mut transaction, user_id, TokenPurpose::ResetPassword).await?;
        events::enqueue(&mut transaction, user_id, events::PASSWORD_CHANGED, &Notice {}).await?;
        self.end_logins(transaction, user_id, "password_changed").await?;
        self.wake.wake();
        Ok(())
    }

    /// Revokes all logins and keys of booking links, commits, and publishes the revocations.
    async fn end_logins(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        user_id: UserId,
        reason: RevokeReason,
    ) -> Result<(), IdentityError> {
        logins::revoke_all(&mut transaction, user_id, reason).await?;
        guest_keys::revoke_all(&mut transaction, user_id).await?;
        let ended = logins::revoked_with_live_tokens(&mut transaction, user_id).await?;
        transaction.commit().await?;
        let sessions: Vec<String> = ended.iter().map(ToString::to_string).collect();
        revoke(&self.revocations, &sessions).await;
        Ok(())
    }
}

/// Refuses a new password that consists of the owner's name or address.
fn refuse_personal(new: &SecretString, account: &Account) -> Result<(), FieldError> {
    passwords::refuse_context(new, &account.email, &account.display_name)
        .map_err(|error| FieldError::new("new_password", error.description))
}

/// The hash of a mailed token; text of another length is no token.
fn hash_of(token: &SecretString) -> Result<SecretHash, IdentityError> {
    let token = token.expose_secret();
    if token.len() == SECRET_LENGTH { Ok(SecretHash::of(token)) } else { Err(IdentityError::MailTokenInvalid) }
}
