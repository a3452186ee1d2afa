//! The credit of partners: the limit under races, refusals, and payments.

use futures::future::join_all;
use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use staymesh_domain::{Money, Page};
use staymesh_ledger::wallets;
use staymesh_store::{
    StoreError,
    audit::{ActorRole, Gateway, Origin},
};
use uuid::Uuid;

use crate::{
    clients::reservations::MockReservationClient,
    error::PaymentError,
    model::{CreditLimit, NewPartnerPayment, PartnerTerms},
    service::Payments,
    testing::{MockPsp, database, eur, reservation_id, service},
};

const ACME: &str = "client:acme";

pub(super) fn on(pool: &PgPool) -> Payments<MockPsp> {
    service(pool, MockReservationClient::new(), MockPsp::new())
}

pub(super) fn terms_of(partner: &str, amount: Money) -> PartnerTerms {
    let taxes = Money::zero(amount.currency());
    PartnerTerms { partner: partner.into(), amount, taxes, check_out: date(2030, 5, 4) }
}

fn terms(minor: i64) -> PartnerTerms {
    terms_of(ACME, eur(minor))
}

pub(super) fn payment(minor: i64, keep_credit: bool) -> NewPartnerPayment {
    NewPartnerPayment {
        request_id: Uuid::now_v7(),
        partner: ACME.into(),
        amount: eur(minor),
        reference: "transfer 1".into(),
        keep_credit,
    }
}

pub(super) async fn euros_of(payments: &Payments<MockPsp>, partner: &str) -> CreditLimit {
    let (limits, _) = payments.credit_limits(partner, &Page::parse(0, "", &[]).unwrap()).await.unwrap();
    limits.into_iter().find(|limit| limit.limit.currency().code() == "EUR").unwrap()
}

/// The sum of all entries of the partner's account: what the ledger says it owes.
pub(super) async fn owed(pool: &PgPool, partner: &str) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(amount_minor), 0)::bigint from ledger_entry join ledger_account using (account_id)
         where kind = 'PARTNER_RECEIVABLE' and partner = $1",
    )
    .bind(partner)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn of_concurrent_sales_exactly_as_many_as_the_limit_allows_are_recorded() {
    let database = database().await;
    let pool = database.pool();
    // Several replicas, and wallets that are folded meanwhile.
    let replicas = [on(pool), on(pool), on(pool)];
    replicas[0].set_credit_limit(ACME, eur(7 * 10_000 + 9_999), "").await.unwrap();
    let (sale, other) = (terms(10_000), terms_of("client:other", eur(10_000)));
    let race = (0..40).map(|at| {
        let (replica, sale, other) = (&replicas[at % 3], &sale, &other);
        async move {
            if at % 8 == 0 {
                wallets::fold(pool).await.unwrap();
                replica.record_partner_sale(reservation_id(), other, true).await.unwrap();
            }
            replica.record_partner_sale(reservation_id(), sale, true).await
        }
    });
    let outcomes = join_all(race).await;
    let recorded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for refused in outcomes.into_iter().filter_map(Result::err) {
        let PaymentError::CreditExceeded { limit, used, asked } = refused else { panic!("{refused:?}") };
        assert_eq!((limit, used, asked), (eur(79_999), eur(70_000), eur(10_000)));
    }
    assert_eq!((recorded, owed(pool, ACME).await), (7, 70_000));
    assert_eq!(owed(pool, "client:other").await, 50_000, "partners do not use each other's credit");
    let credit = euros_of(&replicas[1], ACME).await;
    assert_eq!((credit.used, credit.left().unwrap()), (eur(70_000), eur(9_999)));
}

#[tokio::test]
async fn refusal_is_final_for_its_reservation_and_owes_nothing() {
    let database = database().await;
    let (pool, id) = (database.pool(), reservation_id());
    let payments = on(pool);
    payments.set_credit_limit(ACME, eur(9_999), "").await.unwrap();
    let sale = terms(10_000);
    let refused = |outcome| matches!(outcome, Err(PaymentError::CreditExceeded { used, .. }) if used == eur(0));
    let outcomes = join_all((0..5).map(|_| payments.record_partner_sale(id, &sale, true))).await;
    assert!(outcomes.into_iter().all(refused));
    payments.set_credit_limit(ACME, eur(99_999), "").await.unwrap();
    assert!(refused(payments.record_partner_sale(id, &sale, true).await), "the rooms were released");
    // Its end has nothing to credit.
    assert_eq!(payments.settle_partner_sale(id, eur(10_000), Some(&sale)).await.unwrap(), None);
    assert_eq!(owed(pool, ACME).await, 0);
    payments.record_partner_sale(reservation_id(), &sale, true).await.unwrap();
    assert_eq!(owed(pool, ACME).await, 10_000);
}

