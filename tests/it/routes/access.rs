//! Access control: roles by route and gateway.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::NOBODYS_ID;
use crate::support::{Answer, Rest, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Guest,
    Partner,
    Staff,
    Admin,
    Service,
}

use Role::{Admin, Guest, Partner, Service, Staff};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Public,
    Internal,
}

/// A route, its gateway and the roles that may call it; no roles means a public route. The internal gateway serves the
/// public routes as well.
pub(super) type Route = (&'static str, &'static str, Gate, Option<&'static [Role]>);

const PEOPLE: Option<&[Role]> = Some(&[Guest, Staff, Admin]);
const BOOKERS: Option<&[Role]> = Some(&[Guest, Partner]);
const READERS: Option<&[Role]> = Some(&[Guest, Partner, Staff, Admin]);
const HOUSE: Option<&[Role]> = Some(&[Staff, Admin]);
const ADMINS: Option<&[Role]> = Some(&[Admin]);

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    ("GET", "/v1/hotels", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}/roomTypes", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}/rooms", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}/rooms/{room_id}", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}/availability", Gate::Public, None),
    ("GET", "/v1/hotels/{hotel_id}/offers", Gate::Public, None),
    ("POST", "/v1/users", Gate::Public, None),
    ("GET", "/v1/users/me", Gate::Public, PEOPLE),
    ("POST", "/v1/auth/login", Gate::Public, None),
    ("POST", "/v1/auth/refresh", Gate::Public, None),
    ("POST", "/v1/auth/guestSessions", Gate::Public, None),
    ("POST", "/v1/auth/guestAccess", Gate::Public, None),
    ("POST", "/v1/auth/logout", Gate::Public, PEOPLE),
    ("POST", "/v1/oauth/token", Gate::Public, None),
    ("POST", "/v1/oauth/revoke", Gate::Public, None),
    ("GET", "/.well-known/oauth-authorization-server", Gate::Public, None),
    ("GET", "/.well-known/jwks.json", Gate::Public, None),
    ("POST", "/v1/reservations:prepare", Gate::Public, READERS),
    ("POST", "/v1/offers:check", Gate::Public, READERS),
    ("POST", "/v1/reservations", Gate::Public, READERS),
    ("GET", "/v1/reservations", Gate::Public, READERS),
    ("GET", "/v1/reservations/{reservation_id}", Gate::Public, READERS),
    ("POST", "/v1/reservations/{reservation_id}:updateGuests", Gate::Public, READERS),
    ("POST", "/v1/reservations/{reservation_id}:quoteChange", Gate::Public, READERS),
    ("POST", "/v1/reservations/{reservation_id}:applyChange", Gate::Public, READERS),
    ("GET", "/v1/reservations/{reservation_id}/revisions", Gate::Public, READERS),
    ("POST", "/v1/reservations/{reservation_id}:resume", Gate::Public, BOOKERS),
    ("POST", "/v1/reservations/{reservation_id}:release", Gate::Public, BOOKERS),
    ("POST", "/v1/reservations/{reservation_id}:extend", Gate::Public, BOOKERS),
    ("GET", "/v1/reservations/{reservation_id}:cancelQuote", Gate::Public, READERS),
    ("DELETE", "/v1/reservations/{reservation_id}", Gate::Public, READERS),
    ("POST", "/v1/reservations/{reservation_id}:cancel", Gate::Public, READERS),
    ("POST", "/v1/reservations/{reservation_id}:cancelRooms", Gate::Public, READERS),
    ("POST", "/v1/payments", Gate::Public, READERS),
    ("GET", "/v1/payments/{payment_id}", Gate::Public, READERS),
    ("GET", "/v1/payments/{payment_id}/statusLink", Gate::Public, READERS),
    ("GET", "/v1/invoiceLines", Gate::Public, Some(&[Partner])),
    ("GET", "/v1/creditLimits", Gate::Public, Some(&[Partner])),
    ("POST", "/v1/webhooks/{provider}", Gate::Public, None),
    ("GET", "/v1/statusPages/{reservation_id}", Gate::Public, None),

    ("POST", "/v1/hotels", Gate::Internal, ADMINS),
    ("PUT", "/v1/hotels/{hotel_id}", Gate::Internal, HOUSE),
    ("DELETE", "/v1/hotels/{hotel_id}", Gate::Internal, ADMINS),
    ("POST", "/v1/hotels/{hotel_id}/roomTypes", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}", Gate::Internal, HOUSE),
    ("DELETE", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/rooms", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/rooms/{room_id}", Gate::Internal, HOUSE),
    ("DELETE", "/v1/hotels/{hotel_id}/rooms/{room_id}", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/rate", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/rate", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/nightlyPrices", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/nightlyPrices:set", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/taxes", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/taxes", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/inventory", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/roomTypes/{room_type_id}/inventory", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/inventory:bulkSet", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/stopSell", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/outOfOrder", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/outOfOrder", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/outOfOrder/{out_of_order_id}:end", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/relocationsDue", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/groupBlocks", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/groupBlocks", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/groupBlocks/{group_block_id}", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/groupBlocks/{group_block_id}:resize", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/groupBlocks/{group_block_id}:confirm", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/groupBlocks/{group_block_id}:cancel", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}:markNoShow", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/arrivals", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/inHouse", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/departures", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}:checkIn", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}:undoCheckIn", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}:checkOut", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/reservations:find", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}:assignRoom", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}:unassignRoom", Gate::Internal, HOUSE),
    ("GET", "/v1/reservations/{reservation_id}/roomAssignments", Gate::Internal, HOUSE),
    ("POST", "/v1/hotels/{hotel_id}/rooms:autoAssign", Gate::Internal, HOUSE),
    ("POST", "/v1/reservations/{reservation_id}/notes", Gate::Internal, HOUSE),
    ("GET", "/v1/reservations/{reservation_id}/notes", Gate::Internal, HOUSE),
    ("GET", "/v1/hotels/{hotel_id}/payments", Gate::Internal, HOUSE),
    ("POST", "/v1/payments/{payment_id}:refund", Gate::Internal, ADMINS),
    ("POST", "/v1/reservations/{reservation_id}:recordDeskPayment", Gate::Internal, HOUSE),
    ("POST", "/v1/payments/{payment_id}:recordDeskRefund", Gate::Internal, HOUSE),
    ("GET", "/v1/partnerSales", Gate::Internal, ADMINS),
    ("GET", "/v1/hotels/{hotel_id}/payouts", Gate::Internal, HOUSE),
    ("GET", "/v1/payouts/{payout_id}", Gate::Internal, HOUSE),
    ("GET", "/v1/payouts/{payout_id}/lines", Gate::Internal, HOUSE),
    ("PUT", "/v1/hotels/{hotel_id}/payoutDestination", Gate::Internal, ADMINS),
    ("GET", "/v1/reconciliationCases", Gate::Internal, ADMINS),
    ("GET", "/v1/reconciliationCases/{case_id}", Gate::Internal, ADMINS),
    ("POST", "/v1/reconciliationCases/{case_id}:assign", Gate::Internal, ADMINS),
    ("POST", "/v1/reconciliationCases/{case_id}:resolve", Gate::Internal, ADMINS),
    ("POST", "/v1/reconciliationCases/{case_id}:replay", Gate::Internal, ADMINS),
    ("GET", "/v1/partnerCreditLimits", Gate::Internal, ADMINS),
    ("PUT", "/v1/partnerCreditLimits", Gate::Internal, ADMINS),
    ("GET", "/v1/partnerPayments", Gate::Internal, ADMINS),
    ("POST", "/v1/partnerPayments", Gate::Internal, ADMINS),
    ("GET", "/v1/auditRecords/identity", Gate::Internal, ADMINS),
    ("GET", "/v1/auditRecords/hotel", Gate::Internal, ADMINS),
    ("GET", "/v1/auditRecords/rate", Gate::Internal, ADMINS),
    ("GET", "/v1/auditRecords/reservation", Gate::Internal, ADMINS),
    ("GET", "/v1/auditRecords/payment", Gate::Internal, ADMINS),
    ("POST", "/v1/auth/logoutEverywhere", Gate::Public, PEOPLE),
    ("POST", "/v1/users:confirmEmail", Gate::Public, None),
    ("POST", "/v1/users:requestPasswordReset", Gate::Public, None),
    ("POST", "/v1/users:resetPassword", Gate::Public, None),
    ("POST", "/v1/users/me:requestEmailConfirmation", Gate::Public, PEOPLE),
    ("POST", "/v1/users/me:changePassword", Gate::Public, PEOPLE),
    ("POST", "/v1/users/me:delete", Gate::Public, Some(&[Guest])),
    ("GET", "/v1/users:find", Gate::Internal, ADMINS),
    ("POST", "/v1/users/{user_id}:setRole", Gate::Internal, ADMINS),
    ("POST", "/v1/clients", Gate::Internal, ADMINS),
    ("GET", "/v1/clients", Gate::Internal, ADMINS),
    ("DELETE", "/v1/clients/{client_id}", Gate::Internal, ADMINS),
    ("POST", "/v1/clients/{client_id}:rotateSecret", Gate::Internal, ADMINS),
    ("POST", "/v1/clients/{client_id}:revokeSecret", Gate::Internal, ADMINS),
];

