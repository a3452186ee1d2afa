//! The guards of the database: what it rejects from the role of the service, and from a superuser, to whom privileges do
//! not apply.

use rstest::rstest;
use sqlx::{AssertSqlSafe, PgPool};
use staymesh_domain::PaymentId;
use staymesh_store::StoreError;
use staymesh_testkit::TestDatabase;
use uuid::Uuid;

use crate::{
    Holder, Sold, Split, post_all,
    testing::{MIGRATOR, database, eur, reservation_id},
};

/// The role that executes the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Service,
    Superuser,
}

/// A ledger with a sale, its charge, and a refund that was paid.
async fn world(by: As) -> TestDatabase {
    let database = match by {
        As::Service => TestDatabase::owned("payment", &MIGRATOR).await.unwrap(),
        As::Superuser => database().await,
    };
    let (payment, refund) = (PaymentId::new(), Uuid::now_v7());
    let split = Split::with_commission(eur(10_000), eur(700), 1500).unwrap();
    let sold = Sold { reservation_id: reservation_id(), split, holder: Holder::Chain };
    let owed = sold.refund(eur(0), eur(4_000)).unwrap().refund_owed(refund);
    let paid = sold.refund_paid(refund, eur(4_000));
    let mut transaction = database.pool().begin().await.unwrap();
    let posted = post_all(&mut transaction, &[sold.sale(payment), sold.charge(payment), owed, paid]).await.unwrap();
    assert_eq!(posted, 4);
    transaction.commit().await.unwrap();
    database
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

async fn books(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select row (transaction, entry)::text from ledger_transaction transaction full join ledger_entry entry using (transaction_id) order by 1")
        .fetch_all(pool).await.unwrap()
}

/// A transaction with this number of lines, and entries `(line, amount)`.
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

/// Another entry of the charge, which has two.
fn entry(line: i16, lines: i16, minor: i64) -> String {
    format!(
        "insert into ledger_entry (transaction_id, line, lines, account_id, amount_minor, currency)
         select transaction_id, {line}, {lines}, (select min(account_id) from ledger_account), {minor}, 'EUR'
         from ledger_transaction where kind = 'CHARGE'"
    )
}

#[rstest]
#[tokio::test]
async fn unbalanced_or_incomplete_transaction_is_rejected(#[values(As::Service, As::Superuser)] by: As) {
    let database = world(by).await;
    let (pool, before) = (database.pool(), books(database.pool()).await);
    for (statements, name) in [
        (posting(2, &[(1, 100), (2, -99)]), "ledger_transaction_balances"),
        (posting(3, &[(1, 100), (2, -50), (3, 50)]), "ledger_transaction_balances"),
        (posting(3, &[(1, 100), (2, -100)]), "ledger_transaction_is_whole"),
        (posting(2, &[]), "ledger_transaction_is_whole"),
        (posting(1, &[(1, 100)]), "ledger_transaction_has_lines"),
        (posting(2, &[(1, 0), (2, 0)]), "ledger_entry_amount_in_range"),
        (posting(2, &[(1, 100), (3, -100)]), "ledger_entry_line_in_range"),
        // Checked early, it must be complete by then.
        (format!("set constraints all immediate; {}", posting(2, &[(1, 5), (2, -5)])), "ledger_transaction_is_whole"),
    ] {
        assert_eq!(refused(pool, &statements).await.as_deref(), Some(name), "{statements}");
    }
    // A sum of zero over two currencies does not balance.
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
    assert_eq!(refused(pool, &posting(2, &[(1, 100), (2, -100)])).await, None, "a balanced one is accepted");
}

#[rstest]
#[tokio::test]
async fn committed_transaction_accepts_no_entries(#[values(As::Service, As::Superuser)] by: As) {
    let database = world(by).await;
    let (pool, before) = (database.pool(), books(database.pool()).await);
    for (statements, name) in [
        (entry(2, 2, 100), "ledger_entry_pkey"),
        (entry(3, 2, 100), "ledger_entry_line_in_range"),
        (entry(0, 2, 100), "ledger_entry_line_in_range"),
        (entry(3, 3, 100), "ledger_entry_transaction_fkey"),
        // Nor entries that balance.
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
// Foreign keys require the privilege on these columns; the trigger guards them.
#[case::transactions("update ledger_transaction set transaction_id = gen_random_uuid()", Some("ledger_is_append_only"))]
#[case::accounts("update ledger_account set account_id = default", Some("ledger_is_append_only"))]
#[tokio::test]
async fn ledger_rows_cannot_be_changed_or_deleted(#[case] sql: &str, #[case] service: Option<&str>) {
    let database = world(As::Service).await;
    let (pool, before) = (database.pool(), books(database.pool()).await);
    // 42501: insufficient privilege.
    assert_eq!(refused(pool, sql).await.as_deref(), Some(service.unwrap_or("42501")));
    // The owner can grant itself the privilege again. The triggers reject the change then.
    let granted = format!("grant all on ledger_entry, ledger_transaction, ledger_account to current_user; {sql}");
    assert_eq!(refused(pool, &granted).await.as_deref(), Some("ledger_is_append_only"));
    assert_eq!(books(pool).await, before);
    let database = world(As::Superuser).await;
    assert_eq!(refused(database.pool(), sql).await.as_deref(), Some("ledger_is_append_only"));
}
