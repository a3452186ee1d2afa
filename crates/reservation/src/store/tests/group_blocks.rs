//! Group blocks: PARTNER-SPEC 7, rule 20 and example 5.

use rstest::rstest;
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use uuid::Uuid;

use super::*;
use crate::{
    block_release,
    block_status::BlockStatus,
    check::{self, Options},
    group_block::{GroupBlock, GroupBlockKey, NewGroupBlock, RoomNights},
    writer::pick_up,
};

mod ends;
mod races;

const ID: Uuid = Uuid::from_u128(1);

/// The cut-off of every block here: tomorrow.
fn cutoff() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() / 86_400 * 86_400 + 2 * 86_400).expect("a time")
}

fn second() -> SignedDuration {
    SignedDuration::from_secs(1)
}

impl World {
    fn block_rooms(&self, from: i32, until: i32, rooms: i32) -> RoomNights<i32> {
        self.nights(from, until).nights().map(|date| ((self.room_type, date), rooms)).collect()
    }

    /// A block of rooms in the nights `[from, until)`.
    async fn set_aside(
        &self,
        status: BlockStatus,
        (from, until): (i32, i32),
        rooms: i32,
    ) -> Result<GroupBlock, ReservationError> {
        let new = NewGroupBlock {
            id: ID,
            code: "FAIR-27".into(),
            display_name: "A fair".into(),
            status,
            cutoff_date: self.first,
            cutoff_time: "18:00".into(),
            rooms: self.block_rooms(from, until, rooms),
            content_hash: [1; 32],
        };
        self.store.create_group_block(self.hotel, &new, cutoff()).await
    }

    async fn change_block(&self, change: BlockChange) -> Result<GroupBlock, ReservationError> {
        self.store.change_group_block(self.hotel, ID, &change, Timestamp::now()).await
    }

    async fn pick_up(&self, order: &NewReservation, now: Timestamp) -> Result<Reservation, ReservationError> {
        match pick_up(&self.store, ID, order, now).await? {
            Created::New(booking) | Created::Repeat(booking) => Ok(booking),
        }
    }

    async fn block_now(&self) -> GroupBlock {
        self.store.group_block(self.hotel, &GroupBlockKey::Id(ID)).await.expect("a block")
    }

    async fn pay_for(&self, picked: &Reservation) {
        let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
        self.apply(picked.id, pay, Timestamp::now()).await.expect("paid");
    }

    async fn assert_clean(&self) {
        let report = check::run(self.pool(), &Options::default(), |_| {}).await.expect("checked");
        assert!(report.is_clean(), "{:?}", report.listed);
    }
}

#[tokio::test]
async fn spec_7_example_5_at_the_cut_off_8_of_20_rooms_go_back_on_all_three_nights() {
    let world = World::with_rooms(20).await;
    world.set_aside(BlockStatus::Definite, (0, 3), 20).await.expect("20 of 22");
    let group = world.order(0, 3, 12);
    let picked = world.pick_up(&group, cutoff() - second()).await.expect("12 of 20");
    world.book(&world.order(0, 3, 2)).await.expect("the last two");
    assert!(matches!(world.book(&world.order(1, 2, 1)).await, Err(ReservationError::SoldOut { .. })));
    assert_eq!(world.reserved().await[..4], [22, 22, 22, 0], "a pick-up leaves the total as it is");
    world.assert_clean().await;

    assert_eq!(block_release::once(&world.store, cutoff() - second()).await.expect("runs"), 0);
    assert_eq!(block_release::once(&world.store, cutoff()).await.expect("runs"), 1);
    assert_eq!(world.reserved().await[..4], [14, 14, 14, 0]);
    assert_eq!(block_release::once(&world.store, cutoff()).await.expect("runs"), 0, "once");
    let late = world.pick_up(&world.order(0, 1, 1), cutoff() + second()).await;
    assert!(matches!(late, Err(ReservationError::BlockReleased { .. })), "{late:?}");
    let repeat = world.pick_up(&group, cutoff() + second()).await.expect("a repeat of what was picked up in time");
    assert_eq!(repeat.id, picked.id);
    assert_eq!(world.block_now().await.nights.into_values().map(|night| night.picked_up).max(), Some(12));
    world.assert_clean().await;
}

/// The cut-off decides, also before the job has released the block.
#[tokio::test]
async fn pick_up_at_the_cut_off_is_refused_although_the_block_is_not_released_yet() {
    let world = World::with_rooms(20).await;
    world.set_aside(BlockStatus::Definite, (0, 3), 20).await.expect("20 of 22");
    let late = world.pick_up(&world.order(0, 1, 1), cutoff()).await;
    assert!(matches!(late, Err(ReservationError::BlockReleased { .. })), "{late:?}");
    assert_eq!(world.reserved().await[..4], [20, 20, 20, 0]);
}

