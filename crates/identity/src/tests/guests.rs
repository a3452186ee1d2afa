//! Guest checkout: booking without an account, and the keys of mailed booking links.

use jiff::{Timestamp, ToSpan};
use staymesh_api::identity::v1::{
    AccessToken, ChangePasswordRequest, CreateGuestSessionRequest, DeleteCurrentUserRequest, GetCurrentUserRequest,
    LogoutEverywhereRequest, OpenGuestAccessRequest, RequestEmailConfirmationRequest, ResolveMailRecipientRequest,
    ResolveMailRecipientResponse, SetUserRoleRequest, Tokens, User, auth_service_server::AuthService,
    identity_admin_service_server::IdentityAdminService, mail_recipient_service_server::MailRecipientService,
    user_service_server::UserService,
};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role, proto_types::timestamp};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{
    events::FORGET_OWNER,
    purge,
    testing::{FAILURES, GUEST_SESSIONS, PASSWORD, Replica, as_caller, assert_reason, invalid_fields, replica},
};

const ADA: &str = "ada@example.com";

fn checkout(request_id: &str) -> CreateGuestSessionRequest {
    CreateGuestSessionRequest { email: ADA.to_owned(), language: "de".to_owned(), request_id: request_id.to_owned() }
}

async fn begin(replica: &Replica, request: CreateGuestSessionRequest) -> Result<Tokens, Status> {
    Ok(replica.auth.create_guest_session(Request::new(request)).await?.into_inner())
}

/// A guest checkout and its caller.
async fn guest(replica: &Replica) -> (Tokens, Caller) {
    let tokens = begin(replica, checkout("")).await.unwrap();
    let caller = replica.caller(&tokens.access_token).await;
    (tokens, caller)
}

async fn user(replica: &Replica, caller: &Caller) -> Result<User, Status> {
    let request = as_caller(GetCurrentUserRequest {}, caller);
    Ok(replica.users.get_current_user(request).await?.into_inner())
}

async fn recipient(
    replica: &Replica,
    user_id: &str,
    mail_id: Uuid,
    expire_time: Timestamp,
) -> Result<ResolveMailRecipientResponse, Status> {
    let request = ResolveMailRecipientRequest {
        user_id: user_id.to_owned(),
        mail_id: mail_id.to_string(),
        key_expire_time: Some(timestamp(expire_time)),
    };
    Ok(replica.recipients.resolve_mail_recipient(Request::new(request)).await?.into_inner())
}

/// The key of a link that expires in an hour.
async fn key(replica: &Replica, caller: &Caller) -> String {
    let expire_time = Timestamp::now() + 1.hour();
    recipient(replica, &caller.subject, Uuid::new_v4(), expire_time).await.unwrap().guest_key
}

async fn open(replica: &Replica, key: &str) -> Result<AccessToken, Status> {
    let request = OpenGuestAccessRequest { key: key.to_owned() };
    Ok(replica.auth.open_guest_access(Request::new(request)).await?.into_inner())
}

#[tokio::test]
async fn guest_checkout_logs_a_guest_in_and_leaves_the_account_of_the_address_alone() {
    let (_database, replica) = replica(None).await;
    let account = replica.sign_up(ADA).await.unwrap();
    let (one, other) = (guest(&replica).await, guest(&replica).await);
    assert_ne!(one.1.subject, other.1.subject, "the address is not unique");
    for (tokens, caller) in [&one, &other] {
        assert_eq!((caller.role, caller.email_verified), (Role::Guest, false));
        let seen = user(&replica, caller).await.unwrap();
        assert_eq!((seen.email.as_str(), seen.language.as_str(), seen.without_account), (ADA, "de", true));
        assert_ne!(seen.user_id, account.user_id);
        replica.refresh(&tokens.refresh_token).await.unwrap();
    }
    let login = replica.login(ADA, PASSWORD).await.unwrap();
    assert_eq!(user(&replica, &replica.caller(&login.access_token).await).await.unwrap(), account);
}

