//! Damage to the money of changes.

use rstest::rstest;

use super::{super::Kind, only_found, tamper};
use crate::{
    service::tests::changes::{applied, assert_clean, paid, settling},
    testing::{database, reservation_id},
};

#[rstest]
#[case::refund_of_another_change(
    "update refund set revision = 4 where revision = 3",
    &[(Kind::ChangeRefundDiffers, 1)],
    "revision 3 gave back 20000, but its refunds are 0 EUR; revision 4 gave back 0, but its refunds are 20000 EUR"
)]
#[case::lost_settlement(
    "delete from change_settlement",
    &[(Kind::ChangeRefundDiffers, 1)],
    "revision 3 gave back 0, but its refunds are 20000 EUR"
)]
#[case::other_settlement(
    "update change_settlement set given_minor = 19999",
    &[(Kind::ChangeRefundDiffers, 1)],
    "revision 3 gave back 19999, but its refunds are 20000 EUR"
)]
#[case::charge_of_another_reservation(
    "update payment_order set reservation_id = gen_random_uuid() where revision = 2;
     update ledger_transaction set reservation_id = (select reservation_id from payment_order where revision = 2)
         where source_id in (select refund_id from refund join payment_order using (payment_id)
                             where payment_order.revision = 2)",
    &[(Kind::PaymentDiffers, 1), (Kind::ReservationMoneyDiffers, 2), (Kind::ChangeRefundDiffers, 2)],
    "revision 3 gave back "
)]
#[tokio::test]
async fn damage_to_changes_is_found_exactly(#[case] sql: &str, #[case] kinds: &[(Kind, u64)], #[case] detail: &str) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    paid(pool, id, 1, 35_200).await;
    paid(pool, id, 2, 16_500).await;
    settling(pool).settle_change(id, &applied(3, 20_000)).await.unwrap();
    assert_clean(pool).await;
    tamper(pool, sql).await;
    only_found(pool, kinds, detail).await;
}
