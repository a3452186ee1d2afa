//! Payouts: from a paid reservation to the transfer at the provider, the ledger entries and the statement.

use jiff::{ToSpan, civil::Date};
use reqwest::Client;
use serde_json::{Value, json};

use super::{Sale, dead_letters::job};
use crate::support::{HotelFixture, Provider, Rest, Stay, World, eventually};

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

fn shares(gross: &str, refunds: &str, tax: &str, commission: &str, net: &str) -> Value {
    json!({
        "gross": euros(gross), "refunds": euros(refunds), "tax": euros(tax), "commission": euros(commission),
        "net": euros(net),
    })
}

/// A sale of 330.00 at a hotel with a tax of 10 %, and its payout job: a reservation cannot be in the past, but the
/// cut-off of the job can be in the future.
struct Due {
    sale: Sale,
    staff: Rest,
    until: String,
}

impl Due {
    async fn new(world: &World<'_>, provider: &Provider) -> Self {
        let hotel = world.hotel(5).await;
        let tax = json!({ "taxes": [{ "display_name": "City tax", "basis_points": 1000 }] });
        world.admin.put(&format!("/v1/hotels/{}/taxes", hotel.hotel_id), tax).await.ok();
        let sale = Sale::open_at(world, hotel, Stay::ahead(30, 3)).await.pay(world, provider).await;
        assert_eq!(sale.payment["amount"], euros("330.00"));
        let check_out: Date = sale.stay.check_out.parse().expect("a date");
        let staff = world.staff(&[hotel.hotel_id]).await;
        Self { sale, staff, until: check_out.saturating_add(1.day()).to_string() }
    }

    fn hotel(&self) -> HotelFixture {
        self.sale.hotel
    }

    fn path(&self) -> String {
        format!("/v1/hotels/{}/payouts", self.hotel().hotel_id)
    }

    /// Runs the job for this hotel, and returns its output.
    fn job(&self, world: &World<'_>, until: &str, more: &[&str]) -> String {
        let hotel = self.hotel().hotel_id.to_string();
        let args = [&["payout", "--until", until, "--hotel", &hotel], more].concat();
        let (well, lines) = job(world, "payment", &args);
        let printed = lines.join("\n");
        assert!(well, "{printed}");
        printed
    }

    async fn send_to(&self, world: &World<'_>, destination: &str) {
        let path = format!("/v1/hotels/{}/payoutDestination", self.hotel().hotel_id);
        world.admin.put(&path, json!({ "destination": destination })).await.ok();
    }

    /// Waits until the only payout of the hotel has this status, and returns it.
    async fn await_payout(&self, status: &str) -> Value {
        let wanted = format!("PAYOUT_STATUS_{status}");
        eventually(&format!("the payout is {status}"), async || {
            let page = self.staff.get(&self.path()).await.ok();
            let [payout] = page["payouts"].as_array().expect("a list").as_slice() else { panic!("{page}") };
            (payout["status"] == wanted.as_str()).then(|| payout.clone())
        })
        .await
    }

    /// The ledger balance of the hotel's payable account.
    async fn owed(&self, provider: &Provider) -> i64 {
        sqlx::query_scalar(
            "select -sum(amount_minor)::bigint from ledger_entry join ledger_account using (account_id)
             where kind = 'HOTEL_PAYABLE' and hotel_id = $1",
        )
        .bind(i32::try_from(self.hotel().hotel_id).expect("a hotel id"))
        .fetch_one(&provider.pool)
        .await
        .expect("the ledger")
    }
}

