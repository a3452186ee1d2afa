//! The store against a real `PostgreSQL`.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod constraint;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod hang;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod outbox_faults;
#[cfg(test)]
mod reservation_id;
#[cfg(test)]
mod stale_plans;

#[cfg(test)]
mod support {
    use std::time::Duration;

    use sqlx::migrate::{Migration, MigrationType, Migrator};
    use sqlx::{AssertSqlSafe, SqlSafeStr};
    use staymesh_testkit::TestDatabase;
    use tokio::time::{Instant, sleep};

    /// Migrations of these statements, numbered from 1.
    pub(crate) fn migrator(statements: &[&str]) -> Migrator {
        let migration = |(sql, version): (&&str, i64)| {
            let no_transaction = sql.starts_with("-- no-transaction");
            let sql = AssertSqlSafe(*sql).into_sql_str();
            Migration::new(version, "test".into(), MigrationType::Simple, sql, no_transaction)
        };
        Migrator::with_migrations(statements.iter().zip(1..).map(migration).collect())
    }

    /// A database with these statements applied.
    pub(crate) async fn database(statements: &[&str]) -> TestDatabase {
        TestDatabase::new("store", &migrator(statements)).await.unwrap()
    }

    /// Waits until the condition holds, and fails if it does not within 20 s.
    pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds().await {
            assert!(Instant::now() < deadline, "never seen: {what}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}
