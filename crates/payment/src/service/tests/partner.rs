use futures::future::join_all;
use jiff::civil::date;
use rstest::rstest;
use sqlx::{AssertSqlSafe, PgPool};
use staymesh_domain::ReservationId;
use staymesh_store::StoreError;

use crate::{
    clients::reservations::MockReservationClient,
    error::PaymentError,
    model::{PartnerSale, PartnerTerms},
    service::Payments,
    testing::{MockPsp, database, eur, reservation_id, service},
};

fn on(pool: &PgPool) -> Payments<MockPsp> {
    service(pool, MockReservationClient::new(), MockPsp::new())
}

/// 100.00 with 7.00 of taxes in it, of which 13.95 are commission.
fn terms() -> PartnerTerms {
    PartnerTerms { partner: "client:acme".into(), amount: eur(10_000), taxes: eur(700), check_out: date(2030, 5, 4) }
}

/// The entries of a reservation in order: kind of the posting, account, its owner, amount in minor units.
async fn posted(pool: &PgPool, id: ReservationId) -> Vec<(String, String, String, i64)> {
    sqlx::query_as(
        "select transaction.kind, account.kind, coalesce(partner, hotel_id::text, ''), amount_minor
         from ledger_transaction transaction join ledger_entry using (transaction_id)
         join ledger_account account using (account_id)
         where transaction.reservation_id = $1 order by transaction_id, line",
    )
    .bind(id.as_uuid())
    .fetch_all(pool)
    .await
    .unwrap()
}

fn lines(kind: &str, of: &[(&str, &str, i64)]) -> Vec<(String, String, String, i64)> {
    of.iter().map(|(account, whose, minor)| (kind.into(), (*account).into(), (*whose).into(), *minor)).collect()
}

fn the_sale() -> Vec<(String, String, String, i64)> {
    lines(
        "PARTNER_SALE",
        &[
            ("PARTNER_RECEIVABLE", "client:acme", 10_000),
            ("HOTEL_PAYABLE", "7", -7_905),
            ("COMMISSION_REVENUE", "", -1_395),
            ("TAX_PAYABLE", "7", -700),
        ],
    )
}

#[tokio::test]
async fn concurrent_records_of_partner_sale_post_it_once() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (payments, terms) = (on(pool), terms());
    let recorded = join_all((0..5).map(|_| payments.record_partner_sale(id, &terms, true))).await;
    let sales: Vec<PartnerSale> = recorded.into_iter().map(Result::unwrap).collect();
    assert!(sales.iter().all(|sale| *sale == sales[0]));
    let sale = &sales[0];
    assert_eq!((&sale.terms, sale.credited, sale.cancel_time), (&terms, eur(0), None));
    assert_eq!((sale.commission(), sale.owed().unwrap()), (eur(1_395), eur(10_000)));
    assert_eq!(posted(pool, id).await, the_sale());
    // The commission is fixed by the first record: a later configuration does not change the sale.
    let reconfigured = Payments { commission_basis_points: 2_000, ..on(pool) };
    assert_eq!(reconfigured.record_partner_sale(id, &terms, true).await.unwrap(), *sale);
}

#[rstest]
#[case::partner(PartnerTerms { partner: "client:other".into(), ..terms() })]
#[case::amount(PartnerTerms { amount: eur(10_001), ..terms() })]
#[case::taxes(PartnerTerms { taxes: eur(0), ..terms() })]
#[case::check_out(PartnerTerms { check_out: date(2030, 5, 5), ..terms() })]
#[tokio::test]
async fn partner_sale_with_other_terms_is_refused(#[case] other: PartnerTerms) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (payments, terms) = (on(pool), terms());
    let sale = payments.record_partner_sale(id, &terms, true).await.unwrap();
    assert!(matches!(payments.record_partner_sale(id, &other, true).await, Err(PaymentError::SaleDiffers)));
    let settled = payments.settle_partner_sale(id, eur(10_000), Some(&other)).await;
    assert!(matches!(settled, Err(PaymentError::SaleDiffers)));
    assert_eq!(payments.record_partner_sale(id, &terms, true).await.unwrap(), sale);
    assert_eq!(posted(pool, id).await, the_sale());
}

