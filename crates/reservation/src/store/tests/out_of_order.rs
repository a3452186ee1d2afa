//! Rooms out of order: PARTNER-SPEC 10, rules 1 to 3, its examples 1 and 2, and its edge cases.

use staymesh_domain::RoomId;
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use uuid::Uuid;

use super::*;
use crate::{
    check::{self, Options},
    model::HoldLimits,
};

impl World {
    pub(super) fn block(&self, id: u128, room: i32, from: i32, until: i32) -> NewOutOfOrder {
        let stay = self.nights(from, until);
        NewOutOfOrder {
            id: Uuid::from_u128(id),
            room_id: RoomId::try_from(room).expect("an id"),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            kind: OutOfOrderKind::OutOfOrder,
            reason: "leak".into(),
            force: false,
        }
    }

    async fn create(&self, block: &NewOutOfOrder) -> OutOfOrder {
        self.store.create_out_of_order(self.hotel, block, self.room_type).await.expect("created")
    }

    /// Ends a block on this day.
    async fn end(&self, id: u128, day: i32) -> OutOfOrder {
        let end = self.nights(day, day + 1).check_in();
        self.store.end_out_of_order(self.hotel, Uuid::from_u128(id), end).await.expect("ended")
    }

    /// Rooms out of order in each night.
    async fn lost(&self) -> Vec<i32> {
        sqlx::query_scalar("select out_of_order from room_type_inventory order by stay_date")
            .fetch_all(self.pool())
            .await
            .expect("rows")
    }

    /// Relocations due by night, as days from the first.
    async fn relocations(&self) -> Vec<(i32, i32)> {
        let stay = self.nights(0, 10);
        let nights = DateRange::new(stay.check_in(), stay.check_out()).expect("a range");
        let due = self.store.list_relocations_due(self.hotel, nights, None, 100).await.expect("read");
        due.iter().map(|due| ((due.night.stay_date - self.first).get_days(), due.night.relocations_due())).collect()
    }

    async fn is_sold_out(&self, rooms: i32) -> bool {
        let order = self.order(0, 1, rooms);
        let alone = book_all(&self.store, std::slice::from_ref(&order)).await.expect("decided");
        if alone.is_some() {
            return false;
        }
        matches!(self.book(&order).await, Err(ReservationError::SoldOut { rooms_left: Some(_), .. }))
    }

    async fn is_consistent(&self) {
        let report = check::run(self.pool(), &Options::default(), |_| {}).await.expect("checked");
        assert!(report.is_clean(), "{:?}", report.listed);
    }
}

