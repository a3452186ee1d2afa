//! PARTNER-SPEC 7 over REST: finding a booking after a lost answer, price checks, and cancel quotes.

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::{reservations::reserved, with};
use crate::support::{Stay, World, policy};

fn path_of(order: &Value) -> String {
    format!("/v1/reservations/{}", order["reservation_id"].as_str().expect("an id"))
}

/// Rule 10 and example 4.
#[tokio::test(flavor = "multi_thread")]
async fn client_reference_finds_the_booking_at_once_and_refuses_a_second_one() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let (partner, other) = (world.partner().await, world.partner().await);
    let stay = Stay::ahead(30, 2);
    let reference = json!({ "client_reference": "X-17" });
    let order = with(&world.prepare(&partner, hotel, &stay, 1).await, &reference);
    let find = "/v1/reservations?client_reference=X-17";
    assert_eq!(partner.get(find).await.ok()["reservations"], json!([]), "it never happened");

    let booked = partner.post("/v1/reservations", order.clone()).await.ok();
    assert_eq!(booked["client_reference"], "X-17");
    assert_eq!(partner.get(find).await.ok()["reservations"], json!([booked]));
    assert_eq!(other.get(find).await.ok()["reservations"], json!([]));
    assert_eq!(partner.post("/v1/reservations", order.clone()).await.ok(), booked, "the repeat is safe either way");

    let second = with(&world.prepare(&partner, hotel, &stay, 1).await, &reference);
    let refused = partner.post("/v1/reservations", second.clone()).await.refused(409, "CLIENT_REFERENCE_TAKEN");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["reservation_id"], order["reservation_id"]);
    let without = with(&order, &json!({ "client_reference": null }));
    partner.post("/v1/reservations", without).await.refused(400, "RESERVATION_ID_REUSED");
    let theirs = with(&world.prepare(&other, hotel, &stay, 1).await, &reference);
    other.post("/v1/reservations", theirs).await.ok();

    // For good, also after a cancellation.
    partner.delete(&path_of(&order)).await.ok();
    partner.post("/v1/reservations", second).await.refused(409, "CLIENT_REFERENCE_TAKEN");
    assert_eq!(reserved(&world, hotel, &stay).await, [1, 1], "the other partner's");

    let short = with(&world.prepare(&partner, hotel, &stay, 1).await, &json!({ "client_reference": "X" }));
    partner.post("/v1/reservations", short).await.violating(&["client_reference"]);
    let house = format!("{find}&hotel_id={}", hotel.hotel_id);
    world.admin.get(&house).await.violating(&["client_reference"]);
}

/// Rules 1 to 3.
#[tokio::test(flavor = "multi_thread")]
async fn offers_are_checked_one_by_one_and_a_valid_token_keeps_its_price() {
    let world = World::shared().await;
    let hotel = world.hotel(2).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 2);
    let order = world.prepare(&guest, hotel, &stay, 1).await;
    let check = async |tokens: Value| {
        let checked = guest.post("/v1/offers:check", json!({ "offer_tokens": tokens })).await.ok();
        checked["checks"].as_array().expect("checks").clone()
    };
    let status = |check: &Value| check["status"].as_str().expect("a status").replace("OFFER_CHECK_STATUS_", "");

    let checks = check(json!([order["offer_token"], "nonsense"])).await;
    assert_eq!(checks.iter().map(status).collect::<Vec<_>>(), ["UNCHANGED", "INVALID"]);
    assert_eq!(
        (&checks[0]["reservation_id"], &checks[1]["reason"]),
        (&order["reservation_id"], &json!("OFFER_TAMPERED"))
    );
    let fresh = with(&order, &json!({ "offer_token": checks[0]["offer_token"] }));

    let dearer = json!({ "base_price": { "currency_code": "EUR", "amount": "120.00" } });
    let rate = with(&world.admin.get(&hotel.path("rate")).await.ok(), &dearer);
    world.admin.put(&hotel.path("rate"), with(&rate, &json!({ "etag": null }))).await.ok();
    let changed = check(json!([order["offer_token"]])).await.remove(0);
    assert_eq!((status(&changed), &changed["changed_rooms"]), ("CHANGED".to_owned(), &json!([0])));
    let totals = [&changed["old_price"]["total"]["amount"], &changed["price"]["total"]["amount"]];
    assert_eq!(totals, ["200.00", "240.00"]);

    // The token is a promise of the price, and a fresh one for the same price is the same booking.
    let booked = guest.post("/v1/reservations", order.clone()).await.ok();
    assert_eq!(booked["price"]["total"]["amount"], "200.00");
    assert_eq!(guest.post("/v1/reservations", fresh).await.ok(), booked);

    world.set_inventory(hotel, 30, 31, 1).await;
    let sold_out = check(json!([changed["offer_token"]])).await.remove(0);
    assert_eq!((status(&sold_out), &sold_out["reason"]), ("SOLD_OUT".to_owned(), &json!("ROOM_SOLD_OUT")));
    let short = [&sold_out["room"], &sold_out["rooms_left"], &sold_out["stay_date"]];
    assert_eq!(short, [&json!(0), &json!(0), &json!(stay.check_in)]);
    let none = guest.post("/v1/offers:check", json!({})).await;
    none.violating(&["offer_tokens"]);
}