#[rstest]
#[case::in_full(10_000, 10_000, [7_905, 1_395, 700])]
#[case::in_part(7_000, 7_000, [5_534, 976, 490])]
#[case::limited_to_the_sale(99_999, 10_000, [7_905, 1_395, 700])]
#[tokio::test]
async fn cancellation_credits_refund_of_policy_once(
    #[case] policy: i64,
    #[case] credited: i64,
    #[case] parts: [i64; 3],
) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (payments, terms) = (on(pool), terms());
    payments.record_partner_sale(id, &terms, true).await.unwrap();
    let refund = eur(policy);
    let ends = join_all((0..4).map(|_| payments.settle_partner_sale(id, refund, Some(&terms)))).await;
    for end in ends {
        let sale = end.unwrap().unwrap();
        assert_eq!((sale.credited, sale.owed().unwrap()), (eur(credited), eur(10_000 - credited)));
        assert!(sale.cancel_time.is_some());
    }
    // The first credit is final: a later settlement does not change it.
    let again = payments.settle_partner_sale(id, eur(1), None).await.unwrap().unwrap();
    assert_eq!(again.credited, eur(credited));
    let credit = lines(
        "PARTNER_CREDIT",
        &[
            ("HOTEL_PAYABLE", "7", parts[0]),
            ("COMMISSION_REVENUE", "", parts[1]),
            ("TAX_PAYABLE", "7", parts[2]),
            ("PARTNER_RECEIVABLE", "client:acme", -credited),
        ],
    );
    assert_eq!(posted(pool, id).await, [the_sale(), credit].concat());
}

#[tokio::test]
async fn cancellation_without_refund_posts_no_credit() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.record_partner_sale(id, &terms(), true).await.unwrap();
    let sale = payments.settle_partner_sale(id, eur(0), None).await.unwrap().unwrap();
    assert_eq!((sale.credited, sale.cancel_time.is_some()), (eur(0), true));
    assert_eq!(posted(pool, id).await, the_sale());
}

#[tokio::test]
async fn cancellation_before_record_posts_sale_and_credit() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let (payments, terms) = (on(pool), terms());
    let ended = payments.settle_partner_sale(id, eur(10_000), Some(&terms)).await.unwrap().unwrap();
    assert_eq!((ended.credited, ended.owed().unwrap()), (eur(10_000), eur(0)));
    // The event of the sale was a dead letter and is redelivered.
    assert_eq!(payments.record_partner_sale(id, &terms, true).await.unwrap(), ended);
    let sums: Vec<(String, i64)> = sqlx::query_as(
        "select account.kind, sum(amount_minor)::bigint from ledger_entry
         join ledger_account account using (account_id) group by 1 having sum(amount_minor) <> 0",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(sums, []);
}

#[tokio::test]
async fn settlement_without_sale_is_none_and_in_other_currency_is_refused() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    assert_eq!(payments.settle_partner_sale(id, eur(10_000), None).await.unwrap(), None);
    payments.record_partner_sale(id, &terms(), true).await.unwrap();
    let dollars = staymesh_domain::Money::parse("USD", "100.00").unwrap();
    let Err(PaymentError::Field(error)) = payments.settle_partner_sale(id, dollars, None).await else {
        panic!("a field is named")
    };
    assert_eq!(error.field, "refund.currency_code");
    assert_eq!(posted(pool, id).await, the_sale());
}

#[rstest]
#[case("update partner_sale set amount_minor = amount_minor + 1", "partner_sale_terms_are_fixed")]
#[case("update partner_sale set partner = 'client:other'", "partner_sale_terms_are_fixed")]
#[case("update partner_sale set commission_minor = 0", "partner_sale_terms_are_fixed")]
#[case("delete from partner_sale", "partner_sale_terms_are_fixed")]
#[case("update partner_sale set credited_minor = 5000", "partner_sale_is_credited_once")]
#[case("update partner_sale set credited_minor = 0, cancelled_at = null", "partner_sale_is_credited_once")]
#[case(
    "insert into partner_sale select gen_random_uuid(), hotel_id, partner, amount_minor, currency, tax_minor,
     commission_minor, check_out, 1, created_at, now() from partner_sale",
    "partner_sale_is_credited_once"
)]
#[tokio::test]
async fn change_of_recorded_partner_sale_is_rejected(#[case] sql: &str, #[case] constraint: &str) {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.record_partner_sale(id, &terms(), true).await.unwrap();
    payments.settle_partner_sale(id, eur(4_000), None).await.unwrap();
    let error = StoreError::from(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap_err());
    assert_eq!(error.constraint(), Some(constraint));
}

#[tokio::test]
async fn credit_above_sale_or_without_cancellation_is_rejected() {
    let database = database().await;
    let pool = database.pool();
    on(pool).record_partner_sale(reservation_id(), &terms(), true).await.unwrap();
    for (sql, constraint) in [
        ("update partner_sale set credited_minor = 10001, cancelled_at = now()", "partner_sale_credit_within_amount"),
        ("update partner_sale set credited_minor = -1, cancelled_at = now()", "partner_sale_credit_within_amount"),
        ("update partner_sale set credited_minor = 1", "partner_sale_credit_has_reason"),
    ] {
        let error = StoreError::from(sqlx::query(sql).execute(pool).await.unwrap_err());
        assert_eq!(error.constraint(), Some(constraint), "{sql}");
    }
}
