//! `/v1/auth`: logging in, staying logged in and logging out.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Rest, World};

const PASSWORD: &str = "correct horse battery";
/// What an address may get wrong in a quarter of an hour.
const FAILURES: usize = 10;

async fn sign_up(world: &World<'_>) -> String {
    let email = nobody();
    world.public.post("/v1/users", json!({ "email": email, "password": PASSWORD })).await.ok();
    email
}

fn nobody() -> String {
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

/// What an answer says but for what differs in every answer.
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
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let wrong = log_in(&world, &email, "incorrect horse").await.refused(401, "BAD_CREDENTIALS");
    let unknown = log_in(&world, &nobody(), "incorrect horse").await.refused(401, "BAD_CREDENTIALS");
    assert_eq!(said(wrong), said(unknown));
    log_in(&world, &email, PASSWORD).await.ok();
    world.public.post("/v1/auth/login", json!({})).await.violating(&["email", "password"]);
    log_in(&world, "nobody", "").await.violating(&["email", "password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_whether_the_address_exists_or_not() {
    let world = World::shared().await;
    let known = sign_up(&world).await;
    let refusals = join_all([known.clone(), nobody()].map(async |email| {
        let mut attempts = 0;
        // Counts begin anew with every quarter of an hour, which may be now.
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
    // Knowing the password does not help either; other addresses go on.
    log_in(&world, &known, PASSWORD).await.refused(429, "LOGIN_THROTTLED");
    let other = sign_up(&world).await;
    log_in(&world, &other, PASSWORD).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_for_one_use_and_a_second_ends_the_login() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let first = log_in(&world, &email, PASSWORD).await.ok();
    let other_login = log_in(&world, &email, PASSWORD).await.ok();
    let second = renew(&world, &first["refresh_token"]).await.ok();
    assert_eq!(second.as_object().expect("an object").len(), 4);
    assert_eq!((&second["token_type"], &second["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    holder(&world, &second).get("/v1/users/me").await.ok();

    renew(&world, &first["refresh_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    renew(&world, &second["refresh_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    for tokens in [&first, &second] {
        holder(&world, tokens).get("/v1/users/me").await.refused(401, "TOKEN_REVOKED");
    }
    holder(&world, &other_login).get("/v1/users/me").await.ok();
    renew(&world, &other_login["refresh_token"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_refresh_token_is_refused() {
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
async fn logging_out_ends_the_login_and_no_other() {
    let world = World::shared().await;
    let email = sign_up(&world).await;
    let (ended, other) = (log_in(&world, &email, PASSWORD).await.ok(), log_in(&world, &email, PASSWORD).await.ok());
    let guest = holder(&world, &ended);
    assert_eq!(guest.post("/v1/auth/logout", json!({})).await.ok(), json!({}));
    // Every service knows: identity, reservation and payment.
    guest.get("/v1/users/me").await.refused(401, "TOKEN_REVOKED");
    guest.get("/v1/reservations").await.refused(401, "TOKEN_REVOKED");
    guest.get(&format!("/v1/payments/{}", Uuid::now_v7())).await.refused(401, "TOKEN_REVOKED");
    guest.post("/v1/auth/logout", json!({})).await.refused(401, "TOKEN_REVOKED");
    renew(&world, &ended["refresh_token"]).await.refused(401, "REFRESH_TOKEN_INVALID");
    holder(&world, &other).get("/v1/users/me").await.ok();
    // What everybody may do, one may do with an ended token as well: above all, log in again.
    let again = json!({ "email": email, "password": PASSWORD });
    guest.post("/v1/auth/login", again).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_published_without_their_private_part() {
    let world = World::shared().await;
    let set = world.public.get("/.well-known/jwks.json").await.ok();
    for key in set["keys"].as_array().filter(|keys| !keys.is_empty()).expect("keys") {
        let expected = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key["kid"], "x": key["x"], "y": key["y"],
        });
        assert_eq!(*key, expected);
    }
}
