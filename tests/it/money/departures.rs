//! Guests who leave early: the nights, the refund and the ledger, through both services and the provider (PARTNER-SPEC 10,
//! example 4).

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Sale,
    partners::{await_line, balances, euros, name_of, owned, sell},
};
use crate::support::{HotelFixture, Provider, Stay, World, await_payment, database, policy};

const COMPLETED: &str = "RESERVATION_ROOM_STATUS_COMPLETED";

/// A hotel at 100.00 a night with 10 % taxes, which keeps the first of the nights not slept.
async fn hotel(world: &World<'_>) -> HotelFixture {
    let hotel = world.hotel_with_penalty(100).await;
    let mut policy = policy(48, 100);
    policy["early_departure_penalty"] = json!({ "nights": 1 });
    let rate = json!({ "base_price": euros("100.00"), "cancellation_policy": policy });
    world.set_up(Method::PUT, &hotel.path("rate"), rate).await;
    hotel
}

fn path(id: &str, method: &str) -> String {
    format!("/v1/reservations/{id}:{method}")
}

fn shown(booking: &Value) -> [&Value; 4] {
    let room = &booking["rooms"][0];
    [&room["status"], &room["check_out"], &booking["status"], &booking["price"]["total"]["amount"]]
}

/// Four nights paid 440.00; the guests leave after the first: of 330.00 one night is kept, 220.00 are refunded.
#[tokio::test(flavor = "multi_thread")]
async fn early_departure_refunds_the_nights_not_slept_less_the_first() {
    let world = World::shared().await;
    let (provider, ledger) = (Provider::of(world.mesh).await, database(world.mesh, "payment").await);
    let hotel = hotel(&world).await;
    let stay = Stay::begun(4);
    let sale = Sale::open_at(&world, hotel, stay.clone()).await.pay(&world, &provider).await;
    let (id, desk) = (sale.reservation_id.as_str(), world.staff(&[hotel.hotel_id]).await);
    let leave = |more: Value| {
        let mut wish = json!({ "request_id": Uuid::new_v4() });
        wish.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        wish
    };

    desk.post(&path(id, "departEarly"), leave(json!({}))).await.refused(400, "ILLEGAL_TRANSITION");
    desk.post_until_answered(&path(id, "checkIn"), json!({})).await;
    let wrong = leave(json!({ "positions": [2], "waive": { "keep": euros("0.00") } }));
    desk.post(&path(id, "departEarly"), wrong).await.violating(&["waive.reason"]);
    let more = json!({ "keep": euros("110.01"), "reason": "goodwill" });
    desk.post(&path(id, "departEarly"), leave(json!({ "waive": more }))).await.violating(&["waive.keep.amount"]);
    let all = leave(json!({ "expected_refund": euros("330.00") }));
    let refused = desk.post(&path(id, "departEarly"), all).await.refused(400, "CANCEL_TERMS_CHANGED");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["refund_amount"], "220.00");

    let wish = leave(json!({ "expected_refund": euros("220.00") }));
    let left = desk.post_until_answered(&path(id, "departEarly"), wish.clone()).await;
    let out =
        json!(stay.check_in.parse::<jiff::civil::Date>().expect("a date").tomorrow().expect("a date").to_string());
    let paid = json!("RESERVATION_STATUS_PAID");
    assert_eq!(shown(&left), [&json!(COMPLETED), &out, &paid, &json!("110.00")]);
    assert_eq!(desk.post_until_answered(&path(id, "departEarly"), wish).await, left, "a repeat");
    assert_eq!(sale.rooms_taken(&world).await, [1, 0, 0, 0]);

    let payment = await_payment(&sale.guest, &sale.payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(payment["refunded_amount"], euros("220.00"));
    sale.await_all_delivered(&world).await;
    // 220.00 are kept: 20.00 of taxes, and 15 % commission of the rest.
    let kept =
        [("COMMISSION_REVENUE", -3_000), ("HOTEL_PAYABLE", -17_000), ("PSP_CLEARING", 22_000), ("TAX_PAYABLE", -2_000)];
    assert_eq!(balances(&ledger, id).await, owned(&kept));
    let revisions = desk.get(&format!("/v1/reservations/{id}/revisions")).await.ok();
    let latest = &revisions["revisions"][1];
    assert_eq!((&latest["reason"], &latest["retained"]), (&json!("REVISION_REASON_LEFT_EARLY"), &euros("110.00")));
}

/// A partner owes what is kept; the hotel waives a part, and says why.
#[tokio::test(flavor = "multi_thread")]
async fn early_departure_credits_the_partner_and_audits_what_is_waived() {
    let world = World::shared().await;
    let hotel = hotel(&world).await;
    let (partner, desk) = (world.partner().await, world.staff(&[hotel.hotel_id]).await);
    let id = sell(&world, &partner, hotel, &Stay::begun(2)).await;
    desk.post_until_answered(&path(&id, "checkIn"), json!({})).await;
    let waiver = json!({ "keep": euros("10.00"), "reason": "no hot water" });
    let wish = json!({ "request_id": Uuid::new_v4(), "positions": [1], "waive": waiver });
    let left = desk.post_until_answered(&path(&id, "departEarly"), wish).await;
    assert_eq!(left["rooms"][0]["status"], COMPLETED);
    let name = name_of(&world, &id).await;
    let line = await_line(&world, &name, &id, |line| line["owed_amount"] == euros("120.00")).await;
    assert_eq!(line["reservation_id"], id.as_str());
    let records = world.admin.get(&format!("/v1/auditRecords/reservation?object_id={id}")).await.ok();
    let records = records["audit_records"].as_array().expect("records");
    let record = records.iter().find(|record| record["object_type"] == "departure_waiver").expect("an audit record");
    let record = record.to_string();
    assert!(record.contains("11000") && record.contains("1000,") && !record.contains("hot water"), "{record}");
}
