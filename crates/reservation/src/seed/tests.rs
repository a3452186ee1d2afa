use super::*;
use crate::{check, testing::World};

const SEED: Seed = Seed { hotels: 12, room_types: 3, days: 40, rooms: 5, writers: NonZeroU16::MIN };

async fn seed(world: &World, seed: Seed) -> Seeded {
    run(world.pool(), seed, Timestamp::now(), |_| {}).await.expect("seeded")
}

#[test]
fn batches_cover_every_hotel_once() {
    for (hotels, room_types, days) in [(1, 1, 1), (12, 3, 40), (5000, 20, 730), (7, 500, 1100), (u16::MAX, 1, 1)] {
        let batches: Vec<_> = Seed { hotels, room_types, days, ..SEED }.batches().collect();
        let mut next = 1;
        for (first, last) in batches {
            assert_eq!(first, next);
            assert!(last >= first);
            next = last + 1;
        }
        assert_eq!(next, i32::from(hotels) + 1);
    }
    assert!(Seed { hotels: 5000, room_types: 20, days: 730, ..SEED }.batches().count() > 100, "progress is seen");
}

#[tokio::test]
async fn repeated_seed_creates_each_night_once() {
    let world = World::new().await;
    let writers = NonZeroU16::new(3).expect("not 0");
    let all = Seed { writers, ..SEED };
    assert_eq!(seed(&world, all).await, Seeded { new: 1440, found: 0 });
    assert_eq!(seed(&world, all).await, Seeded { new: 0, found: 1440 });
    let as_asked = world
        .count(
            "select count(*) from room_type_inventory where hotel_id between 1 and 12 and room_type_id between 1 and 3
                 and (total_inventory, total_reserved, overbooking_percent, version) = (5, 0, 10, 0)",
        )
        .await;
    assert_eq!(as_asked, 1440);
    let from = today(Timestamp::now());
    let (first, last): (jiff_sqlx::Date, jiff_sqlx::Date) =
        sqlx::query_as("select min(stay_date), max(stay_date) from room_type_inventory")
            .fetch_one(world.pool())
            .await
            .expect("dates");
    assert_eq!((first.to_jiff(), last.to_jiff()), (from, from.saturating_add(39.days())));
    let report = check::run(world.pool(), &check::Options::default(), |_| {}).await.expect("checked");
    assert!(report.is_clean());
    assert_eq!(report.nights, 1440);
    assert!(disk_used(world.pool()).await.expect("a size") > 100_000);
}

#[tokio::test]
async fn seed_keeps_existing_nights_and_adds_missing_ones() {
    let world = World::new().await;
    // As an interrupted run, or staff, may have left it.
    let from = today(Timestamp::now());
    world.sell(2, from, 10, 77).await.expect("inventory");
    assert_eq!(seed(&world, SEED).await, Seeded { new: 1430, found: 10 });
    assert_eq!(world.count("select count(*) from room_type_inventory where total_inventory = 77").await, 10);
    // More nights and more hotels.
    let more = Seed { hotels: 14, days: 50, ..SEED };
    let done = seed(&world, more).await;
    assert_eq!((done.new, done.found), (14 * 3 * 50 - 1440, 1440));
    assert_eq!(world.count("select count(*) from inventory_plan").await, 14 * 3);
}

#[tokio::test]
async fn concurrent_seeds_create_each_night_once() {
    let world = World::new().await;
    let (one, other) = tokio::join!(seed(&world, SEED), seed(&world, SEED));
    assert_eq!(one.new + other.new, 1440);
    assert_eq!(world.count("select count(*) from room_type_inventory").await, 1440);
}
