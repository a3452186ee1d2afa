//! Payments without postings, as a release without the ledger left them.

use super::*;
use crate::jobs::backfill;
use crate::testing::{database, unposted};

#[tokio::test]
async fn unposted_payment_opens_a_case_that_closes_after_backfill() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let [of_today, of_old] = [paid(pool).await, paid(pool).await];
    // The settlement file of its day was never read.
    let sql = "set session_replication_role = replica;
        update payment_order set status_changed_at = status_changed_at - interval '100 days' where payment_id = 'ID';
        set session_replication_role = default";
    let sql = sql.replace("ID", &of_old.payment_id.to_string());
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
    unposted(pool, "true").await;
    files.set(today(), &[charge(&of_today)]);

    run_today(pool, &files).await;
    assert_eq!(open_cases(pool).await, [(CaseKind::Status, Subject::Charge, of_today.payment_id.to_string())]);
    let case = &listed(pool).await[0].finding;
    assert_eq!(
        (case.detail.as_str(), case.replay),
        ("the charge is PAID here, but not in the ledger; post what is missing", None)
    );

    backfill::run(pool, false, |_| {}).await.unwrap();
    let summary = run_today(pool, &files).await;
    assert_eq!(open_cases(pool).await, [], "the payment of 100 days ago is not expected in the file of today");
    assert_eq!((summary.counts.found, summary.counts.closed), (0, 1));
}