#[tokio::test]
async fn sale_of_an_earlier_release_is_recorded_above_the_limit() {
    let database = database().await;
    let payments = on(database.pool());
    payments.set_credit_limit(ACME, eur(0), "").await.unwrap();
    payments.record_partner_sale(reservation_id(), &terms(10_000), false).await.unwrap();
    let credit = euros_of(&payments, ACME).await;
    assert_eq!((credit.used, credit.left().unwrap()), (eur(10_000), eur(0)));
}

#[tokio::test]
async fn default_credit_holds_until_a_limit_is_set_and_is_zero_in_other_currencies() {
    let database = database().await;
    let payments = on(database.pool());
    let credit = euros_of(&payments, ACME).await;
    assert_eq!((credit.limit, credit.used, credit.is_default), (eur(100_000_000), eur(0), true));
    let yen = Money::parse("JPY", "1").unwrap();
    let refused = payments.record_partner_sale(reservation_id(), &terms_of(ACME, yen), true).await;
    assert!(matches!(refused, Err(PaymentError::CreditExceeded { .. })));

    let set = payments.set_credit_limit(ACME, yen, &credit.etag()).await.unwrap();
    assert_eq!((set.limit, set.is_default), (yen, false));
    payments.record_partner_sale(reservation_id(), &terms_of(ACME, yen), true).await.unwrap();
    let page = async |token: &str| {
        let (limits, next) = payments.credit_limits(ACME, &Page::parse(1, token, &[ACME]).unwrap()).await.unwrap();
        (limits.iter().map(|of| of.limit.to_string()).collect::<Vec<_>>(), next)
    };
    let (first, token) = page("").await;
    assert_eq!((first, page(&token).await), (vec!["EUR 1000000.00".into()], (vec!["JPY 1".into()], String::new())));
}

#[tokio::test]
async fn limit_is_set_idempotently_and_a_stale_etag_is_refused() {
    let database = database().await;
    let payments = on(database.pool());
    let default = euros_of(&payments, ACME).await;
    let set = payments.set_credit_limit(ACME, eur(500), &default.etag()).await.unwrap();
    assert_ne!(set.etag(), default.etag());
    assert_eq!(payments.set_credit_limit(ACME, eur(500), &default.etag()).await.unwrap(), set, "a repeat");
    let stale = payments.set_credit_limit(ACME, eur(600), &default.etag()).await;
    assert!(matches!(stale, Err(PaymentError::CreditLimitChanged)));
    assert_eq!(euros_of(&payments, ACME).await, set);
    // As high as the default, but set: the default may change.
    let same = payments.set_credit_limit(ACME, default.limit, &set.etag()).await.unwrap();
    assert_eq!((same.limit, same.is_default), (default.limit, false));
}

