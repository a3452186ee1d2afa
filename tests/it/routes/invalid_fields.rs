//! Requests with several wrong fields: the answer names each of them. The hotel and payment services have such tests of
//! their own, beside their handlers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Rest, World, policy};

/// Sends a request, and asserts that exactly these fields are refused, in this order.
async fn assert_named(caller: &Rest, method: Method, path: &str, body: Value, fields: &[&str]) {
    let body = (!body.is_null()).then_some(body);
    caller.call(method, path, body).await.violating(fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_a_booking_is_named() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let (get, post) = (Method::GET, Method::POST);
    let dates = "check_in=x&check_out=2030-02-30";
    let search = format!("/v1/hotels/0/availability?{dates}&occupancies=2-18&room_type_ids=1&room_type_ids=0");
    let fields = ["hotel_id", "check_in", "check_out", "occupancies[0]", "room_type_ids[1]"];
    assert_named(&world.public, get.clone(), &search, Value::Null, &fields).await;
    let offers = format!("/v1/hotels/0/offers?{dates}&occupancies=x&occupancies=0");
    let fields = ["hotel_id", "check_in", "check_out", "occupancies[0]", "occupancies[1]"];
    assert_named(&world.public, get.clone(), &offers, Value::Null, &fields).await;
    let order = json!({
        "hotel_id": 0, "check_in": "2001-01-01", "check_out": "2001-01-02",
        "rooms": [{ "room_type_id": 0, "adults": 0, "child_ages": [18] }],
    });
    let fields = ["hotel_id", "check_in", "rooms[0].room_type_id", "rooms[0].adults", "rooms[0].child_ages[0]"];
    assert_named(&guest, post.clone(), "/v1/reservations:prepare", order, &fields).await;
    let booking = json!({
        "reservation_id": "x", "payment_mode": 9,
        "primary_guest": { "full_name": "\u{200b}", "email": "a@b.example,c@d.example" },
    });
    let fields = ["offer_token", "reservation_id", "payment_mode", "primary_guest.full_name", "primary_guest.email"];
    assert_named(&guest, post, "/v1/reservations", booking, &fields).await;
    let list = "/v1/reservations?page_size=-1&page_token=x";
    assert_named(&guest, get, list, Value::Null, &["page_size", "page_token"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_an_inventory_is_named() {
    let world = World::shared().await;
    let path = "/v1/hotels/0/roomTypes/0/inventory";
    let change = json!({
        "from_date": "x", "until_date": "y", "weekdays": [8], "total_inventory": -1, "overbooking_percent": 101,
    });
    let of_change = ["room_type_id", "from_date", "until_date", "weekdays", "total_inventory", "overbooking_percent"];
    let fields: Vec<_> = ["hotel_id"].into_iter().chain(of_change).collect();
    assert_named(&world.admin, Method::PUT, path, change.clone(), &fields).await;
    let of_changes: Vec<_> = (0..2).flat_map(|at| of_change.map(|field| format!("changes[{at}].{field}"))).collect();
    let fields: Vec<_> = ["hotel_id"].into_iter().chain(of_changes.iter().map(String::as_str)).collect();
    let bulk = json!({ "changes": [change, change] });
    assert_named(&world.admin, Method::POST, "/v1/hotels/0/inventory:bulkSet", bulk, &fields).await;
    let closing = json!({
        "room_type_ids": [0], "from_date": "x", "until_date": "y", "weekdays": [8], "etags": [{ "room_type_id": 0 }],
    });
    let fields =
        ["hotel_id", "room_type_ids[0]", "from_date", "until_date", "weekdays", "stop_sell", "etags[0].room_type_id"];
    assert_named(&world.admin, Method::PUT, "/v1/hotels/0/stopSell", closing, &fields).await;
    let block = json!({ "room_id": 0, "from_date": "x", "until_date": "y", "kind": 9, "reason": "" });
    let of_block =
        ["room_id", "from_date", "until_date", "kind", "reason"].map(|field| format!("out_of_order.{field}"));
    let fields: Vec<_> = ["hotel_id", "request_id"].into_iter().chain(of_block.iter().map(String::as_str)).collect();
    assert_named(&world.admin, Method::POST, "/v1/hotels/0/outOfOrder?request_id=x", block, &fields).await;
    let end = json!({ "end_date": "x" });
    let fields = ["hotel_id", "out_of_order_id", "end_date"];
    assert_named(&world.admin, Method::POST, "/v1/hotels/0/outOfOrder/x:end", end, &fields).await;
    let group = json!({ "code": "x", "status": 9, "cutoff_date": "x", "cutoff_time_of_day": "x", "rooms": [{}] });
    let of_group = [
        "code",
        "display_name",
        "status",
        "cutoff_date",
        "cutoff_time_of_day",
        "rooms[0].room_type_id",
        "rooms[0].from_date",
        "rooms[0].until_date",
        "rooms[0].room_count",
    ];
    let of_group = of_group.map(|field| format!("group_block.{field}"));
    let fields: Vec<_> = ["hotel_id", "request_id"].into_iter().chain(of_group.iter().map(String::as_str)).collect();
    assert_named(&world.admin, Method::POST, "/v1/hotels/0/groupBlocks?request_id=x", group, &fields).await;
    let fields = ["hotel_id", "group_block_id", "rooms"];
    assert_named(&world.admin, Method::POST, "/v1/hotels/0/groupBlocks/x:resize", json!({}), &fields).await;
    let fields = ["hotel_id", "page_size", "page_token"];
    let list = "/v1/hotels/0/groupBlocks?page_size=-1&page_token=z";
    assert_named(&world.admin, Method::GET, list, Value::Null, &fields).await;
    let pages = "from_date=x&until_date=y&page_size=-1&page_token=z";
    let fields = ["hotel_id", "from_date", "until_date", "page_size", "page_token"];
    for list in ["outOfOrder", "relocationsDue"] {
        let list = format!("/v1/hotels/0/{list}?{pages}");
        assert_named(&world.admin, Method::GET, &list, Value::Null, &fields).await;
    }
    let list = format!("{path}?from_date=x&until_date=y&page_size=-1&page_token=z");
    let fields = ["hotel_id", "room_type_id", "from_date", "until_date", "page_size", "page_token"];
    assert_named(&world.admin, Method::GET, &list, Value::Null, &fields).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_prices_is_named() {
    let world = World::shared().await;
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let rate = json!({
        "base_price": { "currency_code": "EUR", "amount": "0" },
        "cancellation_policy": policy(-1, 101),
    });
    let field = "rate.cancellation_policy";
    let (free, late) =
        (format!("{field}.tiers[0].hours_before.hours"), format!("{field}.tiers[1].penalty.basis_points"));
    let fields = ["hotel_id", "room_type_id", "rate.base_price.amount", &free, &late];
    assert_named(&world.admin, put.clone(), "/v1/hotels/0/roomTypes/0/rate", rate, &fields).await;
    let path = "/v1/hotels/0/roomTypes/0/nightlyPrices";
    let list = format!("{path}?from_date=x&until_date=y&page_size=-1&page_token=z");
    let fields = ["hotel_id", "room_type_id", "from_date", "until_date", "page_size", "page_token"];
    assert_named(&world.admin, get, &list, Value::Null, &fields).await;
    let nights = json!({
        "from_date": "x", "until_date": "y", "weekdays": [8], "price": { "currency_code": "EUR", "amount": "-1" },
    });
    let fields = ["hotel_id", "room_type_id", "from_date", "until_date", "weekdays[0]", "price.amount"];
    assert_named(&world.admin, post, &format!("{path}:set"), nights, &fields).await;
    let taxes = json!({ "taxes": [
        { "display_name": "VAT", "basis_points": 1000 }, { "display_name": "vat", "basis_points": 0 },
        { "display_name": "\u{200d}" },
    ] });
    let fields = ["hotel_id", "taxes[1].display_name", "taxes[1].basis_points", "taxes[2].display_name", "taxes[2]"];
    assert_named(&world.admin, put, "/v1/hotels/0/taxes", taxes, &fields).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_accounts_and_clients_is_named() {
    let world = World::shared().await;
    let (get, post) = (Method::GET, Method::POST);
    let person =
        json!({ "email": "a@.", "password": "x", "display_name": "a\u{202e}b", "language": "xx", "request_id": "x" });
    let fields = ["email", "password", "display_name", "language", "request_id"];
    assert_named(&world.public, post.clone(), "/v1/users", person, &fields).await;
    let login = json!({ "email": "<a@b.example>", "password": "" });
    assert_named(&world.public, post.clone(), "/v1/auth/login", login, &["email", "password"]).await;
    let reset = json!({ "token": "", "new_password": "x" });
    assert_named(&world.public, post.clone(), "/v1/users:resetPassword", reset, &["token", "new_password"]).await;
    let role = json!({ "role": "ROLE_STAFF", "hotel_ids": [0, -1] });
    let fields = ["user_id", "hotel_ids[0]", "hotel_ids[1]"];
    assert_named(&world.admin, post.clone(), "/v1/users/x:setRole", role, &fields).await;
    let client = json!({ "client_id": "A", "display_name": "\u{200b}", "role": "ROLE_GUEST", "request_id": "x" });
    let fields = ["client_id", "display_name", "role", "request_id"];
    assert_named(&world.admin, post, "/v1/clients", client, &fields).await;
    let list = "/v1/clients?page_size=-1&page_token=x";
    assert_named(&world.admin, get, list, Value::Null, &["page_size", "page_token"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_an_audit_list_is_named() {
    let world = World::shared().await;
    let long = "x".repeat(300);
    for service in ["hotel", "identity", "payment", "rate", "reservation"] {
        let list = format!("/v1/auditRecords/{service}?object_id={long}&actor=a%00b&page_size=-1&page_token=x");
        let fields = ["object_id", "actor", "page_size", "page_token"];
        assert_named(&world.admin, Method::GET, &list, Value::Null, &fields).await;
    }
}
