//! Limits, with the counters in Redis and in the replica.

use jiff::ToSpan;
use staymesh_devenv::Redis as RedisServer;

use super::*;
use crate::testing::{encryption_key, test_redis};

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

fn home() -> Source {
    Source::parse("192.0.2.1")
}

fn throttle(redis: Option<Redis>) -> Throttle {
    Throttle::new(redis, &encryption_key(), 3)
}

async fn spend(throttle: &Throttle, email: &Email, now: Timestamp) {
    for attempt in 1..=3 {
        throttle.admit_at(email, home(), now).await.unwrap_or_else(|error| panic!("attempt {attempt}: {error}"));
    }
    assert!(matches!(throttle.admit_at(email, home(), now).await, Err(IdentityError::LoginThrottled(_))));
}

/// Expectations of one source, wherever the counters are.
async fn assert_limit_per_source(throttle: &Throttle) {
    let (ada, bob) = (email("ada"), email("bob"));
    spend(throttle, &ada, START).await;
    throttle.admit_at(&bob, home(), START).await.unwrap();

    // Refused attempts do not extend the window.
    let later = START + 14.minutes();
    match throttle.admit_at(&ada, home(), later).await {
        Err(IdentityError::LoginThrottled(wait)) => assert_eq!(wait.as_secs(), 60),
        other => panic!("{other:?}"),
    }
    let next = START + 15.minutes();
    throttle.admit_at(&ada, home(), next).await.unwrap();

    // A successful login resets the counters.
    throttle.succeeded_at(&ada, home(), next).await;
    spend(throttle, &ada, next).await;
}

#[tokio::test]
async fn throttle_without_redis_limits_per_replica() {
    assert_limit_per_source(&throttle(None)).await;
}

