//! Closed nights: PARTNER-SPEC 3 (rule 11 and the rows of stop-sell), and defect D16.

use std::collections::{BTreeMap, BTreeSet};

use staymesh_store::audit::{ActorRole, Gateway, Origin};

use super::*;

impl World {
    pub(super) fn stop_sell(&self, from: i32, until: i32, stop_sell: bool) -> StopSellChange {
        let stay = self.nights(from, until);
        StopSellChange {
            room_types: BTreeSet::from([self.room_type]),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            stop_sell,
            etags: BTreeMap::new(),
        }
    }

    pub(super) async fn close(&self, from: i32, until: i32) {
        self.store.set_stop_sell(self.hotel, &self.stop_sell(from, until, true)).await.expect("closed");
    }

    /// Puts the ten nights on sale again, also as the plan.
    async fn plan(&self, rooms: i32) {
        let stay = self.nights(0, 10);
        let change = InventoryChange {
            room_type_id: self.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: None,
            for_future_nights: true,
            etag: String::new(),
        };
        self.store.set_inventory(self.hotel, &[change]).await.expect("inventory");
    }

    async fn refused_by_stop_sell(&self, order: &NewReservation) -> Option<Date> {
        // Alone in one statement, and one by one under locks.
        let alone = book_all(&self.store, std::slice::from_ref(order)).await.expect("decided");
        assert!(alone.is_none(), "{alone:?}");
        match self.book(order).await {
            Err(ReservationError::StopSell { stay_date, room }) => {
                assert!(room.is_some_and(|room| room.index == 0));
                stay_date
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn spec_3_rule_1_stop_sell_counts_for_every_night_but_not_for_the_day_of_leaving() {
    // Day 0 is the 15th, and the 18th is closed.
    let world = World::with_rooms(10).await;
    world.close(3, 4).await;
    world.book(&world.order(0, 3, 1)).await.expect("15 -> 18 is sold: it leaves on the closed date");
    world.book(&world.order(4, 6, 1)).await.expect("19 -> 21 is sold");
    let closed = Some(world.nights(3, 4).check_in());
    for (from, until) in [(0, 4), (3, 4), (2, 6)] {
        assert_eq!(world.refused_by_stop_sell(&world.order(from, until, 1)).await, closed);
    }
    assert_eq!(world.reserved().await, [1, 1, 1, 0, 1, 1, 0, 0, 0, 0], "refused bookings take nothing");
}

#[tokio::test]
async fn d16_closed_night_stays_closed_after_a_cancellation_and_a_change_of_the_inventory() {
    let world = World::with_rooms(10).await;
    let sold = world.book(&world.order(0, 1, 1)).await.expect("one sold of ten");
    world.close(0, 1).await;
    world.apply(sold.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    assert_eq!(world.reserved().await[0], 0);
    world.refused_by_stop_sell(&world.order(0, 1, 1)).await.expect("still closed");
    world.plan(20).await;
    extend::run(&world.store, Timestamp::now(), |_, _| {}).await.expect("runs");
    world.refused_by_stop_sell(&world.order(0, 1, 1)).await.expect("still closed");
    world.store.set_stop_sell(world.hotel, &world.stop_sell(0, 1, false)).await.expect("reopened");
    world.book(&world.order(0, 1, 1)).await.expect("sold");
}

#[tokio::test]
async fn night_closed_before_it_has_inventory_is_closed_when_it_gets_some() {
    let world = World::with_rooms(10).await;
    world.plan(10).await;
    world.close(9, 12).await;
    world.store.set_stop_sell(world.hotel, &world.stop_sell(11, 12, false)).await.expect("reopened");
    extend::run(&world.store, Timestamp::now(), |_, _| {}).await.expect("runs");
    world.refused_by_stop_sell(&world.order(10, 11, 1)).await.expect("closed by the job");
    world.book(&world.order(11, 12, 1)).await.expect("reopened before");
    let closed = world.count("select count(*) from room_type_inventory where stop_sell").await;
    assert_eq!(closed, 2, "nights 9 and 10");

    let empty = World::with_rooms(10).await;
    empty.close(10, 11).await;
    empty.set_inventory(10, 11, 5, 0).await.expect("inventory");
    empty.refused_by_stop_sell(&empty.order(10, 11, 1)).await.expect("closed by staff");
}

#[tokio::test]
async fn late_payment_for_a_closed_night_is_refunded_and_one_in_time_is_kept() {
    let world = World::with_rooms(10).await;
    let (late, in_time) = (world.order(0, 2, 1), world.order(0, 2, 1));
    for order in [&late, &in_time] {
        world.book(order).await.expect("held");
    }
    let now = Timestamp::now();
    world.apply(late.id, Command::Expire, now + SignedDuration::from_mins(16)).await.expect("expired");
    world.close(1, 2).await;
    let pay = || Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    let applied = world.apply(in_time.id, pay(), now).await.expect("paid");
    assert_eq!((applied.reservation.status, applied.refund_required), (Status::Paid, false));
    let applied = world.apply(late.id, pay(), now).await.expect("too late");
    assert_eq!((applied.reservation.status, applied.refund_required), (Status::Cancelled, true));
    assert_eq!(world.reserved().await[..2], [1, 1]);
}

#[tokio::test]
async fn repeated_stop_sell_changes_nothing_and_an_old_etag_is_refused() {
    let world = World::with_rooms(10).await;
    let origin = Origin {
        role: ActorRole::Staff,
        actor: "user:1".into(),
        method: "a/B".into(),
        request_id: "r".into(),
        gateway: Gateway::Internal,
    };
    let set = async |change: StopSellChange| {
        Origin::scope(Some(origin.clone()), world.store.set_stop_sell(world.hotel, &change)).await
    };
    let before = world.store.inventory_etag(world.hotel, world.room_type).await.expect("read");
    let with = |etag: &str, stop_sell| StopSellChange {
        etags: BTreeMap::from([(world.room_type, etag.to_owned())]),
        ..world.stop_sell(8, 12, stop_sell)
    };
    let first = set(with(&before, true)).await.expect("closed");
    assert_eq!((first.nights, first.etags[0].1 == before), (4, false));
    let again = set(with("", true)).await.expect("closed before");
    assert_eq!(again.etags, first.etags, "no change, no version");
    assert!(matches!(set(with(&before, false)).await, Err(ReservationError::EtagMismatch)));
    assert_eq!(world.count("select count(*) from room_type_inventory where stop_sell").await, 2);
    let records: Vec<serde_json::Value> =
        sqlx::query_scalar("select after from audit_record").fetch_all(world.pool()).await.expect("rows");
    let date = |night: i32| world.nights(night, night + 1).check_in().to_string();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record[date(8)], serde_json::json!([10, 10, "stop_sell"]));
    assert_eq!(record[date(11)], serde_json::json!(["stop_sell"]), "a night without inventory");
    set(with(&first.etags[0].1, false)).await.expect("reopened");
    assert_eq!(world.count("select count(*) from audit_record").await, 2);
    assert_eq!(world.count("select count(*) from stop_sell_ahead").await, 0);
}
