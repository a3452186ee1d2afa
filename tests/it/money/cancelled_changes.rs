//! Cancellation of a reservation whose change waits for its payment, while the guest pays for it.

use serde_json::json;
use staymesh_devenv::Signal;

use super::{
    changes::{await_decided, open_difference, quote, sale, taken},
    check::check,
    partners::{balances, euros, owned},
};
use crate::support::{
    Books, GOOD_CARD, PrivateMesh, Provider, World, assert_no_dead_letters, await_payment, database, in_days, operate,
};

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_during_pending_change_refunds_its_payment_in_full_and_the_booking_by_policy() {
    let mesh = PrivateMesh::start(vec![]).await;
    let world = World::on(&mesh).await;
    let (provider, books) = (Provider::of(&mesh).await, Books::of(&mesh).await);
    let sale = sale(&world, &provider).await;
    let (guest, id) = (&sale.guest, sale.reservation_id.as_str());
    let (_, request) = quote(guest, id, json!({ "check_out": in_days(5) })).await;
    guest.post(&format!("/v1/reservations/{id}:applyChange"), request).await.ok();
    let difference = open_difference(guest, id, 2).await;

    // While the payment service is frozen, the guest pays, and no event is processed.
    operate(&mesh, |local| local.service("payment")?.signal(Signal::STOP));
    assert_eq!(provider.use_card(&difference, GOOD_CARD).await, 200);
    sale.cancel().await;
    await_decided(guest, id).await;
    assert_eq!(taken(&world, sale.hotel, 1, 5).await, [0; 4]);
    operate(&mesh, |local| local.service("payment")?.signal(Signal::CONT));

    let refused = await_payment(guest, &difference, "REFUNDED").await;
    assert_eq!(refused["refunded_amount"], euros("110.00"));
    let booked = await_payment(guest, &sale.payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(booked["refunded_amount"], euros("231.00"));
    sale.await_status(&world, "REFUNDED").await;
    sale.await_all_delivered(&world).await;
    let kept =
        [("COMMISSION_REVENUE", -1_350), ("HOTEL_PAYABLE", -7_650), ("PSP_CLEARING", 9_900), ("TAX_PAYABLE", -900)];
    assert_eq!(balances(&database(&mesh, "payment").await, id).await, owned(&kept));
    assert_eq!(books.history(id).await, ["pending_payment", "paid", "cancelled", "refunded"]);
    books.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
    let (clean, found) = tokio::task::block_in_place(|| check(&world));
    assert!(clean, "{found:#}");
}
