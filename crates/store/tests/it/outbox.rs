//! The outbox without failures of the infrastructure: order, retries, dead letters, statistics.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use staymesh_store::outbox::{
    DeadLetterFilter, Deliver, Delivery, Kinds, OutboxEvent, Relay, RelayOptions, SCHEMA, Wake, dead_letters, enqueue,
    purge_delivered, replay, stats,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{database, until};

/// Responds with `answer` and records the events it got.
pub(crate) struct Receiver<F> {
    pub(crate) answer: F,
    pub(crate) seen: Mutex<Vec<(Uuid, i64)>>,
}

impl<F> Receiver<F> {
    pub(crate) fn new(answer: F) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { answer, seen: Mutex::default() })
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

pub(crate) struct Shared<F>(pub(crate) std::sync::Arc<Receiver<F>>);

impl<F: Fn(&OutboxEvent) -> Delivery + Send + Sync + 'static> Deliver for Shared<F> {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        self.0.seen.lock().unwrap().push((event.aggregate_id, event.event_id));
        // Lets other deliveries overtake, if they can.
        tokio::task::yield_now().await;
        (self.0.answer)(event)
    }
}

pub(crate) fn quick() -> RelayOptions {
    RelayOptions {
        poll: Duration::from_millis(20),
        backoff_base: Duration::from_millis(5),
        backoff_cap: Duration::from_millis(20),
        unavailable_cap: Duration::from_millis(20),
        max_attempts: 4,
        ..RelayOptions::default()
    }
}

/// Starts a relay that runs until the guard is dropped.
pub(crate) fn start<D: Deliver>(pool: &PgPool, receiver: D, options: RelayOptions) -> DropGuard {
    let stop = CancellationToken::new();
    tokio::spawn(Relay::new(pool.clone(), receiver, Wake::default(), options).run(stop.clone()));
    stop.drop_guard()
}

pub(crate) async fn write(pool: &PgPool, aggregate: Uuid, kind: &str) -> i64 {
    let mut connection = pool.acquire().await.unwrap();
    enqueue(&mut connection, aggregate, kind, &json!({ "nights": 3 }), None).await.unwrap()
}

pub(crate) async fn depth(pool: &PgPool) -> i64 {
    stats(pool).await.unwrap().depth
}

#[test]
fn documented_table_equals_schema() {
    let readme = include_str!("../../../../migrations/README.md");
    assert!(readme.contains(&format!("```sql\n{SCHEMA}```")), "migrations/README.md and SCHEMA differ");
}

#[tokio::test]
async fn relays_of_disjoint_kinds_do_not_delay_each_other() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    for _ in 0..20 {
        write(pool, Uuid::new_v4(), "mail.confirmed").await;
    }
    let (mail, other) =
        (write(pool, Uuid::new_v4(), "mail.cancelled").await, write(pool, Uuid::new_v4(), "paid").await);
    let unavailable = Receiver::new(|_: &OutboxEvent| Delivery::Unavailable("down".to_owned()));
    let done = Receiver::new(|_: &OutboxEvent| Delivery::Done);
    let mails = RelayOptions { kinds: Kinds::With("mail."), concurrency: 1, ..quick() };
    let others = RelayOptions { kinds: Kinds::Without("mail."), concurrency: 1, ..quick() };
    let _relays = [start(pool, Shared(unavailable.clone()), mails), start(pool, Shared(done.clone()), others)];
    until("other kinds are delivered", async || depth(pool).await == 21 && unavailable.count() > 1).await;
    let seen = done.seen.lock().unwrap().clone();
    assert_eq!(seen.iter().map(|(_, event)| *event).collect::<Vec<_>>(), [other]);
    assert!(unavailable.seen.lock().unwrap().iter().all(|(_, event)| *event <= mail));
}

