//! Signing keys: shared by replicas, encrypted at rest, rotated without an interruption.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use sqlx::PgPool;
use staymesh_api::identity::v1::{GetKeySetRequest, auth_service_server::AuthService};
use staymesh_mesh::auth::{Role, TokenVerifier};
use tonic::Request;

use crate::testing::{Replica, auth_config, encryption_key, encryption_key_text, replica};
use crate::{
    admin::{self, Rotation},
    config::KeyConfig,
    crypto::EncryptionKey,
    model::HotelIds,
    service::{
        keyring::Keyring,
        tokens::{Subject, Tokens},
    },
};

fn config(lead: Duration) -> KeyConfig {
    KeyConfig { key_encryption_key: encryption_key_text(), key_publish_lead: lead }
}

async fn token_of(keyring: &Keyring) -> String {
    use secrecy::ExposeSecret;
    let subject = Subject {
        id: "s".into(),
        session: "x".into(),
        role: Role::Guest,
        hotel_ids: HotelIds::default(),
        email_verified: false,
    };
    let signed = Tokens::new(keyring.clone(), &auth_config()).sign(subject, Duration::from_mins(1)).await.unwrap();
    signed.expose_secret().to_owned()
}

fn key_id(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

async fn published(replica: &Replica) -> Vec<String> {
    replica.keyring.reload().await.unwrap();
    let answer = replica.auth.get_key_set(Request::new(GetKeySetRequest {})).await.unwrap();
    answer.into_inner().keys.into_iter().map(|key| key.kid).collect()
}

/// Advances the clock of all keys by `time` seconds.
async fn pass(pool: &PgPool, time: &str) {
    sqlx::query("update signing_key set signs_from = signs_from - $1::interval, ends_at = ends_at - $1::interval")
        .bind(sqlx::postgres::types::PgInterval::try_from(Duration::from_secs(time.parse().unwrap())).unwrap())
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn concurrent_first_use_by_replicas_creates_one_key() {
    let (database, _) = replica(None).await;
    let keyrings: Vec<_> = (0..8).map(|_| Keyring::new(database.pool().clone(), encryption_key())).collect();
    let sets = futures::future::join_all(keyrings.iter().map(Keyring::current)).await;
    let ids: Vec<_> = sets.into_iter().map(|set| set.unwrap().signer_id.clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let count: i64 = sqlx::query_scalar("select count(*) from signing_key").fetch_one(database.pool()).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn token_signed_by_one_replica_is_verified_by_another() {
    let (database, one) = replica(None).await;
    let other = Replica::over(database.pool(), None);
    let token = token_of(&one.keyring).await;
    assert_eq!(other.caller(&token).await.subject, "s");
}

#[tokio::test]
async fn key_set_has_the_members_of_rfc_7517() {
    let (_database, replica) = replica(None).await;
    let answer = replica.auth.get_key_set(Request::new(GetKeySetRequest {})).await.unwrap().into_inner();
    let [key] = &answer.keys[..] else { panic!("{answer:?}") };
    assert_eq!(
        (key.kty.as_str(), key.crv.as_str(), key.alg.as_str(), key.r#use.as_str()),
        ("EC", "P-256", "ES256", "sig")
    );
    assert_eq!(key_id(&token_of(&replica.keyring).await), key.kid);
}

#[tokio::test]
async fn private_key_is_encrypted_at_rest() {
    let (database, replica) = replica(None).await;
    replica.keyring.current().await.unwrap();
    let (id, sealed): (String, Vec<u8>) =
        sqlx::query_as("select key_id, sealed_private_key from signing_key").fetch_one(database.pool()).await.unwrap();
    let plain = encryption_key().open(&id, &sealed).unwrap();
    assert!(!sealed.windows(16).any(|part| plain.windows(16).any(|secret| secret == part)));

    // A replica with another encryption key fails with an error that names the setting.
    let foreign = EncryptionKey::from_base64(&STANDARD.encode([8; 32]).into()).unwrap();
    let error = Keyring::new(database.pool().clone(), foreign).current().await.err().expect("cannot open it");
    assert!(error.to_string().contains("STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY"), "{error}");
}

#[tokio::test]
async fn rotation_keeps_tokens_of_both_keys_valid() {
    let (database, replica) = replica(None).await;
    let (pool, keyring) = (database.pool(), &replica.keyring);
    let old_token = token_of(keyring).await;
    let old = key_id(&old_token);

    // The new key is published at once while the old one signs. A second rotation creates no third key.
    let lead = Duration::from_mins(10);
    let Rotation::Begun(new) = admin::rotate_keys(pool, &config(lead)).await.unwrap() else { panic!("begins") };
    assert_eq!(admin::rotate_keys(pool, &config(lead)).await.unwrap(), Rotation::UnderWay(new.clone()));
    assert_eq!(published(&replica).await, [new.clone(), old.clone()]);
    assert_eq!(key_id(&token_of(keyring).await), old);

    // After the lead the new key signs, and tokens of the old key are still valid.
    pass(pool, "601").await;
    assert_eq!(published(&replica).await, [new.clone(), old.clone()]);
    let new_token = token_of(keyring).await;
    assert_eq!(key_id(&new_token), new);
    let verifier = TokenVerifier::new(keyring.clone(), &auth_config());
    assert!(verifier.verify(&old_token).await.is_ok() && verifier.verify(&new_token).await.is_ok());

    // The last token of the old key expires after one hour; the margin follows.
    pass(pool, "3590").await;
    assert_eq!(published(&replica).await, [new.clone(), old]);
    pass(pool, "400").await;
    assert_eq!(published(&replica).await, std::slice::from_ref(&new));
    let verifier = TokenVerifier::new(keyring.clone(), &auth_config());
    assert!(verifier.verify(&old_token).await.is_err() && verifier.verify(&new_token).await.is_ok());

    crate::purge::once(pool).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select key_id from signing_key").fetch_all(pool).await.unwrap();
    assert_eq!(left, [new]);
}

#[tokio::test]
async fn concurrent_rotations_create_one_key() {
    let (database, replica) = replica(None).await;
    replica.keyring.current().await.unwrap();
    let config = config(Duration::from_mins(10));
    let rotations = (0..8).map(|_| admin::rotate_keys(database.pool(), &config));
    let begun = futures::future::join_all(rotations).await.into_iter().map(Result::unwrap);
    assert_eq!(begun.filter(|rotation| matches!(rotation, Rotation::Begun(_))).count(), 1);
    assert_eq!(published(&replica).await.len(), 2);
}
