//! Confirming an address, resetting and changing a password, ending all logins, deleting an account; and their mails.

use std::{path::Path, time::Duration};

use staymesh_api::identity::v1::{
    ChangePasswordRequest, ConfirmEmailRequest, DeleteCurrentUserRequest, GetCurrentUserRequest,
    LogoutEverywhereRequest, RequestEmailConfirmationRequest, RequestPasswordResetRequest, ResetPasswordRequest,
    auth_service_server::AuthService, user_service_server::UserService,
};
use staymesh_mail::{MailConfig, Mailer};
use staymesh_mesh::Reason;
use staymesh_store::outbox::{Relay, RelayOptions, Wake};
use staymesh_testkit::TestDatabase;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    clients::reservation::MockReservationClient,
    mails::OutboxReceiver,
    testing::{PASSWORD, Replica, as_caller, assert_reason, encryption_key, invalid_fields, replica},
};

pub(super) const ADA: &str = "ada@example.com";
pub(super) const NEW: &str = "staple of the battery";

pub(super) struct World {
    pub(super) database: TestDatabase,
    pub(super) replica: Box<Replica>,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let (database, replica) = replica(None).await;
        Self { database, replica, folder: tempfile::tempdir().unwrap() }
    }

    pub(super) async fn with_ada() -> Self {
        let world = Self::new().await;
        world.replica.sign_up(ADA).await.unwrap();
        world
    }

    /// Delivers every event, and returns the mails whose name begins so.
    pub(super) async fn mails(&self, kind: &str) -> Vec<String> {
        let config = MailConfig {
            smtp_url: format!("file://{}", self.folder.path().display()).into(),
            mail_from: "Staymesh <booking@staymesh.example>".into(),
            public_url: "https://booking.example".into(),
        };
        let mut reservations = MockReservationClient::new();
        reservations.expect_forget_owner().returning(|_| Ok(()));
        let receiver = OutboxReceiver {
            pool: self.database.pool().clone(),
            key: encryption_key(),
            mailer: Mailer::new(&config).unwrap(),
            site: config.site().unwrap(),
            reservations: Box::new(reservations),
        };
        let options = RelayOptions { poll: Duration::from_millis(5), ..RelayOptions::default() };
        let (pool, stop) = (self.database.pool(), CancellationToken::new());
        let relay = tokio::spawn(Relay::new(pool.clone(), receiver, Wake::default(), options).run(stop.clone()));
        let pending = "select count(*) from outbox where delivered_at is null";
        let delivered = async {
            while sqlx::query_scalar::<_, i64>(pending).fetch_one(pool).await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), delivered).await.expect("every event is delivered");
        stop.cancel();
        relay.await.unwrap();
        read(self.folder.path(), kind)
    }

    /// The token in the only mail of this kind.
    pub(super) async fn token(&self, kind: &str) -> String {
        let mails = self.mails(kind).await;
        assert_eq!(mails.len(), 1, "{kind}");
        let (_, rest) = mails[0].split_once("#token=").expect("a link");
        rest.split('&').next().unwrap().to_owned()
    }

    async fn confirm(&self, token: &str) -> Result<(), Status> {
        let request = Request::new(ConfirmEmailRequest { token: token.to_owned() });
        self.replica.users.confirm_email(request).await.map(drop)
    }

    pub(super) async fn request_reset(&self, email: &str) -> Result<(), Status> {
        let request = Request::new(RequestPasswordResetRequest { email: email.to_owned() });
        self.replica.users.request_password_reset(request).await.map(drop)
    }

    pub(super) async fn reset(&self, token: &str) -> Result<(), Status> {
        self.reset_to(token, NEW).await
    }

    pub(super) async fn reset_to(&self, token: &str, new: &str) -> Result<(), Status> {
        let request = ResetPasswordRequest { token: token.to_owned(), new_password: new.to_owned() };
        self.replica.users.reset_password(Request::new(request)).await.map(drop)
    }

    pub(super) async fn change(&self, access: &str, current: &str, new: &str) -> Result<(), Status> {
        let caller = self.replica.caller(access).await;
        let request = ChangePasswordRequest { current_password: current.to_owned(), new_password: new.to_owned() };
        self.replica.users.change_password(as_caller(request, &caller)).await.map(drop)
    }

    pub(super) async fn delete(&self, access: &str, password: &str) -> Result<(), Status> {
        let caller = self.replica.caller(access).await;
        let request = DeleteCurrentUserRequest { password: password.to_owned() };
        self.replica.users.delete_current_user(as_caller(request, &caller)).await.map(drop)
    }
}