/// The path with unknown ids, so that a call that is accepted by mistake changes nothing.
fn filled(path: &str, hotel_id: i64) -> String {
    let nothing = NOBODYS_ID.to_string();
    path.replace("{hotel_id}", &hotel_id.to_string())
        .replace("{room_type_id}", &nothing)
        .replace("{room_id}", &nothing)
        .replace("{reservation_id}", "01a20117-0477-8fc8-b07f-612c77359400")
        .replace("{out_of_order_id}", "01a20117-0523-7099-9a32-f298361210ff")
        .replace("{payment_id}", "01a20117-0523-7099-9a32-f298361210ff")
        .replace("{payout_id}", "01a20117-0523-7099-9a32-f298361210ff")
        .replace("{case_id}", "01a20117-0523-7099-9a32-f298361210ff")
        .replace("{user_id}", "01a20117-0523-7099-9a32-f298361210ff")
        .replace("{client_id}", "nobody")
        .replace("{provider}", "simulator")
}

async fn knock(door: &Rest, (verb, path, ..): Route) -> Answer {
    knock_at(door, verb, &filled(path, NOBODYS_ID.into())).await
}

async fn knock_at(door: &Rest, verb: &str, path: &str) -> Answer {
    let body = matches!(verb, "POST" | "PUT").then(|| json!({}));
    door.call(verb.parse::<Method>().expect("a method"), path, body).await
}

