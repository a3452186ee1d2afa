//! Damage to partner sales and to payouts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{Timestamp, civil::date};
use rstest::rstest;
use serde_json::json;
use sqlx::PgPool;
use staymesh_domain::ReservationId;
use staymesh_psp::Provider;
use staymesh_testkit::TestDatabase;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    super::{Kind, Part, Report, after},
    check, only_found, tamper,
};
use crate::{
    clients::reservations::MockReservationClient,
    jobs::payouts::{
        Options as Run,
        tests::{everything, hotel, make_payouts, refund, send_to, sold_at},
    },
    model::PartnerTerms,
    testing::{MockPsp, database, eur, service},
};

/// A partner sale of 100.00 at this hotel. With `credited`, the reservation is cancelled and this is credited.
async fn partner_sells(pool: &PgPool, hotel_id: i32, credited: Option<i64>) {
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    let id = ReservationId::generate(hotel(hotel_id), Timestamp::now());
    let (partner, check_out) = ("client:a".to_owned(), date(2030, 5, 4));
    let terms = PartnerTerms { partner, amount: eur(10_000), taxes: eur(700), check_out };
    service.record_partner_sale(id, &terms, true).await.unwrap();
    if let Some(minor) = credited {
        service.settle_partner_sale(id, eur(minor), None).await.unwrap();
    }
}

/// Receives a provider event of this type for each open transfer of a hotel.
async fn receive(pool: &PgPool, hotel_id: i32, kind: &str) {
    let open: Vec<(Uuid, i64)> = sqlx::query_as(
        "select transfer_id, amount_minor from pay_out_transfer join pay_out using (payout_id)
         where hotel_id = $1 and status = 'REQUESTED'",
    )
    .bind(hotel_id)
    .fetch_all(pool)
    .await
    .unwrap();
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    for (transfer_id, amount) in open {
        let event = json!({ "id": Uuid::new_v4().to_string(), "type": kind, "data": {
            "transfer": "tr", "reference": transfer_id, "amount_minor": amount, "currency": "EUR",
        }});
        service.receive(Provider::Simulator, event.to_string().as_bytes()).await.unwrap();
    }
}

async fn settle(pool: &PgPool, hotel_id: i32, retry_failed: bool) {
    send_to(pool, hotel_id, "acct").await;
    make_payouts(pool, &Run { hotel: Some(hotel(hotel_id)), retry_failed, ..everything() }).await;
}

/// Hotel 7 was paid 197.62 for a guest's stay and two partner sales, one of which is half credited; after that payout the
/// guest is refunded in part. Hotel 8 has an open transfer of 79.05. Hotel 9 has a failed transfer of 79.05 and a second,
/// open one.
async fn world() -> TestDatabase {
    let database = database().await;
    let pool = database.pool();
    let check_out = date(2030, 5, 4);
    let guest = sold_at(pool, 7, eur(10_000), 700, check_out).await;
    partner_sells(pool, 7, None).await;
    partner_sells(pool, 7, Some(5_000)).await;
    settle(pool, 7, false).await;
    receive(pool, 7, "transfer.paid").await;
    refund(pool, &guest, eur(4_000)).await;
    for hotel_id in [8, 9] {
        sold_at(pool, hotel_id, eur(10_000), 700, check_out).await;
        settle(pool, hotel_id, false).await;
    }
    receive(pool, 9, "transfer.failed").await;
    settle(pool, 9, true).await;
    database
}

