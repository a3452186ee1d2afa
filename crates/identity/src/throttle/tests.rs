//! The counts, in Redis and without it.

use jiff::ToSpan;
use staymesh_devenv::Redis as RedisServer;

use super::*;
use crate::tests::{encryption_key, test_redis};

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

/// What must hold wherever the counts are.
async fn obeys_the_rules(throttle: &Throttle) {
    let (ada, bob) = (email("ada"), email("bob"));
    spend(throttle, &ada, START).await;
    throttle.admit_at(&bob, home(), START).await.unwrap();

    // The wait ends with the window, however many attempts are refused meanwhile.
    let later = START + 14.minutes();
    match throttle.admit_at(&ada, home(), later).await {
        Err(IdentityError::LoginThrottled(wait)) => assert_eq!(wait.as_secs(), 60),
        other => panic!("{other:?}"),
    }
    let next = START + 15.minutes();
    throttle.admit_at(&ada, home(), next).await.unwrap();

    // A success gives the whole budget back.
    throttle.succeeded_at(&ada, home(), next).await;
    spend(throttle, &ada, next).await;
}

#[tokio::test]
async fn without_redis_a_process_counts_for_itself() {
    obeys_the_rules(&throttle(None)).await;
}

#[tokio::test]
async fn with_redis_replicas_count_together_under_names_that_tell_nothing() {
    let (server, redis) = test_redis();
    obeys_the_rules(&throttle(Some(redis.clone()))).await;
    let carol = email("carol");
    let (one, other) = (throttle(Some(redis.clone())), throttle(Some(redis)));
    one.admit_at(&carol, home(), START).await.unwrap();
    one.admit_at(&carol, home(), START).await.unwrap();
    other.admit_at(&carol, home(), START).await.unwrap();
    assert!(other.admit_at(&carol, home(), START).await.is_err());

    let keys = server.ask("KEYS *");
    assert!(keys.contains("identity:login-attempts:"), "{keys}");
    assert!(!keys.contains("carol") && !keys.contains("example"), "{keys}");
    let key = keys.lines().find(|line| line.starts_with("identity:")).unwrap().trim();
    let ttl = server.ask(&format!("TTL {key}"));
    let ttl: i64 = ttl.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
    assert!((1..=900).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn when_redis_goes_away_guesses_are_still_bounded() {
    let (mut server, redis) = test_redis();
    let throttle = throttle(Some(redis));
    throttle.admit_at(&email("ada"), home(), START).await.unwrap();
    RedisServer::kill_now(&mut server.server).unwrap();
    obeys_the_rules(&throttle).await;
}

#[tokio::test]
async fn guesses_at_the_same_moment_are_counted_one_by_one() {
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

/// What must hold of several sources wherever the counts are. Yields the owner's address, of which all attempts from
/// everywhere are spent, and the time.
async fn strangers_keep_to_themselves(throttle: &Throttle) -> (Email, Timestamp) {
    let (eve, now) = (email("eve"), START + 1.hour());
    let stranger = |n: u8| Source::parse(&format!("198.51.100.{n}"));
    // Three for each source; whatever is refused is not counted against all.
    for n in 1..10 {
        for attempt in 1..=50 {
            let admitted = throttle.admit_at(&eve, stranger(n), now).await.is_ok();
            assert_eq!(admitted, attempt <= 3, "attempt {attempt} of source {n}");
        }
    }
    spend(throttle, &eve, now).await;
    // That makes thirty, which is all there are: other sources have none left, whichever they are.
    for n in [10, 11] {
        assert!(matches!(throttle.admit_at(&eve, stranger(n), now).await, Err(IdentityError::LoginThrottled(_))));
    }
    throttle.admit_at(&email("bob"), stranger(1), now).await.unwrap();
    (eve, now)
}

#[tokio::test]
async fn without_redis_strangers_keep_out_themselves_and_are_bounded_together() {
    strangers_keep_to_themselves(&throttle(None)).await;
}

#[tokio::test]
async fn an_owner_at_home_is_not_kept_out_by_any_number_of_strangers() {
    let (server, redis) = test_redis();
    let throttle = throttle(Some(redis));
    let work = Source::parse("203.0.113.9");
    throttle.succeeded_at(&email("eve"), work, START).await;
    let (eve, now) = strangers_keep_to_themselves(&throttle).await;
    // From there it may try as often as ever, and no more.
    for attempt in 1..=4 {
        assert_eq!(throttle.admit_at(&eve, work, now).await.is_ok(), attempt <= 3, "attempt {attempt}");
    }
    // A login gives everything back.
    throttle.succeeded_at(&eve, work, now).await;
    for source in [work, Source::parse("198.51.100.12"), Source::default()] {
        throttle.admit_at(&eve, source, now).await.unwrap();
    }
    let keys = server.ask("KEYS *");
    for key in keys.lines().map(str::trim).filter(|key| key.starts_with("identity:")) {
        assert!(!key.contains("eve") && !key.contains("203.0"), "{key}");
        let ttl = server.ask(&format!("TTL {key}"));
        let ttl: i64 = ttl.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
        let longest = if key.contains("login-known") { 30 * 86_400 } else { 900 };
        assert!((1..=longest).contains(&ttl), "{key}: {ttl}");
    }
    assert!(keys.contains("identity:login-known:"), "{keys}");
}

#[test]
fn a_source_is_an_address_or_a_network_of_ipv6() {
    let same = |one: &str, other: &str| Source::parse(one) == Source::parse(other);
    assert!(same("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1") && !same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    for nothing in ["", "unknown", "192.0.2.1:80", "192.0.2.256", "fe80::1%eth0"] {
        assert_eq!(Source::parse(nothing), Source::default(), "{nothing}");
    }
}