/// The texts of the mails whose name begins so, without the soft line breaks of quoted-printable.
fn read(folder: &Path, kind: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mails = files.filter(|file| file.file_name().to_string_lossy().starts_with(kind));
    mails.map(|file| std::fs::read_to_string(file.path()).unwrap().replace("=\r\n", "").replace("=3D", "=")).collect()
}

#[tokio::test]
async fn sign_up_mails_a_link_that_confirms_the_address_once_and_idempotently() {
    let world = World::with_ada().await;
    let token = world.token("confirm-email").await;
    let login = world.replica.login(ADA, PASSWORD).await.unwrap();
    assert!(!world.replica.caller(&login.access_token).await.email_verified);
    for _ in 0..2 {
        world.confirm(&token).await.unwrap();
    }
    let after = world.replica.refresh(&login.refresh_token).await.unwrap();
    let caller = world.replica.caller(&after.access_token).await;
    assert!(caller.email_verified);

    // A confirmed address needs no further link.
    let request = as_caller(RequestEmailConfirmationRequest {}, &caller);
    world.replica.users.request_email_confirmation(request).await.unwrap();
    assert_eq!(world.mails("confirm-email").await.len(), 1);
    let forged = "x".repeat(token.len());
    for wrong in ["", "short", &forged] {
        let refused = world.confirm(wrong).await;
        assert_reason(refused, if wrong.is_empty() { Reason::InvalidField } else { Reason::MailTokenInvalid });
    }
    // A token is for one purpose.
    assert_reason(world.reset(&token).await, Reason::MailTokenInvalid);
}

#[tokio::test]
async fn mail_is_in_the_language_of_the_account_and_the_outbox_holds_no_address_or_token() {
    let world = World::new().await;
    let user = staymesh_api::identity::v1::CreateUserRequest {
        email: ADA.to_owned(),
        password: PASSWORD.to_owned(),
        display_name: "Ada".to_owned(),
        request_id: String::new(),
        language: "de".to_owned(),
    };
    world.replica.create_user(user).await.unwrap();
    world.request_reset(ADA).await.unwrap();
    let reset = world.token("reset-password").await;
    let confirm = world.token("confirm-email").await;
    assert!(world.mails("confirm-email").await[0].contains("Guten Tag,"));
    let rows = "select string_agg(outbox::text, ' ') || (select string_agg(mail_token::text, ' ') from mail_token) from outbox";
    let stored: String = sqlx::query_scalar(rows).fetch_one(world.database.pool()).await.unwrap();
    for secret in [ADA, reset.as_str(), confirm.as_str()] {
        assert!(!stored.contains(secret));
    }
}

#[tokio::test]
async fn reset_replaces_the_password_once_ends_all_logins_and_is_reported() {
    let world = World::with_ada().await;
    let login = world.replica.login(ADA, PASSWORD).await.unwrap();
    world.request_reset("ADA@example.com").await.unwrap();
    let token = world.token("reset-password").await;
    let invalid = assert_reason(world.reset_to(&token, "ada@example.com").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&invalid), ["new_password"], "refused without using the token");
    let resets = futures::future::join_all((0..8).map(|_| world.reset(&token))).await;
    assert_eq!(resets.iter().filter(|reset| reset.is_ok()).count(), 1, "one use");
    for refused in resets.into_iter().filter(Result::is_err) {
        assert_reason(refused, Reason::MailTokenInvalid);
    }
    assert_reason(world.replica.login(ADA, PASSWORD).await, Reason::BadCredentials);
    assert_reason(world.replica.refresh(&login.refresh_token).await, Reason::RefreshTokenInvalid);
    let after = world.replica.login(ADA, NEW).await.unwrap();
    assert!(world.replica.caller(&after.access_token).await.email_verified, "the mailbox was proved");
    assert_eq!(world.mails("password-changed").await.len(), 1);
}

#[tokio::test]
async fn reset_request_answers_and_works_the_same_for_an_unknown_address() {
    let world = World::with_ada().await;
    let count = "select count(*) from outbox where kind = 'mail.reset_password'";
    for (email, written) in [(ADA, 1), ("unknown@example.com", 2)] {
        world.request_reset(email).await.unwrap();
        let rows: i64 = sqlx::query_scalar(count).fetch_one(world.database.pool()).await.unwrap();
        assert_eq!(rows, written, "one event, also for an unknown address");
    }
    assert_eq!(world.mails("reset-password").await.len(), 1);
    // Within a minute the same account gets no second mail.
    world.request_reset(ADA).await.unwrap();
    assert_eq!(world.mails("reset-password").await.len(), 1);
}