#[tokio::test]
async fn throttle_with_redis_counts_across_replicas_under_pseudonyms() {
    let (server, redis) = test_redis();
    assert_limit_per_source(&throttle(Some(redis.clone()))).await;
    let carol = email("carol");
    let (one, other) = (throttle(Some(redis.clone())), throttle(Some(redis)));
    one.admit_at(&carol, home(), START).await.unwrap();
    one.admit_at(&carol, home(), START).await.unwrap();
    other.admit_at(&carol, home(), START).await.unwrap();
    assert!(other.admit_at(&carol, home(), START).await.is_err());

    let keys = server.command("KEYS *");
    assert!(keys.contains("identity:login-attempts:"), "{keys}");
    assert!(!keys.contains("carol") && !keys.contains("example"), "{keys}");
    let key = keys.lines().find(|line| line.starts_with("identity:login-attempts:")).unwrap().trim();
    let ttl = server.command(&format!("TTL {key}"));
    let ttl: i64 = ttl.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
    assert!((1..=900).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn throttle_falls_back_to_local_counters_when_redis_fails() {
    let (mut server, redis) = test_redis();
    let throttle = throttle(Some(redis));
    throttle.admit_at(&email("ada"), home(), START).await.unwrap();
    RedisServer::kill_now(&mut server.server).unwrap();
    assert_limit_per_source(&throttle).await;
}

#[tokio::test]
async fn concurrent_attempts_beyond_the_limit_are_refused() {
    let (_server, redis) = test_redis();
    let throttle = throttle(Some(redis));
    let ada = email("ada");
    let guesses: Vec<_> = (0..20)
        .map(|_| {
            let (throttle, ada) = (throttle.clone(), ada.clone());
            tokio::spawn(async move { throttle.admit_at(&ada, home(), START).await.is_ok() })
        })
        .collect();
    let mut admitted = 0;
    for guess in guesses {
        admitted += usize::from(guess.await.unwrap());
    }
    assert_eq!(admitted, 3);
}

/// Expectations of several sources, wherever the counters are. Returns the attacked address, whose total is used up, and
/// the time.
async fn assert_limit_in_total(throttle: &Throttle) -> (Email, Timestamp) {
    let (eve, now) = (email("eve"), START + 1.hour());
    let attacker = |n: u8| Source::parse(&format!("198.51.100.{n}"));
    // Three attempts per source; refused ones do not count in the total.
    for n in 1..10 {
        for attempt in 1..=50 {
            let admitted = throttle.admit_at(&eve, attacker(n), now).await.is_ok();
            assert_eq!(admitted, attempt <= 3, "attempt {attempt} of source {n}");
        }
    }
    spend(throttle, &eve, now).await;
    // Thirty attempts use up the total: any other source is refused.
    for n in [10, 11] {
        assert!(matches!(throttle.admit_at(&eve, attacker(n), now).await, Err(IdentityError::LoginThrottled(_))));
    }
    throttle.admit_at(&email("bob"), attacker(1), now).await.unwrap();
    (eve, now)
}

#[tokio::test]
async fn throttle_without_redis_limits_distributed_guesses_in_total() {
    assert_limit_in_total(&throttle(None)).await;
}

#[tokio::test]
async fn known_source_is_exempt_from_the_total_limit() {
    let (server, redis) = test_redis();
    let throttle = throttle(Some(redis));
    let work = Source::parse("203.0.113.9");
    throttle.succeeded_at(&email("eve"), work, START).await;
    let (eve, now) = assert_limit_in_total(&throttle).await;
    // The known source keeps its own limit.
    for attempt in 1..=4 {
        assert_eq!(throttle.admit_at(&eve, work, now).await.is_ok(), attempt <= 3, "attempt {attempt}");
    }
    // A successful login resets both counters.
    throttle.succeeded_at(&eve, work, now).await;
    for source in [work, Source::parse("198.51.100.12"), Source::default()] {
        throttle.admit_at(&eve, source, now).await.unwrap();
    }
    let keys = server.command("KEYS *");
    for key in keys.lines().map(str::trim).filter(|key| key.starts_with("identity:")) {
        assert!(!key.contains("eve") && !key.contains("203.0"), "{key}");
        let ttl = server.command(&format!("TTL {key}"));
        let ttl: i64 = ttl.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
        let longest = if key.contains("login-known") { 30 * 86_400 } else { 900 };
        assert!((1..=longest).contains(&ttl), "{key}: {ttl}");
    }
    assert!(keys.contains("identity:login-known:"), "{keys}");
}

#[test]
fn source_is_an_ipv4_address_or_an_ipv6_prefix() {
    let same = |one: &str, other: &str| Source::parse(one) == Source::parse(other);
    assert!(same("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1") && !same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    for nothing in ["", "unknown", "192.0.2.1:80", "192.0.2.256", "fe80::1%eth0"] {
        assert_eq!(Source::parse(nothing), Source::default(), "{nothing}");
    }
}

/// Expectations of one source that tries many addresses, wherever the counters are.
async fn assert_limit_of_source(throttle: &Throttle) {
    let throttle = throttle.clone().with_source_limit(5);
    let now = START + 2.hours();
    for n in 0..5 {
        throttle.admit_at(&email(&format!("spray{n}")), home(), now).await.unwrap();
    }
    assert!(matches!(throttle.admit_at(&email("next"), home(), now).await, Err(IdentityError::LoginThrottled(_))));
    throttle.admit_at(&email("next"), Source::parse("203.0.113.77"), now).await.unwrap();
    // Successful logins count nothing.
    let later = now + 15.minutes();
    for n in 0..20 {
        let user = email(&format!("user{n}"));
        throttle.admit_at(&user, home(), later).await.unwrap();
        throttle.succeeded_at(&user, home(), later).await;
    }
}

#[tokio::test]
async fn source_that_fails_for_many_addresses_is_refused() {
    assert_limit_of_source(&throttle(None)).await;
    let (_server, redis) = test_redis();
    let throttle = throttle(Some(redis));
    assert_limit_of_source(&throttle).await;
    // A person who has logged in from there is not refused.
    let (throttle, ada) = (throttle.with_source_limit(0), email("ada"));
    let now = START + 3.hours();
    assert!(throttle.admit_at(&ada, home(), now).await.is_err());
    throttle.succeeded_at(&ada, home(), now).await;
    assert!(throttle.admit_at(&ada, home(), now).await.unwrap(), "known");
    assert!(throttle.admit_at(&email("bob"), home(), now).await.is_err());
}

#[tokio::test]
async fn attempt_that_was_not_verified_counts_nothing() {
    let (_server, redis) = test_redis();
    for throttle in [throttle(None), throttle(Some(redis))] {
        for _ in 0..10 {
            throttle.admit(&email("ada"), home()).await.unwrap();
            throttle.not_verified(&email("ada"), home()).await;
        }
    }
}
