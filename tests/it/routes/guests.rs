//! `/v1/auth/guestSessions` and `/v1/auth/guestAccess`: booking without an account, and the mailed link.

use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use crate::support::{GOOD_CARD, Provider, Rest, Stay, World, await_payment, eventually, open_payment};

/// A new guest without an account.
async fn checkout(world: &World<'_>, email: &str) -> Rest {
    let request = json!({ "email": email, "language": "pt", "request_id": Uuid::new_v4() });
    let answer = world.public.post("/v1/auth/guestSessions", request).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.ok();
    assert!(tokens["refresh_token"].is_string() && tokens["token_type"] == "Bearer", "{tokens}");
    world.public.with_token(tokens["access_token"].as_str().expect("a token"))
}

/// A new guest without an account, with a paid booking and the key of the mailed link.
async fn booked(world: &World<'_>, email: &str) -> (Rest, String, String) {
    let provider = Provider::of(world.mesh).await;
    let hotel = world.hotel(5).await;
    let guest = checkout(world, email).await;
    let reservation = world.book(&guest, hotel, &Stay::ahead(30, 2)).await;
    let id = reservation["reservation_id"].as_str().expect("an id").to_owned();
    let payment = open_payment(&guest, &reservation).await;
    assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
    await_payment(&guest, &payment, "PAID").await;
    world.await_status(&guest, &id, "PAID").await;
    let mail = mail(world, &format!("booking-confirmed-{id}")).await;
    assert!(mail.contains(&format!("To: {email}")) && mail.contains("A sua reserva"), "{mail}");
    assert!(mail.contains("Test hotel, Porto") && mail.contains("200,00 EUR"), "{mail}");
    let (_, rest) = mail.split_once(&format!("/booking#reservation={id}&key=")).expect("a link with a key");
    let key = rest.split('&').next().expect("a key").to_owned();
    (guest, id, key)
}

/// The text of a mail, as soon as it is sent.
async fn mail(world: &World<'_>, name: &str) -> String {
    let folder = world.mesh.local().mails();
    eventually(name, async || decoded(&folder.join(format!("{name}.eml")))).await
}

/// A mail without the soft line breaks of quoted-printable. Its letters outside ASCII stay encoded.
fn decoded(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.replace("=\r\n", "").replace("=3D", "="))
}

async fn open(world: &World<'_>, key: &str) -> Rest {
    let answer = world.public.post("/v1/auth/guestAccess", json!({ "key": key })).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.ok();
    assert!(token.get("refresh_token").is_none() && token["expires_in"] == 600, "{token}");
    world.public.with_token(token["access_token"].as_str().expect("a token"))
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_without_an_account_pays_opens_the_mailed_link_and_cancels() {
    let world = World::shared().await;
    let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
    let (_, id, key) = booked(&world, &email).await;

    let opened = open(&world, &key).await;
    let me = opened.get("/v1/users/me").await.ok();
    assert_eq!((&me["email"], &me["without_account"]), (&json!(email), &json!(true)));
    assert!(me["email_verified_time"].is_string(), "opening the link proves the address: {me}");
    let path = format!("/v1/reservations/{id}");
    assert_eq!(opened.get(&path).await.ok()["status"], "RESERVATION_STATUS_PAID");
    opened.delete(&path).await.ok();
    world.await_status(&opened, &id, "REFUNDED").await;
    let cancelled = mail(&world, &format!("booking-cancelled-{id}")).await;
    assert!(cancelled.contains("Devolvemos 200,00 EUR"), "{cancelled}");
    // Envoy writes its log after some seconds.
    let log = world.mesh.local().logs().join("access.log");
    let logged = eventually("the access log has the exchange", async || {
        std::fs::read_to_string(&log).ok().filter(|lines| lines.contains("/v1/auth/guestAccess"))
    });
    assert!(!logged.await.contains(&key), "the key is in no access log");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_opens_bookings_of_its_guest_alone_until_all_access_ends() {
    let world = World::shared().await;
    // The same address: guests are told apart by their checkout.
    let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
    let ((one, id, key), other) = (booked(&world, &email).await, checkout(&world, &email).await);
    let path = format!("/v1/reservations/{id}");
    other.get(&path).await.refused(404, "RESERVATION_NOT_FOUND");
    other.delete(&path).await.refused(404, "RESERVATION_NOT_FOUND");
    let account = json!({ "email": email, "password": "correct horse battery" });
    world.public.post("/v1/users", account.clone()).await.ok();
    let login = world.public.post("/v1/auth/login", account).await.ok();
    let login = world.public.with_token(login["access_token"].as_str().expect("a token"));
    login.get(&path).await.refused(404, "RESERVATION_NOT_FOUND");

    let opened = open(&world, &key).await;
    opened.get(&path).await.ok();
    opened.post("/v1/auth/logoutEverywhere", json!({})).await.ok();
    let refused = world.public.post("/v1/auth/guestAccess", json!({ "key": key })).await;
    refused.refused(400, "MAIL_TOKEN_INVALID");
    for ended in [&one, &opened] {
        ended.get(&path).await.refused(401, "TOKEN_REVOKED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_guest_sessions_and_keys_are_refused() {
    let world = World::shared().await;
    let invalid = json!({ "email": "nobody", "language": "it", "request_id": "1" });
    let refused = world.public.post("/v1/auth/guestSessions", invalid).await;
    refused.violating(&["email", "language", "request_id"]);
    for key in ["short".to_owned(), "x".repeat(43)] {
        let refused = world.public.post("/v1/auth/guestAccess", json!({ "key": key })).await;
        refused.refused(400, "MAIL_TOKEN_INVALID");
    }
}
