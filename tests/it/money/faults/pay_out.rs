//! Pay-outs: whatever dies on the way, the hotel has its money once.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use serde_json::{Value, json};
use staymesh_devenv::{Signal, wait::wait_until};

use super::{
    come_back, end, restart,
    shop::{PRICE, Shop},
    story::Story,
};
use crate::support::{eventually, in_days, operate};

/// The hotel's part of a sale.
pub(super) const OWED: i64 = PRICE * 85 / 100;
/// After the stays of all sales.
const LATER_DAYS: i32 = 60;
/// A bound on hanging, not a promise of speed.
const JOB_LIMIT: Duration = Duration::from_mins(1);
/// Nobody listens at the port that is for throwing away.
pub(super) const DEAF: [(&str, &str); 1] = [("STAYMESH_PSP_WEBHOOK_URL", "http://127.0.0.1:9/")];

/// Pays a hotel of its own, while the job or the service dies at this point of this step and comes back.
pub(super) async fn die_at(shop: &mut Shop<'_>, step: &str, point: &str) {
    operate(shop.mesh(), |local| {
        restart(local, "psp-simulator", &[])?;
        restart(local, "payment", &[])
    });
    owe(shop, point).await;

    // Each of the two ways in which a transfer is heard of must do without the other, as far as one can be taken away.
    let events = !matches!(step, "pay_out.transferred" | "pay_out.saved");
    let heard = heard(shop).await;
    if !events {
        operate(shop.mesh(), |local| restart(local, "psp-simulator", &DEAF));
    }
    if step == "pay_out.requested" {
        assert_eq!(job(shop, point), Some(Signal::KILL.as_raw()), "{point}");
        assert_eq!(job(shop, ""), None, "{point}");
    } else {
        operate(shop.mesh(), |local| restart(local, "payment", &[("STAYMESH_FAULT", point)]));
        assert_eq!(job(shop, ""), None, "{point}");
        come_back(shop, "payment", point, &[]).await;
    }
    assert_paid_once(shop, point).await;
    if events {
        eventually("the provider has told", async || (self::heard(shop).await == heard + 1).then_some(())).await;
    }
    // Nothing is left to pay.
    assert_eq!(job(shop, ""), None, "{point}");
    assert_paid_once(shop, point).await;
}

/// Has a booking paid at another hotel, which is to be paid for it.
pub(super) async fn owe(shop: &mut Shop<'_>, what: &str) {
    open_an_account(shop).await;
    let sale = Story::Paid.live(shop).await;
    Story::Paid.assert_ended(shop, &sale, what).await;
}

/// Moves to another hotel, which can be paid.
pub(super) async fn open_an_account(shop: &mut Shop<'_>) {
    shop.move_to_another_hotel().await;
    let path = format!("/v1/hotels/{}/payOutDestination", shop.hotel_id());
    shop.world.admin.put(&path, json!({ "destination": "acct_hotel" })).await.ok();
}

/// Runs the job for the hotel, and yields the signal that it died of. It succeeds when it does not die.
pub(super) fn job(shop: &Shop<'_>, fault: &str) -> Option<i32> {
    let (hotel, until) = (shop.hotel_id().to_string(), in_days(LATER_DAYS));
    let status = operate(shop.mesh(), |local| {
        let launch = local.job("payment", &["pay-out", "--until", &until, "--hotel", &hotel])?;
        let mut process = launch.env("STAYMESH_FAULT", fault).spawn()?;
        wait_until("the job is done", JOB_LIMIT, || process.exit_status())
    });
    assert!(status.success() || status.signal().is_some(), "{status}");
    status.signal()
}

/// How many transfers the provider has told of.
async fn heard(shop: &Shop<'_>) -> i64 {
    sqlx::query_scalar("select count(*) from psp_event where kind = 'transfer.paid'")
        .fetch_one(shop.payments())
        .await
        .expect("the events")
}

/// The hotel has one pay-out, which one transfer has paid, here as at the simulator and in the ledger.
pub(super) async fn assert_paid_once(shop: &Shop<'_>, what: &str) {
    let id = assert_books_paid_once(shop, what).await;
    let [made] = &transfers(shop, &id)[..] else { panic!("{what}: not one transfer") };
    assert_eq!((&made["status"], &made["order"]["amount_minor"]), (&json!("paid"), &json!(OWED)), "{what}");
}

/// The transfers that the simulator has made for this one of ours.
pub(super) fn transfers(shop: &Shop<'_>, transfer_id: &str) -> Vec<Value> {
    let made = shop.journal().into_iter().map(|mut line| line["transfer"].take());
    made.filter(|transfer| transfer["order"]["reference"] == transfer_id).collect()
}

/// The same without the provider, whichever it is. Yields the transfer's id.
pub(super) async fn assert_books_paid_once(shop: &Shop<'_>, what: &str) -> String {
    let transfers = async || -> Vec<(String, String, i64)> {
        sqlx::query_as(
            "select transfer_id::text, status, amount_minor
             from pay_out left join pay_out_transfer using (payout_id) where hotel_id = $1",
        )
        .bind(shop.hotel_id())
        .fetch_all(shop.payments())
        .await
        .expect("the pay-outs")
    };
    eventually(&format!("{what}: the hotel is paid"), async || {
        transfers().await.iter().any(|(_, status, _)| status == "PAID").then_some(())
    })
    .await;
    end::await_outboxes(shop).await;
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
    end::assert_sums_to_zero(shop, what).await;
    id.clone()
}
