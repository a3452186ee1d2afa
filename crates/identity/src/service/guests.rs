//! Guest checkout: booking without an account.
//!
//! The guest is a user with an address that is no login name, and without a password. It logs in once, when it begins, and
//! later with the key of a booking link that was mailed to the address.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use staymesh_api::options::v1::Gateway;
use staymesh_domain::{FieldError, UserId};
use staymesh_store::ResultExt;
use uuid::Uuid;

use super::{
    logins::{AccessToken, LoginService, LoginTokens},
    source_limit::SourceLimit,
    throttle::Source,
};
use crate::{
    crypto::{EncryptionKey, SECRET_LENGTH, SecretHash},
    error::IdentityError,
    model::{GuestCheckout, MailRecipient},
    store::{
        guest_keys,
        guests::{self, NewGuest},
        users,
    },
};

/// How long a repeat of a guest checkout logs the same guest in. Its request id stands for a password in that time.
const REPEATABLE: Duration = Duration::from_mins(10);
/// Most days from the issue of a key to its expiry: stays are booked at most about two years ahead.
const MOST_DAYS: i64 = 3 * 366;

/// Guest checkouts and their keys.
#[derive(Clone)]
pub(crate) struct GuestService {
    pub(crate) pool: PgPool,
    pub(crate) key: EncryptionKey,
    pub(crate) logins: LoginService,
    /// Guest checkouts of one source.
    pub(crate) sessions: SourceLimit,
    /// Invalid keys of one source.
    pub(crate) failures: SourceLimit,
}

impl GuestService {
    /// Begins a guest checkout and logs the guest in. Idempotent for a request id, for 10 minutes.
    ///
    /// # Errors
    /// [`IdentityError::LoginThrottled`] for a source with too many, and [`IdentityError::RequestIdReused`].
    pub(crate) async fn check_out(
        &self,
        checkout: GuestCheckout,
        source: Source,
    ) -> Result<LoginTokens, IdentityError> {
        self.sessions.admit(source).await?;
        self.logins.ensure_ready().await?;
        let user_id = match self.create(&checkout).await {
            Err(IdentityError::RequestIdReused) => self.created_before(&checkout).await?,
            created => created?,
        };
        self.logins.open(user_id, None, Gateway::Public).await
    }

    async fn create(&self, checkout: &GuestCheckout) -> Result<UserId, IdentityError> {
        let GuestCheckout { email, language, request_id } = checkout;
        let guest = NewGuest { user_id: UserId::new(), email, language: *language, request_id: *request_id };
        let reused = |name: &str| (name == "user_account_request_id_key").then_some(IdentityError::RequestIdReused);
        let mut connection = self.pool.acquire().await?;
        guests::insert(&mut connection, &guest).await.on_constraints(reused)?;
        Ok(guest.user_id)
    }

    async fn created_before(&self, checkout: &GuestCheckout) -> Result<UserId, IdentityError> {
        let request_id = checkout.request_id.ok_or_else(|| IdentityError::defect("a repeat without a request id"))?;
        let same = guests::of_request(&self.pool, request_id, &checkout.email, checkout.language, REPEATABLE).await?;
        same.ok_or(IdentityError::RequestIdReused)
    }

    /// Exchanges the key of a booking link for an access token, and records that the address is proved.
    ///
    /// # Errors
    /// [`IdentityError::MailTokenInvalid`], and [`IdentityError::LoginThrottled`] for a source with too many of those.
    pub(crate) async fn open(&self, key: &SecretString, source: Source) -> Result<AccessToken, IdentityError> {
        let opened = self.exchange(key).await;
        // Only invalid keys count: 256 bits cannot be guessed, and guests with valid keys may share the source.
        if matches!(opened, Err(IdentityError::MailTokenInvalid)) {
            self.failures.admit(source).await?;
        }
        opened
    }

    async fn exchange(&self, key: &SecretString) -> Result<AccessToken, IdentityError> {
        if key.expose_secret().len() != SECRET_LENGTH {
            return Err(IdentityError::MailTokenInvalid);
        }
        let key = SecretHash::of(key.expose_secret());
        self.logins.ensure_ready().await?;
        let user_id = guest_keys::owner(&self.pool, key).await?.ok_or(IdentityError::MailTokenInvalid)?;
        let mut transaction = self.pool.begin().await?;
        // The end of all logins takes the same lock, so it either precedes the check below or sees the new login.
        if !users::lock(&mut transaction, user_id).await? || !guest_keys::is_valid(&mut transaction, key).await? {
            return Err(IdentityError::MailTokenInvalid);
        }
        users::set_email_verified(&mut transaction, user_id).await?;
        let account = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::MailTokenInvalid)?;
        let login_id = self.logins.insert_without_refresh(&mut transaction, user_id).await?;
        transaction.commit().await?;
        self.logins.access(&account, login_id).await
    }

    /// Where a mail to a user goes. For a guest without an account a key is issued that expires at `expire_time`, unless
    /// that has passed. The key is derived from `mail_id`, so that every attempt to send the mail has the same one and only
    /// its hash is stored.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`], and [`IdentityError::Fields`] for an expiry more than three years ahead.
    pub(crate) async fn recipient(
        &self,
        user_id: UserId,
        mail_id: Uuid,
        expire_time: Timestamp,
    ) -> Result<MailRecipient, IdentityError> {
        if expire_time > Timestamp::now() + (MOST_DAYS * 24).hours() {
            return Err(FieldError::new("key_expire_time", "must be at most three years ahead").into());
        }
        let mut transaction = self.pool.begin().await?;
        if !users::lock(&mut transaction, user_id).await? {
            return Err(IdentityError::UserNotFound);
        }
        let account = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        let mut guest_key = None;
        if account.guest_checkout {
            let key = self.key.mail_token(&format!("guest_key {user_id}"), mail_id);
            let hash = SecretHash::of(key.expose_secret());
            guest_key = guest_keys::issue(&mut transaction, hash, user_id, expire_time).await?.then_some(key);
        }
        transaction.commit().await?;
        Ok(MailRecipient { email: account.email, language: account.language, guest_key })
    }
}
