//! `staymesh check` on the databases of a running mesh.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use staymesh_devenv::wait::wait_until;
use uuid::Uuid;

use super::Sale;
use crate::support::{Provider, World, await_payment, database};

/// Timeout that only detects a hang.
const LIMIT: Duration = Duration::from_mins(2);

/// Whether the exit status was 0, and the report.
pub(super) fn check(world: &World<'_>) -> (bool, Value) {
    let (mut process, report) = {
        let mesh = world.mesh.local();
        let report = mesh.logs().join(format!("check-{}.json", Uuid::new_v4()));
        let launch = mesh.verify(&report).expect("a command").args(["--hold-bound", "10m"]);
        (launch.log(report.with_extension("log")).spawn().expect("it starts"), report)
    };
    let status = wait_until("all is checked", LIMIT, || process.exit_status()).expect("an end");
    let found = fs::read(&report).unwrap_or_else(|_| panic!("no report{}", process.log_tail()));
    (status.success(), serde_json::from_slice(&found).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_passes_on_consistent_data_and_lists_a_corrupted_wallet() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::paid(&world, &provider).await;
    let path = format!("/v1/payments/{}:refund", sale.payment_id());
    let part = json!({ "currency_code": "EUR", "amount": "100.00" });
    world.admin.post(&path, json!({ "request_id": Uuid::new_v4(), "amount": part })).await.ok();
    await_payment(&sale.guest, &sale.payment, "PARTIALLY_REFUNDED").await;

    let (clean, found) = tokio::task::block_in_place(|| check(&world));
    assert!(clean && found["clean"] == true, "{found:#}");
    assert!(found["money"]["payments"].as_u64() >= Some(1), "{found:#}");
    assert!(found["money"]["transactions"].as_u64() >= Some(4), "{found:#}");

    // A wallet balance that is too high. Wallets are derived data, so the corruption can be removed afterwards.
    let pool = database(world.mesh, "payment").await;
    let account = "account_id = (select account_id from ledger_account where kind = 'HOTEL_PAYABLE' and hotel_id = $1)";
    let wrong = format!(
        "insert into wallet select account_id, 1, '0' from ledger_account where {account}
         on conflict (account_id) do update set balance_minor = wallet.balance_minor + 1"
    );
    let gone = format!("delete from wallet where {account}");
    sqlx::query(sqlx::AssertSqlSafe(wrong)).bind(sale.hotel.hotel_id).execute(&pool).await.expect("a wrong wallet");
    let (clean, found) = tokio::task::block_in_place(|| check(&world));
    sqlx::query(sqlx::AssertSqlSafe(gone))
        .bind(sale.hotel.hotel_id)
        .execute(&pool)
        .await
        .expect("the corruption is removed");
    assert!(!clean && found["clean"] == false, "{found:#}");
    assert_eq!(found["money"]["counts"], json!({ "wallet_differs": 1 }), "{found:#}");
    let detail = found["money"]["listed"][0]["detail"].as_str().expect("one is listed");
    // 300.00 without taxes: 15 % commission is kept, and two thirds of the rest remain.
    let expected = format!("HOTEL_PAYABLE {}: -16999, but entries have -17000 EUR", sale.hotel.hotel_id);
    assert_eq!(detail, expected);
}
