//! Following the changes of reservations: transactions that commit in another order than they began are not missed.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use super::*;
use crate::store::{ChangePosition, ChangeScope};

/// Longer than a transaction of any test runs.
const DEADLINE: Duration = Duration::from_mins(1);

impl World {
    /// Reads all changes after `cursor`, a few at a time, into `seen`, and moves the cursor.
    async fn follow(&self, cursor: &mut ChangePosition, seen: &mut BTreeMap<ReservationId, Status>) -> usize {
        let scope = ChangeScope::Hotel(self.hotel);
        let mut count = 0;
        loop {
            let horizon = self.store.change_horizon().await.expect("a horizon");
            let rows = self.store.changed_since(&scope, *cursor, horizon, 3).await.expect("a page");
            for (position, reservation) in &rows {
                assert!(*position > *cursor, "positions ascend");
                *cursor = *position;
                seen.insert(reservation.id, reservation.status);
            }
            count += rows.len();
            if rows.is_empty() {
                return count;
            }
        }
    }

    /// Follows until so many reservations were seen. Transactions of other tests, which run on the same server, hold the
    /// horizon back for as long as they run.
    async fn follow_until(&self, cursor: &mut ChangePosition, count: usize) -> BTreeMap<ReservationId, Status> {
        let mut seen = BTreeMap::new();
        let started = Instant::now();
        while seen.len() < count {
            assert!(started.elapsed() < DEADLINE, "saw {} of {count}", seen.len());
            self.follow(cursor, &mut seen).await;
            sleep(Duration::from_millis(10)).await;
        }
        seen
    }

    /// Waits until everything that was committed is below the horizon.
    async fn settle(&self) {
        let horizon = self.store.change_horizon().await.expect("a horizon");
        let started = Instant::now();
        while !self.store.change_horizon().await.expect("a horizon").has_passed(horizon) {
            assert!(started.elapsed() < DEADLINE, "a transaction runs for too long");
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn cursor(&self) -> ChangePosition {
        self.store.change_horizon().await.expect("a horizon").position()
    }
}

#[tokio::test]
async fn change_that_commits_late_is_read_after_one_that_began_later() {
    let world = World::with_rooms(10).await;
    let (early, late) = (world.order(0, 1, 1), world.order(0, 1, 1));
    world.book(&early).await.expect("booked");
    world.settle().await;
    let mut cursor = world.cursor().await;
    let mut seen = BTreeMap::new();

    // The first transaction gets the lower position and commits last.
    let mut open = world.pool().begin().await.expect("a transaction");
    let touch = "update reservation set update_time = now() where reservation_id = $1";
    sqlx::query(touch).bind(early.id.as_uuid()).execute(&mut *open).await.expect("an update");
    world.book(&late).await.expect("booked");
    assert_eq!(world.follow(&mut cursor, &mut seen).await, 0, "nothing is read beyond a transaction that runs");
    open.commit().await.expect("committed");
    let seen = world.follow_until(&mut cursor, 2).await;
    assert_eq!(seen.into_keys().collect::<std::collections::BTreeSet<_>>(), [early.id, late.id].into());
    assert_eq!(world.follow(&mut cursor, &mut BTreeMap::new()).await, 0, "each once");
}

#[tokio::test]
async fn follower_of_concurrent_changes_ends_with_the_last_status_of_each() {
    const TASKS: i32 = 8;
    let world = Arc::new(World::with_rooms(100).await);
    let mut cursor = world.cursor().await;
    let mut seen = BTreeMap::new();
    let writers = (0..TASKS).map(|task| {
        let world = world.clone();
        tokio::spawn(async move {
            for n in 0..6 {
                let order = world.order(task % 4, task % 4 + 2, 1);
                world.book(&order).await.expect("booked");
                if n % 3 > 0 {
                    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
                    world.apply(order.id, pay, Timestamp::now()).await.expect("paid");
                }
                if n % 3 > 1 {
                    world.apply(order.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
                }
            }
        })
    });
    let writers = join_all(writers);
    tokio::pin!(writers);
    loop {
        tokio::select! {
            done = &mut writers => {
                for task in done {
                    task.expect("no panic");
                }
                break;
            }
            _ = world.follow(&mut cursor, &mut seen) => {}
        }
    }
    world.settle().await;
    world.follow(&mut cursor, &mut seen).await;
    let filter = ListFilter { hotel_id: Some(world.hotel), ..Default::default() };
    let all = world.store.list(&filter, None, 100).await.expect("a list");
    assert_eq!(all.len(), 48);
    assert_eq!(seen, all.into_iter().map(|reservation| (reservation.id, reservation.status)).collect());
}

#[tokio::test]
async fn partner_follows_its_own_changes_and_guests_have_no_index() {
    let world = World::with_rooms(10).await;
    let mut sold = world.order(0, 1, 1);
    sold.owner = "client:shop".into();
    let cursor = world.cursor().await;
    world.book(&sold).await.expect("booked");
    world.book(&world.order(0, 1, 1)).await.expect("booked");
    world.settle().await;
    let horizon = world.store.change_horizon().await.expect("a horizon");
    for (owner, hotel, found) in [
        ("client:shop", None, vec![sold.id]),
        ("client:shop", Some(world.hotel), vec![sold.id]),
        ("client:shop", Some(HotelId::try_from(8).expect("an id")), vec![]),
        ("client:other", None, vec![]),
    ] {
        let scope = ChangeScope::Partner(owner.into(), hotel);
        let rows = world.store.changed_since(&scope, cursor, horizon, 10).await.expect("a page");
        assert_eq!(rows.iter().map(|(_, row)| row.id).collect::<Vec<_>>(), found, "{scope:?}");
    }
}
