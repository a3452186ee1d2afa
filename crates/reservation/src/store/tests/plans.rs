//! Statements that were prepared before a migration.

use super::*;
use crate::store::{ChangeScope, ListFilter};

/// The migrations of the next release run while this one serves.
#[tokio::test]
async fn prepared_statements_work_after_a_column_is_added() {
    let world = World::with_rooms(10).await;
    let order = world.order(0, 2, 1);
    world.book(&order).await.expect("booked");
    let use_all = async || {
        world.store.get(order.id).await.expect("a read").expect("is there");
        let filter = ListFilter { hotel_id: Some(world.hotel), ..ListFilter::default() };
        assert_eq!(world.store.list(&filter, None, 10).await.expect("a list").len(), 1);
        let horizon = world.store.change_horizon().await.expect("a horizon");
        let scope = ChangeScope::Hotel(world.hotel);
        world.store.changed_since(&scope, horizon.position(), horizon, 10).await.expect("changes");
        let mut transaction = world.store.begin().await.expect("begun");
        transaction.lock_reservations(std::iter::once(order.id)).await.expect("locked");
        transaction.existing(std::slice::from_ref(&order)).await.expect("known");
        transaction.lock_expired_holds(Timestamp::now(), HoldCursor::START, 10).await.expect("locked");
        transaction.rollback().await.expect("ended");
        world.apply(order.id, Command::Extend(SignedDuration::from_mins(1)), Timestamp::now()).await.expect("extended");
    };
    use_all().await;
    for table in ["reservation", "reservation_room", "reservation_change", "room_type_inventory"] {
        let sql = format!("alter table {table} add column of_next_release integer");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(world.database.pool()).await.expect("migrated");
    }
    use_all().await;
    assert_eq!(world.reserved().await[..2], [1, 1]);
}