#[tokio::test]
async fn guest_without_an_account_has_no_password_to_log_in_with_or_to_change() {
    let (_database, replica) = replica(None).await;
    let (_, caller) = guest(&replica).await;
    let placeholder = format!("{}@checkout.invalid", caller.subject);
    for email in [ADA, &placeholder] {
        for password in [PASSWORD, "none", "$argon2id$none"] {
            let status = replica.login(email, password).await.unwrap_err();
            let reason = Problem::reason_of(&status);
            assert!(matches!(reason, Some(Reason::BadCredentials | Reason::LoginThrottled)), "{status:?}");
        }
    }
    let change = ChangePasswordRequest { current_password: "none".to_owned(), new_password: PASSWORD.to_owned() };
    assert_reason(replica.users.change_password(as_caller(change, &caller)).await, Reason::UserNotFound);
    let role = SetUserRoleRequest { user_id: caller.subject.clone(), role: Role::Admin.into(), hotel_ids: Vec::new() };
    assert_reason(replica.admin.set_user_role(Request::new(role)).await, Reason::UserNotFound);
    // Who signs up with the address gets another user.
    assert_ne!(replica.sign_up(ADA).await.unwrap().user_id, caller.subject);
}

#[tokio::test]
async fn guest_checkout_retry_logs_the_same_guest_in_for_ten_minutes() {
    let (database, replica) = replica(None).await;
    let id = Uuid::new_v4().to_string();
    let first = begin(&replica, checkout(&id)).await.unwrap();
    let again = begin(&replica, checkout(&id)).await.unwrap();
    let (first, again) = (replica.caller(&first.access_token).await, replica.caller(&again.access_token).await);
    assert_eq!(first.subject, again.subject);
    let other = CreateGuestSessionRequest { email: "bob@example.com".to_owned(), ..checkout(&id) };
    assert_reason(begin(&replica, other).await, Reason::RequestIdReused);
    let aged = "update user_account set created_at = now() - interval '11 minutes'";
    sqlx::query(aged).execute(database.pool()).await.unwrap();
    assert_reason(begin(&replica, checkout(&id)).await, Reason::RequestIdReused);
}

