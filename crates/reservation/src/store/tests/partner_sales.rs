//! Events of partner sales: published once, with the reservation.

use rstest::rstest;
use serde_json::{Value, json};
use sqlx::types::Json;
use staymesh_domain::format_date;
use uuid::Uuid;

use super::*;
use crate::quote::{TaxLine, tests::euros};

/// A booking of 300.00 with 20.00 of taxes in it.
fn by_partner(world: &World, rooms: i32) -> NewReservation {
    let tax = |minor| TaxLine { name: "tax".into(), amount: euros(minor) };
    let price = Quote { subtotal: euros(TOTAL - 2_000), taxes: vec![tax(1_500), tax(500)], ..quote() };
    NewReservation {
        owner: "client:acme".into(),
        payment_mode: PaymentMode::PartnerCollects,
        hold_expire_time: None,
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..world.order(0, 2, rooms).priced(price)
    }
}

async fn events(world: &World) -> Vec<(Uuid, String, Value, Option<String>)> {
    let rows: Vec<(Uuid, String, Json<Value>, Option<String>)> =
        sqlx::query_as("select aggregate_id, kind, payload, trace_parent from outbox order by event_id")
            .fetch_all(world.pool())
            .await
            .expect("the outbox");
    rows.into_iter().map(|(id, kind, payload, trace)| (id, kind, payload.0, trace)).collect()
}

fn terms(world: &World) -> Value {
    json!({
        "partner": "client:acme", "currency": "EUR", "amount": "300.00", "taxes": "20.00",
        "check_out": format_date(world.nights(0, 2).check_out()),
    })
}

#[tokio::test]
async fn partner_sale_is_published_once_by_both_write_paths() {
    let world = World::with_rooms(100).await;
    let (guest, alone) = (world.order(0, 2, 1), by_partner(&world, 1));
    let sold = |order: &NewReservation| {
        let payload = json!({ "reservation_id": order.id, "terms": terms(&world) });
        let trace = order.trace_parent.clone();
        (order.id.as_uuid(), "reservation.sold_by_partner".to_owned(), payload, trace)
    };

    // All in one statement, with guest-paid reservations among them.
    let mut first = [alone.clone(), guest.clone(), by_partner(&world, 1)];
    first.sort_by_key(|order| order.id);
    let made = book_all(&world.store, &first).await.expect("decided").expect("rooms for all");
    assert!(made.iter().all(Result::is_ok));
    let mut expected: Vec<_> =
        first.iter().filter(|order| order.payment_mode == PaymentMode::PartnerCollects).map(sold).collect();
    assert_eq!(events(&world).await, expected);

    // Decided individually, with repeats, some of them in the same batch, and one that is sold out.
    let late = by_partner(&world, 2);
    let too_many = by_partner(&world, 50);
    let nearly_all = world.order(0, 2, 50);
    let second = [nearly_all, late.clone(), alone.clone(), too_many.clone(), late.clone(), guest];
    assert!(
        book_all(&world.store, &second[2..4]).await.expect("decided").is_none(),
        "the one-statement attempt is refused"
    );
    let outcomes: Vec<_> = book_each(&world.store, &second).await.expect("decided").iter().map(Result::is_ok).collect();
    assert_eq!(outcomes, [true, true, true, true, true, true]);
    let refused = by_partner(&world, 50);
    assert!(matches!(world.book(&refused).await, Err(ReservationError::SoldOut { .. })));
    for _ in 0..3 {
        world.book(&alone).await.expect("a repeat");
    }
    let other = NewReservation { content_hash: [9; 32], ..alone };
    assert!(matches!(world.book(&other).await, Err(ReservationError::IdReused)));

    let mut more = [late, too_many];
    more.sort_by_key(|order| order.id);
    expected.extend(more.iter().map(sold));
    assert_eq!(events(&world).await, expected);
}

#[rstest]
#[case(Command::Cancel)]
#[case(Command::MarkNoShow)]
#[tokio::test]
async fn partner_cancellation_is_published_after_the_sale_with_its_terms(#[case] command: Command) {
    let world = World::with_rooms(10).await;
    let order = by_partner(&world, 1);
    let price = Quote { late_penalty_percent: 30, ..order.quote.clone() };
    let order = order.priced(price);
    world.book(&order).await.expect("booked");
    for _ in 0..2 {
        let now = calendar::begins(order.stay.check_in()).expect("in range");
        let ended = world.apply(order.id, command.clone(), now).await.expect("ends").reservation;
        assert_eq!(ended.status, Status::Cancelled);
    }
    let published: Vec<_> =
        events(&world).await.into_iter().map(|(id, kind, payload, _)| (id, kind, payload)).collect();
    let id = order.id.as_uuid();
    let ended = json!({
        "reservation_id": order.id, "refund_currency": "EUR", "refund_amount": "210.00", "partner_sale": terms(&world),
    });
    assert_eq!(
        published,
        [
            (id, "reservation.sold_by_partner".into(), json!({ "reservation_id": order.id, "terms": terms(&world) })),
            (id, "reservation.cancelled".into(), ended),
        ]
    );
}

#[tokio::test]
async fn guest_paid_reservation_publishes_no_partner_sale() {
    let world = World::with_rooms(10).await;
    let order = world.order(0, 2, 1);
    world.book(&order).await.expect("booked");
    let (payment_id, now) = (PaymentId::new(), Timestamp::now());
    world.apply(order.id, Command::ConfirmPayment { payment_id, amount: total() }, now).await.expect("paid");
    assert_eq!(events(&world).await, []);
    world.apply(order.id, Command::Cancel, now).await.expect("cancelled");
    let published = events(&world).await;
    let payload = json!({ "reservation_id": order.id, "refund_currency": "EUR", "refund_amount": "300.00" });
    assert_eq!(published, [(order.id.as_uuid(), "reservation.cancelled".into(), payload, None)]);
}
