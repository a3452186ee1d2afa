//! The end of a change: the same at the guest, at the provider, in both databases and in the ledger.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use super::scenario::Booked;
use crate::{
    money::faults::{
        outcome::{assert_sums_to_zero, await_outboxes, balances},
        shop::Shop,
    },
    support::eventually,
};

/// Time between two looks at a booking that is being changed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The final state of a change.
pub(super) struct End {
    /// Whether the guest has the new booking.
    pub(super) changed: bool,
    /// The checkouts at the provider, oldest first.
    pub(super) checkouts: Vec<Checkout>,
    /// What the partner who collects owes, in minor units.
    pub(super) owed: i64,
}

/// A checkout at the provider; amounts in minor units.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checkout {
    pub(super) amount: i64,
    pub(super) paid: bool,
    pub(super) refunded: i64,
}

impl Checkout {
    /// The status of its payment.
    const fn payment(&self) -> &'static str {
        match (self.paid, self.refunded) {
            (false, _) => "FAILED",
            (true, 0) => "PAID",
            // Also in part.
            (true, _) => "REFUNDED",
        }
    }
}

impl End {
    /// What the provider charged.
    pub(super) fn charged(&self) -> i64 {
        self.checkouts.iter().filter(|checkout| checkout.paid).map(|checkout| checkout.amount).sum()
    }

    /// What the provider refunded.
    pub(super) fn refunded(&self) -> i64 {
        self.checkouts.iter().map(|checkout| checkout.refunded).sum()
    }

    /// The balance of each account for the booking, of which the commission is 15 %.
    fn balances(&self) -> Vec<(String, i64)> {
        let kept = self.charged() - self.refunded();
        let of = |kind: &str, sum: i64| (kind.to_owned(), sum);
        let sold = kept + self.owed;
        let money = if self.owed > 0 { of("PARTNER_RECEIVABLE", self.owed) } else { of("PSP_CLEARING", kept) };
        let mut all = vec![of("COMMISSION_REVENUE", -sold * 15 / 100), of("HOTEL_PAYABLE", -sold * 85 / 100), money];
        all.sort();
        all
    }
}

/// Asserts for ever that each look finds exactly the old or the new booking, and the old one never after the new one.
pub(super) async fn watch(shop: &Shop<'_>, booked: &Booked, what: &str) {
    let mut changed = false;
    loop {
        let new = assert_one_booking(shop, booked, what).await;
        assert!(new || !changed, "{what}: the change is undone");
        changed = new;
        shop.books.assert_balanced().await;
        sleep(LOOK_EVERY).await;
    }
}

/// Asserts that the booking is paid and has one room for exactly the old or the new nights; returns whether for the new.
async fn assert_one_booking(shop: &Shop<'_>, booked: &Booked, what: &str) -> bool {
    let (status, check_out, rooms): (String, String, Vec<String>) = sqlx::query_as(
        "select status, check_out::text, array(
             select check_out::text from reservation_room room
             where (room.hotel_id, room.reservation_id) = (booking.hotel_id, booking.reservation_id)
                 and holds_room(room.status))
         from reservation booking where reservation_id = $1::uuid",
    )
    .bind(&booked.sale.reservation_id)
    .fetch_one(&shop.books.pool)
    .await
    .expect("the booking");
    assert_eq!(status, "paid", "{what}");
    assert_eq!(rooms, std::slice::from_ref(&check_out), "{what}");
    let new = check_out == booked.changed.to_string();
    assert!(new || check_out == booked.check_out.to_string(), "{what}: {check_out}");
    new
}

/// Waits until no change of the booking is pending.
pub(super) async fn await_decided(shop: &Shop<'_>, booked: &Booked) {
    let id = &booked.sale.reservation_id;
    eventually(&format!("the change of {id} is decided"), async || {
        let decided: bool = sqlx::query_scalar(
            "select pending_revision is null and exists (
                 select from reservation_change change where change.reservation_id = reservation.reservation_id)
             from reservation where reservation_id = $1::uuid",
        )
        .bind(id)
        .fetch_one(&shop.books.pool)
        .await
        .expect("the booking");
        decided.then_some(())
    })
    .await;
}