/// Both gateways, with this token.
fn doors(world: &World<'_>, token: &str) -> [(Gate, Rest); 2] {
    [(Gate::Public, world.public.with_token(token)), (Gate::Internal, world.admin.with_token(token))]
}

/// Whether a gateway serves a route: its own gateway does, and the internal one.
fn served((.., gate, _): Route, at: Gate) -> bool {
    gate == Gate::Public || at == Gate::Internal
}

async fn service_token(world: &World<'_>) -> String {
    let client_id = format!("service-{}", Uuid::new_v4().simple());
    let made = world.admin.post("/v1/clients", json!({ "client_id": client_id, "role": "ROLE_SERVICE" })).await.ok();
    let credentials = json!({
        "grant_type": "client_credentials", "client_id": client_id, "client_secret": made["client_secret"],
    });
    let token = world.admin.post("/v1/oauth/token", credentials).await.ok();
    token["access_token"].as_str().expect("a token").to_owned()
}

/// A token of each role.
async fn tokens(world: &World<'_>) -> BTreeMap<Role, String> {
    BTreeMap::from([
        (Guest, world.guest().await.token().to_owned()),
        (Partner, world.partner().await.token().to_owned()),
        (Staff, world.staff(&[world.hotel(1).await.hotel_id]).await.token().to_owned()),
        (Admin, world.admin.token().to_owned()),
        (Service, service_token(world).await),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_route_refuses_missing_and_invalid_tokens() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let parts = |token: &Rest| token.token().split('.').map(str::to_owned).collect::<Vec<_>>();
    let (mine, admins) = (parts(&guest), parts(&world.admin));
    let bad = [
        "garbage".to_owned(),
        // Claims of an administrator with a guest's signature, and without a signature.
        format!("{}.{}.{}", mine[0], admins[1], mine[2]),
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", admins[1]),
        // A truncated token.
        format!("{}.{}.{}", mine[0], mine[1], &mine[2][..mine[2].len() / 2]),
    ];
    for route in ROUTES.iter().copied().filter(|(.., who)| who.is_some()) {
        for (gate, door) in [(Gate::Public, &world.public), (Gate::Internal, &Rest::new(world.mesh.internal_url()))] {
            if !served(route, gate) {
                continue;
            }
            let refused = knock(door, route).await.refused(401, "UNAUTHENTICATED");
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{route:?}");
            for token in &bad {
                knock(&door.with_token(token), route).await.refused(401, "UNAUTHENTICATED");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_route_refuses_wrong_role_before_validation() {
    let world = World::shared().await;
    let tokens = tokens(&world).await;
    let mut refusals = 0;
    for route @ (.., who) in ROUTES.iter().copied() {
        let Some(allowed) = who else { continue };
        for (role, token) in tokens.iter().filter(|(role, _)| !allowed.contains(role)) {
            for (_, door) in doors(&world, token).into_iter().filter(|(gate, _)| served(route, *gate)) {
                let answer = knock(&door, route).await;
                assert_eq!(answer.reason(), Some("ACCESS_DENIED"), "{role:?} {route:?}: {}", answer.body);
                answer.refused(403, "ACCESS_DENIED");
                refusals += 1;
            }
        }
    }
    assert!(refusals > 80, "only {refusals} refusals");
}

#[tokio::test(flavor = "multi_thread")]
async fn public_gateway_serves_no_internal_route_to_any_role() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let admin = world.public.with_token(world.admin.token());
    for route in ROUTES.iter().copied().filter(|(.., gate, _)| *gate == Gate::Internal) {
        for door in [&world.public, &guest, &admin] {
            knock(door, route).await.refused(403, "INTERNAL_ROUTE");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_refused_by_the_gateway_of_other_roles_on_every_route() {
    let world = World::shared().await;
    let mut refusals = 0;
    for (role, token) in tokens(&world).await {
        let own = if matches!(role, Guest | Partner) { Gate::Public } else { Gate::Internal };
        let name = if own == Gate::Public { "public" } else { "internal" };
        for (gate, door) in doors(&world, &token).into_iter().filter(|(gate, _)| *gate != own) {
            let allowed = |who: Option<&[Role]>| who.is_none_or(|roles| roles.contains(&role));
            for route in ROUTES.iter().copied().filter(|route| served(*route, gate) && allowed(route.3)) {
                let answer = knock(&door, route).await;
                refusals += 1;
                // The errors of pages are pages, without the reason.
                if route.1.starts_with("/v1/statusPages/") {
                    assert_eq!(answer.status, 403);
                    continue;
                }
                assert_eq!(answer.reason(), Some("WRONG_GATEWAY"), "{role:?} {route:?}: {}", answer.body);
                let answer = answer.refused(403, "WRONG_GATEWAY");
                assert_eq!(answer.detail("ErrorInfo")["metadata"]["gateway"], name, "{route:?}");
            }
        }
    }
    assert!(refusals > 80, "only {refusals} refusals");
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_cannot_name_the_gateway() {
    let world = World::shared().await;
    let admin = world.public.with_token(world.admin.token());
    for name in ["internal", "mesh", ""] {
        for header in ["x-staymesh-gateway", "X-Staymesh-Gateway"] {
            let posing = admin.request(Method::GET, "/v1/users/me").header(header, name);
            Answer::to(posing).await.refused(403, "WRONG_GATEWAY");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_of_another_hotel_is_refused_for_existing_and_unknown_hotels() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let before = world.public.get(&format!("/v1/hotels/{}", hotel.hotel_id)).await.ok();
    let stranger = world.staff(&[world.hotel(1).await.hotel_id]).await;
    let mut refusals = 0;
    for (verb, path, ..) in ROUTES.iter().copied().filter(|(_, path, gate, who)| {
        *gate == Gate::Internal && path.contains("{hotel_id}") && who.is_some_and(|roles| roles.contains(&Staff))
    }) {
        for hotel_id in [hotel.hotel_id, NOBODYS_ID.into()] {
            let refused = knock_at(&stranger, verb, &filled(path, hotel_id)).await.refused(403, "ACCESS_DENIED");
            assert_eq!(refused.detail("ErrorInfo")["metadata"]["hotel_id"], hotel_id.to_string());
            refusals += 1;
        }
    }
    assert!(refusals >= 30, "only {refusals} refusals");
    assert_eq!(world.public.get(&format!("/v1/hotels/{}", hotel.hotel_id)).await.ok(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn public_route_ignores_invalid_token() {
    let world = World::shared().await;
    for route in ROUTES.iter().copied().filter(|(.., who)| who.is_none()) {
        for (_, door) in doors(&world, "garbage") {
            let answer = knock(&door, route).await;
            // Some routes need a body; the webhook needs a signature.
            let refusal = answer.reason().map(str::to_owned);
            assert!(
                !matches!(refusal.as_deref(), Some("UNAUTHENTICATED" | "ACCESS_DENIED" | "INTERNAL_ROUTE")),
                "{route:?}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_read_from_header_only_and_identity_headers_are_ignored() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let me = guest.get("/v1/users/me").await.ok();
    world.public.get(&format!("/v1/users/me?access_token={}", guest.token())).await.refused(401, "UNAUTHENTICATED");
    let posing = |rest: &Rest| {
        rest.request(Method::GET, "/v1/users/me").header("x-staymesh-subject", Uuid::now_v7().to_string())
    };
    Answer::to(posing(&world.public)).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(Answer::to(posing(&guest)).await.ok(), me);
    let basic = world.public.request(Method::GET, "/v1/users/me").basic_auth("me", Some(guest.token()));
    Answer::to(basic).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(me["role"], Value::from("ROLE_GUEST"));
}