#[tokio::test]
async fn valid_partner_sales_and_payouts_have_no_violations() {
    let database = world().await;
    let report = check(database.pool()).await;
    let seen =
        Report { transactions: 11, payments: 3, partner_sales: 2, payouts: 3, accounts: 11, ..Report::default() };
    assert_eq!(report, seen);
    let attempts: Vec<(i32, i32, String)> = sqlx::query_as(
        "select hotel_id, attempt, status from pay_out_transfer join pay_out using (payout_id) order by 1, 2",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    let [paid, open, failed, again] = [(7, 1, "PAID"), (8, 1, "REQUESTED"), (9, 1, "FAILED"), (9, 2, "REQUESTED")]
        .map(|(h, a, s)| (h, a, s.to_owned()));
    assert_eq!(attempts, [paid, open, failed, again]);
}

/// In the SQL, `OF_n` selects the payouts of hotel n, `SALE_OF_n` its sale to a guest, `PARTNERS` the uncredited partner
/// sale.
#[rstest]
#[case::sold_for_more(
    "update partner_sale set amount_minor = 10001 where credited_minor = 0",
    &[(Kind::PartnerSaleDiffers, 1)],
    "PARTNER_SALE HOTEL_PAYABLE 7 is -7905 and should be -7906 EUR; PARTNER_SALE PARTNER_RECEIVABLE client:a is 10000 and"
)]
#[case::sold_by_another(
    "update partner_sale set partner = 'client:b' where credited_minor = 0",
    &[(Kind::PartnerSaleDiffers, 1)],
    "PARTNER_SALE PARTNER_RECEIVABLE client:a is 10000 and should be 0 EUR; PARTNER_SALE PARTNER_RECEIVABLE client:b is 0"
)]
#[case::sold_for_another_hotel(
    "update partner_sale set hotel_id = 8 where credited_minor = 0",
    &[(Kind::PartnerSaleDiffers, 1)],
    "PARTNER_SALE HOTEL_PAYABLE 7 is -7905 and should be 0 EUR; PARTNER_SALE HOTEL_PAYABLE 8 is 0 and should be -7905"
)]
#[case::sold_in_another_currency(
    "update partner_sale set currency = 'JPY' where credited_minor = 0",
    &[(Kind::PartnerSaleDiffers, 1)],
    "PARTNER_SALE COMMISSION_REVENUE is "
)]
#[case::sold_with_other_parts(
    "update partner_sale set tax_minor = 0 where credited_minor = 0",
    &[(Kind::PartnerSaleDiffers, 1)],
    "PARTNER_SALE HOTEL_PAYABLE 7 is -7905 and should be -8605 EUR; PARTNER_SALE TAX_PAYABLE 7 is -700 and should be 0"
)]
#[case::posted_for_another_booking(
    "update ledger_transaction set reservation_id = transaction_id where kind = 'PARTNER_CREDIT'",
    &[(Kind::PartnerCreditDiffers, 1), (Kind::PayoutNotEarned, 1)],
    "PARTNER_CREDIT COMMISSION_REVENUE is "
)]
#[case::sold_and_not_posted(
    "delete from ledger_entry where transaction_id = (PARTNERS);
     delete from ledger_transaction where transaction_id = (PARTNERS)",
    &[(Kind::PartnerSaleDiffers, 1), (Kind::PayoutNotEarned, 1), (Kind::PayableDiffers, 1)],
    "PARTNER_SALE COMMISSION_REVENUE is 0 and should be -1395 EUR"
)]
#[case::posted_and_not_sold(
    "delete from partner_sale where credited_minor = 0",
    &[(Kind::SourceMissing, 1), (Kind::PayoutNotEarned, 1)],
    "PARTNER_SALE of "
)]
#[case::credited_by_hand(
    "update partner_sale set credited_minor = 100, cancelled_at = now() where credited_minor = 0",
    &[(Kind::PartnerCreditDiffers, 1)],
    "PARTNER_CREDIT COMMISSION_REVENUE is 0 and should be 13 EUR; PARTNER_CREDIT HOTEL_PAYABLE 7 is 0 and should be 80"
)]
#[case::credited_otherwise(
    "update partner_sale set credited_minor = 4999 where credited_minor = 5000",
    &[(Kind::PartnerCreditDiffers, 1)],
    "PARTNER_CREDIT PARTNER_RECEIVABLE client:a is -5000 and should be -4999 EUR; PARTNER_CREDIT TAX_PAYABLE 7 is 350"
)]
#[case::credited_more_than_was_sold(
    "alter table partner_sale drop constraint partner_sale_credit_within_amount;
     update partner_sale set credited_minor = 10001 where credited_minor = 5000",
    &[(Kind::PartnerCreditDiffers, 1), (Kind::PartnerCreditAboveSale, 1)],
    "10001 of 10000 EUR"
)]
#[case::other_amount(
    "update pay_out set amount_minor = amount_minor + 1 where hotel_id = 7",
    &[(Kind::PayoutDiffers, 1), (Kind::PayoutPostingDiffers, 1)],
    "declares 4 lines and 19763, but has 4 and 19762 EUR"
)]
#[case::missing_line(
    "delete from pay_out_line where payout_id = (OF_7) and number = 2",
    &[(Kind::PayoutDiffers, 1), (Kind::PayableDiffers, 1)],
    "declares 4 lines and 19762, but has 3 and "
)]
#[case::lines_without_payout(
    "delete from pay_out where hotel_id = 8",
    &[(Kind::PayoutDiffers, 1), (Kind::PayableDiffers, 1)],
    "1 lines and 1 transfers of a payout that does not exist"
)]
#[case::line_above_entry(
    "update pay_out_line set amount_minor = 7906 where payout_id = (OF_8); update pay_out set amount_minor = 7906 where hotel_id = 8",
    &[(Kind::PayoutNotEarned, 1), (Kind::PayableDiffers, 1)],
    "line 1 is 7906, but its entry has 7905"
)]
#[case::entry_of_tax_account(
    "update pay_out_line set line = 4 where payout_id = (OF_8)",
    &[(Kind::PayoutNotEarned, 1), (Kind::PayableDiffers, 1)],
    "line 1 is of TAX_PAYABLE"
)]
#[case::entry_of_another_hotel(
    "update pay_out set hotel_id = 9 where hotel_id = 8",
    &[(Kind::PayoutNotEarned, 1), (Kind::PayableDiffers, 2)],
    "line 1 is of hotel 8 in EUR"
)]
#[case::entry_of_earlier_payout(
    "update pay_out_line set (transaction_id, line) = (select transaction_id, 1 from ledger_transaction where kind = 'PAY_OUT')
     where payout_id = (OF_8)",
    &[(Kind::PayoutNotEarned, 1), (Kind::PayableDiffers, 1)],
    "line 1 is of no reservation"
)]
#[case::unfinished_stay(
    "update pay_out set cutoff = '2030-05-04' where hotel_id = 8",
    &[(Kind::PayoutNotEarned, 1)],
    "line 1 is of a stay that ends on 2030-05-04"
)]
#[case::other_check_out(
    "update pay_out_line set check_out = '2030-05-03' where payout_id = (OF_8)",
    &[(Kind::PayoutNotEarned, 1)],
    "line 1 is of a stay that does not end on 2030-05-03"
)]
#[case::entry_settled_twice(
    "alter table pay_out_line drop constraint pay_out_line_entry_pkey;
     insert into pay_out select transfer_id, 8, currency, amount_minor, lines, cutoff
         from pay_out join pay_out_transfer using (payout_id) where attempt = 2;
     insert into pay_out_line select transfer_id, number, lines, line.transaction_id, line, amount_minor, check_out
         from pay_out_line line, pay_out_transfer where attempt = 2 and line.payout_id = (select payout_id from pay_out_transfer
             join pay_out using (payout_id) where hotel_id = 8);
     insert into pay_out_transfer (transfer_id, payout_id, attempt, destination)
         select gen_random_uuid(), transfer_id, 1, 'x' from pay_out_transfer where attempt = 2",
    &[(Kind::PayoutSettlesTwice, 2), (Kind::PayableDiffers, 1)],
    "1 of its entries are settled by other lines, too, the first by "
)]
#[case::two_open_transfers(
    "drop index pay_out_transfer_one_alive_key;
     update pay_out_transfer set status = 'REQUESTED', failure = null, ended_at = null where status = 'FAILED'",
    &[(Kind::PayoutPaidTwice, 1)],
    "2 transfers are open or paid"
)]
#[case::no_transfer(
    "delete from pay_out_transfer where payout_id = (OF_8)",
    &[(Kind::PayoutNotAskedFor, 1)],
    "0 transfers, of which the last is number 0"
)]
#[case::missing_attempt(
    "delete from pay_out_transfer where status = 'FAILED'",
    &[(Kind::PayoutNotAskedFor, 1)],
    "1 transfers, of which the last is number 2"
)]
#[case::paid_by_hand(
    "update pay_out_transfer set status = 'PAID', psp_transfer = 'tr', ended_at = now() where payout_id = (OF_8)",
    &[(Kind::PayoutPostingDiffers, 1), (Kind::PayableDiffers, 1)],
    "HOTEL_PAYABLE 8 is 0 and should be 7905 EUR; PSP_CLEARING is 0 and should be -7905 EUR"
)]
#[case::posted_and_not_paid(
    "update pay_out_transfer set status = 'REQUESTED', ended_at = null where status = 'PAID'",
    &[(Kind::SourceMissing, 1), (Kind::PayoutPostingDiffers, 1), (Kind::PayableDiffers, 1)],
    "PAY_OUT of "
)]
#[case::posted_for_another_hotel(
    "update ledger_entry set account_id = (select account_id from ledger_account where kind = 'HOTEL_PAYABLE' and hotel_id = 8)
     where line = 1 and transaction_id = (select transaction_id from ledger_transaction where kind = 'PAY_OUT')",
    &[(Kind::PayoutPostingDiffers, 1), (Kind::PayableDiffers, 2)],
    "HOTEL_PAYABLE 7 is 0 and should be 19762 EUR; HOTEL_PAYABLE 8 is 19762 and should be 0 EUR"
)]
#[case::posted_for_a_booking(
    "update ledger_transaction set reservation_id = source_id where kind = 'PAY_OUT'",
    &[(Kind::PayoutPostingDiffers, 1)],
    "HOTEL_PAYABLE 7 is 0 and should be 19762 EUR; HOTEL_PAYABLE 7 is 19762 and should be 0 EUR"
)]
#[case::earned_by_another_hotel(
    "update ledger_entry set account_id = (select account_id from ledger_account where kind = 'HOTEL_PAYABLE' and hotel_id = 9)
     where line = 2 and transaction_id = (SALE_OF_8)",
    &[(Kind::PaymentDiffers, 1), (Kind::PayoutNotEarned, 1), (Kind::PayableDiffers, 2)],
    "SALE HOTEL_PAYABLE 8 is 0 and should be -7905 EUR; SALE HOTEL_PAYABLE 9 is -7905 and should be 0 EUR"
)]
#[tokio::test]
async fn damage_to_partner_sales_and_payouts_is_found_exactly(
    #[case] sql: &str,
    #[case] kinds: &[(Kind, u64)],
    #[case] detail: &str,
) {
    let database = world().await;
    let sale = "select transaction_id from ledger_transaction where kind =";
    let guests = "and source_id = (select payment_id from payment_order where hotel_id = 8)";
    let partners = "and source_id = (select reservation_id from partner_sale where credited_minor = 0)";
    let sql = sql
        .replace("SALE_OF_8", &format!("{sale} 'SALE' {guests}"))
        .replace("PARTNERS", &format!("{sale} 'PARTNER_SALE' {partners}"))
        .replace("OF_7", "select payout_id from pay_out where hotel_id = 7")
        .replace("OF_8", "select payout_id from pay_out where hotel_id = 8");
    tamper(database.pool(), &sql).await;
    only_found(database.pool(), kinds, detail).await;
}

