//! `/v1/reconciliationCases`. The creation of cases is tested in `money`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{all_pages, assert_just_now};
use crate::support::{World, database};

/// A day that no reconciliation run covers.
const DAY: &str = "2001-02-03";

/// Inserts two cases of [`DAY`]: one of a wallet without account, and one of an amount.
async fn two_cases(world: &World<'_>) -> [String; 2] {
    let pool = database(world.mesh, "payment").await;
    let [wallet, amount] = [Uuid::now_v7(), Uuid::now_v7()];
    sqlx::query(
        "insert into reconciliation_case (case_id, day, class, subject_kind, subject_id, psp_id, source_id, payment_id,
             expected_minor, expected_currency, found_minor, found_currency, detail, replay)
         values ($1, $3::date, 'WALLET', 'WALLET', '999999999999', null, null, null, 5, 'JPY', 6, 'JPY', 'a sum', 'WALLET'),
             ($2, $3::date, 'AMOUNT', 'CHARGE', $2::text, 'cs_1', $2, $2, 100, 'EUR', 101, 'EUR', 'an amount', null)",
    )
    .bind(wallet)
    .bind(amount)
    .bind(DAY)
    .execute(&pool)
    .await
    .expect("written");
    [wallet.to_string(), amount.to_string()]
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_reads_assigns_resolves_and_replays_cases() {
    let world = World::shared().await;
    let [wallet, amount] = two_cases(&world).await;
    let path = |id: &str| format!("/v1/reconciliationCases/{id}");
    let case = world.admin.get(&path(&amount)).await.ok();
    let expected = json!({
        "case_id": amount, "day": DAY, "kind": "CASE_KIND_AMOUNT", "subject": "CASE_SUBJECT_CHARGE",
        "subject_id": amount, "psp_id": "cs_1", "payment_id": amount, "reservation_id": "",
        "expected_amount": { "currency_code": "EUR", "amount": "1.00" },
        "found_amount": { "currency_code": "EUR", "amount": "1.01" }, "detail": "an amount",
        "state": "CASE_STATE_OPEN", "owner": "", "note": "", "resolution": "CASE_RESOLUTION_UNSPECIFIED",
        "can_replay": false, "create_time": case["create_time"], "find_time": case["find_time"],
        "update_time": case["update_time"], "etag": case["etag"],
    });
    let mut shown = case.clone();
    if shown["replay_time"].is_null() {
        shown.as_object_mut().expect("an object").remove("replay_time");
    }
    assert_eq!(shown, expected);
    assert_just_now(&case["create_time"]);

    let list = format!("/v1/reconciliationCases?day={DAY}");
    let ids = |cases: Vec<Value>| cases.iter().map(|case| case["case_id"].clone()).collect::<Vec<_>>();
    for page_size in [1, 2] {
        assert_eq!(ids(all_pages(&world.admin, &list, "cases", page_size).await), [amount.as_str(), &wallet]);
    }
    let wallets = format!("{list}&kind=CASE_KIND_WALLET&state=CASE_STATE_OPEN");
    assert_eq!(ids(all_pages(&world.admin, &wallets, "cases", 5).await), [wallet.as_str()]);

    let assign = format!("{}:assign", path(&amount));
    let owner = json!({ "owner": "user-1", "etag": case["etag"] });
    let taken = world.admin.post(&assign, owner.clone()).await.ok();
    assert_eq!((&taken["state"], &taken["owner"]), (&json!("CASE_STATE_ASSIGNED"), &json!("user-1")));
    assert_eq!(world.admin.post(&assign, owner).await.ok(), taken, "the same again");
    let late = json!({ "owner": "user-2", "etag": case["etag"] });
    world.admin.post(&assign, late).await.refused(409, "ETAG_MISMATCH");

    let resolve = format!("{}:resolve", path(&amount));
    let over = world.admin.post(&resolve, json!({ "note": "corrected there" })).await.ok();
    assert_eq!(
        (&over["state"], &over["resolution"]),
        (&json!("CASE_STATE_RESOLVED"), &json!("CASE_RESOLUTION_SETTLED"))
    );
    assert_eq!(world.admin.post(&resolve, json!({ "note": "corrected there" })).await.ok(), over);
    world.admin.post(&resolve, json!({ "note": "otherwise" })).await.refused(400, "CASE_RESOLVED");
    world.admin.post(&assign, json!({ "owner": "user-2" })).await.refused(400, "CASE_RESOLVED");

    let replay = format!("{}:replay", path(&wallet));
    assert_eq!(world.admin.get(&path(&wallet)).await.ok()["can_replay"], true);
    let gone = world.admin.post(&replay, json!({})).await.ok();
    assert_eq!((&gone["resolution"], &gone["can_replay"]), (&json!("CASE_RESOLUTION_GONE"), &json!(false)));
    assert_just_now(&gone["replay_time"]);
    assert_eq!(world.admin.post(&replay, json!({})).await.ok(), gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_case_and_invalid_request_are_refused() {
    let world = World::shared().await;
    let pool = database(world.mesh, "payment").await;
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into reconciliation_case (case_id, day, class, subject_kind, subject_id, detail)
         values ($1, '2001-02-04', 'MISSING_HERE', 'CHARGE', $1::text, 'a charge')",
    )
    .bind(id)
    .execute(&pool)
    .await
    .expect("written");
    let path = format!("/v1/reconciliationCases/{id}");
    let unknown = format!("/v1/reconciliationCases/{}", Uuid::now_v7());
    let (owner, note) = (json!({ "owner": "user-1" }), json!({ "note": "done" }));
    world.admin.get(&unknown).await.refused(404, "CASE_NOT_FOUND");
    world.admin.get("/v1/reconciliationCases/mine").await.violating(&["case_id"]);
    for (verb, body, field) in [("assign", &owner, "owner"), ("resolve", &note, "note")] {
        world.admin.post(&format!("{unknown}:{verb}"), body.clone()).await.refused(404, "CASE_NOT_FOUND");
        world.admin.post(&format!("/v1/reconciliationCases/mine:{verb}"), body.clone()).await.violating(&["case_id"]);
        for text in ["", "  ", &"x".repeat(2001)] {
            world.admin.post(&format!("{path}:{verb}"), json!({ field: text })).await.violating(&[field]);
        }
    }
    world.admin.post(&format!("{unknown}:replay"), json!({})).await.refused(404, "CASE_NOT_FOUND");
    world.admin.post(&format!("{path}:replay"), json!({})).await.refused(400, "NO_REPLAY");
    let list = "/v1/reconciliationCases";
    for (query, field) in [("day=yesterday", "day"), ("page_size=-1", "page_size"), ("page_token=x", "page_token")] {
        world.admin.get(&format!("{list}?{query}")).await.violating(&[field]);
    }
    for (query, field) in [("state=9", "state"), ("kind=ODD", "kind")] {
        world.admin.get(&format!("{list}?{query}")).await.unreadable(field);
    }
}
