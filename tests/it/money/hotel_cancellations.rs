//! Hotels that have no room for their guests: all is refunded or credited, whatever the terms keep (PARTNER-SPEC 6, edge cases).

use serde_json::{Value, json};

use super::{
    Sale,
    partners::{await_line, balances, euros, name_of, owned, sell},
};
use crate::support::{Provider, Stay, World, await_payment, database};

const BY_HOTEL: &str = "CANCELLATION_REASON_CANCELLED_BY_HOTEL";

fn cancel(id: &str) -> String {
    format!("/v1/reservations/{id}:cancel")
}

fn overbooked(more: &Value) -> Value {
    let mut wish = json!({ "by_hotel": { "reason": "overbooked" } });
    wish.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    wish
}

/// The guest who cancels now gets nothing back.
#[tokio::test(flavor = "multi_thread")]
async fn hotel_that_cancels_refunds_all_and_owes_no_commission() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let hotel = world.hotel_with_penalty(100).await;
    let sale = Sale::open_at(&world, hotel, Stay::ahead(1, 3)).await.pay(&world, &provider).await;
    let (id, staff) = (sale.reservation_id.as_str(), world.staff(&[hotel.hotel_id]).await);
    sale.guest.post(&cancel(id), overbooked(&json!({}))).await.refused(403, "ACCESS_DENIED");
    let waive = json!({ "waive": { "keep": euros("0.00"), "reason": "overbooked" } });
    staff.post(&cancel(id), overbooked(&waive)).await.violating(&["waive"]);
    let here = json!({ "by_hotel": { "reason": "overbooked", "relocated_to": id } });
    staff.post(&cancel(id), here).await.violating(&["by_hotel.relocated_to"]);
    let by_terms = overbooked(&json!({ "expected_refund": euros("0.00") }));
    let refused = staff.post(&cancel(id), by_terms).await.refused(400, "CANCEL_TERMS_CHANGED");
    assert_eq!(refused.detail("ErrorInfo")["metadata"]["refund_amount"], "330.00");

    let wish = overbooked(&json!({ "expected_refund": euros("330.00") }));
    for _ in 0..2 {
        assert_eq!(staff.post(&cancel(id), wish.clone()).await.ok()["cancellation_reason"], BY_HOTEL);
    }
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    assert_eq!(sale.await_status(&world, "REFUNDED").await["cancellation_reason"], BY_HOTEL);
    let payment = await_payment(&sale.guest, &sale.payment, "REFUNDED").await;
    assert_eq!(payment["refunded_amount"], euros("330.00"));
    sale.await_all_delivered(&world).await;
    assert_eq!(balances(&provider.pool, id).await, owned(&[]));
    let closed = json!({ "by_hotel": { "reason": "closed" } });
    staff.post(&cancel(id), closed).await.refused(400, "ILLEGAL_TRANSITION");
}

#[tokio::test(flavor = "multi_thread")]
async fn hotel_that_cancels_credits_the_partner_in_full() {
    let world = World::shared().await;
    let ledger = database(world.mesh, "payment").await;
    let (partner, hotel) = (world.partner().await, world.hotel_with_penalty(100).await);
    let id = sell(&world, &partner, hotel, &Stay::ahead(1, 2)).await;
    let (name, staff) = (name_of(&world, &id).await, world.staff(&[hotel.hotel_id]).await);
    partner.post(&cancel(&id), overbooked(&json!({}))).await.refused(403, "ACCESS_DENIED");
    assert_eq!(staff.post(&cancel(&id), overbooked(&json!({}))).await.ok()["cancellation_reason"], BY_HOTEL);
    let line = await_line(&world, &name, &id, |line| !line["cancel_time"].is_null()).await;
    assert_eq!((&line["credited_amount"], &line["owed_amount"]), (&euros("220.00"), &euros("0.00")));
    assert_eq!(balances(&ledger, &id).await, owned(&[]));
}
