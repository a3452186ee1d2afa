//! Idempotent creates against a real `PostgreSQL`.

use sqlx::PgPool;
use staymesh_store::idempotency::{FirstAnswers, IdempotencyError, RequestKey, SCHEMA, require_same};
use staymesh_testkit::TestDatabase;
use uuid::Uuid;

use crate::support::{database, until};

const ANSWERS: FirstAnswers = FirstAnswers::new("first_answer");

fn key(scope: &str, request_id: u128, content: &[u8]) -> RequestKey {
    RequestKey::new(scope, Uuid::from_u128(request_id), "Create", content)
}

async fn test_database() -> TestDatabase {
    database(&[SCHEMA]).await
}

/// Claims the key in a transaction of its own and, if it is new, stores `answer`.
async fn create(pool: &PgPool, key: &RequestKey, answer: &[u8]) -> Result<Vec<u8>, IdempotencyError> {
    let mut transaction = pool.begin().await.expect("begins");
    if let Some(first) = ANSWERS.claim(&mut transaction, key).await? {
        return Ok(first);
    }
    ANSWERS.remember(&mut transaction, key, answer).await?;
    transaction.commit().await.expect("commits");
    Ok(answer.to_vec())
}

#[tokio::test]
async fn repeat_gets_the_first_answer() {
    let database = test_database().await;
    let key = key("user", 1, b"content");
    assert_eq!(create(database.pool(), &key, b"first").await.unwrap(), b"first");
    assert_eq!(create(database.pool(), &key, b"second").await.unwrap(), b"first");
}

#[tokio::test]
async fn same_id_with_other_content_or_method_is_refused() {
    let database = test_database().await;
    create(database.pool(), &key("user", 1, b"content"), b"first").await.unwrap();
    let other_method = RequestKey::new("user", Uuid::from_u128(1), "Delete", b"content");
    for other in [key("user", 1, b"other"), other_method] {
        let refused = create(database.pool(), &other, b"second").await;
        assert!(matches!(refused, Err(IdempotencyError::Reused)), "{refused:?}");
    }
}

#[tokio::test]
async fn request_ids_of_different_scopes_are_independent() {
    let database = test_database().await;
    create(database.pool(), &key("user", 1, b"content"), b"first").await.unwrap();
    assert_eq!(create(database.pool(), &key("partner", 1, b"other"), b"second").await.unwrap(), b"second");
}

#[tokio::test]
async fn rolled_back_claim_leaves_the_key_free() {
    let database = test_database().await;
    let key = key("user", 1, b"content");
    let mut transaction = database.pool().begin().await.unwrap();
    assert_eq!(ANSWERS.claim(&mut transaction, &key).await.unwrap(), None);
    transaction.rollback().await.unwrap();
    assert_eq!(create(database.pool(), &key, b"first").await.unwrap(), b"first");
}

#[tokio::test]
async fn concurrent_claim_waits_for_the_answer_of_the_holder() {
    let database = test_database().await;
    let key = key("user", 1, b"content");
    let mut holder = database.pool().begin().await.unwrap();
    assert_eq!(ANSWERS.claim(&mut holder, &key).await.unwrap(), None);
    let waiting = {
        let (pool, key) = (database.pool().clone(), key.clone());
        tokio::spawn(async move { create(&pool, &key, b"second").await })
    };
    until("the second claim waits for a lock", async || {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waits).fetch_one(database.pool()).await.unwrap() == 1
    })
    .await;
    ANSWERS.remember(&mut holder, &key, b"first").await.unwrap();
    holder.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), b"first");
}

#[test]
fn require_same_refuses_other_content() {
    assert!(matches!(require_same(7, true), Ok(7)));
    assert!(matches!(require_same(7, false), Err(IdempotencyError::Reused)));
}
