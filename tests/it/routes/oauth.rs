//! `/v1/oauth/*` with stock client libraries, and the answers of RFC 6749 in detail.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use staymesh_devenv::{Component, dev_dir, install, repository};
use tokio::process::Command;
use uuid::Uuid;

use crate::support::{Answer, World};

/// Registers a partner; its id and secret.
pub(super) async fn partner(world: &World<'_>) -> (String, String) {
    let id = format!("partner-{}", Uuid::new_v4().simple());
    let made = world.admin.post("/v1/clients", json!({ "client_id": id, "role": "ROLE_PARTNER" })).await.ok();
    (id, made["client_secret"].as_str().expect("a secret").to_owned())
}

/// Rotates the secret of a client; the new one.
async fn rotated(world: &World<'_>, client_id: &str) -> String {
    let path = format!("/v1/clients/{client_id}:rotateSecret");
    let rotated = world.admin.post(&path, json!({ "request_id": Uuid::new_v4() })).await.ok();
    rotated["client_secret"].as_str().expect("a secret").to_owned()
}

/// A refresh token of a new login of a new account.
pub(super) async fn refresh_token(world: &World<'_>) -> String {
    let (email, password) = (format!("{}@example.com", Uuid::new_v4().simple()), format!("Pw {}", Uuid::new_v4()));
    world
        .public
        .post("/v1/users", json!({ "email": email, "password": password, "display_name": "A guest" }))
        .await
        .ok();
    let login = json!({ "email": email, "password": password });
    let tokens = world.public.post_until_answered("/v1/auth/login", login).await;
    tokens["refresh_token"].as_str().expect("a token").to_owned()
}

async fn post_form(world: &World<'_>, path: &str, basic: Option<&str>, form: &[(&str, &str)]) -> Answer {
    let mut request = world.public.request(Method::POST, path).form(form);
    if let Some((id, secret)) = basic.map(|basic| basic.split_once(':').unwrap_or((basic, ""))) {
        request = request.basic_auth(id, Some(secret));
    }
    Answer::to(request).await
}

/// Asserts an error of RFC 6749, section 5.2.
#[track_caller]
fn assert_oauth_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (status, &json!(error)), "{}", answer.body);
    assert!(answer.body["error_description"].is_string() && answer.reason().is_some(), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    if status == 401 {
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"staymesh\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_libraries_get_use_refresh_and_revoke_tokens() {
    install::install(&dev_dir(), &[Component::OAuthLibraries], &|line| eprintln!("{line}")).expect("installs");
    let libraries: PathBuf = install::oauth_libraries(&dev_dir()).expect("installed");
    let world = World::shared().await;
    let (client_id, ended) = partner(&world).await;
    let former = rotated(&world, &client_id).await;
    let listed = world.admin.get("/v1/clients?page_size=500").await.ok();
    let client = listed["clients"].as_array().into_iter().flatten().find(|row| row["client_id"] == client_id.as_str());
    let revocation = json!({ "secret_id": client.expect("listed")["secrets"][1]["secret_id"] });
    world.admin.post(&format!("/v1/clients/{client_id}:revokeSecret"), revocation).await.ok();
    let secret = rotated(&world, &client_id).await;
    let output = Command::new("python3")
        .arg(repository().join("tests/oauth/clients.py"))
        .arg(world.public.url(""))
        .env("PYTHONPATH", libraries)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CLIENT_ID", client_id)
        .env("CLIENT_SECRET", secret)
        .env("FORMER_SECRET", former)
        .env("ENDED_SECRET", ended)
        .env("REFRESH_TOKEN", refresh_token(&world).await)
        .env("REFRESH_TOKEN_2", refresh_token(&world).await)
        .kill_on_drop(true)
        .output();
    let limit = std::time::Duration::from_mins(2);
    let output = tokio::time::timeout(limit, output).await.expect("ends in time").expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn token_endpoint_answers_as_rfc_6749_has_it() {
    let world = World::shared().await;
    let (id, secret) = partner(&world).await;
    let grant = ("grant_type", "client_credentials");
    let answer = post_form(&world, "/v1/oauth/token", Some(&format!("{id}:{secret}")), &[grant]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.ok();
    let expected = json!({ "access_token": token["access_token"], "token_type": "Bearer", "expires_in": 3600 });
    assert_eq!(token, expected);

    let token =
        async |basic: Option<&str>, form: &[(&str, &str)]| post_form(&world, "/v1/oauth/token", basic, form).await;
    let wrong = format!("{id}:wrong");
    assert_oauth_error(&token(Some(&wrong), &[grant]).await, 401, "invalid_client");
    assert_oauth_error(&token(Some("no id at all:x"), &[grant]).await, 401, "invalid_client");
    assert_oauth_error(&token(None, &[("grant_type", "password")]).await, 400, "unsupported_grant_type");
    assert_oauth_error(&token(None, &[grant]).await, 400, "invalid_request");
    assert_oauth_error(&token(None, &[grant, grant]).await, 400, "invalid_request");
    let stale = [("grant_type", "refresh_token"), ("refresh_token", "unknown")];
    assert_oauth_error(&token(None, &stale).await, 400, "invalid_grant");
    let text = world.public.request(Method::POST, "/v1/oauth/token").body(format!("client_secret={secret}"));
    let refused = Answer::to(text).await;
    assert_oauth_error(&refused, 400, "invalid_request");
    assert!(!refused.body.to_string().contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_refresh_token_ends_its_login() {
    let world = World::shared().await;
    let refresh = refresh_token(&world).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let tokens = post_form(&world, "/v1/oauth/token", None, &form).await.ok();
    let latest = tokens["refresh_token"].as_str().expect("a token");
    let guest = world.public.with_token(tokens["access_token"].as_str().expect("a token"));
    guest.get("/v1/reservations").await.ok();

    for token in [latest, latest, "unknown"] {
        assert_eq!(post_form(&world, "/v1/oauth/revoke", None, &[("token", token)]).await.ok(), json!({}));
    }
    guest.get("/v1/reservations").await.refused(401, "TOKEN_REVOKED");
    let form = [("grant_type", "refresh_token"), ("refresh_token", latest)];
    assert_oauth_error(&post_form(&world, "/v1/oauth/token", None, &form).await, 400, "invalid_grant");
    let access = [("token", guest.token())];
    let refused = post_form(&world, "/v1/oauth/revoke", None, &access).await;
    assert_oauth_error(&refused, 400, "unsupported_token_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_names_the_endpoints_below_the_issuer() {
    let world = World::shared().await;
    let metadata = world.public.get("/.well-known/oauth-authorization-server").await.ok();
    let base = world.public.url("");
    assert_eq!(metadata["issuer"], base);
    assert_eq!(metadata["token_endpoint"], format!("{base}/v1/oauth/token"));
    assert_eq!(metadata["response_types_supported"], Value::Array(Vec::new()));
}
