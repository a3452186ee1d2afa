//! PARTNER-SPEC 10 over REST: staff book for a walk-in, take the money at the desk, and give some of it back.

use serde_json::{Value, json};

use super::with;
use crate::support::{HotelFixture, Rest, Stay, World, eventually};

fn path(id: &Value, method: &str) -> String {
    format!("/v1/reservations/{}:{method}", id.as_str().expect("an id"))
}

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

/// A walk-in without an e-mail address, unpaid.
async fn walk_in(world: &World<'_>, desk: &Rest, hotel: HotelFixture, stay: &Stay) -> Value {
    let order = world.prepare(desk, hotel, stay, 1).await;
    let guest = json!({ "primary_guest": { "full_name": "A guest", "email": "" },
                        "room_guests": [{ "phone": "+351 912 345 678" }] });
    desk.post("/v1/reservations", with(&order, &guest)).await.ok()
}

/// The payment at the desk of a booking of two nights for 200.00.
fn cash() -> Value {
    json!({ "method": "PAYMENT_METHOD_CASH", "amount": euros("200.00"), "reference": "R-17" })
}

#[tokio::test(flavor = "multi_thread")]
async fn walk_in_pays_at_the_desk_checks_in_and_the_repeat_takes_no_second_payment() {
    let world = World::shared().await;
    let hotel = world.hotel(2).await;
    let (desk, elsewhere) = (world.staff(&[hotel.hotel_id]).await, world.staff(&[world.hotel(1).await.hotel_id]).await);
    // Today, whatever the time.
    let stay = Stay::begun(2);
    let wish = json!({ "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out,
                       "rooms": hotel.rooms(1) });
    elsewhere.post("/v1/reservations:prepare", wish).await.refused(403, "ACCESS_DENIED");
    let booked = walk_in(&world, &desk, hotel, &stay).await;
    assert_eq!(
        (&booked["status"], &booked["primary_guest"]["email"]),
        (&json!("RESERVATION_STATUS_PENDING_PAYMENT"), &json!(""))
    );
    let id = &booked["reservation_id"];

    let pay = path(id, "recordDeskPayment");
    elsewhere.post(&pay, cash()).await.refused(404, "RESERVATION_NOT_FOUND");
    desk.post(&pay, with(&cash(), &json!({ "amount": euros("199.99") }))).await.violating(&["amount"]);
    desk.post(&pay, with(&cash(), &json!({ "reference": "4242 4242 4242 4242" }))).await.violating(&["reference"]);
    let paid = desk.post(&pay, cash()).await.ok();
    assert_eq!((&paid["status"], &paid["method"]), (&json!("PAYMENT_STATUS_PAID"), &json!("PAYMENT_METHOD_CASH")));
    assert_eq!(desk.post(&pay, cash()).await.ok(), paid, "a repeat");
    let other = with(&cash(), &json!({ "reference": "R-18" }));
    desk.post(&pay, other).await.refused(400, "RESERVATION_NOT_PAYABLE");
    world.await_status(&desk, id.as_str().expect("an id"), "PAID").await;
    let arrived = desk.post(&path(id, "checkIn"), json!({})).await.ok();
    assert_eq!(arrived["rooms"][0]["status"], "RESERVATION_ROOM_STATUS_IN_HOUSE");
    assert_eq!(arrived["rooms"][0]["guest"]["phone"], "+351 912 345 678");
    for (service, method) in [("reservation", "CreateReservation"), ("payment", "RecordDeskPayment")] {
        let records = world.admin.get(&format!("/v1/auditRecords/{service}?page_size=500")).await.ok();
        let of = |record: &Value| record["method"].as_str().is_some_and(|name| name.ends_with(method));
        assert!(records["audit_records"].as_array().expect("records").iter().any(of), "{method}");
    }
}

/// 50 % are kept late; staff keep 20.00 instead, and give the rest back at the desk.
#[tokio::test(flavor = "multi_thread")]
async fn waived_penalty_of_a_payment_at_the_desk_is_given_back_there() {
    let world = World::shared().await;
    let hotel = world.hotel_with_penalty(50).await;
    let desk = world.staff(&[hotel.hotel_id]).await;
    let booked = walk_in(&world, &desk, hotel, &Stay::ahead(1, 2)).await;
    let id = &booked["reservation_id"];
    // With taxes.
    let cash = with(&cash(), &json!({ "amount": euros("220.00") }));
    let paid = desk.post(&path(id, "recordDeskPayment"), cash).await.ok();
    world.await_status(&desk, id.as_str().expect("an id"), "PAID").await;
    let kept = |amount: &str| json!({ "waive": { "keep": euros(amount), "reason": "illness" } });
    desk.post(&path(id, "cancel"), kept("110.01")).await.violating(&["waive.keep.amount"]);
    let guest = world.guest().await;
    guest.post(&path(id, "cancel"), kept("20.00")).await.refused(403, "ACCESS_DENIED");
    let cancelled = desk.post(&path(id, "cancel"), kept("20.00")).await.ok();
    assert_eq!(cancelled["status"], "RESERVATION_STATUS_CANCELLED");
    desk.post(&path(id, "cancel"), kept("0.00")).await.refused(400, "ILLEGAL_TRANSITION");

    let payment = format!("/v1/payments/{}", paid["payment_id"].as_str().expect("an id"));
    let owed = eventually("the refund", async || {
        let read = desk.get(&payment).await.ok();
        (read["status"] == "PAYMENT_STATUS_REFUNDING").then_some(read)
    })
    .await;
    assert_eq!(owed["refunds"][0]["amount"], euros("200.00"));
    let given = json!({ "refund_id": owed["refunds"][0]["refund_id"], "reference": "R-19" });
    let refunded = desk.post(&format!("{payment}:recordDeskRefund"), given.clone()).await.ok();
    assert_eq!(
        (&refunded["status"], &refunded["refunded_amount"]),
        (&json!("PAYMENT_STATUS_PARTIALLY_REFUNDED"), &euros("200.00"))
    );
    assert_eq!(desk.post(&format!("{payment}:recordDeskRefund"), given).await.ok(), refunded);
    world.await_status(&desk, id.as_str().expect("an id"), "REFUNDED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_gets_a_page_to_pay_on_and_the_desk_takes_nothing_that_was_paid_there() {
    let world = World::shared().await;
    let hotel = world.hotel(2).await;
    let desk = world.staff(&[hotel.hotel_id]).await;
    let booked = walk_in(&world, &desk, hotel, &Stay::ahead(30, 2)).await;
    let id = &booked["reservation_id"];
    let page = desk.post("/v1/payments", json!({ "reservation_id": id })).await.ok();
    assert_eq!(page["status"], "PAYMENT_STATUS_PENDING");
    let link = format!("/v1/payments/{}/statusLink", page["payment_id"].as_str().expect("an id"));
    assert!(desk.get(&link).await.ok()["url"].as_str().is_some_and(|url| url.starts_with("http")));
    // The guest comes to the desk instead: the page is closed, and the money is taken once.
    let paid = desk.post(&path(id, "recordDeskPayment"), cash()).await.ok();
    assert_ne!(paid["payment_id"], page["payment_id"]);
    let closed = desk.get(&format!("/v1/payments/{}", page["payment_id"].as_str().expect("an id"))).await.ok();
    assert_eq!(closed["status"], "PAYMENT_STATUS_EXPIRED");
    world.await_status(&desk, id.as_str().expect("an id"), "PAID").await;
}
