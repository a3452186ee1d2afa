//! Credit limits of partners who collect: exact through the edge, and given back by cancellations and payments.

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::partners::{euros, order, sell};
use crate::support::{Answer, HotelFixture, Rest, Stay, World, database, eventually};

const PAID: &str = "RESERVATION_STATUS_PAID";

/// The partner's own credit in euros.
pub(super) async fn credit(partner: &Rest) -> Value {
    let credit = partner.get("/v1/creditLimits").await.ok();
    let mut limits = credit["credit_limits"].as_array().expect("a list").clone().into_iter();
    limits.find(|credit| credit["limit"]["currency_code"] == "EUR").expect("a limit in euros")
}

/// Limits what the partner may owe. Returns its client id.
pub(super) async fn limit(world: &World<'_>, partner: &Rest, amount: &str) -> String {
    let before = credit(partner).await;
    let wanted = json!({ "client_id": before["client_id"], "limit": euros(amount), "etag": before["etag"] });
    let set = world.admin.put("/v1/partnerCreditLimits", wanted).await.ok();
    assert_eq!((&set["limit"], &set["client_id"]), (&euros(amount), &before["client_id"]));
    before["client_id"].as_str().expect("an id").to_owned()
}

/// The rooms of the first night that are held or sold.
async fn taken(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> i64 {
    let query = format!("?from_date={}&until_date={}", stay.check_in, stay.check_out);
    let nights = world.admin.get(&(hotel.path("inventory") + &query)).await.ok();
    nights["nights"][0]["total_reserved"].as_i64().expect("a count")
}

/// Books, and repeats the request while the payment service is too busy to decide the sale.
async fn decided(partner: &Rest, order: &Value) -> Answer {
    eventually("the sale is decided", async || {
        let answer = partner.post("/v1/reservations", order.clone()).await;
        let waits = answer.status == 503 || answer.body["status"] == "RESERVATION_STATUS_PENDING_PAYMENT";
        (!waits).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn sale_beyond_credit_limit_is_refused_until_partner_has_paid_or_cancelled() {
    let world = World::shared().await;
    let (partner, hotel, stay) = (world.partner().await, world.hotel_with_penalty(30).await, Stay::ahead(30, 2));
    let name = limit(&world, &partner, "300.00").await;
    let sold = sell(&world, &partner, hotel, &stay).await;
    let used = credit(&partner).await;
    assert_eq!((&used["used_amount"], &used["left_amount"]), (&euros("220.00"), &euros("80.00")));

    let beyond = order(&world, &partner, hotel, &stay).await;
    for _ in 0..2 {
        let refused = partner.post("/v1/reservations", beyond.clone()).await.refused(400, "PARTNER_CREDIT_EXCEEDED");
        let metadata = &refused.detail("ErrorInfo")["metadata"];
        let numbers = ["currency_code", "limit", "used", "asked"].map(|name| metadata[name].as_str().expect("a text"));
        assert_eq!(numbers, ["EUR", "300.00", "220.00", "220.00"]);
    }
    let path = format!("/v1/reservations/{}", beyond["reservation_id"].as_str().expect("an id"));
    assert_eq!(partner.get(&path).await.ok()["status"], "RESERVATION_STATUS_REJECTED");
    assert_eq!(taken(&world, hotel, &stay).await, 1, "a refused sale holds no rooms");

    // The partner pays, and goes on with a new offer.
    let request_id = Uuid::new_v4();
    let transfer =
        json!({ "client_id": name, "amount": euros("220.00"), "reference": "transfer 1", "request_id": request_id });
    let first = world.admin.post("/v1/partnerPayments", transfer.clone()).await.ok();
    assert_eq!(world.admin.post("/v1/partnerPayments", transfer.clone()).await.ok(), first);
    assert_eq!(first["credit_limit"]["left_amount"], euros("300.00"));
    let mut other = transfer.clone();
    other["reference"] = json!("transfer 2");
    world.admin.post("/v1/partnerPayments", other.clone()).await.refused(400, "REQUEST_ID_REUSED");
    other["request_id"] = json!(Uuid::new_v4());
    world.admin.post("/v1/partnerPayments", other).await.refused(400, "PARTNER_PAYMENT_EXCEEDS_DEBT");
    let listed = world.admin.get(&format!("/v1/partnerPayments?client_id={name}")).await.ok();
    assert_eq!(listed["partner_payments"], json!([first["partner_payment"]]));
    let second = sell(&world, &partner, hotel, &stay).await;

    // Cancellations give back what the policy credits.
    for id in [sold, second] {
        partner.delete(&format!("/v1/reservations/{id}")).await.ok();
    }
    eventually("the credit is given back", async || {
        (credit(&partner).await["used_amount"] == euros("-220.00")).then_some(())
    })
    .await;
    assert_eq!(credit(&partner).await["left_amount"], euros("520.00"), "what was paid in advance");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_partner_sales_as_many_are_paid_as_the_limit_allows() {
    let world = World::shared().await;
    // Room for all: until its sale is decided, each holds one.
    let (partner, hotel, stay) = (world.partner().await, world.hotel(10).await, Stay::ahead(30, 2));
    limit(&world, &partner, "799.99").await;
    let orders = join_all((0..10).map(|_| order(&world, &partner, hotel, &stay))).await;
    let answers = join_all(orders.iter().map(|order| decided(&partner, order))).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    for answer in answers {
        if answer.status == 200 {
            assert_eq!(answer.ok()["status"], PAID);
        } else {
            answer.refused(400, "PARTNER_CREDIT_EXCEEDED");
        }
    }
    assert_eq!((paid, taken(&world, hotel, &stay).await), (3, 3));
    assert_eq!(credit(&partner).await["used_amount"], euros("600.00"));
    let reservations = database(world.mesh, "reservation").await;
    let undecided: i64 =
        sqlx::query_scalar("select count(*) from reservation where hotel_id = $1 and status = 'pending_payment'")
            .bind(i32::try_from(hotel.hotel_id).expect("an id"))
            .fetch_one(&reservations)
            .await
            .expect("the count");
    assert_eq!(undecided, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_limits_are_set_by_administrators_and_read_by_their_partner_only() {
    let world = World::shared().await;
    let (partner, other) = (world.partner().await, world.partner().await);
    let name = limit(&world, &partner, "1.00").await;
    assert_ne!(credit(&other).await["limit"], euros("1.00"), "a limit is of one client");
    world.guest().await.get("/v1/creditLimits").await.refused(403, "ACCESS_DENIED");
    let wanted = json!({ "client_id": name, "limit": euros("2.00"), "etag": "0" });
    world.admin.put("/v1/partnerCreditLimits", wanted.clone()).await.refused(409, "ETAG_MISMATCH");
    let answer = world.admin.get(&format!("/v1/partnerCreditLimits?client_id={name}")).await.ok();
    assert_eq!(answer["credit_limits"][0], credit(&partner).await);
    for (body, fields) in [
        (json!({}), &["client_id", "limit"][..]),
        (json!({ "client_id": name, "limit": { "currency_code": "EUR", "amount": "-1" } }), &["limit.amount"]),
        (json!({ "client_id": name, "limit": { "currency_code": "XXX", "amount": "1" } }), &["limit.currency_code"]),
    ] {
        world.admin.put("/v1/partnerCreditLimits", body).await.violating(fields);
    }
    let nothing = json!({ "client_id": name, "amount": euros("0.00") });
    let invalid = world.admin.post("/v1/partnerPayments", nothing).await;
    invalid.violating(&["amount.amount", "reference", "request_id"]);
    let records = world.admin.get(&format!("/v1/auditRecords/payment?object_id={name}/EUR")).await.ok();
    let records = records["audit_records"].as_array().expect("a list");
    assert_eq!(records.len(), 1, "refused changes are not recorded: {records:?}");
    assert_eq!(records[0]["object_type"], "partner_credit_limit");
}
