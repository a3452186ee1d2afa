use futures::future::join_all;
use jiff::{ToSpan, civil::date};
use uuid::Uuid;

use super::{
    AFTER, Found, Options, count, everything, hotel, make_payouts, owed, refund, requested, send_to, sold, sold_at,
};
use crate::{
    clients::reservations::MockReservationClient,
    jobs::statements as exports,
    model::PartnerTerms,
    payouts::{LineKind, Shares, TransferStatus},
    store::{payouts, statements},
    testing::{MockPsp, database, eur, outbox, reservation_id, service},
};

const COUNT_PAYOUTS: &str = "select count(*) from pay_out";

#[tokio::test]
async fn run_pays_each_finished_stay_once() {
    let database = database().await;
    let pool = database.pool();
    let payment = sold(pool).await;
    send_to(pool, 7, "acct_7").await;
    let on = |until| Options { until, ..everything() };
    let check_out = date(2030, 5, 4);
    assert_eq!(make_payouts(pool, &on(check_out)).await, [], "the check-out is on that day");
    let dry = make_payouts(pool, &Options { dry_run: true, ..everything() }).await;
    assert_eq!(dry, [Found::Paid { payout_id: None, hotel_id: hotel(7), amount: eur(7905), lines: 1 }]);
    assert_eq!(make_payouts(pool, &Options { hotel: Some(hotel(8)), ..everything() }).await, []);
    assert_eq!(count(pool, COUNT_PAYOUTS).await, 0);

    let found = make_payouts(pool, &on(check_out.saturating_add(1.day()))).await;
    let [Found::Paid { payout_id: Some(id), .. }] = found[..] else { panic!("{found:?}") };
    assert_eq!(make_payouts(pool, &everything()).await, [], "nothing is left");
    let made = payouts::find(pool, id).await.unwrap().unwrap();
    assert_eq!((made.hotel_id, made.amount, made.lines), (hotel(7), eur(7905), 1));
    assert_eq!((made.status, made.cutoff), (TransferStatus::Requested, date(2030, 5, 5)));
    assert_eq!(outbox(pool).await, ["payout.requested"]);
    assert_eq!(owed(pool, 7).await, 7905, "it is owed until the money has moved");
    let lines = statements::lines(pool, id, 0, 10).await.unwrap();
    assert_eq!((lines[0].reservation_id, lines[0].kind), (payment.reservation_id, LineKind::Sale));
    assert_eq!(lines[0].shares, Shares { gross: 10_000, refunds: 0, tax: 700, commission: 1395, net: 7905 });
}

#[tokio::test]
async fn refund_after_payout_reduces_the_next_one() {
    let database = database().await;
    let pool = database.pool();
    let payment = sold(pool).await;
    requested(pool).await;
    refund(pool, &payment, eur(5000)).await;
    let carried = [Found::Carried { hotel_id: hotel(7), amount: eur(-3953) }];
    assert_eq!(make_payouts(pool, &everything()).await, carried);
    assert_eq!(make_payouts(pool, &everything()).await, carried, "until there is more");
    assert_eq!(count(pool, COUNT_PAYOUTS).await, 1);
    sold(pool).await;
    let second = requested(pool).await;
    let made = payouts::find(pool, second).await.unwrap().unwrap();
    assert_eq!((made.amount, made.lines), (eur(7905 - 3953), 2));
    let totals = statements::totals(pool, second).await.unwrap();
    assert_eq!(totals, Shares { gross: 10_000, refunds: 5000, tax: 350, commission: 698, net: 3952 });
}

#[tokio::test]
async fn fully_refunded_stay_makes_no_payout() {
    let database = database().await;
    let pool = database.pool();
    let payment = sold(pool).await;
    refund(pool, &payment, eur(10_000)).await;
    send_to(pool, 7, "acct_7").await;
    assert_eq!(make_payouts(pool, &everything()).await, []);
}

#[tokio::test]
async fn partner_sale_and_its_credit_are_settled_by_payout() {
    let database = database().await;
    let pool = database.pool();
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    let sell = async |check_out| {
        let partner = "client:acme".to_owned();
        let terms = PartnerTerms { partner, amount: eur(10_000), taxes: eur(700), check_out };
        service.record_partner_sale(reservation_id(), &terms, true).await.unwrap().reservation_id
    };
    sell(AFTER).await;
    let over = sell(date(2030, 5, 4)).await;
    let cancelled = sell(date(2030, 5, 5)).await;
    service.settle_partner_sale(cancelled, eur(5000), None).await.unwrap();
    let id = requested(pool).await;
    let lines = statements::lines(pool, id, 0, 10).await.unwrap();
    let seen: Vec<_> = lines.iter().map(|line| (line.reservation_id, line.kind, line.shares.net)).collect();
    let (sale, refund) = (LineKind::Sale, LineKind::Refund);
    assert_eq!(seen, [(over, sale, 7905), (cancelled, sale, 7905), (cancelled, refund, -3953)]);
}

