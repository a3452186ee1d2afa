//! Changes of partner sales: each posts its difference once, under the credit limit.

use futures::future::join_all;
use jiff::civil::date;
use rstest::rstest;
use sqlx::PgPool;
use staymesh_domain::ReservationId;
use staymesh_mesh::{Problem, Reason};

use super::changes::assert_clean;
use crate::{
    clients::reservations::MockReservationClient,
    model::{ChangeSettlement, PartnerSale, PartnerTerms},
    service::Payments,
    testing::{MockPsp, database, eur, reservation_id, service},
};

fn on(pool: &PgPool) -> Payments<MockPsp> {
    service(pool, MockReservationClient::new(), MockPsp::new())
}

/// A sale of this amount, a tenth of the net of which is tax, until 4 May.
fn terms(minor: i64) -> PartnerTerms {
    let partner = "client:acme".into();
    PartnerTerms { partner, amount: eur(minor), taxes: eur(minor / 11), check_out: date(2030, 5, 4) }
}

fn settled(revision: i32, minor: i64, dropped: bool) -> ChangeSettlement {
    ChangeSettlement { revision, refund: eur(0), sale: (!dropped).then(|| terms(minor)), dropped }
}

/// What the partner owes by the ledger, in cents, and the kinds of what was posted, in order.
async fn owed(pool: &PgPool, id: ReservationId) -> (i64, Vec<String>) {
    let posted: Vec<(String, i64)> = sqlx::query_as(
        "select t.kind, amount_minor from ledger_transaction t join ledger_entry using (transaction_id)
         join ledger_account a using (account_id)
         where t.reservation_id = $1 and a.kind = 'PARTNER_RECEIVABLE' order by transaction_id",
    )
    .bind(id.as_uuid())
    .fetch_all(pool)
    .await
    .unwrap();
    (posted.iter().map(|(_, minor)| minor).sum(), posted.into_iter().map(|(kind, _)| kind).collect())
}

async fn amend(
    payments: &Payments<MockPsp>,
    id: ReservationId,
    revision: i32,
    minor: i64,
) -> Result<PartnerSale, Reason> {
    let amended = payments.amend_partner_sale(id, revision, &terms(minor), true).await;
    amended.map_err(|error| Problem::from(error).reason())
}

#[tokio::test]
async fn amendment_posts_the_difference_once_and_changes_the_invoice_line() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.record_partner_sale(id, &terms(35_200), true).await.unwrap();
    let amended = join_all((0..5).map(|_| amend(&payments, id, 2, 51_700))).await;
    for sale in amended {
        let sale = sale.unwrap();
        assert_eq!((sale.revision, sale.commission(), &sale.terms), (2, eur(7_050), &terms(51_700)));
    }
    assert_eq!(amend(&payments, id, 2, 51_701).await.unwrap_err(), Reason::ReservationIdReused);
    assert_eq!(owed(pool, id).await, (51_700, vec!["PARTNER_SALE".into(), "PARTNER_CHANGE".into()]));
    // Applied as it was recorded: nothing more is posted. A repeat of the first message is compared with the first terms.
    for _ in 0..2 {
        payments.settle_change(id, &settled(2, 51_700, false)).await.unwrap();
    }
    payments.record_partner_sale(id, &terms(35_200), true).await.unwrap();
    let other = payments.record_partner_sale(id, &terms(51_700), true).await.unwrap_err();
    assert_eq!(Problem::from(other).reason(), Reason::ReservationIdReused);
    assert_eq!(owed(pool, id).await.0, 51_700);
    let (lines, _) = payments.list_partner_sales("client:acme", (None, None), &first_page()).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.owed().unwrap()).collect::<Vec<_>>(), [eur(51_700)]);
    assert_clean(pool).await;
}

fn first_page() -> staymesh_domain::Page<crate::service::InvoiceCursor> {
    staymesh_domain::Page::collect(&mut staymesh_domain::FieldErrors::default(), 0, "", &["client:acme", "", ""])
        .unwrap()
}

