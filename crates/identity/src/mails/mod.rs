//! Delivers the events of the outbox: mails to owners of accounts, and deleted accounts to the reservation service.
//!
//! An event may be delivered again. A mail's token and `Message-ID` are derived from the event, so a second attempt sends
//! the same mail.

mod texts;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use staymesh_domain::{Email, Language, UserId};
use staymesh_mail::{Mail, Mailer, Site};
use staymesh_store::{
    StoreError,
    outbox::{Deliver, Delivery, OutboxEvent},
};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    clients::reservation::ReservationClient,
    crypto::{EncryptionKey, SecretHash},
    error::IdentityError,
    events::{self, AccountDeleted, ForgetOwner, NewToken, ResetRequested},
    model::{Account, TokenPurpose},
    store::{mail_tokens, users},
};
use texts::Text;

/// Most mails with a link for the same purpose to one account in an hour.
const MOST_LINKS: i64 = 5;

/// Delivers the outbox of identity.
pub(crate) struct OutboxReceiver {
    pub(crate) pool: PgPool,
    pub(crate) key: EncryptionKey,
    pub(crate) mailer: Mailer,
    pub(crate) site: Site,
    pub(crate) reservations: Box<dyn ReservationClient>,
}

impl Deliver for OutboxReceiver {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        self.dispatch(event).await.unwrap_or_else(|failed| failed)
    }
}

impl OutboxReceiver {
    async fn dispatch(&self, event: &OutboxEvent) -> Result<Delivery, Delivery> {
        let user_id = UserId::from(event.aggregate_id);
        match event.kind.as_str() {
            events::CONFIRM_EMAIL => {
                let token: NewToken = event.read()?;
                let due = |account: &Account| account.email_verified_time.is_none() && !account.guest_checkout;
                let account = self.account(user_id).await?.filter(due);
                self.send_link(account, TokenPurpose::ConfirmEmail, token.token_id).await
            }
            events::RESET_REQUESTED => {
                let request: ResetRequested = event.read()?;
                let account = self.account_of(&self.open(&request.email)?).await?;
                self.send_link(account, TokenPurpose::ResetPassword, request.token_id).await
            }
            events::PASSWORD_CHANGED => match self.account(user_id).await? {
                Some(account) => {
                    let text = Text::password_changed(account.language);
                    self.send(format!("password-changed-{}", event.event_id), account.email, text).await
                }
                None => Ok(Delivery::Done),
            },
            events::ACCOUNT_DELETED => {
                let deleted: AccountDeleted = event.read()?;
                let language: Language =
                    deleted.language.parse().map_err(|_| Delivery::DeadLetter("an unknown language".to_owned()))?;
                let text = Text::account_deleted(language);
                self.send(format!("account-deleted-{}", event.event_id), self.open(&deleted.email)?, text).await
            }
            events::FORGET_OWNER => {
                let ForgetOwner { user_id } = event.read()?;
                let forgotten = self.reservations.forget_owner(user_id).await;
                Ok(forgotten.map_or_else(|status| after(&status), |()| Delivery::Done))
            }
            other => Ok(Delivery::DeadLetter(format!("unknown event kind {other}"))),
        }
    }

    /// Issues the token of a link and sends it. Does nothing without an account, or when its owner got enough mails.
    async fn send_link(
        &self,
        account: Option<Account>,
        purpose: TokenPurpose,
        token_id: Uuid,
    ) -> Result<Delivery, Delivery> {
        let Some(account) = account else { return Ok(Delivery::Done) };
        let token = self.key.mail_token(purpose.as_str(), token_id);
        if !self.issue(account.user_id, purpose, &token).await.map_err(|error| postponed(&error))? {
            tracing::info!(user.id = %account.user_id, purpose = purpose.as_str(), "no mail: one was sent just now, or too many");
            return Ok(Delivery::Done);
        }
        let fragment = format!("token={}&lang={}", token.expose_secret(), account.language.code());
        let (id, text) = match purpose {
            TokenPurpose::ConfirmEmail => {
                ("confirm-email", Text::confirm_email(account.language, &self.site.link("/account/confirm", &fragment)))
            }
            TokenPurpose::ResetPassword => {
                ("reset-password", Text::reset_password(account.language, &self.site.link("/account/reset", &fragment)))
            }
        };
        self.send(format!("{id}-{token_id}"), account.email, text).await
    }

    /// Returns whether the token is valid, so that its mail is to be sent.
    async fn issue(&self, user_id: UserId, purpose: TokenPurpose, token: &SecretString) -> Result<bool, IdentityError> {
        let mut transaction = self.pool.begin().await?;
        // Mails to one account are decided one after another, so that concurrent ones do not exceed the limit.
        if !users::lock(&mut transaction, user_id).await? {
            return Ok(false);
        }
        let hash = SecretHash::of(token.expose_secret());
        let valid = mail_tokens::issue(&mut transaction, hash, user_id, purpose, MOST_LINKS).await?;
        transaction.commit().await?;
        Ok(valid)
    }

    async fn send(&self, id: String, to: String, text: Text) -> Result<Delivery, Delivery> {
        let mail = Mail { id, to, subject: text.subject, text: text.body };
        Ok(self.mailer.send(&mail).await.map_or_else(staymesh_mail::MailError::delivery, |()| Delivery::Done))
    }

    async fn account(&self, user_id: UserId) -> Result<Option<Account>, Delivery> {
        users::get(&self.pool, user_id).await.map_err(|error| postponed(&error.into()))
    }

    async fn account_of(&self, email: &str) -> Result<Option<Account>, Delivery> {
        let Ok(email) = Email::parse(email) else { return Ok(None) };
        match users::credentials(&self.pool, &email).await.map_err(|error| postponed(&error.into()))? {
            Some(credentials) => self.account(credentials.user_id).await,
            None => Ok(None),
        }
    }

    fn open(&self, email: &events::SealedEmail) -> Result<String, Delivery> {
        email.open(&self.key).map_err(|error| Delivery::DeadLetter(error.to_string()))
    }
}

/// What the relay does when the database failed.
fn postponed(error: &IdentityError) -> Delivery {
    match error {
        IdentityError::Store(StoreError::Unavailable(_)) => Delivery::Unavailable("the database".to_owned()),
        _ => Delivery::Retry("the database refused a statement".to_owned()),
    }
}

/// What the relay does after a failed call of the reservation service.
fn after(status: &Status) -> Delivery {
    let reason = format!("reservation: {:?}", status.code());
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated => {
            Delivery::Unavailable(reason)
        }
        Code::InvalidArgument | Code::Unimplemented => Delivery::DeadLetter(reason),
        _ => Delivery::Retry(reason),
    }
}
