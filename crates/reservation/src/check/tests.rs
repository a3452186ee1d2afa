//! The checker: a legal database is clean, also while it is written to, and exactly the planted violations are reported.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::join_all;
use jiff::{Timestamp, ToSpan, civil::Date};
use rstest::rstest;
use staymesh_domain::PaymentId;

use super::*;
use crate::{
    calendar::today,
    lifecycle::Command,
    model::PaymentMode,
    testing::{World, pay, total},
};

mod changes;

const HOTEL: i32 = 7;

fn first() -> Date {
    today(Timestamp::now()).saturating_add(30.days())
}

/// Ten nights, and reservations of the first two in every status, each reached by every transition.
async fn world() -> World {
    let world = World::new().await;
    world.sell(HOTEL, first(), 10, 20).await.expect("inventory");
    let id = PaymentId::new();
    let refund = Command::ConfirmRefund { payment_id: id, amount: total() };
    let ways: [&[Command]; 8] = [
        &[],
        &[pay(id)],
        &[Command::RejectPayment],
        &[Command::Cancel],
        &[Command::Expire],
        &[pay(id), Command::Cancel],
        &[Command::Expire, pay(id)],
        &[Command::Expire, pay(id), Command::Cancel, refund],
    ];
    for way in ways {
        let booking = world.book(HOTEL, first(), 2, PaymentMode::GuestPays).await.expect("booked");
        for command in way {
            world.apply(booking.id, command).await.expect("a legal way");
        }
    }
    world.book(HOTEL, first(), 2, PaymentMode::PartnerCollects).await.expect("booked");
    let missed = world.book(HOTEL, first(), 2, PaymentMode::PartnerCollects).await.expect("booked");
    world.apply_at(missed.id, &Command::MarkNoShow, missed.quote.terms.no_show_from).await.expect("no-show");
    world
}

/// Keeps the first revision of a reservation in this status, as its first change does and releases before did.
const KEEP: &str = "insert into reservation_revision
    select f.* from reservation r, first_revision(r.hotel_id, r.reservation_id) f where r.status =";

async fn check(world: &World) -> Report {
    run(world.pool(), &Options::default(), |_| {}).await.expect("checked")
}

#[tokio::test]
async fn check_of_legal_reservations_is_clean() {
    let report = check(&world().await).await;
    assert_eq!(report, Report { nights: 10, reservations: 10, ..Report::default() });
    assert!(report.is_clean());
    assert!(check(&World::new().await).await.is_clean(), "so is nothing");
}

