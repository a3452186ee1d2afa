//! Secrets of clients: rotation, revocation, last use.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use staymesh_api::identity::v1::{
    Client, RevokeClientSecretRequest, RotateClientSecretRequest, RotateClientSecretResponse,
    identity_admin_service_server::IdentityAdminService,
};
use staymesh_mesh::{Reason, auth::Role};
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use staymesh_testkit::TestDatabase;
use tonic::{Request, Status};
use uuid::Uuid;

use super::clients::{create, delete, issue, list};
use crate::{
    admin, purge,
    testing::{Replica, assert_reason, invalid_fields, replica, test_redis},
};

const PARTNER: &str = "partner-1";

fn rotation(overlap_seconds: Option<i32>, request_id: &str) -> RotateClientSecretRequest {
    RotateClientSecretRequest { client_id: PARTNER.to_owned(), overlap_seconds, request_id: request_id.to_owned() }
}

async fn rotate(replica: &Replica, request: RotateClientSecretRequest) -> Result<RotateClientSecretResponse, Status> {
    Ok(replica.admin.rotate_client_secret(Request::new(request)).await?.into_inner())
}

async fn revoke(replica: &Replica, client_id: &str, secret_id: &str) -> Result<Client, Status> {
    let request = RevokeClientSecretRequest { client_id: client_id.to_owned(), secret_id: secret_id.to_owned() };
    let answer = replica.admin.revoke_client_secret(Request::new(request)).await?;
    Ok(answer.into_inner())
}

/// The session of a token for this secret.
async fn session(replica: &Replica, secret: &str) -> String {
    let token = issue(replica, PARTNER, secret).await.unwrap();
    replica.caller(&token.access_token).await.session
}

async fn listed(replica: &Replica) -> Client {
    list(replica, 0, "").await.unwrap().0.remove(0)
}

async fn execute(database: &TestDatabase, sql: &'static str) {
    sqlx::query(AssertSqlSafe(sql)).execute(database.pool()).await.unwrap();
}

#[tokio::test]
async fn rotation_keeps_the_former_secret_valid_until_it_expires() {
    let (database, replica) = replica(None).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let rotated = rotate(&replica, rotation(None, "")).await.unwrap();
    assert_ne!(rotated.client_secret, first.client_secret);
    for secret in [&first.client_secret, &rotated.client_secret] {
        issue(&replica, PARTNER, secret).await.unwrap();
    }
    assert_reason(issue(&replica, PARTNER, "wrong").await, Reason::BadCredentials);

    let secrets = listed(&replica).await.secrets;
    let former = first.client.unwrap().secrets.remove(0);
    assert_eq!((secrets.len(), &secrets[1].secret_id), (2, &former.secret_id));
    assert_eq!((&secrets[0].expire_time, former.expire_time), (&None, None));
    let life = secrets[1].expire_time.unwrap().seconds - Timestamp::now().as_second();
    assert!((86_390..=86_400).contains(&life), "{life}");
    assert!(!format!("{secrets:?}").contains(&first.client_secret));

    execute(&database, "update client_secret set expires_at = now() where expires_at is not null").await;
    assert_reason(issue(&replica, PARTNER, &first.client_secret).await, Reason::BadCredentials);
    assert_eq!(listed(&replica).await.secrets.len(), 1);
    purge::once(database.pool()).await.unwrap();
    let hashes: i64 =
        sqlx::query_scalar("select count(secret_hash) from client_secret").fetch_one(database.pool()).await.unwrap();
    assert_eq!(hashes, 1, "the hash of an expired secret is erased");
    let third = rotate(&replica, rotation(Some(60), "")).await.unwrap();
    for secret in [&rotated.client_secret, &third.client_secret] {
        issue(&replica, PARTNER, secret).await.unwrap();
    }
}

#[tokio::test]
async fn of_concurrent_rotations_one_issues_a_secret_and_a_third_secret_is_refused() {
    let (_database, replica) = replica(None).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let results = futures::future::join_all((0..8).map(|_| rotate(&replica, rotation(None, "")))).await;
    let won: Vec<_> = results.iter().flatten().collect();
    assert_eq!(won.len(), 1);
    for secret in [&first.client_secret, &won[0].client_secret] {
        issue(&replica, PARTNER, secret).await.unwrap();
    }
    for result in results.iter().filter(|result| result.is_err()) {
        assert_reason(result.clone(), Reason::ClientSecretLimit);
    }
}

#[tokio::test]
async fn concurrent_retries_of_a_rotation_get_one_secret() {
    let (_database, replica) = replica(None).await;
    create(&replica, PARTNER).await.unwrap();
    let one = Uuid::new_v4().to_string();
    let answers = futures::future::join_all((0..8).map(|_| rotate(&replica, rotation(Some(60), &one)))).await;
    let first = answers[0].clone().unwrap();
    for answer in answers {
        assert_eq!(answer.unwrap(), first);
    }
    assert_eq!(listed(&replica).await.secrets.len(), 2);
    issue(&replica, PARTNER, &first.client_secret).await.unwrap();

    create(&replica, "partner-2").await.unwrap();
    for changed in [
        RotateClientSecretRequest { client_id: "partner-2".to_owned(), ..rotation(Some(60), &one) },
        rotation(Some(61), &one),
        rotation(None, &one),
    ] {
        assert_reason(rotate(&replica, changed).await, Reason::RequestIdReused);
    }
}

