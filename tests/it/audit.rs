//! Audit records across services, through the gateways.

use serde_json::{Value, json};

use crate::support::{Stay, World, policy};

async fn records(world: &World<'_>, service: &str, query: &str) -> Vec<Value> {
    let page = world.admin.get(&format!("/v1/auditRecords/{service}?{query}")).await.ok();
    page["audit_records"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_staff_and_admins_are_listed_with_actor_request_and_gateway() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let rate = json!({
        "base_price": { "currency_code": "EUR", "amount": "110.00" },
        "cancellation_policy": policy(0, 0),
    });
    let answer = staff.put(&hotel.path("rate"), rate).await;
    let request_id = answer.header("x-request-id").to_owned();
    answer.ok();
    let object = format!("{}/{}", hotel.hotel_id, hotel.room_type_id);

    let rates = records(&world, "rate", &format!("object_type=rate&object_id={object}")).await;
    assert_eq!(rates.len(), 2, "{rates:?}");
    let record = &rates[0];
    assert_eq!((&record["actor_role"], &record["gateway"]), (&json!("staff"), &json!("internal")));
    assert_eq!(
        (&record["method"], &record["request_id"]),
        (&json!("staymesh.rate.v1.RateAdminService/SetRoomRate"), &json!(request_id),)
    );
    assert_eq!(
        (&record["before"]["base_price_minor"], &record["after"]["base_price_minor"]),
        (&json!(10_000), &json!(11_000))
    );
    assert_eq!(records(&world, "hotel", &format!("object_type=hotel&object_id={}", hotel.hotel_id)).await.len(), 1);
    assert_eq!(records(&world, "reservation", &format!("object_type=inventory&object_id={object}")).await.len(), 1);
    staff.get("/v1/auditRecords/rate").await.refused(403, "ACCESS_DENIED");

    // A guest's own booking is not recorded; its cancellation by staff is, without the guest's name.
    let guest = world.guest().await;
    let booked = world.book(&guest, hotel, &Stay::ahead(30, 2)).await;
    let reservation_id = booked["reservation_id"].as_str().expect("an id");
    let of_reservation = format!("object_type=reservation&object_id={reservation_id}");
    assert_eq!(records(&world, "reservation", &of_reservation).await, Vec::<Value>::new());
    for _ in 0..2 {
        staff.delete(&format!("/v1/reservations/{reservation_id}")).await.ok();
    }
    let cancelled = records(&world, "reservation", &of_reservation).await;
    assert_eq!(cancelled.len(), 1, "{cancelled:?}");
    assert_eq!(cancelled[0]["after"]["status"], "cancelled");
    assert!(!format!("{cancelled:?}").contains("A guest"), "{cancelled:?}");
}