#[rstest]
#[case(
    "update room_type_inventory set total_reserved = total_reserved - 1 where stay_date = FIRST",
    Kind::ReservedDiffers,
    1,
    "3 reserved, but active bookings have 4 rooms"
)]
#[case(
    "update room_type_inventory set total_reserved = 1 where stay_date = FIRST + 5",
    Kind::ReservedDiffers,
    1,
    "1 reserved, but active bookings have 0 rooms"
)]
#[case(
    "delete from room_type_inventory where stay_date = FIRST + 1",
    Kind::NightMissing,
    1,
    "booked, but has no inventory"
)]
#[case(
    "alter table room_type_inventory drop constraint room_type_inventory_not_overbooked;
        update room_type_inventory set total_inventory = 3",
    Kind::Overbooked,
    2,
    "4 reserved of 3 with 10 % overbooking"
)]
#[case(
    "update room_type_inventory set out_of_order = 1 where stay_date = FIRST + 5",
    Kind::OutOfOrderDiffers,
    1,
    "1 out of order, but blocks have 0 rooms"
)]
#[case(
    "insert into out_of_order (hotel_id, out_of_order_id, room_id, room_type_id, from_date, until_date, end_date, kind, reason)
        select 7, gen_random_uuid(), 1, 3, FIRST, FIRST + 9, FIRST + n, kind, 'leak'
        from (values (2, 'out_of_order'), (1, 'out_of_order'), (3, 'out_of_service')) v (n, kind)",
    Kind::OutOfOrderDiffers,
    2,
    "0 out of order, but blocks have 1 rooms"
)]
#[case(
    "delete from reservation_transition where reservation_id = (OF 'pending_payment')",
    Kind::IllegalHistory,
    1,
    "no history"
)]
#[case(
    "delete from reservation_transition where version = 1 and reservation_id = (OF 'rejected')",
    Kind::IllegalHistory,
    1,
    "begins as rejected"
)]
#[case(
    "delete from reservation_transition where version = 2 and reservation_id = (OF 'refunded')",
    Kind::IllegalHistory,
    1,
    "its versions have a gap"
)]
#[case(
    "update reservation_transition set status = 'rejected' where version = 2 and reservation_id = (OF 'refunded')",
    Kind::IllegalHistory,
    1,
    "has a step that is not legal"
)]
#[case(
    "update reservation_transition set cancellation_reason = 'requested' where version = 2 and reservation_id = (OF 'refunded')",
    Kind::IllegalHistory,
    1,
    "has a step that is not legal"
)]
#[case(
    "update reservation_transition set status = 'paid' where version = 1 and reservation_id = (OF 'pending_payment')",
    Kind::IllegalHistory,
    1,
    "begins as paid"
)]
#[case(
    "update reservation set status = 'rejected', cancellation_reason = null where reservation_id = (OF 'refunded')",
    Kind::IllegalHistory,
    1,
    "ends as refunded, but is rejected"
)]
#[case(
    "update reservation set version = 9 where reservation_id = (OF 'refunded')",
    Kind::IllegalHistory,
    1,
    "has version 9 after 5 steps"
)]
#[case(
    "update reservation set cancellation_reason = 'no_show'
        where status = 'cancelled' and paid_at is null and cancellation_reason = 'requested';
        update reservation_room l set status = 'no_show' from reservation r
        where r.reservation_id = l.reservation_id and r.cancellation_reason = 'no_show'",
    Kind::IllegalHistory,
    1,
    "a no-show that was never paid"
)]
#[case(
    "update reservation set cancellation_reason = 'cancelled_by_hotel'
        where status = 'cancelled' and paid_at is null and cancellation_reason = 'requested'",
    Kind::IllegalHistory,
    1,
    "cancelled by the hotel without a reason"
)]
#[case(
    "insert into reservation_transition values (7, gen_random_uuid(), 1, 'paid')",
    Kind::IllegalHistory,
    1,
    "a history without a booking"
)]
#[case("delete from reservation_room where reservation_id = (OF 'rejected')", Kind::RoomsDiffer, 1, "no rooms")]
#[case(
    "insert into reservation_room select hotel_id, reservation_id, 2, room_type_id, rate_plan, check_in, check_out, adults,
        child_ages, guest_name, 0, price::jsonb || '{\"total_minor\": 0}', status, revision
        from reservation_room where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "2 rooms, but 1 were agreed"
)]
#[case(
    "insert into reservation_room select hotel_id, gen_random_uuid(), 1, room_type_id, rate_plan, check_in, check_out,
        adults, child_ages, guest_name, total_minor, price, status, revision
        from reservation_room where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "rooms without a booking"
)]
#[case(
    "update reservation_room set room_position = 2 where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "its rooms have a gap"
)]
#[case(
    "update reservation_room set check_out = check_out + 1 where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "rooms from "
)]
#[case(
    "update reservation_room set status = 'live' where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "a room is live, but the booking is rejected"
)]
#[case(
    "update reservation_room set status = 'no_show' where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "a room is no_show, but the booking is rejected"
)]
#[case(
    "update reservation_room set total_minor = 1 where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "rooms cost 1 EUR, but the booking 10000 EUR"
)]
#[case(
    "update reservation_room set price = price::jsonb || '{\"total_minor\": 1}' where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "the price of a room is not its total"
)]
#[case(
    "update reservation_room set adults = 2 where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "rooms differ from what was agreed"
)]
#[case(
    "update reservation set room_type_id = 4 where status = 'rejected'",
    Kind::RoomsDiffer,
    1,
    "rooms differ from what was agreed"
)]
#[case(
    "update reservation_room set revision = 2 where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "a room has revision 2 after 1 revisions"
)]
#[case(
    "KEEP 'rejected'; update reservation_room set price = price::jsonb || '{\"late_penalty_percent\": 99}'
        where reservation_id = (OF 'rejected')",
    Kind::RoomsDiffer,
    1,
    "rooms differ from what was agreed"
)]
#[case("update reservation set revision = null where status = 'rejected'", Kind::IllegalRevision, 1, "no revision")]
#[case(
    "KEEP 'rejected'; update reservation_revision set revision = 2 where reservation_id = (OF 'rejected');
        update reservation set revision = 2 where status = 'rejected'",
    Kind::IllegalRevision,
    1,
    "its revisions have a gap"
)]
#[case(
    "KEEP 'rejected'; update reservation set revision = null where status = 'rejected'",
    Kind::IllegalRevision,
    1,
    "has revision none after 1 revisions"
)]
#[case(
    "KEEP 'rejected'; update reservation_revision set total_minor = 1 where reservation_id = (OF 'rejected')",
    Kind::IllegalRevision,
    1,
    "was agreed for 1 EUR, but costs 10000 EUR"
)]
#[case(
    "KEEP 'rejected'; insert into reservation_revision select hotel_id, gen_random_uuid(), 1, document, content_hash, currency, total_minor,
        actor, reason, create_time from reservation_revision where reservation_id = (OF 'rejected')",
    Kind::IllegalRevision,
    1,
    "a revision without a booking"
)]
#[case(
    "insert into room_assignment (hotel_id, reservation_id, room_position, from_date, until_date, room_id, room_number,
        room_type_id) select hotel_id, reservation_id, 1, FIRST, FIRST + 1, 1, '1', 3
        from reservation where status = 'rejected'",
    Kind::AssignmentDiffers,
    1,
    "a room for guests who are not expected"
)]
#[case(
    "insert into room_assignment (hotel_id, reservation_id, room_position, from_date, until_date, room_id, room_number,
        room_type_id) select hotel_id, reservation_id, 1, FIRST + n, FIRST + n + 2, n + 1, '1', 3
        from (OF 'paid' limit 1) r join reservation using (reservation_id), generate_series(0, 1) n",
    Kind::AssignmentDiffers,
    2,
    "two rooms in one night"
)]
#[case(
    "insert into room_assignment (hotel_id, reservation_id, room_position, from_date, until_date, room_id, room_number,
        room_type_id) select hotel_id, reservation_id, 1, FIRST, FIRST + 2, 1, '1', 3
        from (OF 'paid' limit 1) r join reservation using (reservation_id);
        insert into out_of_order (hotel_id, out_of_order_id, room_id, room_type_id, from_date, until_date, kind, reason)
        values (7, gen_random_uuid(), 1, 3, FIRST + 1, FIRST + 2, 'out_of_service', 'leak')",
    Kind::AssignmentDiffers,
    1,
    "a room that is blocked"
)]
#[case(
    "update reservation set hold_expire_time = now() - interval '61 s' where status = 'pending_payment'",
    Kind::HoldOverdue,
    1,
    "should have ended at"
)]
#[case(
    "update reservation_room set status = 'in_house' where reservation_id = (OF 'paid' limit 1)",
    Kind::RoomsDiffer,
    1,
    "a room is not what its last arrival or departure made it"
)]
#[case(
    "insert into room_status_change (hotel_id, reservation_id, room_position, status, business_date, actor)
        select 7, reservation_id, 1, 'completed', FIRST, 'me' from (OF 'paid' limit 1) r",
    Kind::RoomsDiffer,
    1,
    "a room is not what its last arrival or departure made it"
)]
#[tokio::test]
async fn check_reports_exactly_the_planted_violations(
    #[case] sql: &str,
    #[case] kind: Kind,
    #[case] count: u64,
    #[case] detail: &str,
) {
    let world = world().await;
    let first_night = format!("date '{}'", first());
    let booking = "select reservation_id from reservation where status =";
    world.tamper(&sql.replace("KEEP", KEEP).replace("FIRST", &first_night).replace("OF", booking)).await;
    let report = check(&world).await;
    assert_eq!(report.counts, [(kind, count)].into());
    assert_eq!(report.listed.len() as u64, count);
    let found = report.listed.first().expect("one");
    assert_eq!((found.kind, found.hotel_id), (kind, HOTEL));
    assert!(found.detail.starts_with(detail), "{found}");
    let is_night =
        matches!(kind, Kind::NightMissing | Kind::ReservedDiffers | Kind::Overbooked | Kind::OutOfOrderDiffers);
    assert_eq!((found.room_type_id, found.stay_date.is_some()), (is_night.then_some(3), is_night));
    assert_eq!(found.reservation_id.is_none(), is_night);
}

