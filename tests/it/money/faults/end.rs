//! The end of a story, as the provider, both databases and the ledger have it.

use super::shop::{PRICE, Sale, Shop};
use crate::support::{assert_nothing_parked, eventually};

/// How a story ends.
pub(super) struct End {
    /// The status of the payment.
    pub(super) payment: &'static str,
    /// The events of the provider about it that were taken, in the order of their names.
    pub(super) events: &'static [&'static str],
    /// The states that the booking has been in.
    pub(super) history: &'static [&'static str],
}

impl End {
    pub(super) fn charged(&self) -> bool {
        matches!(self.payment, "PAID" | "REFUNDED")
    }

    pub(super) fn refunded(&self) -> bool {
        self.payment == "REFUNDED"
    }
}

/// Waits until everything is told, and asserts that all agree on this end, the simulator included.
pub(super) async fn assert_is(shop: &Shop<'_>, sale: &Sale, end: &End, what: &str) {
    assert_books_are(shop, sale, end, what).await;
    assert_provider_agrees(shop, sale, end, what);
}

/// The same without the provider, whichever it is.
pub(super) async fn assert_books_are(shop: &Shop<'_>, sale: &Sale, end: &End, what: &str) {
    let booking = *end.history.last().expect("a state");
    shop.await_state(sale, end.payment, booking).await;
    await_all_told(shop, sale, end).await;
    assert_eq!(shop.state(sale).await, (end.payment.to_owned(), booking.to_owned()), "{what}");
    assert_eq!(shop.books.history(&sale.reservation_id).await, end.history, "{what}");
    assert_payment_agrees(shop, sale, end, what).await;
    assert_ledger_agrees(shop, sale, end, what).await;
    shop.books.assert_balanced().await;
}

/// Nothing is left in the outboxes, on its way or given up.
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
    assert_nothing_parked(shop.mesh()).await;
}

/// Nothing is left to tell, and the provider has told all it had to.
async fn await_all_told(shop: &Shop<'_>, sale: &Sale, end: &End) {
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

/// One checkout was ever opened for the booking. It took the money once or not at all, and gave it back once or not at
/// all.
fn assert_provider_agrees(shop: &Shop<'_>, sale: &Sale, end: &End, what: &str) {
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

/// There is one payment, and what went back from it went once.
async fn assert_payment_agrees(shop: &Shop<'_>, sale: &Sale, end: &End, what: &str) {
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

/// What happened is posted once, the ledger sums to zero, and the provider owes what it has.
async fn assert_ledger_agrees(shop: &Shop<'_>, sale: &Sale, end: &End, what: &str) {
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

/// What each kind of account has of a booking, without those that have nothing.
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

/// The ledger as a whole.
pub(super) async fn assert_sums_to_zero(shop: &Shop<'_>, what: &str) {
    let unbalanced: Vec<(String, i64)> = sqlx::query_as(
        "select currency, sum(amount_minor)::bigint from ledger_entry group by currency having sum(amount_minor) <> 0",
    )
    .fetch_all(shop.payments())
    .await
    .expect("the ledger");
    assert!(unbalanced.is_empty(), "{what}: {unbalanced:?}");
}
