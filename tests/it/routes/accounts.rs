//! `/v1/users`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{NOBODYS_ID, assert_just_now, with};
use crate::support::World;

fn account() -> Value {
    let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
    json!({ "email": email, "password": "correct horse battery", "display_name": "A guest" })
}

fn login(account: &Value) -> Value {
    json!({ "email": account["email"], "password": account["password"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_signs_up_logs_in_and_reads_own_account() {
    let world = World::shared().await;
    let account = account();
    let user = world.public.post("/v1/users", account.clone()).await.ok();
    let expected = json!({
        "user_id": user["user_id"], "email": account["email"], "display_name": "A guest", "role": "ROLE_GUEST",
        "hotel_ids": [], "create_time": user["create_time"], "language": "en", "without_account": false,
    });
    assert_eq!(user, expected);
    assert_just_now(&user["create_time"]);
    let user_id: Uuid = user["user_id"].as_str().expect("an id").parse().expect("a UUID");
    assert_eq!(user_id.get_version_num(), 7);

    let tokens = world.public.post("/v1/auth/login", login(&account)).await.ok();
    let expected = json!({
        "access_token": tokens["access_token"], "token_type": "Bearer", "expires_in": 600,
        "refresh_token": tokens["refresh_token"],
    });
    assert_eq!(tokens, expected);
    let guest = world.public.with_token(tokens["access_token"].as_str().expect("a token"));
    assert_eq!(guest.get("/v1/users/me").await.ok(), user);
    let email = account["email"].as_str().expect("a text");
    assert_eq!(world.admin.get(&format!("/v1/users:find?email={email}")).await.ok(), user);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_up_refuses_email_that_differs_in_case_only() {
    let world = World::shared().await;
    let first = with(&account(), &json!({ "request_id": Uuid::new_v4() }));
    let made = world.public.post("/v1/users", first.clone()).await.ok();
    assert_eq!(world.public.post("/v1/users", first.clone()).await.ok(), made, "a repeat");
    world.public.post("/v1/users", with(&first, &json!({ "request_id": null }))).await.refused(409, "EMAIL_TAKEN");
    let shouted = first["email"].as_str().expect("a text").to_uppercase();
    let again = with(&account(), &json!({ "email": shouted }));
    world.public.post("/v1/users", again).await.refused(409, "EMAIL_TAKEN");
    let other = with(&first, &json!({ "display_name": "Somebody else" }));
    let answer = world.public.post("/v1/users", other).await;
    assert!(!answer.status.is_success(), "{}", answer.body);
    let shouting = json!({ "email": shouted, "password": first["password"] });
    world.public.post("/v1/auth/login", shouting).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_up_names_every_invalid_field() {
    let world = World::shared().await;
    let cases: &[(Value, &[&str])] = &[
        (json!({ "email": null, "password": null }), &["email", "password"]),
        (json!({ "email": "nobody" }), &["email"]),
        (json!({ "email": "a b@staymesh.example" }), &["email"]),
        (json!({ "email": format!("{}@staymesh.example", "x".repeat(250)) }), &["email"]),
        (json!({ "email": "a\u{0}b@staymesh.example" }), &["email"]),
        (json!({ "password": "1234567" }), &["password"]),
        (json!({ "password": "password" }), &["password"]),
        (json!({ "password": "        " }), &["password"]),
        (json!({ "password": "x".repeat(129) }), &["password"]),
        (json!({ "display_name": "x".repeat(101) }), &["display_name"]),
        (json!({ "request_id": "again" }), &["request_id"]),
    ];
    for (change, fields) in cases {
        world.public.post("/v1/users", with(&account(), change)).await.violating(fields);
    }
    // A caller cannot set their own role.
    for field in ["role", "hotel_ids", "user_id"] {
        world.public.post("/v1/users", with(&account(), &json!({ field: "ROLE_ADMIN" }))).await.unreadable(field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn set_role_by_admin_revokes_tokens_of_account() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let account = account();
    let user = world.public.post("/v1/users", account.clone()).await.ok();
    let path = format!("/v1/users/{}:setRole", user["user_id"].as_str().expect("an id"));
    let tokens = world.public.post("/v1/auth/login", login(&account)).await.ok();
    let guest = world.public.with_token(tokens["access_token"].as_str().expect("a token"));

    let duty = json!({ "role": "ROLE_STAFF", "hotel_ids": [hotel.hotel_id] });
    let staff = world.admin.post(&path, duty.clone()).await.ok();
    assert_eq!(staff, with(&user, &duty));
    guest.get("/v1/users/me").await.refused(401, "TOKEN_REVOKED");
    let renewal = json!({ "refresh_token": tokens["refresh_token"] });
    world.public.post("/v1/auth/refresh", renewal).await.refused(401, "REFRESH_TOKEN_INVALID");

    world.public.post("/v1/auth/login", login(&account)).await.refused(401, "BAD_CREDENTIALS");
    let tokens = world.admin.post("/v1/auth/login", login(&account)).await.ok();
    let staff = world.admin.with_token(tokens["access_token"].as_str().expect("a token"));
    let taxes = format!("/v1/hotels/{}/taxes", hotel.hotel_id);
    staff.get(&taxes).await.ok();
    world.admin.post(&path, json!({ "role": "ROLE_GUEST" })).await.ok();
    staff.get(&taxes).await.refused(401, "TOKEN_REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn set_role_refuses_inconsistent_role_and_hotels() {
    let world = World::shared().await;
    let user = world.public.post("/v1/users", account()).await.ok();
    let path = format!("/v1/users/{}:setRole", user["user_id"].as_str().expect("an id"));
    let cases: &[(Value, &[&str])] = &[
        (json!({}), &["role"]),
        (json!({ "role": "ROLE_PARTNER" }), &["role"]),
        (json!({ "role": "ROLE_SERVICE" }), &["role"]),
        (json!({ "role": "ROLE_STAFF" }), &["hotel_ids"]),
        (json!({ "role": "ROLE_GUEST", "hotel_ids": [1] }), &["hotel_ids"]),
        (json!({ "role": "ROLE_STAFF", "hotel_ids": [0, 7, 7] }), &["hotel_ids[0]", "hotel_ids[2]"]),
    ];
    for (body, fields) in cases {
        world.admin.post(&path, body.clone()).await.violating(fields);
    }
    world.admin.post(&path, json!({ "role": "ROLE_KING" })).await.unreadable("role");
    let hired_early = json!({ "role": "ROLE_STAFF", "hotel_ids": [NOBODYS_ID] });
    let refused = world.admin.post(&path, hired_early).await.refused(404, "HOTEL_NOT_FOUND");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["hotel_id"], NOBODYS_ID.to_string());
    let duty = json!({ "role": "ROLE_GUEST" });
    world.admin.post("/v1/users/nobody:setRole", duty.clone()).await.violating(&["user_id"]);
    let unknown = format!("/v1/users/{}:setRole", Uuid::now_v7());
    world.admin.post(&unknown, duty).await.refused(404, "USER_NOT_FOUND");
    world.admin.get("/v1/users:find?email=nobody@staymesh.example").await.refused(404, "USER_NOT_FOUND");
    world.admin.get("/v1/users:find?email=nobody").await.violating(&["email"]);
    let email = user["email"].as_str().expect("a text");
    assert_eq!(world.admin.get(&format!("/v1/users:find?email={email}")).await.ok(), user);
}
