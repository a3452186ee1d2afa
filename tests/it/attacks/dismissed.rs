//! The token of a dismissed member of staff beside the requests of others.

use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::support::World;

const GUESTS: usize = 5;
/// Calls of each guest at the same time, and how often.
const AT_ONCE: usize = 30;
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn token_of_dismissed_staff_is_never_answered_beside_900_calls_of_five_new_guests() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let guests: Vec<_> = join_all((0..GUESTS).map(|_| world.guest())).await;
    let account = json!({
        "email": format!("{}@staymesh.example", Uuid::new_v4().simple()), "password": "correct horse battery",
    });
    let user = world.public.post("/v1/users", account.clone()).await.ok();
    let set_role = format!("/v1/users/{}:setRole", user["user_id"].as_str().expect("an id"));
    let role = json!({ "role": "ROLE_STAFF", "hotel_ids": [hotel.hotel_id] });
    world.admin.post(&set_role, role).await.ok();
    let tokens = world.admin.post("/v1/auth/login", account).await.ok();
    let staff = world.admin.with_token(tokens["access_token"].as_str().expect("a token"));
    let paths = [
        format!("/v1/hotels/{}/taxes", hotel.hotel_id),
        format!("/v1/reservations?hotel_id={}", hotel.hotel_id),
        "/v1/users/me".to_owned(),
    ];
    for path in &paths {
        staff.get(path).await.ok();
    }
    world.admin.post(&set_role, json!({ "role": "ROLE_GUEST" })).await.ok();

    let others = join_all(guests.iter().map(async |guest| {
        for _ in 0..ROUNDS {
            for answer in join_all((0..AT_ONCE).map(|_| guest.get("/v1/users/me"))).await {
                answer.ok();
            }
        }
    }));
    let mut others = Box::pin(others);
    for path in paths.iter().cycle() {
        tokio::select! {
            biased;
            answer = staff.get(path) => answer.refused(401, "TOKEN_REVOKED"),
            _ = &mut others => return,
        };
    }
}
