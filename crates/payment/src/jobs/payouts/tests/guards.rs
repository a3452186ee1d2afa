//! The constraints on payouts, their lines and transfers.

use rstest::rstest;

use super::{everything, hotel, make_payouts, refund, refused, requested, send_to, sold, sold_at};
use crate::testing::{database, eur};

/// Statements that insert a payout (hotel, currency, amount, number of lines, cutoff) with its transfer, and lines with
/// this amount for each entry of these accounts.
macro_rules! by_hand {
    ($payout:literal, $amount:literal of $account:literal) => {
        by_hand!($payout, $amount of $account, "e.transaction_id")
    };
    ($payout:literal, $amount:literal of $account:literal, $transaction:literal) => {
        &[
            concat!(
                "insert into pay_out (payout_id, hotel_id, currency, amount_minor, lines, cutoff)
                 values ('00000000-0000-7000-8000-000000000001', ",
                $payout,
                ")"
            ),
            concat!(
                "insert into pay_out_line (payout_id, lines, number, transaction_id, line, amount_minor, check_out)
                 select p.payout_id, p.lines, row_number() over (order by e.transaction_id), ",
                $transaction,
                ", e.line, ",
                $amount,
                ", '2030-05-04' from pay_out p, ledger_entry e join ledger_account a using (account_id) where ",
                $account
            ),
            "insert into pay_out_transfer (transfer_id, payout_id, attempt, destination)
             values ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000001', 1, 'x')",
        ]
    };
    ($payout:literal) => {
        by_hand!($payout, "-e.amount_minor" of "a.kind = 'HOTEL_PAYABLE' and a.hotel_id = 7")
    };
}

/// Hotel 7 is owed 79.05 for each of two stays, hotel 8 for one. The first case is valid; each other case differs from it
/// in one respect.
#[rstest]
#[case::valid(by_hand!("7, 'EUR', 15810, 2, '2030-05-05'"), None)]
#[case::other_sum(by_hand!("7, 'EUR', 15811, 2, '2030-05-05'"), Some("pay_out_is_sum_of_lines"))]
#[case::other_amount_of_an_entry(
    by_hand!("7, 'EUR', 15812, 2, '2030-05-05'", "1 - e.amount_minor" of "a.kind = 'HOTEL_PAYABLE' and a.hotel_id = 7"),
    Some("pay_out_lines_fit")
)]
#[case::missing_line(by_hand!("7, 'EUR', 15810, 3, '2030-05-05'"), Some("pay_out_is_whole"))]
#[case::surplus_line(by_hand!("7, 'EUR', 15810, 1, '2030-05-05'"), Some("pay_out_line_number_in_range"))]
#[case::entry_of_another_hotel(
    by_hand!("7, 'EUR', 7905, 1, '2030-05-05'", "-e.amount_minor" of "a.kind = 'HOTEL_PAYABLE' and a.hotel_id = 8"),
    Some("pay_out_lines_fit")
)]
#[case::another_currency(by_hand!("7, 'USD', 15810, 2, '2030-05-05'"), Some("pay_out_lines_fit"))]
#[case::entry_of_tax_account(
    by_hand!("7, 'EUR', 1400, 2, '2030-05-05'", "-e.amount_minor" of "a.kind = 'TAX_PAYABLE' and a.hotel_id = 7"),
    Some("pay_out_lines_fit")
)]
#[case::unfinished_stay(by_hand!("7, 'EUR', 15810, 2, '2030-05-04'"), Some("pay_out_lines_fit"))]
#[case::unknown_entry(
    by_hand!("7, 'EUR', 15810, 2, '2030-05-05'", "7905" of "a.kind = 'HOTEL_PAYABLE' and a.hotel_id = 7", "gen_random_uuid()"),
    Some("pay_out_is_whole")
)]
#[case::zero_amount(by_hand!("7, 'EUR', 0, 2, '2030-05-05'"), Some("pay_out_amount_in_range"))]
#[tokio::test]
async fn payout_must_match_its_lines(#[case] statements: &[&'static str], #[case] constraint: Option<&str>) {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    sold(pool).await;
    sold_at(pool, 8, eur(10_000), 700, jiff::civil::date(2030, 5, 4)).await;
    assert_eq!(refused(pool, statements).await.as_deref(), constraint);
}

