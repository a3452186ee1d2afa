//! Damage to the ledger, to payments of guests and to wallets.

use rstest::rstest;

use super::{super::Kind, folded, only_found, tamper, world};

#[rstest]
#[case::unbalanced(
    "update ledger_entry set amount_minor = 10001 where line = 1 and transaction_id = (LAST_SALE)",
    &[(Kind::TransactionUnbalanced, 1), (Kind::PaymentDiffers, 1)],
    "sums to 1 EUR"
)]
#[case::missing_entry(
    "delete from ledger_entry where line = 2 and transaction_id = (LAST_CHARGE)",
    &[(Kind::TransactionUnbalanced, 1), (Kind::TransactionNotWhole, 1), (Kind::PaymentDiffers, 1)],
    "1 entries, but declares 2"
)]
#[case::entries_without_transaction(
    "delete from ledger_transaction where kind = 'SALE'",
    &[(Kind::SourceMissing, 3), (Kind::PaymentDiffers, 3)],
    "entries without a transaction"
)]
#[case::sale_of_unknown_payment(
    "update ledger_transaction set source_id = transaction_id where transaction_id = (LAST_SALE)",
    &[(Kind::SourceMissing, 1), (Kind::PaymentDiffers, 1)],
    "SALE of "
)]
#[case::posting_of_unknown_refund(
    "update ledger_transaction set source_id = transaction_id where kind = 'REFUND_PAID'",
    &[(Kind::SourceMissing, 1), (Kind::RefundDiffers, 1)],
    "REFUND_PAID of "
)]
#[case::another_booking(
    "update ledger_transaction set reservation_id = source_id where kind = 'CHARGE'",
    &[(Kind::PaymentDiffers, 3), (Kind::ReservationMoneyDiffers, 3)],
    "CHARGE GUEST_RECEIVABLE is "
)]
#[case::another_hotel(
    "update payment_order set hotel_id = 8 where status = 'PAID'",
    &[(Kind::PaymentDiffers, 1)],
    "SALE HOTEL_PAYABLE 7 is -7905 and should be 0 EUR; SALE HOTEL_PAYABLE 8 is 0 and should be -7905 EUR; SALE TAX"
)]
#[case::another_amount(
    "update payment_order set amount_minor = 10001 where status = 'PAID'",
    &[(Kind::PaymentDiffers, 1), (Kind::ReservationMoneyDiffers, 1)],
    "CHARGE GUEST_RECEIVABLE is -10000 and should be -10001 EUR"
)]
#[case::another_currency(
    "update payment_order set currency = 'JPY' where status = 'PAID'",
    &[(Kind::PaymentDiffers, 1), (Kind::ReservationMoneyDiffers, 1)],
    "CHARGE GUEST_RECEIVABLE is "
)]
#[case::other_split(
    "update payment_order set commission_minor = 0 where status = 'PAID'",
    &[(Kind::PaymentDiffers, 1)],
    "SALE COMMISSION_REVENUE is -1395 and should be 0 EUR"
)]
#[case::not_paid(
    "update payment_order set status = 'FAILED' where status = 'PAID'",
    &[(Kind::PaymentDiffers, 1), (Kind::ReservationMoneyDiffers, 1)],
    "CHARGE GUEST_RECEIVABLE is -10000 and should be 0 EUR"
)]
#[case::paid_by_hand(
    "update payment_order set status = 'PAID' where status = 'PENDING'",
    &[(Kind::PaymentDiffers, 1), (Kind::ReservationMoneyDiffers, 1)],
    "CHARGE GUEST_RECEIVABLE is 0 and should be -10000 EUR"
)]
#[case::refunded_by_hand(
    "update refund set status = 'SUCCEEDED', succeeded_at = now() where amount_minor = 6667;
     update payment_order set refunded_minor = 10000, status = 'REFUNDED' where refund_requested_minor = 10000",
    &[(Kind::RefundDiffers, 1), (Kind::ReservationMoneyDiffers, 1)],
    "REFUND_PAID PSP_CLEARING is 0 and should be -6667 EUR"
)]
#[case::missing_refund(
    "delete from refund where amount_minor = 6667;
     update payment_order set refund_requested_minor = 3333, status = 'REFUNDED' where refund_requested_minor = 10000",
    &[(Kind::SourceMissing, 1)],
    "REFUND_OWED of "
)]
#[case::other_sums(
    "update payment_order set refunded_minor = 1 where refund_requested_minor = 3333",
    &[(Kind::RefundSumsDiffer, 1)],
    "declares 3333 requested and 1 refunded, but refunds have 3333 and 0 EUR"
)]
#[case::refunds_above_payment(
    "update refund set amount_minor = 10001 where amount_minor = 6667;
     update payment_order set refund_requested_minor = 10000 where refund_requested_minor = 10000",
    &[(Kind::RefundDiffers, 1), (Kind::RefundAbovePayment, 1), (Kind::RefundSumsDiffer, 1)],
    "13334 of 10000 EUR"
)]
#[case::wallet_differs(
    "update wallet set balance_minor = balance_minor + 1 where account_id = (select account_id from ledger_account where kind = 'PSP_CLEARING')",
    &[(Kind::WalletDiffers, 1)],
    "PSP_CLEARING: 26668, but entries have 26667 EUR"
)]
#[case::entry_folded_twice(
    "update ledger_entry set written_by = '9000000000000' where line = 2 and transaction_id = (LAST_REFUND_OWED)",
    &[(Kind::WalletDiffers, 1)],
    "COMMISSION_REVENUE: -1395, but entries have -2325 EUR"
)]
#[tokio::test]
async fn damage_to_payments_is_found_exactly(#[case] sql: &str, #[case] kinds: &[(Kind, u64)], #[case] detail: &str) {
    let database = world().await;
    if kinds.iter().any(|(kind, _)| *kind == Kind::WalletDiffers) {
        folded(database.pool()).await;
    }
    let mut sql = sql.to_owned();
    for kind in ["SALE", "CHARGE", "REFUND_OWED"] {
        let last = "select transaction_id from ledger_transaction where kind =";
        sql = sql.replace(&format!("LAST_{kind}"), &format!("{last} '{kind}' order by transaction_id desc limit 1"));
    }
    tamper(database.pool(), &sql).await;
    only_found(database.pool(), kinds, detail).await;
}