#[tokio::test]
async fn spec_10_example_1_two_of_ten_out_of_order_leave_a_limit_of_eight() {
    let world = World::with_rooms(10).await;
    let sold = world.book(&world.order(0, 1, 9)).await.expect("9 of 11");
    assert_eq!(world.relocations().await, []);
    world.create(&world.block(1, 201, 0, 2)).await;
    world.create(&world.block(2, 202, 0, 1)).await;
    assert_eq!(world.lost().await[..3], [2, 1, 0]);
    assert_eq!(world.relocations().await, [(0, 1)]);
    assert!(world.is_sold_out(1).await, "new bookings are refused");
    let one = world.order(1, 2, 1);
    world.book(&one).await.expect("the next night has 9.9");
    // Nine rooms are one booking here: cancel it and sell eight again.
    world.apply(sold.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world.book(&world.order(0, 1, 8)).await.expect("8 of 8");
    assert!(world.is_sold_out(1).await, "still none left");
    assert_eq!(world.relocations().await, []);
    let left = world.store.nights_left(world.hotel, world.nights(0, 1), &[]).await.expect("read");
    assert_eq!((left[0].rooms_left, left[0].usable_rooms), (0, 8));
    world.is_consistent().await;
}

#[tokio::test]
async fn spec_10_example_2_two_of_a_hundred_out_of_order_refuse_the_108th() {
    let world = World::with_rooms(100).await;
    for (id, room) in [(1, 201), (2, 202)] {
        world.create(&world.block(id, room, 0, 1)).await;
    }
    for rooms in [50, 50, 7] {
        world.book(&world.order(0, 1, rooms)).await.expect("107 of 107");
    }
    assert!(world.is_sold_out(1).await, "the 108th");
    for rooms in [50, 50, 10] {
        world.book(&world.order(1, 2, rooms)).await.expect("110 in a night without");
    }
    assert_eq!(world.relocations().await, [(0, 9), (1, 10)], "also what is overbooked");
}

#[tokio::test]
async fn spec_10_edge_type_with_one_room_sells_one_and_none_out_of_order() {
    let world = World::with_rooms(1).await;
    assert!(world.is_sold_out(2).await, "floor(1.1) = 1");
    world.create(&world.block(1, 201, 0, 1)).await;
    assert!(world.is_sold_out(1).await);
    world.end(1, 0).await;
    assert!(!world.is_sold_out(1).await);
}

#[tokio::test]
async fn spec_10_rule_1_out_of_service_is_still_counted() {
    let world = World::with_rooms(1).await;
    let block = NewOutOfOrder { kind: OutOfOrderKind::OutOfService, ..world.block(1, 201, 0, 2) };
    assert_eq!(world.create(&block).await.kind, OutOfOrderKind::OutOfService);
    assert_eq!(world.lost().await[0], 0);
    world.book(&world.order(0, 1, 1)).await.expect("sold");
}

#[tokio::test]
async fn spec_10_rule_3_overlapping_blocks_of_a_room_count_once_until_the_last_ends() {
    let world = World::with_rooms(10).await;
    world.create(&world.block(1, 201, 0, 4)).await;
    world.create(&world.block(2, 201, 2, 6)).await;
    world.create(&world.block(3, 202, 3, 4)).await;
    assert_eq!(world.lost().await, [1, 1, 1, 2, 1, 1, 0, 0, 0, 0]);
    let ended = world.end(1, 1).await;
    assert_eq!(ended.end, Some(world.nights(1, 2).check_in()));
    assert_eq!(world.lost().await, [1, 0, 1, 2, 1, 1, 0, 0, 0, 0], "the second block lasts");
    assert_eq!(world.end(1, 3).await, ended, "an ended block does not get longer");
    world.end(2, 5).await;
    world.end(3, 0).await;
    assert_eq!(world.lost().await, [1, 0, 1, 1, 1, 0, 0, 0, 0, 0], "a block that ends before it begins has no night");
    world.is_consistent().await;
}

#[tokio::test]
async fn room_of_a_sold_out_night_goes_out_of_order_and_bookings_can_still_be_cancelled() {
    let world = World::with_rooms(10).await;
    let sold = world.book(&world.order(0, 1, 11)).await.expect("sold out");
    for room in 1..=10 {
        world.create(&world.block(room, 200 + i32::try_from(room).expect("small"), 0, 1)).await;
    }
    assert_eq!(world.relocations().await, [(0, 11)]);
    // More rooms than the type has.
    world.create(&world.block(11, 300, 0, 1)).await;
    assert_eq!(world.relocations().await, [(0, 11)]);
    world.apply(sold.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    assert_eq!(world.reserved().await[0], 0);
    assert!(world.is_sold_out(1).await);
}

#[tokio::test]
async fn late_payment_does_not_get_a_room_that_is_out_of_order() {
    let world = World::with_rooms(1).await;
    let late = world.order(0, 1, 1);
    world.book(&late).await.expect("held");
    world.apply(late.id, Command::Expire, Timestamp::now() + SignedDuration::from_mins(16)).await.expect("expired");
    world.create(&world.block(1, 201, 0, 1)).await;
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    assert!(world.apply(late.id, pay, Timestamp::now()).await.expect("too late").refund_required);
    assert_eq!(world.reserved().await[0], 0);
}

#[tokio::test]
async fn nights_created_later_have_the_rooms_that_are_blocked_in_them() {
    let world = World::with_rooms(10).await;
    world.create(&world.block(1, 201, 9, 13)).await;
    world.create(&world.block(2, 202, 12, 13)).await;
    let stay = world.nights(10, 11);
    let change = InventoryChange {
        room_type_id: world.room_type,
        nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
        total_inventory: 10,
        overbooking_percent: Some(0),
        for_future_nights: true,
        etag: String::new(),
    };
    world.store.set_inventory(world.hotel, &[change]).await.expect("inventory");
    assert_eq!(world.lost().await[9..], [1, 1]);
    extend::run(&world.store, Timestamp::now(), |_, _| {}).await.expect("runs");
    assert_eq!(world.lost().await[9..14], [1, 1, 1, 2, 0]);
    world.is_consistent().await;
}

#[tokio::test]
async fn blocks_are_listed_by_first_night_in_pages_and_those_of_other_nights_rooms_and_hotels_are_not() {
    let world = World::with_rooms(10).await;
    for (id, room, from, until) in [(4, 201, 0, 2), (3, 202, 1, 9), (2, 202, 1, 5), (1, 203, 6, 8)] {
        world.create(&world.block(id, room, from, until)).await;
    }
    world.end(2, 1).await;
    let stay = world.nights(1, 7);
    let nights = DateRange::new(stay.check_in(), stay.check_out()).expect("a range");
    let list = async |room_id: Option<i32>, after, limit| -> Vec<u128> {
        let room_id = room_id.map(|id| RoomId::try_from(id).expect("an id"));
        let filter = OutOfOrderFilter { nights, room_id };
        let blocks = world.store.list_out_of_order(world.hotel, &filter, after, limit).await.expect("read");
        blocks.iter().map(|block| block.id.as_u128()).collect()
    };
    assert_eq!(list(None, None, 9).await, [4, 3, 1], "2 has no night");
    assert_eq!(list(None, None, 2).await, [4, 3]);
    assert_eq!(list(None, Some((world.nights(1, 2).check_in(), Uuid::from_u128(3))), 9).await, [1]);
    assert_eq!(list(Some(202), None, 9).await, [3]);
    let other = HotelId::try_from(8).expect("an id");
    let filter = OutOfOrderFilter { nights, room_id: None };
    assert_eq!(world.store.list_out_of_order(other, &filter, None, 9).await.expect("read"), []);
}

#[tokio::test]
async fn block_and_its_end_are_audited_once_and_change_the_etag_of_the_inventory() {
    let world = World::with_rooms(10).await;
    let origin = Origin {
        role: ActorRole::Staff,
        actor: "user:1".into(),
        method: "a/B".into(),
        request_id: "r".into(),
        gateway: Gateway::Internal,
    };
    let etag = async || world.store.inventory_etag(world.hotel, world.room_type).await.expect("read");
    let mut etags = vec![etag().await];
    let changes = async {
        for _ in 0..2 {
            world.create(&world.block(1, 201, 0, 4)).await;
        }
        etags.push(etag().await);
        for _ in 0..2 {
            world.end(1, 2).await;
        }
        etags.push(etag().await);
    };
    Origin::scope(Some(origin), changes).await;
    assert!(etags.is_sorted() && etags.windows(2).all(|pair| pair[0] != pair[1]), "{etags:?}");
    let records: Vec<(String, Option<serde_json::Value>, Option<serde_json::Value>)> =
        sqlx::query_as("select object_type, before, after from audit_record order by audit_id")
            .fetch_all(world.pool())
            .await
            .expect("rows");
    let [(kind, None, Some(created)), (_, Some(_), Some(ended))] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((kind.as_str(), &created["room_id"]), ("out_of_order", &201.into()));
    assert!(!created.to_string().contains("leak"), "free text may name a guest: {created}");
    assert_eq!(ended["end_date"], serde_json::json!(world.nights(2, 3).check_in().to_string()));
}

#[tokio::test]
async fn relocations_due_are_listed_in_pages_by_date_and_room_type() {
    let world = World::with_rooms(10).await;
    world.book(&world.order(0, 5, 11)).await.expect("overbooked");
    let stay = world.nights(1, 4);
    let nights = DateRange::new(stay.check_in(), stay.check_out()).expect("a range");
    let page = async |after, limit| {
        let due = world.store.list_relocations_due(world.hotel, nights, after, limit).await.expect("read");
        due.into_iter().map(|due| (due.night.stay_date, due.room_type_id.get())).collect::<Vec<_>>()
    };
    let all = page(None, 9).await;
    assert_eq!(all.len(), 3);
    assert_eq!(page(None, 2).await, all[..2]);
    assert_eq!(page(Some(all[1]), 9).await, all[2..]);
}

/// The release before knows neither closures nor blocks, and its daily job puts nights on sale.
#[tokio::test]
async fn night_that_the_release_before_inserts_is_closed_and_blocked() {
    let world = World::with_rooms(10).await;
    world.create(&world.block(1, 201, 0, 12)).await;
    world.close(0, 12).await;
    let insert =
        "insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory, overbooking_percent)
        select hotel_id, room_type_id, stay_date + 1, total_inventory, overbooking_percent from room_type_inventory
        order by stay_date desc limit 1";
    sqlx::query(insert).execute(world.database.pool()).await.expect("a night more");
    let night = "select count(*) from room_type_inventory where stop_sell and out_of_order = 1";
    assert_eq!(world.count(night).await, 11);
    world.is_consistent().await;
}

#[tokio::test]
async fn share_that_may_be_held_unpaid_is_of_the_rooms_that_can_be_used() {
    let world = World::with_rooms(10).await;
    for room in 1..=8 {
        world.create(&world.block(room, 200 + i32::try_from(room).expect("few"), 0, 1)).await;
    }
    let order = || {
        let limits = Box::new(HoldLimits { share: Some(50), ..HoldLimits::default() });
        NewReservation { limits, ..world.order(0, 1, 1) }
    };
    world.book(&order()).await.expect("a half of two");
    let second = order();
    assert!(book_all(&world.store, std::slice::from_ref(&second)).await.expect("decided").is_none());
    let refused = world.book(&second).await;
    assert!(matches!(refused, Err(ReservationError::UnpaidShare { limit: 1, held: 1, wanted: 1, .. })), "{refused:?}");
}
