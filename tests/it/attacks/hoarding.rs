//! Rooms that one caller holds without paying. Limits by source and by night, and their races, are tested in `reservation`.

use crate::support::{Stay, World};

#[tokio::test(flavor = "multi_thread")]
async fn one_booking_of_nine_rooms_for_ninety_nights_is_refused() {
    let world = World::shared().await;
    let hotel = world.hotel(9).await;
    let guest = world.guest().await;
    let order = world.prepare(&guest, hotel, &Stay::ahead(30, 90), 9).await;
    let refused = guest.post("/v1/reservations", order).await.refused(429, "TOO_MANY_UNPAID_ROOMS");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["wanted_room_nights"], "810");
}
