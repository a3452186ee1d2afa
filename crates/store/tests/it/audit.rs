//! Audit records against a real `PostgreSQL`.

use serde_json::json;
use sqlx::PgPool;
use staymesh_store::audit::{ActorRole, AuditFilter, AuditRecord, Gateway, ObjectType, Origin, SCHEMA, list};
use staymesh_testkit::TestDatabase;

use crate::support::database;

const OBJECT: ObjectType =
    ObjectType { name: "object", snapshot: "select to_jsonb(object) - 'guest' from object where id = $1::integer" };

async fn test_database() -> TestDatabase {
    database(&[SCHEMA, "create table object (id integer primary key, rooms integer, guest text)"]).await
}

fn origin(actor: &str) -> Origin {
    Origin {
        role: ActorRole::Staff,
        actor: actor.to_owned(),
        method: "staymesh.x.v1.X/Set".to_owned(),
        request_id: "r-1".to_owned(),
        gateway: Gateway::Internal,
    }
}

/// Sets the rooms of an object by `actor`, and commits.
async fn set(pool: &PgPool, actor: Option<Origin>, id: i32, rooms: i32) {
    let change = async {
        let mut transaction = pool.begin().await.unwrap();
        let watched = OBJECT.before(&mut transaction, &id).await.unwrap();
        sqlx::query(
            "insert into object (id, rooms, guest) values ($1, $2, 'A Guest')
             on conflict (id) do update set rooms = excluded.rooms",
        )
        .bind(id)
        .bind(rooms)
        .execute(&mut *transaction)
        .await
        .unwrap();
        watched.record(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
    };
    Origin::scope(actor, change).await;
}

async fn all(pool: &PgPool, filter: AuditFilter) -> Vec<AuditRecord> {
    list(pool, &filter, None, 100).await.unwrap()
}

#[tokio::test]
async fn change_is_recorded_once_with_the_fields_that_differ() {
    let database = test_database().await;
    for rooms in [10, 12, 12] {
        set(database.pool(), Some(origin("ada")), 7, rooms).await;
    }
    let records = all(database.pool(), AuditFilter::default()).await;
    assert_eq!(records.len(), 2, "the repeat writes no record: {records:?}");
    assert_eq!((&records[0].before, &records[0].after), (&Some(json!({"rooms": 10})), &Some(json!({"rooms": 12}))));
    assert_eq!((&records[1].before, &records[1].after), (&None, &Some(json!({"id": 7, "rooms": 10}))));
    let AuditRecord { actor_role, actor, method, object_type, object_id, request_id, gateway, .. } = &records[0];
    assert_eq!((&**actor_role, &**actor, &**method), ("staff", "ada", "staymesh.x.v1.X/Set"));
    assert_eq!((&**object_type, &**object_id, &**request_id, &**gateway), ("object", "7", "r-1", "internal"));
}

#[tokio::test]
async fn change_without_origin_or_rolled_back_is_not_recorded() {
    let database = test_database().await;
    set(database.pool(), None, 7, 10).await;
    let rolled_back = async {
        let mut transaction = database.pool().begin().await.unwrap();
        let watched = OBJECT.before(&mut transaction, &7).await.unwrap();
        sqlx::query("delete from object").execute(&mut *transaction).await.unwrap();
        watched.record(&mut transaction).await.unwrap();
        transaction.rollback().await.unwrap();
    };
    Origin::scope(Some(origin("ada")), rolled_back).await;
    assert_eq!(all(database.pool(), AuditFilter::default()).await, []);
}

#[tokio::test]
async fn list_filters_and_continues_after_a_key() {
    let database = test_database().await;
    for (actor, id) in [("ada", 1), ("bob", 2), ("ada", 2)] {
        set(database.pool(), Some(origin(actor)), id, id * 10 + i32::from(actor == "ada")).await;
    }
    let by = |actor: &str, object_id: &str| AuditFilter {
        actor: actor.to_owned(),
        object_id: object_id.to_owned(),
        ..AuditFilter::default()
    };
    assert_eq!(all(database.pool(), by("ada", "")).await.len(), 2);
    assert_eq!(all(database.pool(), by("", "2")).await.len(), 2);
    let records = all(database.pool(), AuditFilter { object_type: "object".to_owned(), ..by("", "") }).await;
    let after = (records[0].create_time, records[0].audit_id);
    let rest = list(database.pool(), &AuditFilter::default(), Some(after), 100).await.unwrap();
    assert_eq!(rest, records[1..]);
    let later = AuditFilter { from_time: Some(records[0].create_time), ..AuditFilter::default() };
    assert_eq!(all(database.pool(), later).await, records[..1]);
    let earlier = AuditFilter { until_time: Some(records[0].create_time), ..AuditFilter::default() };
    assert_eq!(all(database.pool(), earlier).await, records[1..]);
}

#[tokio::test]
async fn records_cannot_be_changed_deleted_or_truncated() {
    let database = test_database().await;
    set(database.pool(), Some(origin("ada")), 7, 10).await;
    for sql in ["update audit_record set actor = 'bob'", "delete from audit_record", "truncate audit_record"] {
        let refused = sqlx::query(sql).execute(database.pool()).await.unwrap_err();
        let constraint = refused.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
        assert_eq!(constraint.as_deref(), Some("audit_record_is_append_only"), "{sql}");
    }
    assert_eq!(all(database.pool(), AuditFilter::default()).await.len(), 1);
}
