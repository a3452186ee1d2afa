//! Sign-up: validation, uniqueness, idempotency.

use staymesh_api::identity::v1::{CreateUserRequest, GetCurrentUserRequest, Role, user_service_server::UserService};
use staymesh_mesh::Reason;
use uuid::Uuid;

use crate::testing::{FAILURES, LIVES, PASSWORD, Replica, as_caller, assert_reason, guest, invalid_fields, replica};

fn request(email: &str, request_id: Uuid) -> CreateUserRequest {
    CreateUserRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        display_name: "Ada".to_owned(),
        request_id: request_id.to_string(),
        language: "de".to_owned(),
    }
}

async fn count(pool: &sqlx::PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from user_account").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn sign_up_creates_a_guest_with_a_hashed_password() {
    let (database, replica) = replica(None).await;
    let user = replica.sign_up("Ada@Example.com").await.unwrap();
    assert_eq!(user.email, "ada@example.com");
    assert_eq!(user.role(), Role::Guest);
    assert_eq!(Uuid::try_parse(&user.user_id).unwrap().get_version_num(), 7);

    let request = as_caller(GetCurrentUserRequest {}, &guest(&user.user_id));
    let seen = replica.users.get_current_user(request).await.unwrap().into_inner();
    assert_eq!(seen, user);

    let hash: String =
        sqlx::query_scalar("select password_hash from user_account").fetch_one(database.pool()).await.unwrap();
    assert!(hash.starts_with("$argon2id$") && !hash.contains(PASSWORD));
}

#[tokio::test]
async fn sign_up_with_another_spelling_of_an_address_is_refused() {
    let (database, replica) = replica(None).await;
    replica.sign_up("ada@example.com").await.unwrap();
    assert_reason(replica.sign_up("ADA@example.COM").await, Reason::EmailTaken);
    assert_eq!(count(database.pool()).await, 1);
}

#[tokio::test]
async fn address_beyond_ascii_is_one_account_in_every_spelling() {
    let (database, replica) = replica(None).await;
    let user = replica.sign_up("Dörte@Bücher.example").await.unwrap();
    assert_eq!(user.email, "dörte@xn--bcher-kva.example");
    for same in ["dörte@bücher.example", "DO\u{308}RTE@XN--BCHER-KVA.example", " dörte@xn--bcher-kva.example "] {
        assert_reason(replica.sign_up(same).await, Reason::EmailTaken);
        replica.login(same, PASSWORD).await.unwrap();
    }
    assert_eq!(count(database.pool()).await, 1);
}

#[tokio::test]
async fn what_is_no_single_address_is_refused() {
    let (database, replica) = replica(None).await;
    for text in ["a@b.example,c@d.example", "<a@b.example>", "a@.", "a\u{200b}@b.example", "\"a b\"@c.example"] {
        assert_eq!(invalid_fields(&replica.sign_up(text).await.unwrap_err()), ["email"], "{text}");
        assert_eq!(invalid_fields(&replica.login(text, PASSWORD).await.unwrap_err()), ["email"], "{text}");
    }
    assert_eq!(count(database.pool()).await, 0);
}

#[tokio::test]
async fn every_wrong_field_of_a_sign_up_is_named() {
    let (_database, replica) = replica(None).await;
    let wrong = CreateUserRequest {
        email: "a@.".to_owned(),
        password: String::new(),
        display_name: "\u{200b}".to_owned(),
        request_id: "x".to_owned(),
        language: "xx".to_owned(),
    };
    let refused = replica.create_user(wrong).await.unwrap_err();
    assert_eq!(invalid_fields(&refused), ["email", "password", "display_name", "language", "request_id"]);
    let wrong = CreateUserRequest { request_id: "x".to_owned(), ..request("ada@example.com", Uuid::new_v4()) };
    let wrong = CreateUserRequest { password: "ada@example.com".to_owned(), ..wrong };
    assert_eq!(invalid_fields(&replica.create_user(wrong).await.unwrap_err()), ["request_id", "password"]);
}

#[tokio::test]
async fn concurrent_sign_ups_with_one_address_let_exactly_one_win() {
    let (database, replica) = replica(None).await;
    let other = Replica::over(database.pool(), None);
    let racers =
        (0..16).map(|n| if n % 2 == 0 { replica.sign_up("ada@example.com") } else { other.sign_up("Ada@example.com") });
    let results = futures::future::join_all(racers).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_reason(result, Reason::EmailTaken);
    }
    assert_eq!(count(database.pool()).await, 1);
}

#[tokio::test]
async fn sign_up_retry_returns_the_first_account() {
    let (database, replica) = replica(None).await;
    let id = Uuid::new_v4();
    let first = replica.create_user(request("ada@example.com", id)).await.unwrap();
    assert_eq!(replica.create_user(request("Ada@example.com", id)).await.unwrap(), first);
    assert_eq!(count(database.pool()).await, 1);
}

