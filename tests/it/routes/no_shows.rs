//! `/v1/reservations/{reservation_id}:markNoShow`. Charges and refunds are tested in `money`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_just_now, with};
use crate::support::{HotelFixture, Rest, Stay, World};

const NO_SHOW: &str = "CANCELLATION_REASON_NO_SHOW";

fn path_of(booked: &Value) -> String {
    format!("/v1/reservations/{}", booked["reservation_id"].as_str().expect("an id"))
}

fn report(booked: &Value) -> String {
    format!("{}:markNoShow", path_of(booked))
}

/// A partner-collected sale, which is paid at once.
async fn sold(world: &World<'_>, partner: &Rest, hotel: HotelFixture, stay: &Stay) -> Value {
    let mut order = world.prepare(partner, hotel, stay, 2).await;
    order["payment_mode"] = json!("PAYMENT_MODE_PARTNER_COLLECTS");
    partner.post_until_answered("/v1/reservations", order).await
}

/// `total_reserved` of the nights of a stay.
async fn taken(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> Vec<i64> {
    let query = format!("?from_date={}&until_date={}", stay.check_in, stay.check_out);
    let nights = world.admin.get(&(hotel.path("inventory") + &query)).await.ok();
    let nights = nights["nights"].as_array().expect("nights").iter();
    nights.map(|night| night["total_reserved"].as_i64().expect("a count")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_marks_no_show_and_guest_sees_it() {
    let world = World::shared().await;
    let stay = Stay::begun(3);
    let hotel = world.hotel_with_penalty(30).await;
    let (partner, staff) = (world.partner().await, world.staff(&[hotel.hotel_id]).await);
    for house in [&staff, &world.admin] {
        let booked = sold(&world, &partner, hotel, &stay).await;
        assert_eq!(taken(&world, hotel, &stay).await, [2; 3]);
        let ended = house.post(&report(&booked), json!({})).await.ok();
        let rooms = booked["rooms"].as_array().expect("rooms").iter();
        let missed = json!({ "status": "RESERVATION_ROOM_STATUS_NO_SHOW" });
        let news = json!({
            "status": "RESERVATION_STATUS_CANCELLED", "cancellation_reason": NO_SHOW,
            "rooms": rooms.map(|room| with(room, &missed)).collect::<Vec<_>>(),
            "update_time": ended["update_time"], "etag": ended["etag"],
        });
        assert_ne!(ended["etag"], booked["etag"]);
        assert_eq!(ended, with(&booked, &news));
        assert_just_now(&ended["update_time"]);
        assert_eq!(taken(&world, hotel, &stay).await, [0; 3], "the rooms can be sold again at once");

        for caller in [&staff, &world.admin] {
            assert_eq!(caller.post(&report(&booked), json!({})).await.ok(), ended, "a repeat gets the same answer");
        }
        // The partner reads the reason; a later cancellation changes nothing.
        assert_eq!(partner.get(&path_of(&booked)).await.ok(), ended);
        assert_eq!(partner.delete(&path_of(&booked)).await.ok(), ended);
        assert_eq!(taken(&world, hotel, &stay).await, [0; 3], "they came back once");
    }
    let cancelled = "/v1/reservations?status=RESERVATION_STATUS_CANCELLED";
    let listed = partner.get(cancelled).await.ok();
    let reasons: Vec<_> =
        listed["reservations"].as_array().expect("a list").iter().map(|r| &r["cancellation_reason"]).collect();
    assert_eq!(reasons, [NO_SHOW, NO_SHOW]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mark_no_show_is_refused_for_other_callers() {
    let world = World::shared().await;
    let stay = Stay::begun(1);
    let hotel = world.hotel_with_penalty(30).await;
    let (partner, guest) = (world.partner().await, world.guest().await);
    let booked = sold(&world, &partner, hotel, &stay).await;
    let path = report(&booked);
    world.public.post(&path, json!({})).await.refused(403, "INTERNAL_ROUTE");
    for outsider in [&partner, &guest] {
        outsider.post(&path, json!({})).await.refused(403, "INTERNAL_ROUTE");
        world.admin.with_token(outsider.token()).post(&path, json!({})).await.refused(403, "ACCESS_DENIED");
    }
    // For another hotel's staff the reservation is not found.
    let foreign = world.staff(&[world.hotel(1).await.hotel_id]).await;
    let refused = foreign.post(&path, json!({})).await.refused(404, "RESERVATION_NOT_FOUND");
    let no_such = "/v1/reservations/01a20117-0477-8fc8-b07f-612c77359400:markNoShow";
    let unknown = world.admin.post(no_such, json!({})).await.refused(404, "RESERVATION_NOT_FOUND");
    assert_eq!(refused.body["message"], unknown.body["message"]);
    for no_id in ["mine", "0", &Uuid::new_v4().to_string()] {
        let path = format!("/v1/reservations/{no_id}:markNoShow");
        world.admin.post(&path, json!({})).await.violating(&["reservation_id"]);
    }
    assert_eq!(partner.get(&path_of(&booked)).await.ok(), booked);
    assert_eq!(taken(&world, hotel, &stay).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mark_no_show_is_refused_before_day_of_check_in() {
    let world = World::shared().await;
    let stay = Stay::ahead(2, 1);
    let hotel = world.hotel_with_penalty(30).await;
    let partner = world.partner().await;
    let booked = sold(&world, &partner, hotel, &stay).await;
    let refused = world.admin.post(&report(&booked), json!({})).await.refused(400, "NO_SHOW_OUT_OF_TIME");
    let window = &refused.detail("ErrorInfo")["metadata"];
    let [from, until] = ["from_time", "until_time"].map(|name| window[name].as_str().expect("a text").to_owned());
    assert_eq!(from, format!("{}T12:00:00Z", stay.check_in));
    let [from, until] = [from, until].map(|time| time.parse::<Timestamp>().expect("a time"));
    assert_eq!(until.duration_since(from), SignedDuration::from_hours(72), "a night, and 48 hours after it");
    assert_eq!(partner.get(&path_of(&booked)).await.ok(), booked);
    assert_eq!(taken(&world, hotel, &stay).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mark_no_show_is_refused_for_unpaid_and_ended_reservations() {
    let world = World::shared().await;
    let stay = Stay::begun(2);
    let hotel = world.hotel_with_penalty(30).await;
    let (partner, guest) = (world.partner().await, world.guest().await);
    let metadata = async |booked: &Value| {
        let refused = world.admin.post(&report(booked), json!({})).await.refused(400, "ILLEGAL_TRANSITION");
        refused.detail("ErrorInfo")["metadata"].clone()
    };
    let unpaid = world.book(&guest, hotel, &stay).await;
    assert_eq!(metadata(&unpaid).await, json!({ "from": "PENDING_PAYMENT", "to": "CANCELLED", "retryable": "false" }));
    assert_eq!(guest.get(&path_of(&unpaid)).await.ok(), unpaid);

    let cancelled = sold(&world, &partner, hotel, &stay).await;
    let cancelled = partner.delete(&path_of(&cancelled)).await.ok();
    assert_eq!(cancelled["cancellation_reason"], "CANCELLATION_REASON_REQUESTED");
    let expected =
        json!({ "from": "CANCELLED", "to": "CANCELLED", "cancellation_reason": "REQUESTED", "retryable": "false" });
    assert_eq!(metadata(&cancelled).await, expected);
    assert_eq!(partner.get(&path_of(&cancelled)).await.ok(), cancelled);
    assert_eq!(taken(&world, hotel, &stay).await, [1; 2], "the unpaid one is still held");
}
