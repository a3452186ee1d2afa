//! What the database refuses by itself, whoever asks: as the role that the service works as, and as a superuser, whom
//! privileges do not stop.

use rstest::rstest;
use sqlx::{AssertSqlSafe, PgPool};
use staymesh_store::StoreError;
use staymesh_testkit::TestDatabase;

use crate::{
    MIGRATOR,
    model::{Payment, Status},
    testing::{arrived, ask_back, database, hear, now, open},
};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Service,
    Superuser,
}

/// A payment of which some has gone back, with all that is posted for it.
async fn world(by: As) -> (TestDatabase, Payment) {
    let database = match by {
        As::Service => TestDatabase::owned("payment", &MIGRATOR).await.unwrap(),
        As::Superuser => database().await,
    };
    let payment = open(database.pool()).await;
    hear(database.pool(), &payment, "checkout.paid").await;
    let refund = ask_back(database.pool(), &payment, 4_000).await;
    arrived(database.pool(), &payment, refund).await;
    let payment = now(database.pool(), payment.payment_id).await;
    assert_eq!((payment.status, payment.refunded.minor()), (Status::Refunded, 4_000));
    (database, payment)
}

/// What a transaction of these statements is refused by: the name of a constraint, or the code of the error. None when it
/// is let through.
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

async fn books(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select row (transaction, entry)::text from ledger_transaction transaction full join ledger_entry entry using (transaction_id) order by 1")
        .fetch_all(pool).await.unwrap()
}

