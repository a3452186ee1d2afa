//! The outbox under failures of receiver, relay and connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use staymesh_store::outbox::{
    DeadLetterFilter, Deliver, Delivery, OutboxEvent, Relay, RelayOptions, SCHEMA, Wake, dead_letters, enqueue,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::outbox::{Receiver, Shared, depth, quick, start, write};
use crate::support::{database, until};

/// A receiver that counts calls and blocks each until it gets a permit.
struct Gate {
    calls: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

impl Gate {
    fn new() -> (Self, Arc<AtomicUsize>, Arc<Semaphore>) {
        let (calls, permits) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(0)));
        (Self { calls: calls.clone(), permits: permits.clone() }, calls, permits)
    }
}

impl Deliver for Gate {
    async fn deliver(&self, _: &OutboxEvent) -> Delivery {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        Delivery::Done
    }
}

#[tokio::test]
async fn no_lock_is_held_during_delivery() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    write(pool, Uuid::now_v7(), "slow").await;
    let (gate, calls, permits) = Gate::new();
    let _relay = start(pool, gate, quick());
    until("called", async || calls.load(Ordering::SeqCst) == 1).await;

    let busy: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and state like 'idle in transaction%'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(busy, 0);
    sqlx::query("select from outbox for update nowait").execute(pool).await.unwrap();
    permits.add_permits(1);
    until("delivered", async || depth(pool).await == 0).await;
}

#[tokio::test]
async fn relay_claims_no_more_events_than_it_delivers_concurrently() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    for _ in 0..30 {
        write(pool, Uuid::now_v7(), "slow").await;
    }
    let (gate, calls, permits) = Gate::new();
    let _relay = start(pool, gate, quick());
    until("eight calls", async || calls.load(Ordering::SeqCst) == 8).await;
    let claimed: i64 =
        sqlx::query_scalar("select count(*) from outbox where attempts > 0").fetch_one(pool).await.unwrap();
    assert_eq!(claimed, 8);
    permits.add_permits(1);
    until("a ninth call", async || calls.load(Ordering::SeqCst) == 9).await;
    permits.add_permits(29);
    until("all delivered", async || depth(pool).await == 0).await;
    assert_eq!(calls.load(Ordering::SeqCst), 30);
}

#[tokio::test]
async fn stopped_relay_finishes_deliveries_in_flight() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    write(pool, Uuid::now_v7(), "slow").await;
    let (gate, calls, permits) = Gate::new();
    let stop = CancellationToken::new();
    let running = tokio::spawn(Relay::new(pool.clone(), gate, Wake::default(), quick()).run(stop.clone()));
    until("called", async || calls.load(Ordering::SeqCst) == 1).await;

    stop.cancel();
    write(pool, Uuid::now_v7(), "too late").await;
    permits.add_permits(2);
    running.await.unwrap();
    assert_eq!((depth(pool).await, calls.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn wake_triggers_delivery_before_the_next_poll() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let receiver = Receiver::new(|_: &OutboxEvent| Delivery::Done);
    let (wake, stop) = (Wake::default(), CancellationToken::new());
    let patient = RelayOptions { poll: Duration::from_hours(1), ..quick() };
    tokio::spawn(Relay::new(pool.clone(), Shared(receiver), wake.clone(), patient).run(stop.clone()));
    let _stop = stop.drop_guard();
    for _ in 0..3 {
        write(pool, Uuid::now_v7(), "rung").await;
        wake.wake();
        until("delivered", async || depth(pool).await == 0).await;
    }
}

#[tokio::test]
async fn hanging_receiver_times_out_and_is_retried() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    write(pool, Uuid::now_v7(), "hanging").await;
    let (gate, calls, _permits) = Gate::new();
    let impatient = RelayOptions { deliver_timeout: Duration::from_millis(30), ..quick() };
    let _relay = start(pool, gate, impatient);
    until("dead letter", async || depth(pool).await == 0).await;
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert_eq!(
        dead_letters(pool, &DeadLetterFilter::default(), 0, 1).await.unwrap()[0].last_error.as_deref(),
        Some("no answer within 30 ms")
    );
}