#[tokio::test]
async fn concurrent_guest_checkout_retries_create_one_guest() {
    let (database, replica) = replica(None).await;
    let id = Uuid::new_v4().to_string();
    let repeats = (0..GUEST_SESSIONS).map(|_| begin(&replica, checkout(&id)));
    for repeat in futures::future::join_all(repeats).await {
        repeat.unwrap();
    }
    let count: i64 = sqlx::query_scalar("select count(*) from user_account").fetch_one(database.pool()).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn request_id_of_a_guest_checkout_is_no_sign_up_and_the_reverse() {
    let (_database, replica) = replica(None).await;
    let sign_up = |request_id: &str| staymesh_api::identity::v1::CreateUserRequest {
        email: ADA.to_owned(),
        password: PASSWORD.to_owned(),
        display_name: String::new(),
        request_id: request_id.to_owned(),
        language: "de".to_owned(),
    };
    let (one, other) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    begin(&replica, checkout(&one)).await.unwrap();
    assert_reason(replica.create_user(sign_up(&one)).await, Reason::RequestIdReused);
    replica.create_user(sign_up(&other)).await.unwrap();
    assert_reason(begin(&replica, checkout(&other)).await, Reason::RequestIdReused);
}

#[tokio::test]
async fn guest_checkouts_of_one_source_are_limited() {
    let (_database, replica) = replica(None).await;
    for _ in 0..GUEST_SESSIONS {
        begin(&replica, checkout("")).await.unwrap();
    }
    assert_reason(begin(&replica, checkout("")).await, Reason::LoginThrottled);
}

#[tokio::test]
async fn guest_checkout_reports_every_invalid_field() {
    let (_database, replica) = replica(None).await;
    let bad = CreateGuestSessionRequest { email: "x".into(), language: "it".into(), request_id: "1".into() };
    let status = assert_reason(begin(&replica, bad).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["email", "language", "request_id"]);
}

#[tokio::test]
async fn key_gives_access_without_refresh_and_proves_the_address() {
    let (database, replica) = replica(None).await;
    let (_, caller) = guest(&replica).await;
    let (mail, expire_time) = (Uuid::new_v4(), Timestamp::now() + 1.hour());
    let to = recipient(&replica, &caller.subject, mail, expire_time).await.unwrap();
    assert_eq!((to.email.as_str(), to.language.as_str(), to.guest_key.len()), (ADA, "de", 43));
    assert_eq!(
        recipient(&replica, &caller.subject, mail, expire_time).await.unwrap(),
        to,
        "the same for every attempt"
    );
    assert_ne!(key(&replica, &caller).await, to.guest_key, "another for another mail");

    for _ in 0..2 {
        let access = open(&replica, &to.guest_key).await.unwrap();
        assert_eq!((access.token_type.as_str(), access.expires_in), ("Bearer", 600));
        let opened = replica.caller(&access.access_token).await;
        assert_eq!((&opened.subject, opened.role, opened.email_verified), (&caller.subject, Role::Guest, true));
    }
    assert!(user(&replica, &caller).await.unwrap().email_verified_time.is_some());
    let stored: String = sqlx::query_scalar("select string_agg(guest_key::text, ' ') from guest_key")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(!stored.contains(&to.guest_key) && !stored.contains(ADA));
}

#[tokio::test]
async fn recipient_with_an_account_gets_no_key() {
    let (_database, replica) = replica(None).await;
    let ada = replica.sign_up(ADA).await.unwrap();
    let expire_time = Timestamp::now() + 1.hour();
    let to = recipient(&replica, &ada.user_id, Uuid::new_v4(), expire_time).await.unwrap();
    assert_eq!((to.email.as_str(), to.language.as_str(), to.guest_key.as_str()), (ADA, "en", ""));
    let unknown = recipient(&replica, &Uuid::now_v7().to_string(), Uuid::new_v4(), expire_time).await;
    assert_reason(unknown, Reason::UserNotFound);
    let far = recipient(&replica, &ada.user_id, Uuid::new_v4(), Timestamp::now() + (4 * 366 * 24).hours()).await;
    assert_eq!(invalid_fields(&assert_reason(far, Reason::InvalidField)), ["key_expire_time"]);
    let nothing = replica.recipients.resolve_mail_recipient(Request::new(ResolveMailRecipientRequest::default())).await;
    let invalid = invalid_fields(&assert_reason(nothing, Reason::InvalidField));
    assert_eq!(invalid, ["user_id", "mail_id", "key_expire_time"]);
}

#[tokio::test]
async fn key_that_is_unknown_expired_or_issued_for_the_past_is_refused() {
    let (database, replica) = replica(None).await;
    let (_, caller) = guest(&replica).await;
    let past = recipient(&replica, &caller.subject, Uuid::new_v4(), Timestamp::now() - 1.second()).await.unwrap();
    assert_eq!((past.email.as_str(), past.guest_key.as_str()), (ADA, ""));
    let key = key(&replica, &caller).await;
    assert_reason(open(&replica, &"x".repeat(43)).await, Reason::MailTokenInvalid);
    open(&replica, &key).await.unwrap();
    let expire = "update guest_key set created_at = now() - interval '1 h', expires_at = now() - interval '1 s'";
    sqlx::query(expire).execute(database.pool()).await.unwrap();
    assert_reason(open(&replica, &key).await, Reason::MailTokenInvalid);
    assert_eq!(invalid_fields(&assert_reason(open(&replica, "").await, Reason::InvalidField)), ["key"]);
}

#[tokio::test]
async fn invalid_keys_of_one_source_are_throttled_and_valid_ones_do_not_count() {
    let (_database, replica) = replica(None).await;
    let (_, caller) = guest(&replica).await;
    let key = key(&replica, &caller).await;
    for _ in 0..2 * FAILURES {
        open(&replica, &key).await.unwrap();
    }
    for _ in 0..FAILURES {
        assert_reason(open(&replica, "guess").await, Reason::MailTokenInvalid);
    }
    assert_reason(open(&replica, "guess").await, Reason::LoginThrottled);
    open(&replica, &key).await.unwrap();
}

#[tokio::test]
async fn logout_everywhere_ends_keys_and_what_they_opened() {
    let (_database, replica) = replica(None).await;
    let ((tokens, caller), (_, other)) = (guest(&replica).await, guest(&replica).await);
    let (ended, kept) = (key(&replica, &caller).await, key(&replica, &other).await);
    let opened = open(&replica, &ended).await.unwrap();
    let opened = replica.caller(&opened.access_token).await;
    replica.auth.logout_everywhere(as_caller(LogoutEverywhereRequest {}, &opened)).await.unwrap();
    assert_reason(open(&replica, &ended).await, Reason::MailTokenInvalid);
    assert!(replica.revocations.is_revoked(&opened.session));
    assert_reason(replica.refresh(&tokens.refresh_token).await, Reason::RefreshTokenInvalid);
    open(&replica, &kept).await.unwrap();
}

#[tokio::test]
async fn guest_without_an_account_is_deleted_without_a_password_and_without_a_mail() {
    let (database, replica) = replica(None).await;
    let (_, caller) = guest(&replica).await;
    let key = key(&replica, &caller).await;
    let confirm = as_caller(RequestEmailConfirmationRequest {}, &caller);
    replica.users.request_email_confirmation(confirm).await.unwrap();
    let delete = as_caller(DeleteCurrentUserRequest { password: String::new() }, &caller);
    replica.users.delete_current_user(delete).await.unwrap();
    assert_reason(open(&replica, &key).await, Reason::MailTokenInvalid);
    assert_reason(user(&replica, &caller).await, Reason::UserNotFound);
    let kept: String =
        sqlx::query_scalar("select user_account::text from user_account").fetch_one(database.pool()).await.unwrap();
    assert!(!kept.contains(ADA));
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from outbox order by event_id").fetch_all(database.pool()).await.unwrap();
    assert_eq!(kinds, ["mail.confirm_email", FORGET_OWNER], "no farewell to an unverified address");
    let account = replica.sign_up("bob@example.com").await.unwrap();
    let delete = DeleteCurrentUserRequest { password: String::new() };
    let refused = replica.users.delete_current_user(as_caller(delete, &crate::testing::guest(&account.user_id))).await;
    assert_eq!(invalid_fields(&assert_reason(refused, Reason::InvalidField)), ["password"]);
}

#[tokio::test]
async fn purge_deletes_guest_checkouts_without_login_and_key_and_reports_them() {
    let (database, replica) = replica(None).await;
    let pool = database.pool();
    replica.sign_up("bob@example.com").await.unwrap();
    let ((_, gone), (_, with_key), (_, with_login)) =
        (guest(&replica).await, guest(&replica).await, guest(&replica).await);
    let key = key(&replica, &with_key).await;
    sqlx::query("update user_account set created_at = now() - interval '2 days'").execute(pool).await.unwrap();
    sqlx::query("delete from login where user_id::text <> $1").bind(&with_login.subject).execute(pool).await.unwrap();
    purge::once(pool).await.unwrap();
    assert_reason(user(&replica, &gone).await, Reason::UserNotFound);
    user(&replica, &with_login).await.unwrap();
    open(&replica, &key).await.unwrap();
    let reported = "select payload ->> 'user_id' from outbox where kind = 'account.deleted'";
    let reported: Vec<String> = sqlx::query_scalar(reported).fetch_all(pool).await.unwrap();
    assert_eq!(reported, [gone.subject]);

    let expire = "update guest_key set created_at = now() - interval '3 days', expires_at = now() - interval '2 days'";
    sqlx::query(expire).execute(pool).await.unwrap();
    sqlx::query("delete from login").execute(pool).await.unwrap();
    purge::once(pool).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select email from user_account").fetch_all(pool).await.unwrap();
    assert_eq!(left, ["bob@example.com"]);
}
