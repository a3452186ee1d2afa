//! The guards of the database on payments and refunds: what it rejects from the role of the service, and from a superuser,
//! to whom privileges do not apply.

use rstest::rstest;
use sqlx::{AssertSqlSafe, PgPool};
use staymesh_store::StoreError;
use staymesh_testkit::TestDatabase;

use crate::{
    MIGRATOR,
    model::{Payment, Status},
    testing::{complete_refund, database, now, open, receive_event, request_refund},
};

/// The role that executes the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Service,
    Superuser,
}

/// A payment that was refunded in part.
async fn world(by: As) -> (TestDatabase, Payment) {
    let database = match by {
        As::Service => TestDatabase::owned("payment", &MIGRATOR).await.unwrap(),
        As::Superuser => database().await,
    };
    let payment = open(database.pool()).await;
    receive_event(database.pool(), &payment, "checkout.paid").await;
    let refund = request_refund(database.pool(), &payment, 4_000).await;
    complete_refund(database.pool(), &payment, refund).await;
    let payment = now(database.pool(), payment.payment_id).await;
    assert_eq!((payment.status, payment.refunded.minor()), (Status::Refunded, 4_000));
    (database, payment)
}

/// What rejects a transaction of these statements: the name of a constraint, or an SQLSTATE. `None` if it commits.
async fn refused(pool: &PgPool, statements: &str) -> Option<String> {
    let script = format!("begin; {statements}; commit");
    let mut connection = pool.acquire().await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await;
    sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
    done.err().map(|error| match StoreError::from(error) {
        StoreError::Constraint { name, .. } => name,
        StoreError::Unexpected(cause) => cause.sqlstate.unwrap_or_default(),
        other => other.to_string(),
    })
}

#[rstest]
#[tokio::test]
async fn refunds_beyond_payment_and_changed_terms_are_rejected(#[values(As::Service, As::Superuser)] by: As) {
    let (database, payment) = world(by).await;
    let (pool, id) = (database.pool(), payment.payment_id);
    let back = |minor: i64| {
        format!(
            "insert into refund (refund_id, payment_id, reason, request_id, amount_minor)
             values (gen_random_uuid(), '{id}', 'REQUESTED', gen_random_uuid(), {minor})"
        )
    };
    let within = "payment_order_refunds_within_payment";
    assert_eq!(refused(pool, &back(6_001)).await.as_deref(), Some(within));
    assert_eq!(refused(pool, &format!("{}; {}", back(3_000), back(3_001))).await.as_deref(), Some(within));
    for (change, name) in [
        ("amount_minor = 99999", "payment_order_terms_are_fixed"),
        ("tax_minor = tax_minor + 1", "payment_order_terms_are_fixed"),
        ("commission_minor = 0", "payment_order_terms_are_fixed"),
        ("check_out = check_out - 1", "payment_order_terms_are_fixed"),
        ("check_out = null", "payment_order_terms_are_fixed"),
        ("refund_requested_minor = 0, refunded_minor = 0", "payment_order_sums_follow_refunds"),
    ] {
        let sql = format!("update payment_order set {change} where payment_id = '{id}'");
        assert_eq!(refused(pool, &sql).await.as_deref(), Some(name), "{change}");
    }
    let parts = "insert into payment_order (payment_id, reservation_id, hotel_id, owner, amount_minor, tax_minor,
        commission_minor, currency, expire_time, next_check_at)
        values (gen_random_uuid(), gen_random_uuid(), 7, 'x', 100, 60, 41, 'EUR', now(), now())";
    assert_eq!(refused(pool, parts).await.as_deref(), Some("payment_order_parts_in_amount"));
    assert_eq!(now(pool, id).await, payment);
    assert_eq!(refused(pool, &back(6_000)).await, None, "the rest may be refunded");
}