/// Rule 19: quoted, then cancelled as quoted, or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn cancel_refunds_what_the_quote_said_or_does_nothing() {
    let world = World::shared().await;
    let hotel = world.hotel_with_penalty(50).await;
    let partner = world.partner().await;
    let sold = async |days: i32| {
        let order = world.prepare(&partner, hotel, &Stay::ahead(days, 3), 1).await;
        let order = with(&order, &json!({ "payment_mode": "PAYMENT_MODE_PARTNER_COLLECTS" }));
        partner.post("/v1/reservations", order.clone()).await.ok();
        path_of(&order)
    };
    let euros = |amount: &str| json!({ "currency_code": "EUR", "amount": amount });
    let (free, late) = (sold(30).await, sold(1).await);
    let quote = partner.get(&format!("{free}:cancelQuote")).await.ok();
    assert_eq!(
        [&quote["kept"], &quote["refund"], &quote["next_kept"]],
        [&euros("0.00"), &euros("330.00"), &euros("165.00")]
    );
    assert_eq!(quote["tier"], 0);
    let other = partner.get(&format!("{late}:cancelQuote")).await.ok();
    assert_eq!([&other["kept"], &other["refund"]], [&euros("165.00"), &euros("165.00")]);
    // The free deadline had passed when it was booked.
    assert_eq!((&other["tier"], &other["next_deadline"]), (&json!(0), &Value::Null));

    let expecting = json!({ "expected_refund": quote["refund"] });
    let refused = partner.post(&format!("{late}:cancel"), expecting.clone()).await.refused(400, "CANCEL_TERMS_CHANGED");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["refund_amount"], "165.00");
    assert_eq!(partner.get(&late).await.ok()["status"], "RESERVATION_STATUS_PAID", "nothing happened");
    let cancelled = partner.post(&format!("{free}:cancel"), expecting.clone()).await.ok();
    assert_eq!(cancelled["status"], "RESERVATION_STATUS_CANCELLED");
    assert_eq!(partner.post(&format!("{free}:cancel"), expecting).await.ok(), cancelled);
    partner.get(&format!("{free}:cancelQuote")).await.refused(400, "ILLEGAL_TRANSITION");

    let query = "expected_refund.currency_code=EUR&expected_refund.amount";
    partner.delete(&format!("{late}?{query}=330.00")).await.refused(400, "CANCEL_TERMS_CHANGED");
    partner.delete(&format!("{late}?{query}=1.001")).await.violating(&["expected_refund.amount"]);
    partner.delete(&format!("{late}?{query}=165.00")).await.ok();
    let stranger = world.guest().await;
    stranger.get(&format!("{free}:cancelQuote")).await.refused(404, "RESERVATION_NOT_FOUND");
}

/// Section 6, rule 4: deadlines are instants from the offer on, whatever the hotel changes later.
#[tokio::test(flavor = "multi_thread")]
async fn later_policy_and_hotel_time_do_not_move_the_deadlines_of_a_booking() {
    let world = World::shared().await;
    let hotel = world.hotel_with_penalty(50).await;
    let partner = world.partner().await;
    let order = world.prepare(&partner, hotel, &Stay::ahead(30, 3), 1).await;
    let order = with(&order, &json!({ "payment_mode": "PAYMENT_MODE_PARTNER_COLLECTS" }));
    let booked = partner.post("/v1/reservations", order.clone()).await.ok();
    let quote = partner.get(&format!("{}:cancelQuote", path_of(&order))).await.ok();

    let rate = with(&world.admin.get(&hotel.path("rate")).await.ok(), &json!({ "etag": null }));
    let never = with(&rate, &json!({ "cancellation_policy": policy(0, 100) }));
    world.admin.put(&hotel.path("rate"), never).await.ok();
    let time = json!({ "time_zone": "Pacific/Auckland", "check_in_time": "11:00", "day_rollover": "05:00" });
    let mask = "time_zone,check_in_time,day_rollover";
    world.admin.put(&format!("/v1/hotels/{}?update_mask={mask}", hotel.hotel_id), time).await.ok();

    assert_eq!(partner.get(&path_of(&order)).await.ok(), booked);
    let after = partner.get(&format!("{}:cancelQuote", path_of(&order))).await.ok();
    for field in ["kept", "refund", "tier", "next_deadline", "next_kept"] {
        assert_eq!(after[field], quote[field], "{field}");
    }
    let expecting = json!({ "expected_refund": quote["refund"] });
    partner.post(&format!("{}:cancel", path_of(&order)), expecting).await.ok();
}