/// Waits until everything is delivered, and asserts that all agree on this end.
pub(super) async fn assert_is(shop: &Shop<'_>, booked: &Booked, end: &End, what: &str) {
    await_decided(shop, booked).await;
    await_payments(shop, booked, end, what).await;
    await_outboxes(shop).await;
    await_payments(shop, booked, end, what).await;
    assert_eq!(assert_one_booking(shop, booked, what).await, end.changed, "{what}");
    assert_guest_reads(booked, end, what).await;
    assert_provider_agrees(shop, booked, end, what);
    assert_eq!(balances(shop, &booked.sale.reservation_id).await, end.balances(), "{what}");
    assert_sums_to_zero(shop, what).await;
}

/// Waits until the payments are those of the checkouts, with what was refunded of each, and the sale is what is owed.
async fn await_payments(shop: &Shop<'_>, booked: &Booked, end: &End, what: &str) {
    let expected: Vec<(i32, i64, String, i64)> = (1..)
        .zip(&end.checkouts)
        .map(|(revision, checkout)| (revision, checkout.amount, checkout.payment().to_owned(), checkout.refunded))
        .collect();
    let owed: Vec<i64> = Some(end.owed).filter(|owed| *owed > 0).into_iter().collect();
    eventually(&format!("{what}: {expected:?} and {owed:?} owed"), async || {
        let payments: Vec<(i32, i64, String, i64)> = sqlx::query_as(
            "select revision, amount_minor, status, refunded_minor from payment_order
             where reservation_id = $1::uuid order by revision",
        )
        .bind(&booked.sale.reservation_id)
        .fetch_all(shop.payments())
        .await
        .expect("the payments");
        let sales: Vec<i64> =
            sqlx::query_scalar("select amount_minor from partner_sale where reservation_id = $1::uuid")
                .bind(&booked.sale.reservation_id)
                .fetch_all(shop.payments())
                .await
                .expect("the sales");
        (payments == expected && sales == owed).then_some(())
    })
    .await;
}

/// Asserts that the guest reads one booking, with one more revision.
async fn assert_guest_reads(booked: &Booked, end: &End, what: &str) {
    let path = format!("/v1/reservations/{}", booked.sale.reservation_id);
    let read = booked.caller.call_until_answered(Method::GET, &path, None).await.ok();
    let check_out = if end.changed { booked.changed } else { booked.check_out };
    let expected = (&json!("RESERVATION_STATUS_PAID"), &json!(check_out));
    assert_eq!((&read["status"], &read["check_out"]), expected, "{what}");
    assert!(read["pending_change"].is_null(), "{what}: {read}");
    assert_eq!(read["rooms"].as_array().map(Vec::len), Some(1), "{what}");
    let revisions = booked.caller.call_until_answered(Method::GET, &format!("{path}/revisions"), None).await.ok();
    let reasons: Vec<_> = revisions["revisions"].as_array().expect("a list").iter().map(|r| &r["reason"]).collect();
    let second = if end.changed { "REVISION_REASON_CHANGED" } else { "REVISION_REASON_CHANGE_DROPPED" };
    assert_eq!(reasons, ["REVISION_REASON_CREATED", second], "{what}");
}

/// Asserts what the provider's journal says: one checkout for the booking and one for what was added, each charged at most
/// once and refunded at most once.
fn assert_provider_agrees(shop: &Shop<'_>, booked: &Booked, end: &End, what: &str) {
    let minor = |order: &serde_json::Value| order["order"]["amount_minor"].as_i64().expect("an amount");
    let mut made: Vec<Checkout> = shop
        .checkouts(&booked.sale.reservation_id)
        .iter()
        .map(|checkout| {
            let refunds = checkout["refunds"].as_array().expect("refunds");
            assert!(refunds.len() <= 1, "{what}: {refunds:?}");
            assert_ne!(checkout["status"], "open", "{what}");
            let refunded = refunds.iter().map(minor).sum();
            Checkout { amount: minor(checkout), paid: checkout["status"] == "paid", refunded }
        })
        .collect();
    made.sort_by_key(|checkout| std::cmp::Reverse(checkout.amount));
    assert_eq!(made, end.checkouts, "{what}");
}