#[tokio::test]
async fn receiver_outage_makes_no_dead_letters() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let aggregate = Uuid::now_v7();
    let first = write(pool, aggregate, "first").await;
    let calls = AtomicUsize::new(0);
    // Unavailable for far more calls than there are attempts, then available.
    let receiver = Receiver::new(move |event: &OutboxEvent| {
        assert_eq!(event.attempt, 1);
        if calls.fetch_add(1, Ordering::SeqCst) < 20 { Delivery::Unavailable("down".into()) } else { Delivery::Done }
    });
    let relay = start(pool, Shared(receiver.clone()), quick());
    let second = write(pool, aggregate, "second").await;
    until("delivered or dead letter", async || depth(pool).await == 0).await;
    drop(relay);
    let seen: Vec<_> = receiver.seen.lock().unwrap().iter().map(|(_, event_id)| *event_id).collect();
    assert_eq!(seen, [vec![first; 21], vec![second]].concat());

    // Outages in between do not reset the attempts of an event on which the receiver fails.
    write(pool, aggregate, "poisoned").await;
    let calls = AtomicUsize::new(0);
    let receiver = Receiver::new(move |_: &OutboxEvent| match calls.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Delivery::Unavailable("down".into()),
        _ => Delivery::Retry("no".into()),
    });
    let _relay = start(pool, Shared(receiver.clone()), quick());
    until("dead letter", async || depth(pool).await == 0).await;
    let dead_letter = &dead_letters(pool, &DeadLetterFilter::default(), 0, 1).await.unwrap()[0];
    assert_eq!((dead_letter.attempts, dead_letter.last_error.as_deref()), (4, Some("no")));
    assert_eq!(receiver.seen.lock().unwrap().len(), 8);
}

#[tokio::test]
async fn claim_of_a_crashed_relay_is_taken_over_after_its_lease() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let event_id = write(pool, Uuid::now_v7(), "orphan").await;
    let receiver = Receiver::new(|_: &OutboxEvent| Delivery::Done);
    let crash = "update outbox set attempts = $1, next_attempt_at = now() + interval '1 hour'";
    sqlx::query(crash).bind(1).execute(pool).await.unwrap();
    let relay = start(pool, Shared(receiver.clone()), quick());
    write(pool, Uuid::now_v7(), "other").await;
    until("the other one is delivered", async || depth(pool).await == 1).await;
    assert!(receiver.seen.lock().unwrap().iter().all(|(_, id)| *id != event_id), "taken before its lease ended");
    sqlx::query("update outbox set next_attempt_at = now()").execute(pool).await.unwrap();
    until("taken over", async || depth(pool).await == 0).await;
    drop(relay);

    // An event that has crashed its relay at every attempt becomes a dead letter without another attempt.
    // It is visible with its attempts only: the relay that was dropped may still look once.
    let mut transaction = pool.begin().await.unwrap();
    let deadly = enqueue(&mut transaction, Uuid::now_v7(), "deadly", &json!({}), None).await.unwrap();
    let crash = "update outbox set attempts = $1 where event_id = $2";
    sqlx::query(crash).bind(4).bind(deadly).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let _relay = start(pool, Shared(receiver.clone()), quick());
    until("dead letter", async || dead_letters(pool, &DeadLetterFilter::default(), 0, 1).await.unwrap().len() == 1)
        .await;
    assert!(receiver.seen.lock().unwrap().iter().all(|(_, id)| *id != deadly));
}

#[tokio::test]
async fn panicking_receiver_does_not_stop_the_relay() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    write(pool, Uuid::now_v7(), "panics").await;
    let fine = write(pool, Uuid::now_v7(), "fine").await;
    let receiver = Receiver::new(|event: &OutboxEvent| {
        assert_ne!(event.kind, "panics", "on purpose");
        Delivery::Done
    });
    let _relay = start(pool, Shared(receiver.clone()), quick());
    until("the other one is delivered", async || {
        let delivered = sqlx::query_scalar::<_, i64>("select event_id from outbox where delivered_at is not null");
        delivered.fetch_optional(pool).await.unwrap() == Some(fine)
    })
    .await;
    // After its lease the same relay delivers it again.
    sqlx::query("update outbox set kind = 'cured', next_attempt_at = now() where kind = 'panics'")
        .execute(pool)
        .await
        .unwrap();
    until("delivered again", async || depth(pool).await == 0).await;
}