/// A transaction that says it has so many lines, and the entries `(line, amount)`.
fn posting(lines: i16, entries: &[(i16, i64)]) -> String {
    use std::fmt::Write;
    let mut sql = format!(
        "insert into ledger_transaction (transaction_id, kind, source_id, lines)
         values ('01900000-0000-7000-8000-000000000001', 'CORRECTION', gen_random_uuid(), {lines})"
    );
    for (line, minor) in entries {
        write!(sql, "; insert into ledger_entry (transaction_id, line, lines, account_id, amount_minor, currency)
            select '01900000-0000-7000-8000-000000000001', {line}, {lines}, min(account_id), {minor}, 'EUR' from ledger_account").unwrap();
    }
    sql
}

/// An entry more for the charge, which has two.
fn entry(line: i16, lines: i16, minor: i64) -> String {
    format!(
        "insert into ledger_entry (transaction_id, line, lines, account_id, amount_minor, currency)
         select transaction_id, {line}, {lines}, (select min(account_id) from ledger_account), {minor}, 'EUR'
         from ledger_transaction where kind = 'CHARGE'"
    )
}

#[rstest]
#[tokio::test]
async fn a_transaction_that_does_not_balance_or_is_not_whole_is_refused(#[values(As::Service, As::Superuser)] by: As) {
    let (database, _) = world(by).await;
    let (pool, before) = (database.pool(), books(database.pool()).await);
    for (statements, name) in [
        (posting(2, &[(1, 100), (2, -99)]), "ledger_transaction_balances"),
        (posting(3, &[(1, 100), (2, -50), (3, 50)]), "ledger_transaction_balances"),
        (posting(3, &[(1, 100), (2, -100)]), "ledger_transaction_is_whole"),
        (posting(2, &[]), "ledger_transaction_is_whole"),
        (posting(1, &[(1, 100)]), "ledger_transaction_has_lines"),
        (posting(2, &[(1, 0), (2, 0)]), "ledger_entry_amount_in_range"),
        (posting(2, &[(1, 100), (3, -100)]), "ledger_entry_line_in_range"),
        // Judged early, it says that it is whole only when it is.
        (format!("set constraints all immediate; {}", posting(2, &[(1, 5), (2, -5)])), "ledger_transaction_is_whole"),
    ] {
        assert_eq!(refused(pool, &statements).await.as_deref(), Some(name), "{statements}");
    }
    // A sum of zero over two currencies is none.
    let two = format!(
        "insert into ledger_account (kind, currency) values ('REFUNDS', 'JPY'); {};
         insert into ledger_entry (transaction_id, line, lines, account_id, amount_minor, currency)
         select '01900000-0000-7000-8000-000000000001', 2, 2, max(account_id), -100, 'JPY' from ledger_account",
        posting(2, &[(1, 100)])
    );
    assert_eq!(refused(pool, &two).await.as_deref(), Some("ledger_transaction_balances"));
    let lie = two.replace("-100, 'JPY'", "-100, 'EUR'");
    assert_eq!(refused(pool, &lie).await.as_deref(), Some("ledger_entry_account_fkey"));
    assert_eq!(books(pool).await, before);
    assert_eq!(refused(pool, &posting(2, &[(1, 100), (2, -100)])).await, None, "as it should be it is taken");
}

#[rstest]
#[tokio::test]
async fn nothing_is_added_to_what_was_committed(#[values(As::Service, As::Superuser)] by: As) {
    let (database, _) = world(by).await;
    let (pool, before) = (database.pool(), books(database.pool()).await);
    for (statements, name) in [
        (entry(2, 2, 100), "ledger_entry_pkey"),
        (entry(3, 2, 100), "ledger_entry_line_in_range"),
        (entry(0, 2, 100), "ledger_entry_line_in_range"),
        (entry(3, 3, 100), "ledger_entry_transaction_fkey"),
        // Not even what would balance.
        (format!("{}; {}", entry(3, 4, 100), entry(4, 4, -100)), "ledger_entry_transaction_fkey"),
        (
            "insert into ledger_transaction select gen_random_uuid(), kind, source_id, reservation_id, lines, now()
             from ledger_transaction where kind = 'CHARGE'"
                .to_owned(),
            "ledger_transaction_source_key",
        ),
    ] {
        assert_eq!(refused(pool, &statements).await.as_deref(), Some(name), "{statements}");
    }
    assert_eq!(books(pool).await, before);
}

#[rstest]
#[case::entries("update ledger_entry set amount_minor = amount_minor", None)]
#[case::entries("update ledger_entry set account_id = account_id where false", None)]
#[case::entries("delete from ledger_entry", None)]
#[case::entries("truncate ledger_entry", None)]
#[case::transactions("update ledger_transaction set posted_at = now()", None)]
#[case::transactions("update ledger_transaction set lines = lines + 1", None)]
#[case::transactions("delete from ledger_transaction", None)]
#[case::transactions("truncate ledger_transaction cascade", None)]
#[case::accounts("update ledger_account set hotel_id = 8 where hotel_id = 7", None)]
#[case::accounts("delete from ledger_account", None)]
#[case::accounts("truncate ledger_account cascade", None)]
// The columns that foreign keys need the privilege for: the trigger keeps them.
#[case::transactions("update ledger_transaction set transaction_id = gen_random_uuid()", Some("ledger_is_append_only"))]
#[case::accounts("update ledger_account set account_id = default", Some("ledger_is_append_only"))]
#[tokio::test]
async fn what_is_written_stays(#[case] sql: &str, #[case] service: Option<&str>) {
    let (database, _) = world(As::Service).await;
    let (pool, before) = (database.pool(), books(database.pool()).await);
    // 42501: insufficient privilege.
    assert_eq!(refused(pool, sql).await.as_deref(), Some(service.unwrap_or("42501")));
    // The owner may give itself the privilege back. Then the triggers speak.
    let granted = format!("grant all on ledger_entry, ledger_transaction, ledger_account to current_user; {sql}");
    assert_eq!(refused(pool, &granted).await.as_deref(), Some("ledger_is_append_only"));
    assert_eq!(books(pool).await, before);
    let (database, _) = world(As::Superuser).await;
    assert_eq!(refused(database.pool(), sql).await.as_deref(), Some("ledger_is_append_only"));
}

#[rstest]
#[tokio::test]
async fn no_more_goes_back_than_was_paid_and_what_was_agreed_on_stays(#[values(As::Service, As::Superuser)] by: As) {
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
    assert_eq!(refused(pool, &back(6_000)).await, None, "what is left may go");
}