/// Rule 4.
#[tokio::test(flavor = "multi_thread")]
async fn hold_is_extended_once_released_or_resumed_by_its_holder() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let (guest, partner) = (world.guest().await, world.partner().await);
    let stay = Stay::ahead(30, 2);
    let time = |booking: &Value| -> Timestamp {
        booking["hold_expire_time"].as_str().expect("a time").parse().expect("a time")
    };
    let held = world.book(&guest, hotel, &stay).await;
    let path = path_of(&held);
    let extended = guest.post(&format!("{path}:extend"), json!({})).await.ok();
    // By the length of a hold, which is in whole seconds.
    let length = time(&held).duration_since(created(&held)).round(Unit::Second).expect("a length");
    assert_eq!(time(&extended), time(&held) + length);
    assert_eq!(guest.post(&format!("{path}:extend"), json!({})).await.ok(), extended);
    assert_eq!(guest.post(&format!("{path}:resume"), json!({})).await.ok(), extended, "the guest can still pay");
    let collects = json!({ "payment_mode": "PAYMENT_MODE_PARTNER_COLLECTS" });
    guest.post(&format!("{path}:resume"), collects.clone()).await.refused(403, "ACCESS_DENIED");
    partner.post(&format!("{path}:release"), json!({})).await.refused(404, "RESERVATION_NOT_FOUND");

    let released = guest.post(&format!("{path}:release"), json!({})).await.ok();
    assert_eq!(released["status"], "RESERVATION_STATUS_CANCELLED");
    assert_eq!(reserved(&world, hotel, &stay).await, [0, 0]);
    assert_eq!(guest.post(&format!("{path}:release"), json!({})).await.ok(), released);
    for verb in ["extend", "resume"] {
        guest.post(&format!("{path}:{verb}"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");
    }

    let path = path_of(&world.book(&partner, hotel, &stay).await);
    let sold = partner.post(&format!("{path}:resume"), collects.clone()).await.ok();
    let shown = (&sold["status"], &sold["payment_mode"]);
    assert_eq!(shown, (&json!("RESERVATION_STATUS_PAID"), &collects["payment_mode"]));
    assert_eq!(partner.post(&format!("{path}:resume"), collects).await.ok(), sold);
    partner.post(&format!("{path}:release"), json!({})).await.refused(400, "ILLEGAL_TRANSITION");

    let order = world.prepare(&partner, hotel, &stay, 1).await;
    let long = with(&order, &json!({ "hold_minutes": 1441 }));
    partner.post("/v1/reservations", long).await.violating(&["hold_minutes"]);
    let day = with(&order, &json!({ "hold_minutes": 1440 }));
    partner.post("/v1/reservations", day).await.refused(403, "ACCESS_DENIED");
}

fn created(booking: &Value) -> Timestamp {
    booking["create_time"].as_str().expect("a time").parse().expect("a time")
}

/// Rules 11 and 18.
#[tokio::test(flavor = "multi_thread")]
async fn guests_and_wishes_of_rooms_are_booked_and_changed_free() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 2);
    let of_room = json!({
        "given_name": "A", "family_name": "Guest", "arrival_time": "01:30", "arrives_after_midnight": true,
        "bed_preference": "BED_PREFERENCE_TWIN", "smoking_preference": "SMOKING_PREFERENCE_NON_SMOKING",
        "special_request": "A quiet room,\nif there is one", "loyalty_id": "L-17", "late_arrival_until": stay.check_in,
        "phone": "",
    });
    let order = world.prepare(&guest, hotel, &stay, 2).await;
    let booked = guest.post("/v1/reservations", with(&order, &json!({ "room_guests": [of_room, {}] }))).await.ok();
    assert_eq!((&booked["rooms"][0]["guest"], &booked["rooms"][1]["guest"]), (&of_room, &Value::Null));
    guest.post("/v1/reservations", order.clone()).await.refused(400, "RESERVATION_ID_REUSED");

    let path = path_of(&booked);
    let change = json!({ "room_guests": [{}, of_room], "etag": booked["etag"] });
    let changed = guest.post(&format!("{path}:updateGuests"), change.clone()).await.ok();
    assert_eq!((&changed["rooms"][0]["guest"], &changed["rooms"][1]["guest"]), (&Value::Null, &of_room));
    assert_eq!((&changed["revision"], &changed["price"]), (&booked["revision"], &booked["price"]));
    assert_ne!(changed["etag"], booked["etag"]);
    assert_eq!(guest.post(&format!("{path}:updateGuests"), change).await.ok(), changed, "a repeat");
    assert_eq!(guest.get(&path).await.ok(), changed);
    let old = json!({ "room_guests": [{}, {}], "etag": booked["etag"] });
    guest.post(&format!("{path}:updateGuests"), old).await.refused(409, "ETAG_MISMATCH");
    let card = json!({ "room_guests": [{ "special_request": "4242 4242 4242 4242" }, {}] });
    guest.post(&format!("{path}:updateGuests"), card).await.violating(&["room_guests[0].special_request"]);
    let one = json!({ "room_guests": [of_room] });
    guest.post(&format!("{path}:updateGuests"), one.clone()).await.violating(&["room_guests"]);
    let order = world.prepare(&guest, hotel, &stay, 2).await;
    guest.post("/v1/reservations", with(&order, &one)).await.violating(&["room_guests"]);
}
