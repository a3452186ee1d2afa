//! `/v1/clients` and `/v1/oauth/token`: OAuth 2.0 clients.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{all_pages, assert_just_now, with};
use crate::support::{Answer, World};

fn partner() -> Value {
    json!({
        "client_id": format!("partner-{}", Uuid::new_v4().simple()), "display_name": "A partner", "role": "ROLE_PARTNER",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn client_is_registered_gets_tokens_and_is_deleted() {
    let world = World::shared().await;
    let wanted = partner();
    let made = world.admin.post("/v1/clients", wanted.clone()).await.ok();
    let client = with(
        &wanted,
        &json!({
            "create_time": made["client"]["create_time"],
            "secrets": [{
                "secret_id": made["client"]["secrets"][0]["secret_id"], "create_time": made["client"]["create_time"],
                "last_use_date": "",
            }],
        }),
    );
    assert_eq!(made, json!({ "client": client, "client_secret": made["client_secret"] }));
    assert_just_now(&client["create_time"]);
    assert!(made["client_secret"].as_str().is_some_and(|secret| secret.len() >= 32));
    world.admin.post("/v1/clients", wanted.clone()).await.refused(409, "CLIENT_EXISTS");

    let credentials = json!({
        "grant_type": "client_credentials", "client_id": wanted["client_id"], "client_secret": made["client_secret"],
    });
    let token = world.public.post("/v1/oauth/token", credentials.clone()).await.ok();
    let expected = json!({ "access_token": token["access_token"], "token_type": "Bearer", "expires_in": 3600 });
    assert_eq!(token, expected);
    let program = world.public.with_token(token["access_token"].as_str().expect("a token"));
    program.get("/v1/reservations").await.ok();

    let path = format!("/v1/clients/{}", wanted["client_id"].as_str().expect("an id"));
    for _ in 0..2 {
        assert_eq!(world.admin.delete(&path).await.ok(), json!({}));
    }
    program.get("/v1/reservations").await.refused(401, "TOKEN_REVOKED");
    world.public.post("/v1/oauth/token", credentials).await.refused(401, "BAD_CREDENTIALS");
    world.admin.post("/v1/clients", wanted).await.refused(409, "CLIENT_EXISTS");
    world.admin.delete("/v1/clients/nobody").await.refused(404, "CLIENT_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn service_client_gets_tokens_at_the_internal_gateway_only() {
    let world = World::shared().await;
    let wanted = with(&partner(), &json!({ "role": "ROLE_SERVICE" }));
    let made = world.admin.post("/v1/clients", wanted.clone()).await.ok();
    let mut credentials = json!({
        "grant_type": "client_credentials", "client_id": wanted["client_id"], "client_secret": made["client_secret"],
    });
    world.admin.post("/v1/oauth/token", credentials.clone()).await.ok();
    let outside = world.public.post("/v1/oauth/token", credentials.clone()).await.refused(401, "BAD_CREDENTIALS");
    credentials["client_secret"] = json!("wrong");
    let wrong = world.public.post("/v1/oauth/token", credentials).await.refused(401, "BAD_CREDENTIALS");
    assert_eq!(outside.body["message"], wrong.body["message"]);
    assert_eq!(outside.detail("ErrorInfo"), wrong.detail("ErrorInfo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_client_registration_returns_same_secret() {
    let world = World::shared().await;
    let wanted = with(&partner(), &json!({ "request_id": Uuid::new_v4() }));
    let made = world.admin.post("/v1/clients", wanted.clone()).await.ok();
    assert_eq!(world.admin.post("/v1/clients", wanted.clone()).await.ok(), made);
    let other = with(&wanted, &json!({ "display_name": "Another" }));
    world.admin.post("/v1/clients", other).await.refused(400, "REQUEST_ID_REUSED");
    let another = with(&wanted, &json!({ "request_id": Uuid::new_v4() }));
    world.admin.post("/v1/clients", another).await.refused(409, "CLIENT_EXISTS");
    world.admin.post("/v1/clients", with(&wanted, &json!({ "request_id": "7" }))).await.violating(&["request_id"]);
}

/// Requests a token with this secret.
async fn token(world: &World<'_>, client_id: &Value, secret: &Value) -> Answer {
    let credentials = json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret });
    world.public.post("/v1/oauth/token", credentials).await
}

#[tokio::test(flavor = "multi_thread")]
async fn client_changes_its_secret_without_an_interruption() {
    let world = World::shared().await;
    let made = world.admin.post("/v1/clients", partner()).await.ok();
    let (id, former) = (&made["client"]["client_id"], &made["client_secret"]);
    let path = format!("/v1/clients/{}", id.as_str().expect("an id"));
    let rotation = json!({ "overlap_seconds": 3600, "request_id": Uuid::new_v4() });
    let answer = world.admin.post(&format!("{path}:rotateSecret"), rotation.clone()).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let rotated = answer.ok();
    assert_eq!(world.admin.post(&format!("{path}:rotateSecret"), rotation.clone()).await.ok(), rotated);
    let secrets = rotated["client"]["secrets"].as_array().expect("secrets");
    assert_eq!(secrets.len(), 2, "{rotated}");
    assert!(secrets[0]["expire_time"].is_null() && secrets[1]["expire_time"].is_string(), "{rotated}");
    world.admin.post(&format!("{path}:rotateSecret"), json!({})).await.refused(400, "CLIENT_SECRET_LIMIT");
    let other = with(&rotation, &json!({ "overlap_seconds": 0 }));
    world.admin.post(&format!("{path}:rotateSecret"), other).await.refused(400, "REQUEST_ID_REUSED");

    let mut programs = Vec::new();
    for secret in [former, &rotated["client_secret"]] {
        let issued = token(&world, id, secret).await.ok();
        programs.push(world.public.with_token(issued["access_token"].as_str().expect("a token")));
    }
    for program in &programs {
        program.get("/v1/reservations").await.ok();
    }
    let revocation = json!({ "secret_id": secrets[1]["secret_id"] });
    let left = world.admin.post(&format!("{path}:revokeSecret"), revocation.clone()).await.ok();
    assert_eq!(left["secrets"].as_array().map(Vec::len), Some(1), "{left}");
    world.admin.post(&format!("{path}:revokeSecret"), revocation).await.ok();
    programs[0].get("/v1/reservations").await.refused(401, "TOKEN_REVOKED");
    programs[1].get("/v1/reservations").await.ok();
    token(&world, id, former).await.refused(401, "BAD_CREDENTIALS");

    let last = json!({ "secret_id": secrets[0]["secret_id"] });
    world.admin.post(&format!("{path}:revokeSecret"), last).await.refused(400, "CLIENT_SECRET_LIMIT");
    let unknown = json!({ "secret_id": Uuid::new_v4() });
    world.admin.post(&format!("{path}:revokeSecret"), unknown).await.refused(404, "CLIENT_SECRET_NOT_FOUND");
    // Neither the client itself nor the public gateway rotates secrets.
    programs[1].post(&format!("{path}:rotateSecret"), json!({})).await.refused(403, "INTERNAL_ROUTE");
    let of_client = format!("object_type=client&object_id={}", id.as_str().unwrap_or_default());
    let records = world.admin.get(&format!("/v1/auditRecords/identity?{of_client}")).await.ok();
    assert_eq!(records["audit_records"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_client_credentials_get_one_uniform_error() {
    let world = World::shared().await;
    let made = world.admin.post("/v1/clients", partner()).await.ok();
    let good = json!({
        "grant_type": "client_credentials", "client_id": made["client"]["client_id"],
        "client_secret": made["client_secret"],
    });
    let wrong = [
        json!({ "client_secret": "guess" }),
        json!({ "client_id": "nobody-at-all" }),
        json!({ "client_id": "no id at all" }),
    ];
    let mut messages = Vec::new();
    for change in wrong {
        let refused = world.public.post("/v1/oauth/token", with(&good, &change)).await.refused(401, "BAD_CREDENTIALS");
        messages.push(refused.body["message"].clone());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let password = with(&good, &json!({ "grant_type": "password" }));
    world.public.post("/v1/oauth/token", password).await.violating(&["grant_type"]);
    world.public.post("/v1/oauth/token", json!({})).await.violating(&["grant_type"]);
    let nameless = json!({ "grant_type": "client_credentials" });
    world.public.post("/v1/oauth/token", nameless).await.violating(&["client_id", "client_secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_registration_names_every_invalid_field() {
    let world = World::shared().await;
    let cases: &[(Value, &[&str])] = &[
        (json!({ "client_id": null, "role": null }), &["client_id", "role"]),
        (json!({ "client_id": "ab" }), &["client_id"]),
        (json!({ "client_id": "x".repeat(65) }), &["client_id"]),
        (json!({ "client_id": "Partner" }), &["client_id"]),
        (json!({ "role": "ROLE_ADMIN" }), &["role"]),
        (json!({ "display_name": "x".repeat(101) }), &["display_name"]),
    ];
    for (change, fields) in cases {
        world.admin.post("/v1/clients", with(&partner(), change)).await.violating(fields);
    }
    world.admin.post("/v1/clients", with(&partner(), &json!({ "role": "ROLE_KING" }))).await.unreadable("role");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_listed_newest_first_without_secrets() {
    let world = World::shared().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(world.admin.post("/v1/clients", partner()).await.ok()["client"].clone());
    }
    // Other tests register clients concurrently.
    let listed = all_pages(&world.admin, "/v1/clients?", "clients", 2).await;
    let places: Vec<_> =
        made.iter().map(|client| listed.iter().position(|row| row == client).expect("listed")).collect();
    assert!(places.is_sorted_by(|a, b| a > b), "{places:?}");
    let ids: Vec<_> = listed.iter().map(|client| client["client_id"].to_string()).collect();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "one is there twice");
    world.admin.get("/v1/clients?page_token=nonsense").await.violating(&["page_token"]);
}