#[rstest]
#[case::changed("update pay_out set amount_minor = amount_minor + 1", "pay_out_terms_are_fixed")]
#[case::deleted("delete from pay_out", "pay_out_terms_are_fixed")]
#[case::truncated("truncate pay_out_line, pay_out_transfer, pay_out", "pay_out_terms_are_fixed")]
#[case::line_changed("update pay_out_line set amount_minor = 1", "pay_out_terms_are_fixed")]
#[case::line_deleted("delete from pay_out_line", "pay_out_terms_are_fixed")]
#[case::transfer_deleted("delete from pay_out_transfer", "pay_out_terms_are_fixed")]
#[case::other_destination("update pay_out_transfer set destination = 'me'", "pay_out_transfer_legal_transition")]
#[case::paid_without_posting(
    "update pay_out_transfer set status = 'PAID', psp_transfer = 'tr', ended_at = now()",
    "pay_out_transfer_is_posted"
)]
#[case::failed_without_reason(
    "update pay_out_transfer set status = 'FAILED', ended_at = now()",
    "pay_out_transfer_failed_for_a_reason"
)]
#[case::second_open_transfer(
    "insert into pay_out_transfer (transfer_id, payout_id, attempt, destination)
     select gen_random_uuid(), payout_id, 2, 'x' from pay_out",
    "pay_out_transfer_one_alive_key"
)]
#[case::inserted_as_failed(
    "insert into pay_out_transfer (transfer_id, payout_id, attempt, destination, status, failure, ended_at)
     select gen_random_uuid(), payout_id, 2, 'x', 'FAILED', 'x', now() from pay_out",
    "pay_out_transfer_legal_transition"
)]
#[case::without_transfer(
    "with p as (
         insert into pay_out (payout_id, hotel_id, currency, amount_minor, lines, cutoff)
         values (gen_random_uuid(), 7, 'EUR', 7905, 1, '2031-01-01') returning payout_id, lines)
     insert into pay_out_line (payout_id, number, lines, transaction_id, line, amount_minor, check_out)
     select p.payout_id, 1, 1, e.transaction_id, e.line, -e.amount_minor, '2030-05-04'
     from p, ledger_entry e join ledger_account using (account_id)
     where kind = 'HOTEL_PAYABLE'
         and not exists (select from pay_out_line l where l.transaction_id = e.transaction_id and l.line = e.line)",
    "pay_out_has_transfer"
)]
#[case::entry_settled_twice(
    "with p as (
         insert into pay_out (payout_id, hotel_id, currency, amount_minor, lines, cutoff)
         values (gen_random_uuid(), 7, 'EUR', 7905, 1, '2031-01-01') returning payout_id, lines)
     insert into pay_out_line (payout_id, number, lines, transaction_id, line, amount_minor, check_out)
     select p.payout_id, 1, 1, transaction_id, line, amount_minor, check_out from p, pay_out_line",
    "pay_out_line_entry_pkey"
)]
#[case::line_added_later(
    "insert into pay_out_line (payout_id, number, lines, transaction_id, line, amount_minor, check_out)
     select p.payout_id, 2, 1, e.transaction_id, e.line, -e.amount_minor, '2030-05-04'
     from pay_out p, ledger_entry e join ledger_account using (account_id)
     where kind = 'HOTEL_PAYABLE'
         and not exists (select from pay_out_line l where l.transaction_id = e.transaction_id and l.line = e.line)",
    "pay_out_line_number_in_range"
)]
#[case::empty_destination("update hotel_destination set destination = ''", "hotel_destination_is_short")]
#[tokio::test]
async fn committed_payout_cannot_be_changed(#[case] sql: &'static str, #[case] constraint: &str) {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    requested(pool).await;
    sold(pool).await;
    assert_eq!(refused(pool, &[sql]).await.as_deref(), Some(constraint));
    assert_eq!(make_payouts(pool, &everything()).await.len(), 1, "only the unsettled stay is due");
}

#[tokio::test]
async fn ended_transfer_cannot_be_changed() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    requested(pool).await;
    let fail = "update pay_out_transfer set status = 'FAILED', failure = 'x', ended_at = now()";
    assert_eq!(refused(pool, &[fail]).await, None);
    for sql in [
        "update pay_out_transfer set failure = 'y'",
        "update pay_out_transfer set status = 'REQUESTED', failure = null, ended_at = null",
        "update pay_out_transfer set status = 'PAID', failure = null, psp_transfer = 'x'",
    ] {
        assert_eq!(refused(pool, &[sql]).await.as_deref(), Some("pay_out_transfer_legal_transition"), "{sql}");
    }
}

#[tokio::test]
async fn run_reports_rejected_payout_and_continues() {
    let database = database().await;
    let pool = database.pool();
    // Their sum exceeds the maximum of a payout.
    let much = staymesh_domain::Money::from_minor(staymesh_domain::Money::MAX_MINOR, "EUR".parse().unwrap()).unwrap();
    for _ in 0..2 {
        sold_at(pool, 1, much, 0, jiff::civil::date(2030, 5, 4)).await;
    }
    let payment = sold(pool).await;
    refund(pool, &payment, eur(1)).await;
    for hotel_id in [1, 7] {
        send_to(pool, hotel_id, "x").await;
    }
    let found = make_payouts(pool, &everything()).await;
    let refused = super::Found::Refused { hotel_id: hotel(1), constraint: "pay_out_amount_in_range".into() };
    assert!(found.contains(&refused) && found.len() == 2, "{found:?}");
}
