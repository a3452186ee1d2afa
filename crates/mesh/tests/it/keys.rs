//! The keys that tokens are verified with, while identity does not do as it should.

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

/// An identity that does what it is told, and counts.
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

/// A verifier whose keys are always stale.
fn verifier(mood: Mood) -> (TokenVerifier, Moody) {
    let source = Moody { signer: Signer::new(), mood: Arc::new(ArcSwap::from_pointee(mood)), asked: Arc::default() };
    (TokenVerifier::new(source.clone(), &auth_config()).refreshing_after(Duration::ZERO), source)
}

#[tokio::test]
async fn a_known_key_is_used_at_once_although_identity_hangs() {
    let (verifier, identity) = verifier(Mood::Answers);
    let token = identity.signer.token("guest", |_| {});
    verifier.verify(&token).await.expect("a good token");
    identity.mood.store(Arc::new(Mood::Hangs));

    // Long enough for more than one refresh to be due, and to hang.
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
async fn stale_keys_are_refreshed_behind_the_scenes() {
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
async fn an_unknown_key_is_asked_for_once_and_not_for_ever() {
    let (verifier, identity) = verifier(Mood::Hangs);
    let unknown = identity.signer.token_by("unknown", "guest", |_| {});
    let started = Instant::now();
    for outcome in join_all((0..50).map(|_| verifier.verify(&unknown))).await {
        assert_eq!(outcome.err(), Some(TokenError::KeysUnavailable));
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(identity.asked.load(Ordering::SeqCst), 1);
}
