//! Dead letters: listing, filtering, replay.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use sqlx::PgPool;
use staymesh_store::outbox::{
    DeadLetterFilter, Delivery, OutboxEvent, SCHEMA, dead_letters, existing, has_outbox, replay, stats,
    visit_dead_letters,
};
use uuid::Uuid;

use crate::outbox::{Receiver, Shared, depth, quick, start, write};
use crate::support::{database, until};

/// Makes the event a dead letter since `days` days.
async fn make_dead_letter(pool: &PgPool, event_id: i64, days: i32) {
    sqlx::query("update outbox set parked_at = now() - make_interval(days => $2), attempts = 20 where event_id = $1")
        .bind(event_id)
        .bind(days)
        .execute(pool)
        .await
        .unwrap();
}

async fn ids(pool: &PgPool, filter: &DeadLetterFilter) -> Vec<i64> {
    dead_letters(pool, filter, 0, 100).await.unwrap().into_iter().map(|event| event.event_id).collect()
}

#[tokio::test]
async fn filter_applies_all_its_conditions() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    assert!(has_outbox(pool).await.unwrap());
    let mut events = Vec::new();
    for (kind, days) in [("sold", 0), ("ended", 1), ("sold", 3), ("ended", 5)] {
        let event_id = write(pool, Uuid::now_v7(), kind).await;
        make_dead_letter(pool, event_id, days).await;
        events.push(event_id);
    }
    let waiting = write(pool, Uuid::now_v7(), "sold").await;
    let [new, day, three, five] = events[..] else { unreachable!("four events") };
    let sold = Some("sold".to_owned());
    let two_days = Duration::from_hours(48);
    let all = DeadLetterFilter::default();
    for (filter, expected) in [
        (all.clone(), vec![new, day, three, five]),
        (DeadLetterFilter { kind: sold.clone(), ..all.clone() }, vec![new, three]),
        (DeadLetterFilter { older_than: two_days, ..all.clone() }, vec![three, five]),
        (DeadLetterFilter { kind: sold, older_than: two_days, ..all.clone() }, vec![three]),
        (DeadLetterFilter { event_ids: vec![five, waiting, day, i64::MAX], ..all.clone() }, vec![day, five]),
        (DeadLetterFilter { kind: Some("SOLD".into()), ..all.clone() }, vec![]),
        (DeadLetterFilter { older_than: Duration::MAX, ..all.clone() }, vec![]),
    ] {
        assert_eq!(ids(pool, &filter).await, expected, "{filter:?}");
    }
    let page = dead_letters(pool, &all, day, 1).await.unwrap();
    assert_eq!(page.iter().map(|event| event.event_id).collect::<Vec<_>>(), [three]);
    assert_eq!(existing(pool, &[i64::MAX, waiting, new]).await.unwrap(), [new, waiting]);
}

#[tokio::test]
async fn has_outbox_is_false_without_the_table() {
    let database = database(&["create table hotel ()"]).await;
    assert!(!has_outbox(database.pool()).await.unwrap());
}

#[tokio::test]
async fn visit_dead_letters_visits_each_once_in_order_and_at_most_the_limit() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    // More than one batch.
    sqlx::query(
        "insert into outbox (aggregate_id, kind, payload, parked_at)
         select gen_random_uuid(), 'step', '1', now() from generate_series(1, 1100)",
    )
    .execute(pool)
    .await
    .unwrap();
    let (mut seen, all) = (Vec::new(), DeadLetterFilter::default());
    let walk = visit_dead_letters(pool, &all, u64::MAX, async |events| {
        let ids: Vec<i64> = events.iter().map(|event| event.event_id).collect();
        assert_eq!(replay(pool, &ids).await?, ids);
        // Dead letters again immediately.
        sqlx::query("update outbox set parked_at = now() where parked_at is null").execute(pool).await?;
        seen.extend(ids);
        Ok(())
    });
    assert_eq!(walk.await.unwrap(), 1_100);
    assert_eq!(seen, (1..=1_100).collect::<Vec<i64>>());
    for most in [0, 1, 500, 501, 1_099] {
        let mut count = 0;
        let walk = visit_dead_letters(pool, &all, most, async |events| {
            count += events.len() as u64;
            Ok(())
        });
        assert_eq!(walk.await.unwrap(), most);
        assert_eq!(count, most);
    }
}

#[tokio::test]
async fn concurrent_replays_replay_each_event_once() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let mut events = Vec::new();
    for _ in 0..50 {
        let event_id = write(pool, Uuid::now_v7(), "step").await;
        make_dead_letter(pool, event_id, 1).await;
        events.push(event_id);
    }
    let mut backwards = events.clone();
    backwards.reverse();
    let runs = (0..6).map(|run| replay(pool, if run % 2 == 0 { &events } else { &backwards }));
    let replayed: Vec<i64> = join_all(runs).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(replayed.len(), 50);
    assert_eq!(replayed.iter().collect::<HashSet<_>>().len(), 50);
    assert_eq!((depth(pool).await, stats(pool).await.unwrap().dead_letters), (50, 0));
}

#[tokio::test]
async fn replayed_event_follows_delivered_events_and_precedes_undelivered_ones() {
    let database = database(&[SCHEMA]).await;
    let pool = database.pool();
    let aggregate = Uuid::now_v7();
    let refused: Arc<Mutex<HashSet<i64>>> = Arc::default();
    let answers = refused.clone();
    let receiver = Receiver::new(move |event: &OutboxEvent| {
        if answers.lock().unwrap().contains(&event.event_id) {
            Delivery::DeadLetter("no".into())
        } else {
            Delivery::Done
        }
    });
    let first = write(pool, aggregate, "first").await;
    let second = write(pool, aggregate, "second").await;
    let third = write(pool, aggregate, "third").await;
    refused.lock().unwrap().extend([first, second]);
    let relay = start(pool, Shared(receiver.clone()), quick());
    until("the third has arrived, past the others", async || depth(pool).await == 0).await;
    assert_eq!(stats(pool).await.unwrap().dead_letters, 2);
    drop(relay);

    refused.lock().unwrap().clear();
    receiver.seen.lock().unwrap().clear();
    let fourth = write(pool, aggregate, "fourth").await;
    // The order of the arguments does not matter.
    assert_eq!(replay(pool, &[second, first]).await.unwrap(), [first, second]);
    let fifth = write(pool, aggregate, "fifth").await;
    let relays: Vec<_> = (0..3).map(|_| start(pool, Shared(receiver.clone()), quick())).collect();
    until("all have arrived", async || depth(pool).await == 0).await;
    drop(relays);
    // A relay that is still connecting would keep the server from dropping the database.
    pool.close().await;
    let order: Vec<i64> = receiver.seen.lock().unwrap().iter().map(|(_, event)| *event).collect();
    assert_eq!(order, [first, second, fourth, fifth]);
    assert!(third < fourth, "and was not delivered again");
}