#[tokio::test]
async fn retry_of_a_rotation_after_a_day_or_after_its_secret_ended_gets_no_secret() {
    let (database, replica) = replica(None).await;
    create(&replica, PARTNER).await.unwrap();
    let (one, other) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let rotated = rotate(&replica, rotation(Some(0), &one)).await.unwrap();
    execute(&database, "update client_secret set created_at = now() - interval '25 hours'").await;
    assert_reason(rotate(&replica, rotation(Some(0), &one)).await, Reason::ClientSecretExists);
    issue(&replica, PARTNER, &rotated.client_secret).await.unwrap();

    let second = rotate(&replica, rotation(None, &other)).await.unwrap();
    revoke(&replica, PARTNER, &second.client.unwrap().secrets[0].secret_id).await.unwrap();
    assert_reason(rotate(&replica, rotation(None, &other)).await, Reason::ClientSecretExists);
    assert_reason(issue(&replica, PARTNER, &second.client_secret).await, Reason::BadCredentials);
}

#[tokio::test]
async fn rotation_without_overlap_revokes_every_earlier_secret_and_its_tokens() {
    let (_server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let second = rotate(&replica, rotation(None, "")).await.unwrap();
    let former = [session(&replica, &first.client_secret).await, session(&replica, &second.client_secret).await];
    let third = rotate(&replica, rotation(Some(0), "")).await.unwrap();
    for (secret, session) in [&first.client_secret, &second.client_secret].into_iter().zip(&former) {
        assert!(replica.revocations.is_revoked(session));
        assert_reason(issue(&replica, PARTNER, secret).await, Reason::BadCredentials);
    }
    assert!(!replica.revocations.is_revoked(&session(&replica, &third.client_secret).await));
    assert_eq!(third.client.unwrap().secrets.len(), 1);
}

#[tokio::test]
async fn revoked_secret_ends_with_its_tokens_and_the_other_one_stays() {
    let (_server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let only = first.client.unwrap().secrets.remove(0).secret_id;
    assert_reason(revoke(&replica, PARTNER, &only).await, Reason::ClientSecretLimit);
    let second = rotate(&replica, rotation(None, "")).await.unwrap();
    let [former, newest] =
        [session(&replica, &first.client_secret).await, session(&replica, &second.client_secret).await];
    for _ in 0..2 {
        let left = revoke(&replica, PARTNER, &only).await.unwrap();
        assert_eq!(left.secrets.len(), 1);
        assert!(replica.revocations.is_revoked(&former) && !replica.revocations.is_revoked(&newest));
    }
    assert_reason(issue(&replica, PARTNER, &first.client_secret).await, Reason::BadCredentials);
    issue(&replica, PARTNER, &second.client_secret).await.unwrap();

    create(&replica, "partner-2").await.unwrap();
    assert_reason(revoke(&replica, "partner-2", &only).await, Reason::ClientSecretNotFound);
    assert_reason(revoke(&replica, PARTNER, &Uuid::new_v4().to_string()).await, Reason::ClientSecretNotFound);
    assert_reason(revoke(&replica, "partner-3", &only).await, Reason::ClientNotFound);
    assert_reason(revoke(&replica, "No id", &only).await, Reason::ClientNotFound);
}

#[tokio::test]
async fn revoking_the_newest_secret_makes_the_former_one_permanent() {
    let (database, replica) = replica(None).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let lost = rotate(&replica, rotation(None, "")).await.unwrap().client.unwrap().secrets.remove(0);
    let left = revoke(&replica, PARTNER, &lost.secret_id).await.unwrap();
    assert_eq!((left.secrets.len(), &left.secrets[0].expire_time), (1, &None));
    issue(&replica, PARTNER, &first.client_secret).await.unwrap();
    // The release before this one reads the newest secret there.
    let in_step: bool = sqlx::query_scalar("select secret_hash = sha256($1::text::bytea) from client")
        .bind(&first.client_secret)
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(in_step);
    rotate(&replica, rotation(None, "")).await.unwrap();
}

#[tokio::test]
async fn deleted_client_has_no_secret_and_its_tokens_are_revoked() {
    let (_server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let second = rotate(&replica, rotation(None, "")).await.unwrap();
    let sessions = [session(&replica, &first.client_secret).await, session(&replica, &second.client_secret).await];
    delete(&replica, PARTNER).await.unwrap();
    assert!(sessions.iter().all(|session| replica.revocations.is_revoked(session)));
    assert_reason(rotate(&replica, rotation(None, "")).await, Reason::ClientNotFound);
    let only = &second.client.unwrap().secrets[0].secret_id;
    assert_reason(revoke(&replica, PARTNER, only).await, Reason::ClientNotFound);
}

#[tokio::test]
async fn last_use_of_a_secret_is_its_day_and_recorded_once_a_day() {
    let (database, replica) = replica(None).await;
    let first = create(&replica, PARTNER).await.unwrap();
    assert_eq!(first.client.unwrap().secrets[0].last_use_date, "");
    issue(&replica, PARTNER, &first.client_secret).await.unwrap();
    let recorded = async {
        while listed(&replica).await.secrets[0].last_use_date.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), recorded).await.expect("the last use is recorded");
    let version = async || -> String {
        let sql = "select xmin::text from client_secret";
        sqlx::query_scalar(sql).fetch_one(database.pool()).await.unwrap()
    };
    let today: bool = sqlx::query_scalar("select used_on = (now() at time zone 'utc')::date from client_secret")
        .fetch_one(database.pool())
        .await
        .unwrap();
    let before = version().await;
    issue(&replica, PARTNER, &first.client_secret).await.unwrap();
    assert!(today);
    assert_eq!(version().await, before);
}

#[tokio::test]
async fn secret_set_by_an_operator_is_the_only_one_and_earlier_tokens_stay_valid() {
    let (_server, redis) = test_redis();
    let (database, replica) = replica(Some(redis)).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let second = rotate(&replica, rotation(None, "")).await.unwrap();
    let sessions = [session(&replica, &first.client_secret).await, session(&replica, &second.client_secret).await];
    let chosen = "c".repeat(32);
    let register = async |secret: &str| {
        admin::register_client(database.pool(), PARTNER, "", Role::Partner, &secret.into()).await.unwrap();
    };
    register(&chosen).await;
    let secrets = listed(&replica).await.secrets;
    assert_eq!(secrets.len(), 1);
    issue(&replica, PARTNER, &chosen).await.unwrap();
    for secret in [&first.client_secret, &second.client_secret] {
        assert_reason(issue(&replica, PARTNER, secret).await, Reason::BadCredentials);
    }
    assert!(sessions.iter().all(|session| !replica.revocations.is_revoked(session)));

    register(&chosen).await;
    assert_eq!(listed(&replica).await.secrets[0].secret_id, secrets[0].secret_id, "the same secret is the same");
    // A former secret that an operator sets again is the only one.
    rotate(&replica, rotation(None, "")).await.unwrap();
    register(&chosen).await;
    let again = listed(&replica).await.secrets;
    assert_eq!((again.len(), &again[0].expire_time), (1, &None));
}

#[tokio::test]
async fn rotation_and_revocation_write_one_audit_record_each_without_a_secret() {
    let (database, replica) = replica(None).await;
    let first = create(&replica, PARTNER).await.unwrap();
    let request_id = Uuid::new_v4().to_string();
    let origin = Origin {
        role: ActorRole::Admin,
        actor: "auditor".to_owned(),
        method: "test".to_owned(),
        request_id: "r".to_owned(),
        gateway: Gateway::Internal,
    };
    let changes = async {
        for _ in 0..2 {
            let rotated = rotate(&replica, rotation(Some(60), &request_id)).await.unwrap();
            assert!(rotated.client.is_some());
        }
        let former = first.client.as_ref().unwrap().secrets[0].secret_id.clone();
        for _ in 0..2 {
            revoke(&replica, PARTNER, &former).await.unwrap();
        }
        rotate(&replica, rotation(Some(60), &request_id)).await.unwrap()
    };
    let rotated = Origin::scope(Some(origin), changes).await;
    let rows: Vec<String> =
        sqlx::query_scalar("select object_id || before::text || after::text from audit_record order by audit_id")
            .fetch_all(database.pool())
            .await
            .unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let newest = &rotated.client.unwrap().secrets[0].secret_id;
    for row in &rows {
        assert!(row.starts_with(PARTNER) && row.contains(newest), "{row}");
        assert!(!row.contains(&rotated.client_secret) && !row.contains(&first.client_secret), "{row}");
    }
}

#[tokio::test]
async fn calls_about_secrets_report_invalid_fields() {
    let (_database, replica) = replica(None).await;
    for overlap in [-1, 2_592_001, i32::MIN, i32::MAX] {
        let request = RotateClientSecretRequest { client_id: String::new(), ..rotation(Some(overlap), "7") };
        let status = assert_reason(rotate(&replica, request).await, Reason::InvalidField);
        assert_eq!(invalid_fields(&status), ["client_id", "overlap_seconds", "request_id"]);
    }
    let status = assert_reason(revoke(&replica, "", "7").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["client_id", "secret_id"]);
    assert_reason(rotate(&replica, rotation(Some(2_592_000), "")).await, Reason::ClientNotFound);
}
