//! Rooms that one caller or one address holds without paying. The limits themselves, and their races, are tested in
//! `reservation`; here the edge names the address.

use futures::future::join_all;

use crate::support::{Books, Stay, World};

#[tokio::test(flavor = "multi_thread")]
async fn holds_of_three_new_accounts_count_for_the_address_that_the_edge_has_seen() {
    const HOST: u8 = 68;
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let stay = Stay::ahead(30, 1);
    let held = join_all((0..3).map(async |_| {
        let guest = world.guest().await.from_address(HOST);
        let order = world.prepare(&guest, hotel, &stay, 1).await;
        // Only the edge says where a request comes from.
        let request = guest.request(reqwest::Method::POST, "/v1/reservations").json(&order);
        crate::support::Answer::to(request.header("x-staymesh-source", "192.0.2.1")).await.ok()
    }));
    let held = held.await;
    assert_eq!(held.len(), 3);
    let sources: Vec<(Option<String>, i64)> = sqlx::query_as(
        "select source, sum(rooms * (check_out - check_in))::bigint from reservation where hotel_id = $1 group by 1",
    )
    .bind(i32::try_from(hotel.hotel_id).expect("an id"))
    .fetch_all(&Books::of(world.mesh).await.pool)
    .await
    .expect("the holds");
    assert_eq!(sources, [(Some(format!("127.0.0.{HOST}")), 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_booking_of_fifty_rooms_for_ninety_nights_is_refused() {
    let world = World::shared().await;
    let hotel = world.hotel(50).await;
    let guest = world.guest().await;
    let order = world.prepare(&guest, hotel, &Stay::ahead(30, 90), 50).await;
    let refused = guest.post("/v1/reservations", order).await.refused(429, "TOO_MANY_UNPAID_ROOMS");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["wanted_room_nights"], "4500");
}