#[tokio::test]
async fn concurrent_sign_up_retries_create_one_account() {
    let (database, _) = replica(None).await;
    // Each repeat counts as a login until its password is found right.
    let replica = Replica::with(database.pool(), None, 20, LIVES);
    let id = Uuid::new_v4();
    let repeats = (0..16).map(|_| replica.create_user(request("ada@example.com", id)));
    let users: Vec<_> = futures::future::join_all(repeats).await.into_iter().map(Result::unwrap).collect();
    assert!(users.iter().all(|user| *user == users[0]));
    assert_eq!(count(database.pool()).await, 1);
}

#[tokio::test]
async fn sign_up_with_a_reused_request_id_is_refused() {
    let (database, replica) = replica(None).await;
    let id = Uuid::new_v4();
    replica.create_user(request("ada@example.com", id)).await.unwrap();
    let others = [
        request("bob@example.com", id),
        CreateUserRequest { password: "another password".to_owned(), ..request("ada@example.com", id) },
        CreateUserRequest { display_name: "Bob".to_owned(), ..request("ada@example.com", id) },
        CreateUserRequest { language: "fr".to_owned(), ..request("ada@example.com", id) },
    ];
    for other in others {
        assert_reason(replica.create_user(other).await, Reason::RequestIdReused);
    }
    // The address is taken for another request id, too.
    assert_reason(replica.create_user(request("ada@example.com", Uuid::new_v4())).await, Reason::EmailTaken);
    assert_eq!(count(database.pool()).await, 1);
}

#[tokio::test]
async fn repeated_sign_up_counts_as_a_login_and_is_throttled() {
    let (_database, replica) = replica(None).await;
    let id = Uuid::new_v4();
    replica.create_user(request("ada@example.com", id)).await.unwrap();
    let guess = |n: u8| CreateUserRequest { password: format!("guessed word {n}"), ..request("ada@example.com", id) };
    for n in 0..FAILURES {
        assert_reason(replica.create_user(guess(n)).await, Reason::RequestIdReused);
    }
    assert_reason(replica.create_user(guess(FAILURES)).await, Reason::LoginThrottled);
    // The right password is not confirmed, either.
    assert_reason(replica.create_user(request("ada@example.com", id)).await, Reason::LoginThrottled);
}

#[tokio::test]
async fn sign_up_with_a_common_or_personal_password_is_refused() {
    let (database, replica) = replica(None).await;
    for password in ["password", "12345678", "        ", "lovelace1815", "staymesh!"] {
        let request =
            CreateUserRequest { password: password.to_owned(), ..request("ada.lovelace@example.com", Uuid::new_v4()) };
        let status = assert_reason(replica.create_user(request).await, Reason::InvalidField);
        assert_eq!(invalid_fields(&status), ["password"], "{password}");
    }
    assert_eq!(count(database.pool()).await, 0);
}

#[tokio::test]
async fn login_with_another_unicode_form_of_the_password_succeeds() {
    let (_database, replica) = replica(None).await;
    let composed =
        CreateUserRequest { password: "café olé 17".to_owned(), ..request("ada@example.com", Uuid::new_v4()) };
    replica.create_user(composed).await.unwrap();
    replica.login("ada@example.com", "cafe\u{301} ole\u{301} 17").await.unwrap();
}

#[tokio::test]
async fn sign_up_reports_every_invalid_field_and_creates_nothing() {
    let (database, replica) = replica(None).await;
    let bad = CreateUserRequest {
        email: "no address".to_owned(),
        password: "short".to_owned(),
        display_name: "two\nlines".to_owned(),
        request_id: Uuid::nil().to_string(),
        language: "klingon".to_owned(),
    };
    let status = assert_reason(replica.create_user(bad).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["email", "password", "display_name", "language", "request_id"]);
    let huge = CreateUserRequest {
        email: "a".repeat(1_000_000),
        password: "x".repeat(1_000_000),
        display_name: "\0".repeat(1_000_000),
        request_id: "{".repeat(1_000_000),
        language: "e".repeat(1_000_000),
    };
    let status = assert_reason(replica.create_user(huge).await, Reason::InvalidField);
    assert!(status.message().len() < 1000, "the answer does not repeat the request");
    assert_eq!(count(database.pool()).await, 0);
}

#[tokio::test]
async fn get_current_user_without_an_account_is_not_found() {
    let (_database, replica) = replica(None).await;
    for subject in [Uuid::now_v7().to_string(), "client:partner".to_owned()] {
        let request = as_caller(GetCurrentUserRequest {}, &guest(&subject));
        assert_reason(replica.users.get_current_user(request).await, Reason::UserNotFound);
    }
    assert_reason(
        replica.users.get_current_user(tonic::Request::new(GetCurrentUserRequest {})).await,
        Reason::Unauthenticated,
    );
}
