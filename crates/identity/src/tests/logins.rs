//! Logins: log in, refresh, log out.

use std::{sync::atomic::Ordering, time::Duration};

use staymesh_api::identity::v1::{
    CreateClientRequest, IssueClientTokenRequest, LoginRequest, LogoutRequest, RefreshTokensRequest,
    auth_service_server::AuthService, identity_admin_service_server::IdentityAdminService,
};
use staymesh_mesh::{Reason, auth::Role};
use tonic::Request;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::config::Lives;
use crate::testing::{
    FAILURES, LIVES, PASSWORD, Replica, as_caller, assert_reason, invalid_fields, replica, test_redis,
};

const ADA: &str = "ada@example.com";

async fn with_ada() -> (staymesh_testkit::TestDatabase, Box<Replica>, String) {
    let (database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    (database, replica, user.user_id)
}

#[tokio::test]
async fn login_returns_a_token_that_identifies_the_account() {
    let (_database, replica, user_id) = with_ada().await;
    let tokens = replica.login("ADA@example.com", PASSWORD).await.unwrap();
    assert_eq!((tokens.token_type.as_str(), i64::from(tokens.expires_in)), ("Bearer", 600));
    let caller = replica.caller(&tokens.access_token).await;
    assert_eq!((caller.subject, caller.role, caller.hotel_ids), (user_id, Role::Guest, vec![]));
    assert!(Uuid::try_parse(&caller.session).is_ok());
}

#[tokio::test]
async fn token_says_whether_the_address_is_confirmed() {
    let (database, replica, _) = with_ada().await;
    let before = replica.login(ADA, PASSWORD).await.unwrap();
    assert!(!replica.caller(&before.access_token).await.email_verified);
    let confirm = "update user_account set email_verified_time = now()";
    sqlx::query(confirm).execute(database.pool()).await.unwrap();
    let after = replica.refresh(&before.refresh_token).await.unwrap();
    assert!(replica.caller(&after.access_token).await.email_verified);
}

#[tokio::test]
async fn wrong_password_and_unknown_address_get_the_same_response_and_work() {
    let (_database, replica, _) = with_ada().await;
    replica.passwords.take_verified();

    let wrong = assert_reason(replica.login(ADA, "wrong password").await, Reason::BadCredentials);
    let work_for_wrong = replica.passwords.take_verified();
    let unknown = assert_reason(replica.login("unknown@example.com", "wrong password").await, Reason::BadCredentials);
    let work_for_unknown = replica.passwords.take_verified();

    assert_eq!(wrong.code(), unknown.code());
    assert_eq!(wrong.message(), unknown.message());
    assert_eq!(wrong.details(), unknown.details());
    assert_eq!(work_for_wrong.len(), 1);
    assert_eq!(work_for_wrong, work_for_unknown, "the same argon2 work in both");
}

#[tokio::test]
async fn throttled_source_does_not_lock_out_other_sources() {
    let (_database, replica, _) = with_ada().await;
    for _ in 0..FAILURES {
        let guess = replica.login_from("198.51.100.1", ADA, "wrong password").await;
        assert_reason(guess, Reason::BadCredentials);
    }
    assert_reason(replica.login_from("198.51.100.1", ADA, PASSWORD).await, Reason::LoginThrottled);
    replica.login_from("203.0.113.9", ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn throttling_is_the_same_for_known_and_unknown_addresses() {
    let (_database, replica, _) = with_ada().await;
    let mut answers = Vec::new();
    for email in [ADA, "unknown@example.com"] {
        for _ in 0..FAILURES {
            assert_reason(replica.login(email, "wrong password").await, Reason::BadCredentials);
        }
        replica.passwords.take_verified();
        // The correct password is refused, too, and not verified.
        let status = assert_reason(replica.login(email, PASSWORD).await, Reason::LoginThrottled);
        assert!(replica.passwords.take_verified().is_empty());
        let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(wait.as_secs() <= 15 * 60, "{wait:?}");
        answers.push((status.code(), status.message().to_owned()));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn successful_login_resets_the_failure_count() {
    let (_database, replica, _) = with_ada().await;
    for _ in 0..3 {
        for _ in 1..FAILURES {
            assert_reason(replica.login(ADA, "wrong password").await, Reason::BadCredentials);
        }
        replica.login(ADA, PASSWORD).await.unwrap();
    }
}

#[tokio::test]
async fn overloaded_login_does_not_count_as_a_failure() {
    let (_database, replica, _) = with_ada().await;
    replica.passwords.full.store(true, Ordering::Relaxed);
    for _ in 0..=FAILURES {
        assert_reason(replica.login(ADA, PASSWORD).await, Reason::Overloaded);
    }
    replica.passwords.full.store(false, Ordering::Relaxed);
    replica.login(ADA, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn login_and_refresh_report_invalid_fields() {
    let (_database, replica) = replica(None).await;
    let status = assert_reason(replica.login("", "").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["email", "password"]);
    let status = assert_reason(replica.login(ADA, &"x".repeat(1_000_000)).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["password"]);
    let status = assert_reason(replica.refresh("").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["refresh_token"]);
}

#[tokio::test]
async fn refresh_returns_new_tokens_of_the_same_login() {
    let (_database, replica, user_id) = with_ada().await;
    let first = replica.login(ADA, PASSWORD).await.unwrap();
    let second = replica.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(first.refresh_token, second.refresh_token);
    let (before, after) = (replica.caller(&first.access_token).await, replica.caller(&second.access_token).await);
    assert_eq!(before, after);
    assert_eq!(after.subject, user_id);
    replica.refresh(&second.refresh_token).await.unwrap();
}

#[tokio::test]
async fn a_second_use_ends_the_whole_login_for_every_service() {
    let (_server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    replica.sign_up(ADA).await.unwrap();
    let bystander = replica.login(ADA, PASSWORD).await.unwrap();
    let first = replica.login(ADA, PASSWORD).await.unwrap();
    let second = replica.refresh(&first.refresh_token).await.unwrap();
    let session = replica.caller(&second.access_token).await.session;
    assert!(!replica.revocations.is_revoked(&session));

    // Within the grace, but the successor has been used: one of the two uses is not the owner's.
    let third = replica.refresh(&second.refresh_token).await.unwrap();
    assert_reason(replica.refresh(&first.refresh_token).await, Reason::RefreshTokenInvalid);
    assert!(replica.revocations.is_revoked(&session));
    assert_reason(replica.refresh(&third.refresh_token).await, Reason::RefreshTokenInvalid);
    // Other logins of the account stay valid.
    replica.refresh(&bystander.refresh_token).await.unwrap();
}

#[tokio::test]
async fn concurrent_refreshes_with_one_token_get_one_successor() {
    let (database, replica, _) = with_ada().await;
    let other = Replica::over(database.pool(), None);
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();
    let uses = (0..8).map(|n| if n % 2 == 0 { &replica } else { &other }).map(|r| r.refresh(&tokens.refresh_token));
    let results = futures::future::join_all(uses).await;
    let renewed: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert!(renewed.iter().all(|tokens| tokens.refresh_token == renewed[0].refresh_token));
    let count: i64 = sqlx::query_scalar("select count(*) from refresh_token").fetch_one(database.pool()).await.unwrap();
    assert_eq!(count, 2, "the token and one successor");
    replica.refresh(&renewed[7].refresh_token).await.unwrap();
}

#[tokio::test]
async fn repeated_refresh_after_the_grace_ends_the_login() {
    let (database, _) = replica(None).await;
    let replica = Replica::with(database.pool(), None, FAILURES, Lives { grace: Duration::ZERO, ..LIVES });
    replica.sign_up(ADA).await.unwrap();
    let first = replica.login(ADA, PASSWORD).await.unwrap();
    let second = replica.refresh(&first.refresh_token).await.unwrap();
    assert_reason(replica.refresh(&first.refresh_token).await, Reason::RefreshTokenInvalid);
    assert_reason(replica.refresh(&second.refresh_token).await, Reason::RefreshTokenInvalid);
}

#[tokio::test]
async fn answers_with_tokens_are_not_to_be_cached() {
    let (_database, replica, _) = with_ada().await;
    let request = LoginRequest { email: ADA.to_owned(), password: PASSWORD.to_owned() };
    let login = replica.auth.login(Request::new(request)).await.unwrap();
    let refresh_token = login.get_ref().refresh_token.clone();
    let refreshed = replica.auth.refresh_tokens(Request::new(RefreshTokensRequest { refresh_token })).await.unwrap();
    let client = CreateClientRequest {
        client_id: "partner".to_owned(),
        role: Role::Partner.into(),
        ..CreateClientRequest::default()
    };
    let client = replica.admin.create_client(Request::new(client)).await.unwrap();
    let request = IssueClientTokenRequest {
        grant_type: "client_credentials".to_owned(),
        client_id: "partner".to_owned(),
        client_secret: client.get_ref().client_secret.clone(),
    };
    let issued = replica.auth.issue_client_token(Request::new(request)).await.unwrap();
    for headers in [login.metadata(), refreshed.metadata(), client.metadata(), issued.metadata()] {
        assert_eq!(headers.get("cache-control").unwrap(), "no-store");
        assert_eq!(headers.get("pragma").unwrap(), "no-cache");
    }
}

#[tokio::test]
async fn refresh_token_expires_after_30_days() {
    let (database, replica, _) = with_ada().await;
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();
    let days: f64 =
        sqlx::query_scalar("select (extract(epoch from expires_at - now()) / 86400)::float8 from refresh_token")
            .fetch_one(database.pool())
            .await
            .unwrap();
    assert!((29.9..=30.0).contains(&days), "{days}");
    sqlx::query(
        "update refresh_token set created_at = now() - interval '31 days', expires_at = now() - interval '1 s'",
    )
    .execute(database.pool())
    .await
    .unwrap();
    assert_reason(replica.refresh(&tokens.refresh_token).await, Reason::RefreshTokenInvalid);
}

#[tokio::test]
async fn malformed_and_unknown_refresh_tokens_are_refused() {
    let (_database, replica, _) = with_ada().await;
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();
    let (short, long) = (&tokens.refresh_token[1..], "x".repeat(1_000_000));
    for token in [short, &long, &"A".repeat(43), &"é".repeat(43), "\0", &tokens.access_token] {
        assert_reason(replica.refresh(token).await, Reason::RefreshTokenInvalid);
    }
    replica.refresh(&tokens.refresh_token).await.unwrap();
}

#[tokio::test]
async fn refresh_token_is_stored_as_a_hash_only() {
    let (database, replica, _) = with_ada().await;
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();
    let stored: Vec<u8> =
        sqlx::query_scalar("select token_hash from refresh_token").fetch_one(database.pool()).await.unwrap();
    assert_eq!(stored, crate::crypto::SecretHash::of(&tokens.refresh_token).as_bytes());
    assert!(!stored.windows(8).any(|part| part == &tokens.refresh_token.as_bytes()[..8]));
}

#[tokio::test]
async fn logout_revokes_tokens_and_is_idempotent() {
    let (_server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    replica.sign_up(ADA).await.unwrap();
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();
    let caller = replica.caller(&tokens.access_token).await;
    for _ in 0..2 {
        replica.auth.logout(as_caller(LogoutRequest {}, &caller)).await.unwrap();
        assert!(replica.revocations.is_revoked(&caller.session));
    }
    assert_reason(replica.refresh(&tokens.refresh_token).await, Reason::RefreshTokenInvalid);
}

#[tokio::test]
async fn logout_without_redis_invalidates_the_refresh_token() {
    let (_database, replica, _) = with_ada().await;
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();
    let caller = replica.caller(&tokens.access_token).await;
    replica.auth.logout(as_caller(LogoutRequest {}, &caller)).await.unwrap();
    assert_reason(replica.refresh(&tokens.refresh_token).await, Reason::RefreshTokenInvalid);
}

#[tokio::test]
async fn revoked_sessions_are_listed_while_their_tokens_may_live() {
    let (database, replica, _) = with_ada().await;
    let list = async || {
        use staymesh_api::identity::v1::{ListRevocationsRequest, revocation_service_server::RevocationService};
        let answer = replica.revocation.list_revocations(tonic::Request::new(ListRevocationsRequest {})).await.unwrap();
        answer.into_inner().sessions
    };
    let (ended, _other) = (replica.login(ADA, PASSWORD).await.unwrap(), replica.login(ADA, PASSWORD).await.unwrap());
    let caller = replica.caller(&ended.access_token).await;
    assert!(list().await.is_empty());
    replica.auth.logout(as_caller(LogoutRequest {}, &caller)).await.unwrap();
    sqlx::query(
        "insert into client (client_id, display_name, role, secret_hash, deleted_at)
         values ('gone', '', 'partner', $1, now()), ('long-gone', '', 'partner', $1, now() - interval '2 hours')",
    )
    .bind(vec![0_u8; 32])
    .execute(database.pool())
    .await
    .unwrap();
    let secret: Uuid = sqlx::query_scalar("select secret_id from client_secret where client_id = 'gone'")
        .fetch_one(database.pool())
        .await
        .unwrap();
    let gone = ["client:gone".to_owned(), format!("client:gone:{secret}")];
    assert_eq!(list().await, [std::slice::from_ref(&caller.session), &gone].concat());
    sqlx::query(
        "update login set created_at = now() - interval '1 hour', access_expires_at = now() - interval '2 minutes'",
    )
    .execute(database.pool())
    .await
    .unwrap();
    assert_eq!(list().await, gone);
}

#[tokio::test]
async fn purge_deletes_expired_logins_only() {
    let (database, replica, _) = with_ada().await;
    let (old, new) = (replica.login(ADA, PASSWORD).await.unwrap(), replica.login(ADA, PASSWORD).await.unwrap());
    let login: Uuid = replica.caller(&old.access_token).await.session.parse().unwrap();
    for table in [
        "update login set created_at = now() - interval '40 days', expires_at = now() - interval '2 days' where login_id = $1",
        "update refresh_token set created_at = now() - interval '40 days', expires_at = now() - interval '2 days' where login_id = $1",
    ] {
        sqlx::query(table).bind(login).execute(database.pool()).await.unwrap();
    }
    crate::purge::once(database.pool()).await.unwrap();
    let left: Vec<Uuid> = sqlx::query_scalar("select login_id from login").fetch_all(database.pool()).await.unwrap();
    assert_eq!(left, [replica.caller(&new.access_token).await.session.parse::<Uuid>().unwrap()]);
    replica.refresh(&new.refresh_token).await.unwrap();
}