#[tokio::test]
async fn hold_overdue_within_the_bound_is_no_violation() {
    let world = world().await;
    world
        .tamper("update reservation set hold_expire_time = now() - interval '61 s' where hold_expire_time > now()")
        .await;
    let patient = Options { hold_bound: Duration::from_mins(5), ..Options::default() };
    assert!(run(world.pool(), &patient, |_| {}).await.expect("checked").is_clean());
}

#[tokio::test]
async fn check_covers_all_hotels_and_counts_beyond_the_listed() {
    let world = World::new().await;
    // More hotels than one snapshot takes, with gaps between their ids.
    for hotel in (1..=50).map(|n| n * 1_000) {
        world.sell(hotel, first(), 3, 10).await.expect("inventory");
    }
    world.book(50_000, first(), 3, PaymentMode::GuestPays).await.expect("booked");
    // A hotel with reservations and no inventory, between two pages.
    world.sell(20_500, first(), 2, 10).await.expect("inventory");
    world.book(20_500, first(), 2, PaymentMode::GuestPays).await.expect("booked");
    world.tamper("delete from room_type_inventory where hotel_id = 20500").await;
    world.tamper("update room_type_inventory set total_reserved = total_reserved + 1").await;

    let mut seen = Vec::new();
    let options = Options { listed: 7, ..Options::default() };
    let report = run(world.pool(), &options, |at| seen.push(at)).await.expect("checked");
    assert_eq!(report.counts, [(Kind::NightMissing, 2), (Kind::ReservedDiffers, 150)].into());
    assert_eq!(report.listed.iter().filter(|found| found.kind == Kind::ReservedDiffers).count(), 7);
    assert_eq!(report.listed.len(), 9);
    assert_eq!((report.nights, report.reservations), (152, 2));
    let (begun, done) = (seen[0], seen[seen.len() - 1]);
    assert_eq!((begun.hotels, begun.all_hotels), (0, 51));
    assert_eq!((done.hotels, done.nights, done.violations), (51, 152, 152));
}

