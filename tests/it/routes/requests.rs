//! Requests outside the contract: unknown paths, parameters and fields, invalid bodies.

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, Rest, Stay, World};

#[tokio::test(flavor = "multi_thread")]
async fn path_outside_the_contract_is_not_found() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let cases = [
        (Method::GET, "/"),
        (Method::GET, "/v1"),
        (Method::GET, "/v2/hotels"),
        (Method::GET, "/v1/Hotels"),
        (Method::GET, "/v1/hotels/1/secrets"),
        (Method::GET, "/v1/hotels/1/rooms/1/keys"),
        (Method::GET, "/v1/hotels:drop"),
    ];
    for (verb, path) in cases {
        for gateway in [&world.public, &guest, &world.admin] {
            let refused = gateway.call(verb.clone(), path, None).await.refused(404, "ROUTE_NOT_FOUND");
            assert!(refused.body["message"].as_str().is_some_and(|m| m.contains(path)), "{}", refused.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_method_on_path_of_the_contract_is_not_allowed() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let cases = [
        (Method::PATCH, "/v1/hotels/1"),
        (Method::POST, "/v1/hotels/1"),
        (Method::DELETE, "/v1/hotels"),
        (Method::PUT, "/v1/reservations/x"),
        (Method::DELETE, "/v1/users/me"),
        (Method::OPTIONS, "/v1/hotels"),
        (Method::TRACE, "/v1/hotels"),
        (Method::GET, "/v1/auth/login"),
        (Method::GET, "/v1/reservations:prepare"),
    ];
    for (verb, path) in cases {
        for gateway in [&world.public, &guest, &world.admin] {
            gateway.call(verb.clone(), path, None).await.refused(405, "METHOD_NOT_ALLOWED");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_query_parameter_is_named_in_the_error() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 1);
    let nights = format!("check_in={}&check_out={}", stay.check_in, stay.check_out);
    for path in [
        "/v1/hotels?colour=red",
        "/v1/hotels/1?colour=red",
        "/v1/hotels/1/rooms?page_size=1&colour=red",
        &format!("/v1/hotels/1/offers?{nights}&colour=red"),
        &format!("/v1/hotels/1/availability?{nights}&colour=red"),
        "/v1/reservations?colour=red",
        "/v1/users/me?colour=red",
    ] {
        guest.get(path).await.unreadable("colour");
    }
    guest.delete("/v1/reservations/01a20117-0477-8fc8-b07f-612c77359400?colour=red").await.unreadable("colour");
    guest.get("/v1/hotels?page_size=many").await.unreadable("page_size");
}

#[tokio::test(flavor = "multi_thread")]
async fn query_parameter_that_repeats_path_field_is_refused() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let (mine, other) = (world.hotel(1).await, world.hotel(1).await);
    for name in ["hotel_id", "hotelId", "%68otel_id"] {
        let query = format!("/v1/hotels/{}?{name}={}", mine.hotel_id, other.hotel_id);
        for caller in [&world.public, &guest, &world.admin] {
            caller.get(&query).await.unreadable(if name == "hotelId" { "hotelId" } else { "hotel_id" });
        }
        world.admin.delete(&query).await.refused(400, "INVALID_REQUEST");
    }
    for hotel in [mine, other] {
        guest.get(&format!("/v1/hotels/{}", hotel.hotel_id)).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_body_field_is_named_at_any_depth() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let cases = [
        (&world.public, "/v1/users", json!({ "colour": "red" }), "colour"),
        (&world.public, "/v1/auth/login", json!({ "email": "a", "e-mail": "b" }), "e-mail"),
        (&world.public, "/v1/auth/refresh", json!({ "token": "x" }), "token"),
        (&guest, "/v1/reservations:prepare", json!({ "checkin": "2030-01-01" }), "checkin"),
        (&guest, "/v1/reservations", json!({ "primary_guest": { "phone": "1" } }), "primary_guest.phone"),
        (&guest, "/v1/payments", json!({ "amount": "1.00" }), "amount"),
        (&world.admin, "/v1/hotels", json!({ "address": { "planet": "Mars" } }), "address.planet"),
        (&world.admin, "/v1/hotels/1/roomTypes", json!({ "beds": [{ "kind": 1 }, { "size": 3 }] }), "size"),
        (&world.admin, "/v1/clients", json!({ "client_secret": "mine" }), "client_secret"),
        (&world.admin, "/v1/reservations/x:markNoShow", json!({ "waive": true }), "waive"),
        (&world.admin, "/v1/hotels/1/inventory:bulkSet", json!({ "changes": [{ "rooms": 3 }] }), "rooms"),
    ];
    for (caller, path, body, name) in cases {
        caller.post(path, body).await.unreadable(name);
    }
    world.admin.put("/v1/hotels/1", json!({ "stars": 5 })).await.unreadable("stars");
    world.admin.put("/v1/hotels/1/taxes", json!({ "tax": [] })).await.unreadable("tax");
}

#[tokio::test(flavor = "multi_thread")]
async fn value_of_wrong_type_is_refused_with_its_field() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let cases = [
        (json!({ "rooms": "two" }), "rooms"),
        (json!({ "rooms": [{ "adults": 1.5 }] }), "adults"),
        (json!({ "rooms": true }), "rooms"),
        (json!({ "rooms": [{ "adults": {} }] }), "adults"),
        (json!({ "rooms": [{ "adults": 4_294_967_296_i64 }] }), "adults"),
        (json!({ "check_in": 20_300_101 }), "check_in"),
        (json!({ "hotel_id": "one" }), "hotel_id"),
    ];
    for (body, name) in cases {
        guest.post("/v1/reservations:prepare", body).await.unreadable(name);
    }
    // Envoy does not name the field in this case.
    guest.post("/v1/reservations:prepare", json!({ "check_in": ["2030-01-01"] })).await.refused(400, "INVALID_REQUEST");
    let spot = json!({ "location": { "latitude": "north" } });
    world.admin.post("/v1/hotels", spot).await.unreadable("latitude");
}

async fn send(caller: &Rest, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::to(caller.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn body_that_is_no_json_object_is_refused() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let deep = format!("{}1{}", "{\"hotel_id\":".repeat(5_000), "}".repeat(5_000));
    let bodies: [&[u8]; 11] = [
        b"{",
        b"{\"rooms\":}",
        b"{\"rooms\":1",
        b"{\"rooms\":1} {}",
        b"[]",
        b"null",
        b"\"text\"",
        b"7",
        b"rooms=1",
        b"{\"check_in\":\"\xff\xfe\"}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let text = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let answer = send(&guest, "/v1/reservations:prepare", body.to_vec()).await;
        assert_eq!(answer.reason(), Some("INVALID_REQUEST"), "{text}: {}", answer.body);
        answer.refused(400, "INVALID_REQUEST");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_utf8_is_refused_with_its_field() {
    let world = World::shared().await;
    world.public.get("/v1/hotels?city=%ff").await.unreadable("city");
    world.admin.delete("/v1/clients/%ff").await.unreadable("client_id");
    world.public.get("/v1/hotels?city=%00").await.violating(&["city"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_request_is_refused() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let five_megabytes = json!({ "email": "x".repeat(5_000_000), "password": "x" }).to_string();
    for caller in [&world.public, &guest, &world.admin] {
        for path in ["/v1/auth/login", "/v1/users", "/v1/webhooks/simulator"] {
            send(caller, path, five_megabytes.clone()).await.refused(413, "REQUEST_TOO_LARGE");
        }
    }
    let order = json!({ "offer_token": "x".repeat(5_000_000) }).to_string();
    send(&guest, "/v1/reservations", order.clone()).await.refused(413, "REQUEST_TOO_LARGE");
    // Authorization precedes validation.
    let anonymous = send(&world.public, "/v1/reservations", order).await;
    assert!([401, 413].contains(&anonymous.status.as_u16()), "{}", anonymous.status);

    let header = guest.request(Method::GET, "/v1/hotels").header("x-story", "x".repeat(40_000));
    Answer::to(header).await.refused(431, "REQUEST_TOO_LARGE");
    let many =
        (0..100).fold(guest.request(Method::GET, "/v1/hotels"), |request, n| request.header(format!("x-{n}"), "1"));
    Answer::to(many).await.refused(431, "REQUEST_TOO_LARGE");
    let query = format!("/v1/hotels?city={}", "x".repeat(40_000));
    guest.get(&query).await.refused(431, "REQUEST_TOO_LARGE");
    world.public.get("/healthz").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn path_with_encoded_slash_is_refused() {
    let world = World::shared().await;
    for path in ["/v1/hotels/1%2frooms", "/v1/hotels%2F1", "/v1/hotels/1%5c..%5c2"] {
        world.public.get(path).await.refused(400, "INVALID_REQUEST");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_a_request_id() {
    let world = World::shared().await;
    let mut ids = Vec::new();
    for path in ["/v1/hotels", "/v1/hotels/0", "/v1/nowhere", "/v1/reservations"] {
        let answer = world.public.get(path).await;
        let id: Uuid = answer.header("x-request-id").parse().expect("a UUID");
        ids.push(id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each request has its own");
    let refused = world.public.get("/v1/hotels/0").await;
    assert_eq!(refused.detail("RequestInfo")["request_id"], refused.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_serves_health_route() {
    let world = World::shared().await;
    for gateway in [&world.public, &world.admin] {
        let answer = gateway.get("/healthz").await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({ "status": "SERVING" })));
    }
}