#[tokio::test]
async fn hotel_without_destination_gets_no_payout() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let waiting = [Found::Waiting { hotel_id: hotel(7), amount: eur(7905) }];
    assert_eq!(make_payouts(pool, &everything()).await, waiting);
    assert_eq!(count(pool, COUNT_PAYOUTS).await, 0);
    requested(pool).await;
}

#[tokio::test]
async fn payouts_are_separate_by_hotel_and_currency() {
    let database = database().await;
    let pool = database.pool();
    let yen = staymesh_domain::Money::from_minor(9000, "JPY".parse().unwrap()).unwrap();
    for hotel_id in [7, 8] {
        send_to(pool, hotel_id, "acct").await;
        sold_at(pool, hotel_id, eur(10_000), 0, date(2030, 5, 4)).await;
        sold_at(pool, hotel_id, yen, 0, date(2030, 5, 4)).await;
    }
    let mut paid: Vec<_> = make_payouts(pool, &everything()).await.iter().map(amount).collect();
    paid.sort();
    let expected = ["EUR 85.00", "JPY 7650", "EUR 85.00", "JPY 7650"];
    let mut expected: Vec<_> = expected.into_iter().zip([7, 7, 8, 8]).map(|(a, h)| (h, a.to_owned())).collect();
    expected.sort();
    assert_eq!(paid, expected);
}

fn amount(found: &Found) -> (i32, String) {
    let Found::Paid { hotel_id, amount, .. } = found else { panic!("{found:?}") };
    (hotel_id.get(), amount.to_string())
}

#[tokio::test]
async fn concurrent_runs_pay_each_hotel_once() {
    let database = database().await;
    let pool = database.pool();
    for n in 0..40 {
        let hotel_id = 1 + n % 5;
        send_to(pool, hotel_id, "acct").await;
        sold_at(pool, hotel_id, eur(10_000), 0, date(2030, 5, 4)).await;
    }
    let options = everything();
    let runs = join_all((0..6).map(|_| make_payouts(pool, &options))).await;
    let mut paid: Vec<_> = runs.iter().flatten().map(amount).collect();
    paid.sort();
    let once: Vec<_> = (1..=5).map(|hotel_id| (hotel_id, "EUR 680.00".to_owned())).collect();
    assert_eq!(paid, once);
    assert_eq!((count(pool, COUNT_PAYOUTS).await, count(pool, "select count(*) from pay_out_line").await), (5, 40));
    assert_eq!(count(pool, "select count(*) from outbox where kind = 'payout.requested'").await, 5);
}

#[tokio::test]
async fn posting_is_not_blocked_by_running_job() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let account: i64 = sqlx::query_scalar("select account_id from ledger_account where kind = 'HOTEL_PAYABLE'")
        .fetch_one(pool)
        .await
        .unwrap();
    let mut job = pool.begin().await.unwrap();
    payouts::lock_payable(&mut job, account).await.unwrap();
    sold(pool).await;
    job.rollback().await.unwrap();
}

#[tokio::test]
async fn statement_csv_totals_equal_the_sum_of_lines() {
    let database = database().await;
    let pool = database.pool();
    let first = sold(pool).await;
    sold_at(pool, 7, eur(30_000), 1_234, date(2030, 4, 1)).await;
    refund(pool, &first, eur(5000)).await;
    let id = requested(pool).await;
    let text = String::from_utf8(exports::csv(pool, id).await.unwrap()).unwrap();
    let rows: Vec<Vec<&str>> = text.trim_end().split("\r\n").map(|row| row.split(',').collect()).collect();
    assert_eq!(
        rows[0],
        ["reservation", "check_out", "kind", "currency", "gross", "refunds", "tax", "commission", "net"]
    );
    assert_eq!(rows[1][1..], ["2030-04-01", "SALE", "EUR", "300.00", "0.00", "12.34", "43.14", "244.52"]);
    let booking = first.reservation_id.to_string();
    assert_eq!(rows[2], [&booking, "2030-05-04", "SALE", "EUR", "100.00", "0.00", "7.00", "13.95", "79.05"]);
    assert_eq!(rows[3], [&booking, "2030-05-04", "REFUND", "EUR", "0.00", "50.00", "-3.50", "-6.97", "-39.53"]);
    let total = format!("payout {id}");
    assert_eq!(rows[4], [total.as_str(), "", "TOTAL", "EUR", "400.00", "50.00", "15.84", "50.12", "284.04"]);
    assert_eq!(rows.len(), 5);
    let made = payouts::find(pool, id).await.unwrap().unwrap();
    assert_eq!((made.amount, made.cutoff), (eur(28_404), AFTER));
    assert!(matches!(exports::csv(pool, Uuid::now_v7()).await, Err(exports::StatementError::NotFound)));
}

#[tokio::test]
async fn set_destination_to_same_value_keeps_update_time() {
    let database = database().await;
    let pool = database.pool();
    let set = async |to: &str| payouts::set_destination(pool, hotel(7), to, "admin").await.unwrap();
    let first = set("acct_1").await;
    assert_eq!(set("acct_1").await, first);
    let second = set("acct_2").await;
    assert!(second.update_time > first.update_time);
    assert_eq!(payouts::destination(pool, hotel(7)).await.unwrap().as_deref(), Some("acct_2"));
}
