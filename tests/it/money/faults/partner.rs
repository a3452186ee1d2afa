//! Crashes during partner-collected sales: the debt and the credit are posted once each.

use std::time::Instant;

use staymesh_mesh::fault::Step;

use super::{
    assert_clean, outcome, restart, restart_after_death,
    shop::{PRICE, Shop, settings},
};
use crate::support::{PrivateMesh, eventually, operate};

/// The services with crash points in such a sale, and their steps.
const STEPS: [(&str, &[Step]); 2] = [
    ("payment", staymesh_payment::fault_points::PARTNER),
    ("reservation", staymesh_reservation::fault_points::PARTNER),
];

/// The postings of an active sale, and of one that was cancelled free of charge.
const SOLD: &[&str] = &["PARTNER_SALE"];
const SETTLED: &[&str] = &["PARTNER_CREDIT", "PARTNER_SALE"];

#[tokio::test(flavor = "multi_thread")]
async fn crash_during_partner_sale_posts_debt_and_credit_once() {
    let mesh = PrivateMesh::start(settings()).await;
    let shop = Shop::on(&mesh).await;
    for (service, steps) in STEPS {
        for step in steps {
            for point in step.points() {
                die_at(&shop, service, *step, &point).await;
            }
        }
        operate(&mesh, |local| restart(local, service, &[]));
    }
    assert_clean(&shop).await;
}

/// A partner sells a booking, and cancels it if only that reaches the step, while a service is killed at this crash point
/// and restarted.
async fn die_at(shop: &Shop<'_>, service: &str, step: Step, point: &str) {
    let started = Instant::now();
    let cancels = match step.0 {
        "partner.sale_recorded" | "partner.sale_told" | "partner.sale_decided" => false,
        "partner.sale_settled" | "partner.settle_told" => true,
        other => panic!("no scenario leads through {other}"),
    };
    operate(shop.mesh(), |local| restart(local, service, &[("STAYMESH_FAULT", point)]));
    let sell = async {
        let id = shop.sell().await;
        if cancels {
            shop.cancel_sold(&id).await;
        }
        id
    };
    let (id, ()) = tokio::join!(sell, restart_after_death(shop, service, point, &[]));
    assert_owed_once(shop, &id, cancels, point).await;
    println!("{point}: sold by a partner, cancelled: {cancels}, in {} ms", started.elapsed().as_millis());
}

async fn assert_owed_once(shop: &Shop<'_>, id: &str, cancelled: bool, what: &str) {
    let (postings, history): (_, &[&str]) = if cancelled {
        (SETTLED, &["pending_payment", "paid", "cancelled"])
    } else {
        (SOLD, &["pending_payment", "paid"])
    };
    let posted = async || -> Vec<String> {
        sqlx::query_scalar("select kind from ledger_transaction where reservation_id = $1::uuid order by kind")
            .bind(id)
            .fetch_all(shop.payments())
            .await
            .expect("the ledger")
    };
    eventually(&format!("{what}: {postings:?} are posted"), async || {
        (posted().await.len() >= postings.len()).then_some(())
    })
    .await;
    outcome::await_outboxes(shop).await;
    assert_eq!(posted().await, postings, "{what}");
    assert_eq!(shop.books.history(id).await, history, "{what}");
    let credited = if cancelled { PRICE } else { 0 };
    let sales: Vec<(i64, i64, bool)> = sqlx::query_as(
        "select amount_minor, credited_minor, cancelled_at is not null from partner_sale
         where reservation_id = $1::uuid",
    )
    .bind(id)
    .fetch_all(shop.payments())
    .await
    .expect("the sales");
    assert_eq!(sales, [(PRICE, credited, cancelled)], "{what}");
    let expected: &[(&str, i64)] = if cancelled {
        &[]
    } else {
        &[
            ("COMMISSION_REVENUE", -PRICE * 15 / 100),
            ("HOTEL_PAYABLE", -PRICE * 85 / 100),
            ("PARTNER_RECEIVABLE", PRICE),
        ]
    };
    assert_eq!(
        outcome::balances(shop, id).await,
        expected.iter().map(|(kind, sum)| ((*kind).to_owned(), *sum)).collect::<Vec<_>>(),
        "{what}"
    );
    outcome::assert_sums_to_zero(shop, what).await;
    shop.books.assert_balanced().await;
}