#[tokio::test]
async fn rooms_of_a_block_are_picked_up_on_closed_and_full_nights_and_no_others() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 3), 4).await.expect("4 of 11");
    world.book(&world.order(0, 3, 7)).await.expect("the rest");
    world.store.set_stop_sell(world.hotel, &world.stop_sell(1, 2, true)).await.expect("closed");
    world.pick_up(&world.order(0, 3, 3), Timestamp::now()).await.expect("3 of 4");
    let more = world.pick_up(&world.order(0, 3, 2), Timestamp::now()).await;
    let first = world.nights(0, 1).check_in();
    let Err(ReservationError::SoldOut { stay_date, rooms_left, .. }) = more else { panic!("{more:?}") };
    assert_eq!((stay_date, rooms_left), (Some(first), Some(1)));
    let longer = world.pick_up(&world.order(0, 4, 1), Timestamp::now()).await;
    assert!(matches!(longer, Err(ReservationError::NotOnSale)), "a night that is not in the block: {longer:?}");
    assert_eq!(world.reserved().await[..4], [11, 11, 11, 0]);
    world.assert_clean().await;
}

#[tokio::test]
async fn tentative_block_takes_no_rooms_and_its_confirmation_needs_them_to_be_left() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Tentative, (0, 2), 8).await.expect("a wish");
    let sold = world.book(&world.order(1, 2, 4)).await.expect("on sale");
    let early = world.pick_up(&world.order(0, 1, 1), Timestamp::now()).await;
    assert!(matches!(early, Err(ReservationError::BlockNotDefinite { status: BlockStatus::Tentative })), "{early:?}");
    let refused = world.change_block(BlockChange::Confirm).await;
    let Err(ReservationError::SoldOut { stay_date, rooms_left, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((stay_date, rooms_left), (Some(world.nights(1, 2).check_in()), Some(7)));
    assert_eq!(world.reserved().await[..3], [0, 4, 0], "all or none");
    world.apply(sold.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    for _ in 0..2 {
        let block = world.change_block(BlockChange::Confirm).await.expect("confirmed");
        assert_eq!(block.status, BlockStatus::Definite);
    }
    assert_eq!(world.reserved().await[..3], [8, 8, 0]);
    world.assert_clean().await;
}

#[tokio::test]
async fn tentative_block_is_released_at_its_cut_off_and_not_confirmed_after() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Tentative, (0, 2), 8).await.expect("a wish");
    assert_eq!(block_release::once(&world.store, cutoff()).await.expect("runs"), 1);
    let late = world.change_block(BlockChange::Confirm).await;
    assert!(matches!(late, Err(ReservationError::BlockReleased { .. })), "{late:?}");
    assert_eq!(world.reserved().await[..3], [0, 0, 0]);
}

#[tokio::test]
async fn block_is_resized_down_to_what_is_picked_up_and_up_to_what_is_left() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 3), 5).await.expect("5 of 11");
    world.pick_up(&world.order(0, 2, 2), Timestamp::now()).await.expect("2 of 5");
    let refused = world.change_block(BlockChange::Resize(world.block_rooms(0, 1, 1))).await;
    let first = world.nights(0, 1).check_in();
    assert!(
        matches!(refused, Err(ReservationError::BlockHasPickUps { night: Some((date, 2)) }) if date == first),
        "{refused:?}"
    );
    for _ in 0..2 {
        world.change_block(BlockChange::Resize(world.block_rooms(0, 2, 2))).await.expect("as many as are picked up");
    }
    world.change_block(BlockChange::Resize(world.block_rooms(2, 4, 11))).await.expect("also a night more");
    assert_eq!(world.reserved().await[..5], [2, 2, 11, 11, 0]);
    let refused = world.change_block(BlockChange::Resize(world.block_rooms(2, 5, 12))).await;
    assert!(matches!(refused, Err(ReservationError::SoldOut { rooms_left: Some(0), .. })), "{refused:?}");
    world.assert_clean().await;
}

#[rstest]
#[case::without_pick_ups(false)]
#[case::with_pick_ups(true)]
#[tokio::test]
async fn block_is_cancelled_unless_rooms_are_picked_up(#[case] picked_up: bool) {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 3), 5).await.expect("5 of 11");
    if picked_up {
        world.pick_up(&world.order(0, 2, 1), Timestamp::now()).await.expect("1 of 5");
        let refused = world.change_block(BlockChange::Cancel).await;
        assert!(matches!(refused, Err(ReservationError::BlockHasPickUps { night: None })), "{refused:?}");
        assert_eq!(world.reserved().await[..4], [5, 5, 5, 0]);
    } else {
        for _ in 0..2 {
            assert_eq!(world.change_block(BlockChange::Cancel).await.expect("done").status, BlockStatus::Cancelled);
        }
        assert_eq!(world.reserved().await[..4], [0, 0, 0, 0]);
        let late = world.change_block(BlockChange::Confirm).await;
        assert!(matches!(late, Err(ReservationError::BlockNotDefinite { .. })), "{late:?}");
        assert_eq!(block_release::once(&world.store, cutoff()).await.expect("runs"), 0);
    }
    world.assert_clean().await;
}