#[tokio::test]
async fn reset_requests_of_one_source_are_limited() {
    let world = World::new().await;
    for n in 0..20 {
        world.request_reset(&format!("{n}@example.com")).await.unwrap();
    }
    assert_reason(world.request_reset("other@example.com").await, Reason::LoginThrottled);
}

#[tokio::test]
async fn expired_reset_token_is_refused_before_a_hash_is_computed() {
    let world = World::with_ada().await;
    world.request_reset(ADA).await.unwrap();
    let token = world.token("reset-password").await;
    let expire = "update mail_token set created_at = now() - interval '1 h', expires_at = now() - interval '1 s'";
    sqlx::query(expire).execute(world.database.pool()).await.unwrap();
    assert_reason(world.reset(&token).await, Reason::MailTokenInvalid);
    world.replica.login(ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn change_of_password_needs_the_current_one_and_ends_all_logins() {
    let world = World::with_ada().await;
    let (here, there) = (world.replica.login(ADA, PASSWORD).await.unwrap(), world.replica.login(ADA, PASSWORD).await);
    let access = &here.access_token;
    assert_reason(world.change(access, "wrong password", NEW).await, Reason::BadCredentials);
    let invalid = assert_reason(world.change(access, "", "short").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&invalid), ["current_password", "new_password"]);
    for refused in [PASSWORD, "ada@example.com", "password1"] {
        let invalid = assert_reason(world.change(access, PASSWORD, refused).await, Reason::InvalidField);
        assert_eq!(invalid_fields(&invalid), ["new_password"], "{refused}");
    }
    world.change(access, PASSWORD, NEW).await.unwrap();
    for login in [here, there.unwrap()] {
        assert_reason(world.replica.refresh(&login.refresh_token).await, Reason::RefreshTokenInvalid);
    }
    world.replica.login(ADA, NEW).await.unwrap();
    assert_eq!(world.mails("password-changed").await.len(), 1);
}

#[tokio::test]
async fn logout_everywhere_ends_every_login_of_the_account_and_no_other() {
    let world = World::with_ada().await;
    world.replica.sign_up("bob@example.com").await.unwrap();
    let bob = world.replica.login("bob@example.com", PASSWORD).await.unwrap();
    let logins = [world.replica.login(ADA, PASSWORD).await.unwrap(), world.replica.login(ADA, PASSWORD).await.unwrap()];
    let caller = world.replica.caller(&logins[0].access_token).await;
    for _ in 0..2 {
        let request = as_caller(LogoutEverywhereRequest {}, &caller);
        world.replica.auth.logout_everywhere(request).await.map(Response::into_inner).unwrap();
    }
    for login in logins {
        assert_reason(world.replica.refresh(&login.refresh_token).await, Reason::RefreshTokenInvalid);
    }
    world.replica.refresh(&bob.refresh_token).await.unwrap();
}

#[tokio::test]
async fn deleted_account_is_erased_and_its_address_may_sign_up_again() {
    let world = World::with_ada().await;
    let login = world.replica.login(ADA, PASSWORD).await.unwrap();
    assert_reason(world.delete(&login.access_token, "wrong password").await, Reason::BadCredentials);
    world.delete(&login.access_token, PASSWORD).await.unwrap();
    assert_reason(world.replica.login(ADA, PASSWORD).await, Reason::BadCredentials);
    assert_reason(world.replica.refresh(&login.refresh_token).await, Reason::RefreshTokenInvalid);
    let caller = world.replica.caller(&login.access_token).await;
    let seen = world.replica.users.get_current_user(as_caller(GetCurrentUserRequest {}, &caller)).await;
    assert_reason(seen, Reason::UserNotFound);

    let row: String = sqlx::query_scalar("select user_account::text from user_account")
        .fetch_one(world.database.pool())
        .await
        .unwrap();
    assert!(!row.contains("ada") && !row.contains("Ada") && !row.contains("$m="), "no personal data, no hash");
    assert_eq!(world.mails("account-deleted").await.len(), 1);
    let user = world.replica.sign_up(ADA).await.unwrap();
    assert_ne!(user.user_id, caller.subject);
}
