//! Bookings, cancellations, stop-sell and rooms out of order over overlapping nights, all at the same time.

use futures::future::join_all;
use staymesh_store::StoreConfig;
use uuid::Uuid;

use super::*;
use crate::{
    check::{self, Options},
    writer::Writer,
};

/// Refuses every growth of `total_reserved` that the rule forbids at the row's own version: no statement can slip past it.
const RULE: &str = "
    create function rule_of_sale() returns trigger language plpgsql as $$
    begin
        if new.total_reserved > old.total_reserved and (old.stop_sell or new.total_reserved
            > greatest(old.total_inventory - old.out_of_order, 0) * (100 + old.overbooking_percent) / 100) then
            raise exception 'sold % of a night with % out of order, stop-sell %',
                new.total_reserved, old.out_of_order, old.stop_sell;
        end if;
        return new;
    end
    $$;
    create trigger rule_of_sale before update on room_type_inventory for each row execute function rule_of_sale()";

/// A writer as one replica has it.
fn writer(world: &World) -> Writer {
    let connections = Writer::connections(&StoreConfig::new(world.database.url()), 2);
    let (writer, lanes) = Writer::new(&Store::new(staymesh_store::connect(&connections).expect("a pool")), 2);
    for lane in lanes {
        tokio::spawn(lane);
    }
    writer
}

/// What became of the bookings of a race.
#[derive(Default, Debug)]
struct Tally {
    booked: usize,
    refused: usize,
}

/// Books stays of up to four nights, and cancels every second of those that were booked.
async fn guest(world: &World, writer: &Writer, guest: i32) -> Tally {
    let mut tally = Tally::default();
    for round in 0..20 {
        let from = (guest * 3 + round) % 7;
        let order = world.order(from, from + 1 + (guest + round) % 3, 1 + round % 2);
        match writer.book(order.clone()).await {
            Ok(_) => tally.booked += 1,
            Err(ReservationError::SoldOut { .. } | ReservationError::StopSell { .. }) => {
                tally.refused += 1;
                continue;
            }
            Err(error) => panic!("{error:?}"),
        }
        if round % 2 == 0 {
            let change = ChangeOrder {
                id: order.id,
                command: Command::Cancel,
                now: Timestamp::now(),
                trace_parent: None,
                origin: None,
                day_ends: None,
            };
            writer.change(change).await.expect("a cancellation always works");
        }
    }
    tally
}

/// Closes and reopens overlapping nights; the last night stays closed.
async fn close_and_reopen(world: &World) {
    for round in 0..20 {
        let from = round % 6;
        for stop_sell in [true, false] {
            let change = world.stop_sell(from, from + 3, stop_sell);
            world.store.set_stop_sell(world.hotel, &change).await.expect("set");
        }
    }
}

/// Blocks rooms and ends the blocks, in overlapping nights.
async fn block_and_end(world: &World, staff: i32) {
    for round in 0..15 {
        let from = (staff + round) % 6;
        let id = Uuid::new_v4().as_u128();
        let block = world.block(id, 201 + (staff + round) % 4, from, from + 4);
        world.store.create_out_of_order(world.hotel, &block, world.room_type).await.expect("created");
        if round % 3 != 0 {
            let end = world.nights(from + 1, from + 2).check_in();
            world.store.end_out_of_order(world.hotel, block.id, end).await.expect("ended");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn growth_never_passes_stop_sell_or_the_lower_limit_whatever_runs_beside_it() {
    let world = World::with_rooms(12).await;
    sqlx::raw_sql(RULE).execute(world.pool()).await.expect("a trigger");
    let replicas = [writer(&world), writer(&world)];
    let guests = join_all((0..12).map(|id| guest(&world, &replicas[usize::from(id % 2 == 0)], id)));
    let staff = async {
        tokio::join!(close_and_reopen(&world), block_and_end(&world, 0), block_and_end(&world, 5));
    };
    let bulk = async {
        for _ in 0..20 {
            world.set_inventory(0, 10, 12, 10).await.expect("set");
        }
    };
    let (tallies, (), ()) = tokio::join!(guests, staff, bulk);
    let (booked, refused) = tallies.iter().fold((0, 0), |sum, one| (sum.0 + one.booked, sum.1 + one.refused));
    assert!(booked > 0 && refused > 0, "{booked} booked, {refused} refused");
    let report = check::run(world.pool(), &Options::default(), |_| {}).await.expect("checked");
    assert!(report.is_clean(), "{:?}", report.listed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_sold_after_stop_sell_has_returned() {
    let world = World::with_rooms(500).await;
    let replicas = [writer(&world), writer(&world)];
    let orders: Vec<_> = (0..300).map(|_| world.order(0, 3, 1)).collect();
    let bookings = join_all(orders.iter().zip(replicas.iter().cycle()).map(|(order, to)| to.book(order.clone())));
    let close = async {
        world.close(1, 2).await;
        world.reserved().await[1]
    };
    let (outcomes, at_closing) = tokio::join!(bookings, close);
    let booked = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(outcomes.iter().all(|one| matches!(one, Ok(_) | Err(ReservationError::StopSell { .. }))), "{outcomes:?}");
    assert_eq!(world.reserved().await[..3], [at_closing; 3], "none more after it returned");
    assert_eq!(usize::try_from(at_closing), Ok(booked));
}
