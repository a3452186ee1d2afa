//! Crashes during payouts: the hotel is paid once.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use serde_json::{Value, json};
use staymesh_devenv::{Signal, wait::wait_until};

use super::{
    outcome, restart, restart_after_death,
    scenario::Scenario,
    shop::{PRICE, Shop},
};
use crate::support::{eventually, in_days, operate};

/// The hotel's share of a sale, in minor units.
pub(super) const OWED: i64 = PRICE * 85 / 100;
/// A cut-off after the check-out of all sales.
const LATER_DAYS: i32 = 60;
/// Timeout that only detects a hang.
const JOB_LIMIT: Duration = Duration::from_mins(1);
/// The discard port, on which no process listens.
pub(super) const DEAF: [(&str, &str); 1] = [("STAYMESH_PSP_WEBHOOK_URL", "http://127.0.0.1:9/")];

/// Pays a new hotel while the job or the service is killed at this crash point and restarted.
pub(super) async fn die_at(shop: &mut Shop<'_>, step: &str, point: &str) {
    operate(shop.mesh(), |local| {
        restart(local, "psp-simulator", &[])?;
        restart(local, "payment", &[])
    });
    owe(shop, point).await;

    // The transfer event and the transfer query must each suffice without the other, where one can be disabled.
    let events = !matches!(step, "payout.transferred" | "payout.saved");
    let events_before = transfer_events(shop).await;
    if !events {
        operate(shop.mesh(), |local| restart(local, "psp-simulator", &DEAF));
    }
    if step == "payout.requested" {
        assert_eq!(job(shop, point), Some(Signal::KILL.as_raw()), "{point}");
        assert_eq!(job(shop, ""), None, "{point}");
    } else {
        operate(shop.mesh(), |local| restart(local, "payment", &[("STAYMESH_FAULT", point)]));
        assert_eq!(job(shop, ""), None, "{point}");
        restart_after_death(shop, "payment", point, &[]).await;
    }
    assert_paid_once(shop, point).await;
    if events {
        eventually("the provider sends the event", async || {
            (self::transfer_events(shop).await == events_before + 1).then_some(())
        })
        .await;
    }
    // Nothing is payable.
    assert_eq!(job(shop, ""), None, "{point}");
    assert_paid_once(shop, point).await;
}

/// Creates a paid booking at a new hotel, which is then due for payout.
pub(super) async fn owe(shop: &mut Shop<'_>, what: &str) {
    open_an_account(shop).await;
    let sale = Scenario::Paid.run(shop).await;
    Scenario::Paid.assert_ended(shop, &sale, what).await;
}

/// Switches to a new hotel with a payout account.
pub(super) async fn open_an_account(shop: &mut Shop<'_>) {
    shop.move_to_another_hotel().await;
    let path = format!("/v1/hotels/{}/payoutDestination", shop.hotel_id());
    shop.world.admin.put(&path, json!({ "destination": "acct_hotel" })).await.ok();
}

/// Runs the job for the hotel, and returns the signal that killed it. A job that was not killed must succeed.
pub(super) fn job(shop: &Shop<'_>, fault: &str) -> Option<i32> {
    let (hotel, until) = (shop.hotel_id().to_string(), in_days(LATER_DAYS));
    let status = operate(shop.mesh(), |local| {
        let launch = local.job("payment", &["payout", "--until", &until, "--hotel", &hotel])?;
        let mut process = launch.env("STAYMESH_FAULT", fault).spawn()?;
        wait_until("the job is done", JOB_LIMIT, || process.exit_status())
    });
    assert!(status.success() || status.signal().is_some(), "{status}");
    status.signal()
}

/// Number of transfer events received from the provider.
async fn transfer_events(shop: &Shop<'_>) -> i64 {
    sqlx::query_scalar("select count(*) from psp_event where kind = 'transfer.paid'")
        .fetch_one(shop.payments())
        .await
        .expect("the events")
}

/// Asserts that the hotel has one payout with one transfer: in the database, at the simulator and in the ledger.
pub(super) async fn assert_paid_once(shop: &Shop<'_>, what: &str) {
    let id = assert_books_paid_once(shop, what).await;
    let [made] = &transfers(shop, &id)[..] else { panic!("{what}: not one transfer") };
    assert_eq!((&made["status"], &made["order"]["amount_minor"]), (&json!("paid"), &json!(OWED)), "{what}");
}

/// The transfers at the simulator for this transfer id.
pub(super) fn transfers(shop: &Shop<'_>, transfer_id: &str) -> Vec<Value> {
    let made = shop.journal().into_iter().map(|mut line| line["transfer"].take());
    made.filter(|transfer| transfer["order"]["reference"] == transfer_id).collect()
}

/// As above without the provider, for any provider. Returns the id of the transfer.
pub(super) async fn assert_books_paid_once(shop: &Shop<'_>, what: &str) -> String {
    let transfers = async || -> Vec<(String, String, i64)> {
        sqlx::query_as(
            "select transfer_id::text, status, amount_minor
             from pay_out left join pay_out_transfer using (payout_id) where hotel_id = $1",
        )
        .bind(shop.hotel_id())
        .fetch_all(shop.payments())
        .await
        .expect("the payouts")
    };
    eventually(&format!("{what}: the hotel is paid"), async || {
        transfers().await.iter().any(|(_, status, _)| status == "PAID").then_some(())
    })
    .await;
    outcome::await_outboxes(shop).await;
    let transfers = transfers().await;
    let [(id, status, amount)] = &transfers[..] else { panic!("{what}: {transfers:?}") };
    assert_eq!((status.as_str(), *amount), ("PAID", OWED), "{what}");
    let posted: Vec<(String, i64)> = sqlx::query_as(
        "select ledger_transaction.kind, amount_minor
         from ledger_transaction join ledger_entry using (transaction_id) join ledger_account using (account_id)
         where ledger_account.kind = 'HOTEL_PAYABLE' and hotel_id = $1 order by 1",
    )
    .bind(shop.hotel_id())
    .fetch_all(shop.payments())
    .await
    .expect("the ledger");
    assert_eq!(posted, [("PAY_OUT".to_owned(), OWED), ("SALE".to_owned(), -OWED)], "{what}");
    outcome::assert_sums_to_zero(shop, what).await;
    id.clone()
}
