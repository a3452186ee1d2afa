//! `/v1/hotels/{hotel_id}/payouts`, `/v1/payouts/{payout_id}` and the payout account of a hotel. Transfers and statements are
//! tested in `money`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{NOBODYS_ID, assert_just_now};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn admin_sets_payout_account_of_hotel() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let path = format!("/v1/hotels/{}/payoutDestination", hotel.hotel_id);
    let body = |destination: &str| json!({ "destination": destination });
    let set = world.admin.put(&path, body("acct_1MTfjCQ9PRzxEwkZ")).await.ok();
    let expected = json!({
        "hotel_id": hotel.hotel_id, "destination": "acct_1MTfjCQ9PRzxEwkZ", "update_time": set["update_time"],
    });
    assert_eq!(set, expected);
    assert_just_now(&set["update_time"]);
    assert_eq!(world.admin.put(&path, body("acct_1MTfjCQ9PRzxEwkZ")).await.ok(), set, "a repeat changes nothing");
    assert_eq!(world.admin.put(&path, body("acct_2")).await.ok()["destination"], "acct_2");

    let staff = world.staff(&[hotel.hotel_id]).await;
    staff.put(&path, body("acct_staff")).await.refused(403, "ACCESS_DENIED");
    for wrong in ["", "two words", "tab\there", "d\u{e9}j\u{e0}", &"x".repeat(201)] {
        world.admin.put(&path, body(wrong)).await.violating(&["destination"]);
    }
    world.admin.put(&path, json!({})).await.violating(&["destination"]);
    for unknown in ["0", "-1"] {
        let path = format!("/v1/hotels/{unknown}/payoutDestination");
        world.admin.put(&path, body("acct_1")).await.violating(&["hotel_id"]);
    }

    // The account must not be stored for a hotel that is created later.
    let nowhere = format!("/v1/hotels/{NOBODYS_ID}/payoutDestination");
    world.admin.put(&nowhere, body("acct_1")).await.refused(404, "HOTEL_NOT_FOUND");
    world.admin.delete(&format!("/v1/hotels/{}", hotel.hotel_id)).await.ok();
    assert_eq!(world.admin.put(&path, body("acct_2")).await.ok()["destination"], "acct_2", "a late repeat");
    world.admin.put(&path, body("acct_3")).await.refused(404, "HOTEL_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn hotel_without_payouts_has_empty_list_and_unknown_payout_is_not_found() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let path = format!("/v1/hotels/{}/payouts", hotel.hotel_id);
    for reader in [&staff, &world.admin] {
        assert_eq!(reader.get(&path).await.ok(), json!({ "payouts": [], "next_page_token": "" }));
        reader.get(&format!("{path}?page_size=-1")).await.violating(&["page_size"]);
        reader.get(&format!("{path}?page_token=x")).await.violating(&["page_token"]);
        for lines in ["", "/lines"] {
            let unknown: Value = reader
                .get(&format!("/v1/payouts/{}{lines}", Uuid::now_v7()))
                .await
                .refused(404, "PAYOUT_NOT_FOUND")
                .body;
            assert_eq!(unknown["message"], "the payout does not exist");
            for wrong in ["mine", "01a20117052370999a32f298361210ff"] {
                reader.get(&format!("/v1/payouts/{wrong}{lines}")).await.violating(&["payout_id"]);
            }
        }
        let lines = format!("/v1/payouts/{}/lines", Uuid::now_v7());
        reader.get(&format!("{lines}?page_size=-1&page_token=x")).await.violating(&["page_size", "page_token"]);
    }
    let nowhere = format!("/v1/hotels/{NOBODYS_ID}/payouts");
    staff.get(&nowhere).await.refused(403, "ACCESS_DENIED");
    assert_eq!(world.admin.get(&nowhere).await.ok()["payouts"], json!([]));
    world.admin.get("/v1/hotels/0/payouts").await.violating(&["hotel_id"]);
}