/// A transfer at the provider.
async fn at_the_provider(world: &World<'_>, psp_transfer: &str) -> Value {
    let (url, key) = {
        let local = world.mesh.local();
        (local.service_url("psp-simulator").expect("a provider"), local.secret("psp-api-key").expect("a key"))
    };
    let request = Client::new().get(format!("{url}/v1/transfers/{psp_transfer}")).bearer_auth(key);
    let answer = request.send().await.expect("an answer");
    serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn payout_after_check_out_pays_hotel_and_lists_its_sales() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let due = Due::new(&world, &provider).await;
    assert_eq!(due.owed(&provider).await, 25_500, "330.00 without taxes and 15 % of 300.00");
    assert!(due.job(&world, &due.until, &[]).contains("EUR 255.00 waits"));
    due.send_to(&world, "acct_hotel").await;
    let last_day = due.sale.stay.check_out.clone();
    assert!(due.job(&world, &last_day, &[]).contains("0 payouts"), "the guest is still there");
    assert!(due.job(&world, &due.until, &["--dry-run"]).contains("EUR 255.00, 1 lines"));
    assert_eq!(due.staff.get(&due.path()).await.ok()["payouts"], json!([]));

    let printed = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| due.job(&world, &due.until, &[]))).collect();
        runs.into_iter().map(|run| run.join().expect("it ends")).collect::<String>()
    });
    assert_eq!(printed.matches("EUR 255.00, 1 lines").count(), 1, "{printed}");

    let payout = due.await_payout("PAID").await;
    let id = payout["payout_id"].as_str().expect("an id");
    let expected = json!({
        "payout_id": id, "hotel_id": due.hotel().hotel_id, "amount": euros("255.00"), "failure": "",
        "status": "PAYOUT_STATUS_PAID", "cutoff_date": due.until, "line_count": 1,
        "create_time": payout["create_time"], "end_time": payout["end_time"],
    });
    assert_eq!(payout, expected);
    assert_eq!(due.owed(&provider).await, 0);
    let psp_transfer: String =
        sqlx::query_scalar("select psp_transfer from pay_out_transfer where payout_id = $1::uuid")
            .bind(id)
            .fetch_one(&provider.pool)
            .await
            .expect("the transfer");
    let there = at_the_provider(&world, &psp_transfer).await;
    assert_eq!((&there["status"], &there["destination"]), (&json!("paid"), &json!("acct_hotel")));
    assert_eq!((&there["amount_minor"], &there["reference"]), (&json!(25_500), &json!(id)));

    let all = shares("330.00", "0.00", "30.00", "45.00", "255.00");
    let line = json!({
        "number": 1, "reservation_id": due.sale.reservation_id, "check_out": due.sale.stay.check_out,
        "kind": "PAYOUT_LINE_KIND_SALE", "shares": all,
    });
    let path = format!("/v1/payouts/{id}");
    assert_eq!(due.staff.get(&path).await.ok(), payout);
    let lines = due.staff.get(&format!("{path}/lines")).await.ok();
    assert_eq!(lines, json!({ "lines": [line], "next_page_token": "", "totals": all }));
    let foreign = world.staff(&[world.hotel(1).await.hotel_id]).await;
    for path in [path.clone(), format!("{path}/lines")] {
        foreign.get(&path).await.refused(404, "PAYOUT_NOT_FOUND");
    }

    let (well, csv) = job(&world, "payment", &["payout-statement", "--payout", id, "--csv", "-"]);
    assert!(well, "{csv:?}");
    let (booking, check_out) = (&due.sale.reservation_id, &due.sale.stay.check_out);
    assert_eq!(
        csv,
        [
            "reservation,check_out,kind,currency,gross,refunds,tax,commission,net".to_owned(),
            format!("{booking},{check_out},SALE,EUR,330.00,0.00,30.00,45.00,255.00"),
            format!("payout {id},,TOTAL,EUR,330.00,0.00,30.00,45.00,255.00"),
        ]
    );

    // A refund after the payout is deducted from the next one.
    let wish = json!({ "request_id": uuid::Uuid::new_v4(), "amount": euros("110.00") });
    world.admin.post(&format!("/v1/payments/{}:refund", due.sale.payment_id()), wish).await.ok();
    assert!(due.job(&world, &due.until, &[]).contains("EUR -85.00 is carried forward"));
    assert_eq!(due.owed(&provider).await, -8_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_payout_is_paid_again_on_retry() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let due = Due::new(&world, &provider).await;
    due.send_to(&world, "fail").await;
    due.job(&world, &due.until, &[]);
    let failed = due.await_payout("FAILED").await;
    assert_eq!(failed["failure"], "the payment provider could not pay to the destination");
    assert_eq!(due.owed(&provider).await, 25_500);
    assert!(due.job(&world, &due.until, &[]).contains("0 payouts, 0 asked for again"));
    due.send_to(&world, "acct_hotel").await;
    assert!(due.job(&world, &due.until, &["--retry-failed"]).contains("0 payouts, 1 asked for again"));
    let paid = due.await_payout("PAID").await;
    assert_eq!((&paid["payout_id"], &paid["failure"]), (&failed["payout_id"], &json!("")));
    assert_eq!(due.owed(&provider).await, 0);
}