#[tokio::test]
async fn event_is_written_and_rolled_back_with_its_transaction() {
    let database = database(&[SCHEMA]).await;
    let mut transaction = database.pool().begin().await.unwrap();
    let payload = json!({ "guest": "someone" });
    enqueue(&mut transaction, Uuid::now_v7(), "kept", &payload, Some("00-ab-cd-01")).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(depth(database.pool()).await, 0);

    let mut transaction = database.pool().begin().await.unwrap();
    enqueue(&mut transaction, Uuid::now_v7(), "kept", &payload, Some("00-ab-cd-01")).await.unwrap();
    transaction.commit().await.unwrap();

    let receiver = Receiver::new(|event: &OutboxEvent| {
        assert_eq!(event.payload::<HashMap<String, String>>().unwrap()["guest"], "someone");
        assert_eq!(
            (event.kind.as_str(), event.attempt, event.trace_parent.as_deref()),
            ("kept", 1, Some("00-ab-cd-01"))
        );
        assert!(!format!("{event:?}").contains("someone"));
        Delivery::Done
    });
    let _relay = start(database.pool(), Shared(receiver.clone()), quick());
    until("delivered", async || depth(database.pool()).await == 0).await;
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn invalid_events_violate_named_constraints() {
    let database = database(&[SCHEMA]).await;
    let mut connection = database.pool().acquire().await.unwrap();
    let id = Uuid::now_v7();
    // Not compressible, so that its stored size is its size.
    let huge: String = (0..6_000).map(|_| Uuid::new_v4().to_string()).collect();
    let too_long = "k".repeat(101);
    for (kind, payload, trace, constraint) in [
        ("", json!(1), None, "outbox_kind_is_short"),
        (too_long.as_str(), json!(1), None, "outbox_kind_is_short"),
        ("k", json!(huge), None, "outbox_payload_is_small"),
        ("k", json!(1), Some(too_long.as_str()), "outbox_trace_parent_is_short"),
    ] {
        let error = enqueue(&mut connection, id, kind, &payload, trace).await.unwrap_err();
        assert_eq!(error.constraint(), Some(constraint));
    }
}

#[tokio::test]
async fn concurrent_relays_deliver_each_event_once_and_in_order_per_aggregate() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let aggregates: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    for _ in 0..10 {
        for aggregate in &aggregates {
            write(pool, *aggregate, "step").await;
        }
    }
    // A third of the first attempts fail; later events of the same aggregate must not overtake them.
    let receiver = Receiver::new(|event: &OutboxEvent| {
        if event.attempt == 1 && event.event_id % 3 == 0 { Delivery::Retry("busy".into()) } else { Delivery::Done }
    });
    let relays: Vec<_> = (0..3).map(|_| start(pool, Shared(receiver.clone()), quick())).collect();
    until("all delivered", async || depth(pool).await == 0).await;
    drop(relays);

    let seen = receiver.seen.lock().unwrap();
    let mut last: HashMap<Uuid, i64> = HashMap::new();
    for (aggregate, event_id) in seen.iter() {
        let before = last.insert(*aggregate, *event_id);
        assert!(before.is_none_or(|before| before <= *event_id), "{event_id} came after {before:?}");
    }
    let retried = (1..=200).filter(|event_id| event_id % 3 == 0).count();
    assert_eq!(seen.len(), 200 + retried);
}

#[tokio::test]
async fn failing_event_becomes_a_dead_letter_and_can_be_replayed() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let aggregate = Uuid::now_v7();
    let poisoned = write(pool, aggregate, "poisoned").await;
    let refused = write(pool, Uuid::now_v7(), "refused").await;
    let next = write(pool, aggregate, "fine").await;
    let healed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_healed = healed.clone();
    let receiver = Receiver::new(move |event: &OutboxEvent| match event.kind.as_str() {
        _ if is_healed.load(std::sync::atomic::Ordering::SeqCst) => Delivery::Done,
        "poisoned" => Delivery::Retry(format!("x\0{}", "y".repeat(1_000))),
        "refused" => Delivery::DeadLetter("never".into()),
        _ => Delivery::Done,
    });
    let _relay = start(pool, Shared(receiver.clone()), quick());
    until("settled", async || depth(pool).await == 0).await;

    let all = DeadLetterFilter::default();
    let events = dead_letters(pool, &all, 0, 10).await.unwrap();
    let summary: Vec<_> = events.iter().map(|event| (event.event_id, event.attempts)).collect();
    assert_eq!(summary, [(poisoned, 4), (refused, 1)]);
    assert_eq!(events[0].last_error.as_ref().unwrap().len(), 500);
    assert_eq!(events[1].last_error.as_deref(), Some("never"));
    assert_eq!(stats(pool).await.unwrap().dead_letters, 2);
    // The next event of the aggregate is delivered after the failing one became a dead letter, not before.
    let seen = receiver.seen.lock().unwrap().clone();
    let of_aggregate: Vec<_> = seen.iter().filter(|(id, _)| *id == aggregate).map(|(_, event)| *event).collect();
    assert_eq!(of_aggregate, [poisoned, poisoned, poisoned, poisoned, next]);

    healed.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(replay(pool, &[next, poisoned]).await.unwrap(), [poisoned], "a delivered event is not replayed");
    assert_eq!(replay(pool, &[poisoned]).await.unwrap(), [0_i64; 0]);
    assert_eq!(replay(pool, &[refused]).await.unwrap(), [refused]);
    until("replayed", async || depth(pool).await == 0).await;
    assert_eq!(dead_letters(pool, &all, 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn stats_report_depth_and_lag_and_old_deliveries_are_purged() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    assert_eq!(stats(pool).await.unwrap().lag, Duration::ZERO);
    write(pool, Uuid::now_v7(), "a").await;
    write(pool, Uuid::now_v7(), "b").await;
    sqlx::query("update outbox set created_at = now() - interval '90 seconds' where kind = 'a'")
        .execute(pool)
        .await
        .unwrap();
    let numbers = stats(pool).await.unwrap();
    assert_eq!((numbers.depth, numbers.dead_letters), (2, 0));
    assert!((90..100).contains(&numbers.lag.as_secs()), "{numbers:?}");

    sqlx::query("update outbox set delivered_at = now() - interval '8 days' where kind = 'a'")
        .execute(pool)
        .await
        .unwrap();
    let week = Duration::from_hours(7 * 24);
    assert_eq!(purge_delivered(pool, week, 100).await.unwrap(), 1);
    assert_eq!(purge_delivered(pool, week, 100).await.unwrap(), 0);
    assert_eq!(depth(pool).await, 1);
}