#[tokio::test]
async fn check_of_a_busy_service_reports_no_violation() {
    let world = Arc::new(World::new().await);
    for hotel in 1..=3 {
        world.sell(hotel, first(), 5, 1000).await.expect("inventory");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let guests = (0..6).map(|n| {
        let (world, stop) = (world.clone(), stop.clone());
        tokio::spawn(async move {
            let mut bookings = 0;
            while !stop.load(Ordering::Relaxed) {
                let hotel = n % 3 + 1;
                let booking = world.book(hotel, first(), 1 + n % 5, PaymentMode::GuestPays).await.expect("booked");
                let then = [Command::Cancel, pay(PaymentId::new()), Command::Expire, Command::RejectPayment];
                world.apply(booking.id, &then[bookings % then.len()]).await.expect("a legal way");
                bookings += 1;
            }
            bookings
        })
    });
    let guests: Vec<_> = guests.collect();
    let mut checked = Vec::new();
    while checked.len() < 20 || checked.last().is_some_and(|seen| *seen < 300) {
        let report = check(&world).await;
        assert!(report.is_clean(), "{:?}", report.listed);
        checked.push(report.reservations);
    }
    stop.store(true, Ordering::Relaxed);
    let made: usize = join_all(guests).await.into_iter().map(|made| made.expect("no panic")).sum();
    assert!(checked[0] < checked[checked.len() - 1], "bookings were made meanwhile");
    assert_eq!(check(&world).await.reservations, made as u64);
}