#[tokio::test]
async fn pages_cover_all_partner_sales_and_payouts() {
    let database = world().await;
    let pool = database.pool();
    tamper(pool, "update pay_out set cutoff = '2030-05-04'; update partner_sale set commission_minor = 0").await;
    for (part, rows, pages, found) in [
        (Part::PartnerSales, 2, 3, vec![(Kind::PartnerSaleDiffers, 2), (Kind::PartnerCreditDiffers, 1)]),
        (Part::Payouts, 3, 4, vec![(Kind::PayoutNotEarned, 3)]),
    ] {
        let (mut report, mut from, mut seen) = (Report::default(), Some(Uuid::nil()), (0, 0));
        while let Some(first) = from {
            let page = part.page(pool, first, 1, 2).await.unwrap();
            seen = (seen.0 + page.rows, seen.1 + 1);
            report.add(page.found, 2);
            from = page.next.and_then(after);
        }
        assert_eq!((seen, report.counts), ((rows, pages), found.into_iter().collect()), "{part:?}");
    }
}

#[tokio::test]
async fn run_beside_concurrent_payouts_finds_no_violation() {
    let database = Arc::new(database().await);
    let stop = Arc::new(AtomicBool::new(false));
    let hotels: Vec<_> = [7, 8, 9]
        .into_iter()
        .map(|hotel_id| {
            let (database, stop) = (database.clone(), stop.clone());
            tokio::spawn(async move {
                for round in 0.. {
                    let pool = database.pool();
                    let guest = sold_at(pool, hotel_id, eur(10_000), 700, date(2030, 5, 4)).await;
                    partner_sells(pool, hotel_id, (round % 2 == 0).then_some(2_500)).await;
                    settle(pool, hotel_id, true).await;
                    refund(pool, &guest, eur(1_000)).await;
                    receive(pool, hotel_id, if round % 3 == 0 { "transfer.failed" } else { "transfer.paid" }).await;
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            })
        })
        .collect();
    let enough = async {
        for round in 0.. {
            let report = check(database.pool()).await;
            assert!(report.is_clean(), "{:?}", report.listed);
            if round >= 20 && report.payouts >= 30 {
                break;
            }
        }
    };
    timeout(Duration::from_mins(2), enough).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    for hotel in hotels {
        hotel.await.unwrap();
    }
    assert!(check(database.pool()).await.is_clean());
}