#[tokio::test]
async fn cancelled_pick_up_that_was_paid_goes_back_to_sale_and_not_to_the_block() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    let picked = world.pick_up(&world.order(0, 2, 2), Timestamp::now()).await.expect("2 of 5");
    world.pay_for(&picked).await;
    world.apply(picked.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    assert_eq!(world.reserved().await[..3], [3, 3, 0]);
    let left = world.block_now().await.nights.into_values().map(|night| night.blocked - night.picked_up);
    assert_eq!(left.collect::<Vec<_>>(), [3, 3]);
    let by = world.store.picked_up_by(world.hotel, ID, 9).await.expect("read");
    assert_eq!(by, [picked.id.as_uuid()]);
    world.assert_clean().await;
}

#[tokio::test]
async fn block_needs_nights_on_sale_and_a_code_of_its_own_and_a_repeat_creates_nothing() {
    let world = World::with_rooms(10).await;
    let none = world.set_aside(BlockStatus::Definite, (9, 11), 1).await;
    assert!(matches!(none, Err(ReservationError::NotOnSale)), "{none:?}");
    let first = world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    assert_eq!(world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("a repeat"), first);
    assert_eq!(world.reserved().await[..3], [5, 5, 0]);
    let new = |id, code: &str| NewGroupBlock {
        id: Uuid::from_u128(id),
        code: code.into(),
        display_name: "Another".into(),
        status: BlockStatus::Tentative,
        cutoff_date: world.first,
        cutoff_time: "18:00".into(),
        rooms: world.block_rooms(0, 1, 1),
        content_hash: [2; 32],
    };
    let taken = world.store.create_group_block(world.hotel, &new(2, "FAIR-27"), cutoff()).await;
    assert!(matches!(taken, Err(ReservationError::BlockCodeTaken)), "{taken:?}");
    world.store.create_group_block(world.hotel, &new(3, "OTHER"), cutoff()).await.expect("tentative");
    let list = async |after, limit| -> Vec<u128> {
        let rows = world.store.list_group_blocks(world.hotel, after, limit).await.expect("read");
        rows.iter().map(|block| block.id.as_u128()).collect()
    };
    assert_eq!(list(None, 9).await, [1, 3]);
    assert_eq!(list(Some((world.first, ID)), 9).await, [3]);
    let other = HotelId::try_from(8).expect("an id");
    let unknown = world.store.group_block(other, &GroupBlockKey::Code("FAIR-27".into())).await;
    assert!(matches!(unknown, Err(ReservationError::BlockNotFound)), "{unknown:?}");
    let raw = sqlx::query("update group_block_night set picked_up = 6").execute(world.pool()).await;
    let raw = raw.expect_err("more than are blocked");
    let constraint = raw.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("group_block_night_in_bounds"));
}

/// A request of staff.
fn origin() -> Origin {
    Origin {
        role: ActorRole::Staff,
        actor: "user:1".into(),
        method: "a/B".into(),
        request_id: "r".into(),
        gateway: Gateway::Internal,
    }
}

#[tokio::test]
async fn creation_and_changes_of_a_block_are_audited_once_and_without_its_name() {
    let world = World::with_rooms(10).await;
    let changes = async {
        for _ in 0..2 {
            world.set_aside(BlockStatus::Definite, (0, 1), 5).await.expect("5 of 11");
        }
        for _ in 0..2 {
            world.change_block(BlockChange::Resize(world.block_rooms(0, 1, 4))).await.expect("4 of 11");
        }
    };
    Origin::scope(Some(origin()), changes).await;
    let records: Vec<(String, Option<serde_json::Value>, Option<serde_json::Value>)> =
        sqlx::query_as("select object_type, before, after from audit_record order by audit_id")
            .fetch_all(world.pool())
            .await
            .expect("rows");
    let [(kind, None, Some(created)), (_, Some(_), Some(resized))] = records.as_slice() else { panic!("{records:?}") };
    let night = format!("{} {}", world.room_type, world.first);
    assert_eq!(
        (kind.as_str(), &created["nights"][&night], &resized["nights"][&night]),
        ("group_block", &5.into(), &4.into())
    );
    assert!(!created.to_string().contains("A fair"), "free text may name a guest: {created}");
}
