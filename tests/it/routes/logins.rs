//! `/v1/auth`: login, refresh and logout.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Rest, World};

const PASSWORD: &str = "correct horse battery";
/// Failed logins that an e-mail address may have in 15 minutes.
const FAILURES: usize = 10;

async fn sign_up(world: &World<'_>) -> String {
    let email = unknown_email();
    world.public.post("/v1/users", json!({ "email": email, "password": PASSWORD })).await.ok();
    email
}

fn unknown_email() -> String {
    format!("{}@staymesh.example", Uuid::new_v4().simple())
}

async fn log_in(world: &World<'_>, email: &str, password: &str) -> Answer {
    world.public.post("/v1/auth/login", json!({ "email": email, "password": password })).await
}

async fn renew(world: &World<'_>, refresh_token: &Value) -> Answer {
    world.public.post("/v1/auth/refresh", json!({ "refresh_token": refresh_token })).await
}

fn holder(world: &World<'_>, tokens: &Value) -> Rest {
    world.public.with_token(tokens["access_token"].as_str().expect("a token"))
}

/// The body without the fields that differ in every response.
fn said(answer: Answer) -> (u16, Vec<(String, String)>, Value) {
    let Answer { status, headers, mut body } = answer;
    let own = ["date", "x-request-id"];
    let mut headers: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    headers.sort_unstable();
    let details = body["details"].as_array_mut().expect("details");
    details.retain(|detail| detail["@type"] != "type.googleapis.com/google.rpc.RequestInfo");
    (status.as_u16(), headers, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_and_unknown_email_get_same_error() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let wrong = log_in(&world, &email, "incorrect horse").await.refused(401, "BAD_CREDENTIALS");
    let unknown = log_in(&world, &unknown_email(), "incorrect horse").await.refused(401, "BAD_CREDENTIALS");
    assert_eq!(said(wrong), said(unknown));
    log_in(&world, &email, PASSWORD).await.ok();
    world.public.post("/v1/auth/login", json!({})).await.violating(&["email", "password"]);
    log_in(&world, "nobody", "").await.violating(&["email", "password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_logins_are_throttled_for_known_and_unknown_emails() {
    let world = World::shared().await;
    let known = sign_up(&world).await;
    let refusals = join_all([known.clone(), unknown_email()].map(async |email| {
        let mut attempts = 0;
        // Counters reset every 15 minutes, which may be now.
        while attempts <= 2 * FAILURES {
            let answer = log_in(&world, &email, "incorrect horse").await;
            if answer.status == 429 {
                assert!(attempts >= FAILURES, "refused after {attempts} attempts");
                return answer.refused(429, "LOGIN_THROTTLED");
            }
            answer.refused(401, "BAD_CREDENTIALS");
            attempts += 1;
        }
        panic!("never refused");
    }))
    .await;
    for refused in refusals {
        let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!(Duration::from_secs(seconds) <= Duration::from_mins(15) && seconds > 0, "{seconds}");
        assert_eq!(refused.detail("RetryInfo")["retry_delay"], format!("{seconds}s"));
    }
    // The right password is refused as well; other addresses are not affected.
    log_in(&world, &known, PASSWORD).await.refused(429, "LOGIN_THROTTLED");
    let other = sign_up(&world).await;
    log_in(&world, &other, PASSWORD).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn reused_refresh_token_revokes_the_login() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let first = log_in(&world, &email, PASSWORD).await.ok();
    let other_login = log_in(&world, &email, PASSWORD).await.ok();
    let second = renew(&world, &first["refresh_token"]).await.ok();
    assert_eq!(second.as_object().expect("an object").len(), 4);
    assert_eq!((&second["token_type"], &second["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    holder(&world, &second).get("/v1/users/me").await.ok();
    // Another tab repeats the refresh at once, and gets the same refresh token.
    let repeated = renew(&world, &first["refresh_token"]).await;
    assert_eq!((repeated.header("cache-control"), repeated.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(repeated.ok()["refresh_token"], second["refresh_token"]);

    let third = renew(&world, &second["refresh_token"]).await.ok();
    renew(&world, &first["refresh_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    renew(&world, &third["refresh_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    for tokens in [&first, &second, &third] {
        holder(&world, tokens).get("/v1/users/me").await.refused(401, "TOKEN_REVOKED");
    }
    holder(&world, &other_login).get("/v1/users/me").await.ok();
    renew(&world, &other_login["refresh_token"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_refuses_other_tokens() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let tokens = log_in(&world, &email, PASSWORD).await.ok();
    renew(&world, &json!("nonsense")).await.refused(401, "REFRESH_TOKEN_INVALID");
    renew(&world, &tokens["access_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    renew(&world, &json!("")).await.violating(&["refresh_token"]);
    let access = tokens["refresh_token"].as_str().expect("a token");
    world.public.with_token(access).get("/v1/users/me").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_revokes_only_its_own_login() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let (ended, other) = (log_in(&world, &email, PASSWORD).await.ok(), log_in(&world, &email, PASSWORD).await.ok());
    let guest = holder(&world, &ended);
    assert_eq!(guest.post("/v1/auth/logout", json!({})).await.ok(), json!({}));
    // Every service knows the revocation: identity, reservation and payment.
    guest.get("/v1/users/me").await.refused(401, "TOKEN_REVOKED");
    guest.get("/v1/reservations").await.refused(401, "TOKEN_REVOKED");
    guest.get(&format!("/v1/payments/{}", Uuid::now_v7())).await.refused(401, "TOKEN_REVOKED");
    guest.post("/v1/auth/logout", json!({})).await.refused(401, "TOKEN_REVOKED");
    renew(&world, &ended["refresh_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    holder(&world, &other).get("/v1/users/me").await.ok();
    // Public routes accept a revoked token, so that the caller can log in again.
    let again = json!({ "email": email, "password": PASSWORD });
    guest.post("/v1/auth/login", again).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn jwks_contains_public_keys_only() {
    let world = World::shared().await;
    let set = world.public.get("/.well-known/jwks.json").await.ok();
    for key in set["keys"].as_array().filter(|keys| !keys.is_empty()).expect("keys") {
        let expected = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key["kid"], "x": key["x"], "y": key["y"],
        });
        assert_eq!(*key, expected);
    }
}