#[tokio::test]
async fn partner_payment_is_recorded_once_and_compared_with_the_whole_request() {
    let database = database().await;
    let pool = database.pool();
    let payments = on(pool);
    payments.record_partner_sale(reservation_id(), &terms(10_000), true).await.unwrap();
    let request = payment(4_000, false);
    let made = join_all((0..5).map(|_| payments.record_partner_payment(&request))).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert!(made.iter().all(|(payment, credit)| *payment == made[0].0 && credit.used == eur(6_000)));
    assert_eq!(owed(pool, ACME).await, 6_000);
    for other in [
        NewPartnerPayment { partner: "client:other".into(), keep_credit: true, ..request.clone() },
        NewPartnerPayment { amount: eur(4_001), ..request.clone() },
        NewPartnerPayment { amount: Money::parse("JPY", "4000").unwrap(), ..request.clone() },
        NewPartnerPayment { reference: "transfer 2".into(), ..request.clone() },
        NewPartnerPayment { keep_credit: true, ..request.clone() },
    ] {
        let reused = payments.record_partner_payment(&other).await;
        assert!(matches!(reused, Err(PaymentError::RequestIdReused)), "{other:?}");
    }
    assert_eq!(payments.record_partner_payment(&request).await.unwrap(), made[0]);
    assert_eq!(owed(pool, ACME).await, 6_000);
    let bank: i64 = sqlx::query_scalar(
        "select sum(amount_minor)::bigint from ledger_entry join ledger_account using (account_id) where kind = 'BANK'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(bank, 4_000);
}

#[tokio::test]
async fn payment_above_the_debt_is_refused_unless_it_is_kept_as_credit() {
    let database = database().await;
    let payments = on(database.pool());
    payments.set_credit_limit(ACME, eur(0), "").await.unwrap();
    let refused = payments.record_partner_payment(&payment(1, false)).await;
    assert!(matches!(refused, Err(PaymentError::PaymentExceedsDebt { owed }) if owed == eur(0)));
    // A partner without a limit pays in advance, and sells what it has paid for.
    let (_, credit) = payments.record_partner_payment(&payment(10_000, true)).await.unwrap();
    assert_eq!((credit.used, credit.left().unwrap()), (eur(-10_000), eur(10_000)));
    payments.record_partner_sale(reservation_id(), &terms(10_000), true).await.unwrap();
    let refused = payments.record_partner_sale(reservation_id(), &terms(1), true).await;
    assert!(matches!(refused, Err(PaymentError::CreditExceeded { .. })));
    let dollars = NewPartnerPayment { amount: Money::parse("USD", "1.00").unwrap(), ..payment(1, false) };
    let refused = payments.record_partner_payment(&dollars).await;
    assert!(matches!(refused, Err(PaymentError::PaymentExceedsDebt { .. })), "a debt in euros is paid in euros");
}

#[tokio::test]
async fn limit_and_payment_write_one_audit_record_each() {
    let database = database().await;
    let pool = database.pool();
    let payments = on(pool);
    let origin = Origin {
        role: ActorRole::Admin,
        actor: "auditor".to_owned(),
        method: "test".to_owned(),
        request_id: "r".to_owned(),
        gateway: Gateway::Internal,
    };
    let request = payment(4_000, true);
    let changes = async {
        for _ in 0..2 {
            payments.set_credit_limit(ACME, eur(500), "").await.unwrap();
            payments.record_partner_payment(&request).await.unwrap();
        }
        payments.set_credit_limit(ACME, eur(600), "9").await.unwrap_err();
        payments.record_partner_payment(&payment(1, false)).await.unwrap_err();
        payments.set_credit_limit(ACME, eur(600), "").await.unwrap();
    };
    Origin::scope(Some(origin), changes).await;
    let records: Vec<(String, String, Option<Value>, Value)> =
        sqlx::query_as("select object_type, object_id, before, after from audit_record order by audit_id")
            .fetch_all(pool)
            .await
            .unwrap();
    let objects: Vec<_> = records.iter().map(|(object, id, ..)| (object.as_str(), id.as_str())).collect();
    let limit = ("partner_credit_limit", "acme/EUR");
    let (paid, _) = payments.record_partner_payment(&request).await.unwrap();
    assert_eq!(objects, [limit, ("partner_payment", &paid.partner_payment_id.to_string()), limit]);
    assert_eq!((&records[1].3["amount_minor"], &records[1].3["client_id"]), (&json!(4_000), &json!("acme")));
    assert_eq!(
        (&records[2].2, &records[2].3["limit_minor"]),
        (&Some(json!({ "limit_minor": 500, "version": 1 })), &json!(600))
    );
}

#[rstest]
#[case("update partner_payment set amount_minor = amount_minor + 1", "partner_payment_is_final")]
#[case("delete from partner_payment", "partner_payment_is_final")]
#[case("update partner_sale_refusal set limit_minor = 0", "partner_sale_refusal_is_final")]
#[case("delete from partner_sale_refusal", "partner_sale_refusal_is_final")]
#[case(
    "insert into partner_payment select gen_random_uuid(), gen_random_uuid(), partner, amount_minor, currency, reference,
     keep_credit from partner_payment",
    "partner_payment_is_posted"
)]
#[case(
    "insert into partner_sale_refusal select reservation_id, partner, currency, amount_minor, 0, 0 from partner_sale",
    "partner_sale_recorded_or_refused"
)]
#[case("update partner_credit set limit_minor = -1", "partner_credit_limit_in_range")]
#[tokio::test]
async fn change_of_recorded_credit_is_rejected(#[case] sql: &str, #[case] constraint: &str) {
    let database = database().await;
    let pool = database.pool();
    let payments = on(pool);
    payments.record_partner_sale(reservation_id(), &terms(10_000), true).await.unwrap();
    payments.record_partner_payment(&payment(1_000, false)).await.unwrap();
    payments.set_credit_limit(ACME, eur(0), "").await.unwrap();
    payments.record_partner_sale(reservation_id(), &terms(1), true).await.unwrap_err();
    let error = StoreError::from(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap_err());
    assert_eq!(error.constraint(), Some(constraint), "{error}");
}
