//! Verification of tokens while identity hangs, fails or changes its keys.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures::future::join_all;
use staymesh_api::identity::v1::JsonWebKey;
use staymesh_mesh::auth::{KeySource, TokenError, TokenVerifier};
use tokio::time::{Instant, sleep};

use crate::support::{Signer, auth_config};

#[derive(Clone, Copy)]
enum Mood {
    Answers,
    Hangs,
    HasNoKeys,
}

/// A key source with selectable behaviour that counts fetches.
#[derive(Clone)]
struct Moody {
    signer: Signer,
    mood: Arc<ArcSwap<Mood>>,
    asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl KeySource for Moody {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match **self.mood.load() {
            Mood::Answers => self.signer.fetch().await,
            Mood::Hangs => std::future::pending().await,
            Mood::HasNoKeys => Ok(vec![]),
        }
    }
}

/// A verifier whose key set is always stale.
fn verifier(mood: Mood) -> (TokenVerifier, Moody) {
    let source = Moody { signer: Signer::new(), mood: Arc::new(ArcSwap::from_pointee(mood)), asked: Arc::default() };
    (TokenVerifier::new(source.clone(), &auth_config()).refreshing_after(Duration::ZERO), source)
}

#[tokio::test]
async fn known_key_is_used_immediately_while_identity_hangs() {
    let (verifier, identity) = verifier(Mood::Answers);
    let token = identity.signer.token("guest", |_| {});
    verifier.verify(&token).await.expect("a good token");
    identity.mood.store(Arc::new(Mood::Hangs));

    // Long enough for more than one refresh to become due and hang.
    let started = Instant::now();
    while identity.asked.load(Ordering::SeqCst) < 3 {
        let asked = Instant::now();
        verifier.verify(&token).await.expect("still a good token");
        assert!(asked.elapsed() < Duration::from_secs(1), "waited for {:?}", asked.elapsed());
        assert!(started.elapsed() < Duration::from_secs(20), "the keys are not refreshed");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn stale_keys_are_refreshed_in_the_background() {
    let (verifier, identity) = verifier(Mood::Answers);
    let token = identity.signer.token("guest", |_| {});
    verifier.verify(&token).await.expect("a good token");
    identity.mood.store(Arc::new(Mood::HasNoKeys));
    let started = Instant::now();
    while verifier.verify(&token).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(20), "a key that identity has dropped is still used");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn unknown_key_is_fetched_once_per_interval() {
    let (verifier, identity) = verifier(Mood::Hangs);
    let unknown = identity.signer.token_by("unknown", "guest", |_| {});
    let started = Instant::now();
    for outcome in join_all((0..50).map(|_| verifier.verify(&unknown))).await {
        assert_eq!(outcome.err(), Some(TokenError::KeysUnavailable));
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(identity.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cached_token_expires() {
    let signer = Signer::new();
    let verifier = TokenVerifier::new(signer.clone(), &auth_config());
    // Expired, but still within the leeway of five seconds.
    let token = signer.token("guest", |claims| claims.exp = jiff::Timestamp::now().as_second() - 3);
    verifier.verify(&token).await.expect("good for another second or two");
    verifier.verify(&token).await.expect("remembered");
    let started = Instant::now();
    while verifier.verify(&token).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(20), "a token that has ended is still good");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn cache_matches_the_exact_token_only() {
    let signer = Signer::new();
    let verifier = TokenVerifier::new(signer.clone(), &auth_config());
    let token = signer.token("guest", |_| {});
    verifier.verify(&token).await.expect("a good token");
    let (content, signature) = token.rsplit_once('.').expect("a signature");
    let forged = format!("{content}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(verifier.verify(&forged).await, Err(TokenError::Invalid));
    let other = signer.token("admin", |_| {});
    let grafted = format!("{}.{signature}", other.rsplit_once('.').expect("a signature").0);
    assert_eq!(verifier.verify(&grafted).await, Err(TokenError::Invalid));
}
