//! The outcome of a scenario: the state at the provider, in both databases and in the ledger.

use super::shop::{PRICE, Sale, Shop};
use crate::support::{assert_no_dead_letters, eventually};

/// The final state of a scenario.
pub(super) struct Outcome {
    /// The status of the payment.
    pub(super) payment: &'static str,
    /// The provider events that were applied, sorted by name.
    pub(super) events: &'static [&'static str],
    /// The statuses of the reservation, in order.
    pub(super) history: &'static [&'static str],
}

impl Outcome {
    pub(super) fn charged(&self) -> bool {
        matches!(self.payment, "PAID" | "REFUNDED")
    }

    pub(super) fn refunded(&self) -> bool {
        self.payment == "REFUNDED"
    }
}

/// Waits until all events are delivered, and asserts that all components agree on this outcome, the simulator included.
pub(super) async fn assert_is(shop: &Shop<'_>, sale: &Sale, end: &Outcome, what: &str) {
    assert_books_are(shop, sale, end, what).await;
    assert_provider_agrees(shop, sale, end, what);
}

/// As above without the provider, for any provider.
pub(super) async fn assert_books_are(shop: &Shop<'_>, sale: &Sale, end: &Outcome, what: &str) {
    let booking = *end.history.last().expect("a state");
    shop.await_state(sale, end.payment, booking).await;
    await_all_delivered(shop, sale, end).await;
    assert_eq!(shop.state(sale).await, (end.payment.to_owned(), booking.to_owned()), "{what}");
    assert_eq!(shop.books.history(&sale.reservation_id).await, end.history, "{what}");
    assert_payment_agrees(shop, sale, end, what).await;
    assert_ledger_agrees(shop, sale, end, what).await;
    shop.books.assert_balanced().await;
}

/// Waits until the outboxes hold neither undelivered events nor dead letters.
pub(super) async fn await_outboxes(shop: &Shop<'_>) {
    for service in ["payment", "reservation"] {
        let pool = shop.database(service);
        eventually(&format!("the outbox of {service} is empty"), async || {
            let left: i64 =
                sqlx::query_scalar("select count(*) from outbox where delivered_at is null and parked_at is null")
                    .fetch_one(pool)
                    .await
                    .expect("the outbox");
            (left == 0).then_some(())
        })
        .await;
    }
    assert_no_dead_letters(shop.mesh()).await;
}

/// Waits until all events are delivered, those of the provider included.
async fn await_all_delivered(shop: &Shop<'_>, sale: &Sale, end: &Outcome) {
    await_outboxes(shop).await;
    eventually(&format!("{:?} are taken", end.events), async || {
        let taken: Vec<String> =
            sqlx::query_scalar("select kind from psp_event where payment_id = $1::uuid order by kind")
                .bind(sale.payment_id())
                .fetch_all(shop.payments())
                .await
                .expect("the events");
        (taken == end.events).then_some(())
    })
    .await;
}

/// Asserts that one checkout was opened for the booking, that it charged at most once and refunded at most once.
fn assert_provider_agrees(shop: &Shop<'_>, sale: &Sale, end: &Outcome, what: &str) {
    let checkouts = shop.checkouts(&sale.reservation_id);
    let [checkout] = &checkouts[..] else { panic!("{what}: {} checkouts", checkouts.len()) };
    assert_eq!(checkout["order"]["reference"], sale.payment_id(), "{what}");
    assert_eq!(checkout["order"]["amount_minor"], PRICE, "{what}");
    assert_eq!(checkout["status"] == "paid", end.charged(), "{what}: {}", checkout["status"]);
    assert_ne!(checkout["status"], "open", "{what}");
    let refunds = checkout["refunds"].as_array().expect("refunds").iter();
    let refunds: Vec<_> = refunds.map(|refund| refund["order"]["amount_minor"].as_i64()).collect();
    assert_eq!(refunds, vec![Some(PRICE); usize::from(end.refunded())], "{what}");
}

/// Asserts that there is one payment, refunded at most once.
async fn assert_payment_agrees(shop: &Shop<'_>, sale: &Sale, end: &Outcome, what: &str) {
    let count: i64 = sqlx::query_scalar("select count(*) from payment_order where reservation_id = $1::uuid")
        .bind(&sale.reservation_id)
        .fetch_one(shop.payments())
        .await
        .expect("the payments");
    assert_eq!(count, 1, "{what}: payments");
    let refunds: Vec<(String, i64)> =
        sqlx::query_as("select status, amount_minor from refund where payment_id = $1::uuid")
            .bind(sale.payment_id())
            .fetch_all(shop.payments())
            .await
            .expect("the refunds");
    assert_eq!(refunds, vec![("SUCCEEDED".to_owned(), PRICE); usize::from(end.refunded())], "{what}");
    let back = if end.refunded() { PRICE } else { 0 };
    let row = shop.provider.row(&sale.payment).await;
    assert_eq!((row.refund_requested_minor, row.refunded_minor), (back, back), "{what}");
}

/// Asserts that each event is posted once, that the ledger sums to zero, and that the provider account equals the money
/// at the provider.
async fn assert_ledger_agrees(shop: &Shop<'_>, sale: &Sale, end: &Outcome, what: &str) {
    let posted: Vec<String> =
        sqlx::query_scalar("select kind from ledger_transaction where reservation_id = $1::uuid order by kind")
            .bind(&sale.reservation_id)
            .fetch_all(shop.payments())
            .await
            .expect("the ledger");
    let expected: &[&str] = match (end.charged(), end.refunded()) {
        (_, true) => &["CHARGE", "REFUND_OWED", "REFUND_PAID", "SALE"],
        (true, false) => &["CHARGE", "SALE"],
        (false, false) => &[],
    };
    assert_eq!(posted, expected, "{what}");
    let open = balances(shop, &sale.reservation_id).await;
    let balances: &[(&str, i64)] = if end.charged() && !end.refunded() {
        &[("COMMISSION_REVENUE", -PRICE * 15 / 100), ("HOTEL_PAYABLE", -PRICE * 85 / 100), ("PSP_CLEARING", PRICE)]
    } else {
        &[]
    };
    let open: Vec<_> = open.iter().map(|(kind, sum)| (kind.as_str(), *sum)).collect();
    assert_eq!(open, balances, "{what}");
    assert_sums_to_zero(shop, what).await;
}

/// The balance of each kind of account for a booking; zero balances are left out.
pub(super) async fn balances(shop: &Shop<'_>, reservation_id: &str) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select ledger_account.kind, sum(amount_minor)::bigint
         from ledger_transaction join ledger_entry using (transaction_id) join ledger_account using (account_id)
         where reservation_id = $1::uuid group by ledger_account.kind having sum(amount_minor) <> 0 order by 1",
    )
    .bind(reservation_id)
    .fetch_all(shop.payments())
    .await
    .expect("the ledger")
}

/// The invariants of the whole ledger.
pub(super) async fn assert_sums_to_zero(shop: &Shop<'_>, what: &str) {
    let unbalanced: Vec<(String, i64)> = sqlx::query_as(
        "select currency, sum(amount_minor)::bigint from ledger_entry group by currency having sum(amount_minor) <> 0",
    )
    .fetch_all(shop.payments())
    .await
    .expect("the ledger");
    assert!(unbalanced.is_empty(), "{what}: {unbalanced:?}");
}