#[tokio::test]
async fn credit_limit_decides_what_a_change_adds_and_a_refusal_records_nothing() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = Payments { default_credit: "EUR=500".parse().unwrap(), ..on(pool) };
    payments.record_partner_sale(id, &terms(35_200), true).await.unwrap();
    assert_eq!(amend(&payments, id, 2, 50_001).await.unwrap_err(), Reason::PartnerCreditExceeded);
    assert_eq!(owed(pool, id).await.0, 35_200);
    assert_eq!(amend(&payments, id, 2, 50_000).await.unwrap().terms.amount, eur(50_000), "exactly the limit");
    // Less is always within it.
    let poorer = Payments { default_credit: "EUR=0".parse().unwrap(), ..on(pool) };
    assert_eq!(amend(&poorer, id, 3, 40_000).await.unwrap().terms.amount, eur(40_000));
    assert_eq!(owed(pool, id).await.0, 40_000);
    assert_clean(pool).await;
}

#[tokio::test]
async fn dropped_change_undoes_its_amendment_and_a_late_one_is_refused() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.record_partner_sale(id, &terms(35_200), true).await.unwrap();
    amend(&payments, id, 2, 51_700).await.unwrap();
    for _ in 0..2 {
        let (_, sale) = payments.settle_change(id, &settled(2, 0, true)).await.unwrap();
        assert_eq!(sale.unwrap().terms, terms(35_200));
    }
    assert_eq!(owed(pool, id).await.0, 35_200);
    // Dropped before it was recorded.
    payments.settle_change(id, &settled(3, 0, true)).await.unwrap();
    assert_eq!(amend(&payments, id, 3, 51_700).await.unwrap_err(), Reason::ChangeNotPending);
    assert_eq!(amend(&payments, id, 2, 60_000).await.unwrap_err(), Reason::ReservationIdReused);
    assert_eq!(owed(pool, id).await.0, 35_200);
    assert_clean(pool).await;
}

#[tokio::test]
async fn applied_change_that_costs_less_lowers_the_sale_and_late_messages_change_nothing() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.record_partner_sale(id, &terms(35_200), true).await.unwrap();
    let shorter = PartnerTerms { check_out: date(2030, 5, 3), ..terms(22_000) };
    let change = ChangeSettlement { sale: Some(shorter.clone()), ..settled(3, 0, false) };
    let (_, sale) = payments.settle_change(id, &change).await.unwrap();
    assert_eq!(sale.unwrap().terms, shorter);
    // Revision 2 is reported after revision 3.
    payments.settle_change(id, &settled(2, 51_700, false)).await.unwrap();
    assert_eq!(amend(&payments, id, 2, 51_700).await.unwrap_err(), Reason::ChangeNotPending);
    assert_eq!(owed(pool, id).await, (22_000, vec!["PARTNER_SALE".into(), "PARTNER_CHANGE".into()]));
    assert_clean(pool).await;
}

#[rstest]
#[case::applied(true, 51_700, 30_000)]
#[case::never_applied(false, 35_200, 30_000)]
#[case::in_full(false, 35_200, 35_200)]
#[tokio::test]
async fn cancellation_credits_the_sale_as_it_was_agreed(
    #[case] applied: bool,
    #[case] agreed: i64,
    #[case] refund: i64,
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.record_partner_sale(id, &terms(35_200), true).await.unwrap();
    amend(&payments, id, 2, 51_700).await.unwrap();
    if applied {
        payments.settle_change(id, &settled(2, 51_700, false)).await.unwrap();
    }
    for _ in 0..2 {
        let sale = payments.settle_partner_sale(id, eur(refund), Some(&terms(agreed))).await.unwrap().unwrap();
        assert_eq!((sale.terms, sale.credited), (terms(agreed), eur(refund)));
    }
    assert_eq!(owed(pool, id).await.0, agreed - refund);
    // Messages of changes that come after it change nothing.
    payments.settle_change(id, &settled(3, 10_000, false)).await.unwrap();
    assert_eq!(amend(&payments, id, 4, 60_000).await.unwrap_err(), Reason::ChangeNotPending);
    assert_eq!(owed(pool, id).await.0, agreed - refund);
    assert_clean(pool).await;
}
