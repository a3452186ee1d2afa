//! Nights are covered once, longest stays first, and assignments that exist stay.

use jiff::{Timestamp, ToSpan, civil::date};
use proptest::prelude::*;
use staymesh_domain::HotelId;

use super::*;

fn day(day: i32) -> Date {
    date(2027, 2, 1).saturating_add(day.days())
}

fn room(id: i32, room_type: i32) -> RoomInfo {
    RoomInfo {
        room_id: RoomId::try_from(id).expect("an id"),
        room_type_id: RoomTypeId::try_from(room_type).expect("an id"),
        room_number: id.to_string(),
    }
}

fn reservation(n: usize) -> ReservationId {
    let hotel = HotelId::try_from(7).expect("an id");
    let time = Timestamp::from_second(1_800_000_000 + i64::try_from(n).expect("few")).expect("a time");
    ReservationId::generate(hotel, time)
}

fn want(id: ReservationId, from: i32, until: i32) -> Wanting {
    let stay = StayDates::new(day(from), day(until)).expect("a stay");
    let room_type_id = RoomTypeId::try_from(3).expect("an id");
    Wanting { reservation_id: id, position: 1, room_type_id, stay, from: stay.check_in() }
}

fn shown(plan: &Plan) -> Vec<(i32, Date, Date)> {
    plan.assigned.iter().map(|room| (room.room_id.get(), room.from, room.until)).collect()
}

#[test]
fn gaps_are_the_nights_before_between_and_after_rooms() {
    let key = (reservation(1), 1);
    let has = [room(1, 3).assigned_to(key, (day(2), day(4))), room(2, 3).assigned_to(key, (day(6), day(7)))];
    let found = |from, until| gaps(&has, (day(from), day(until)));
    assert_eq!(found(0, 9), [(day(0), day(2)), (day(4), day(6)), (day(7), day(9))]);
    assert_eq!(found(2, 4), []);
    assert_eq!(found(3, 5), [(day(4), day(5))]);
    assert_eq!(found(0, 1), [(day(0), day(1))]);
    assert_eq!(gaps([], (day(0), day(1))), [(day(0), day(1))]);
}

#[test]
fn longest_stay_is_placed_first_in_the_first_room_by_number() {
    let (short, long) = (reservation(1), reservation(2));
    let rooms = [room(10, 3), room(9, 3), room(8, 4)];
    let plan = plan(&rooms, &[], vec![], vec![want(short, 0, 1), want(long, 0, 5)]);
    assert_eq!(shown(&plan), [(9, day(0), day(5)), (10, day(0), day(1))]);
    assert_eq!(plan.without, []);
}

#[test]
fn guests_keep_their_room_in_nights_that_are_added_if_it_is_free_and_get_another_if_not() {
    let (guest, other) = (reservation(1), reservation(2));
    let rooms = [room(1, 3), room(2, 3)];
    let has = room(2, 3).assigned_to((guest, 1), (day(0), day(2)));
    let alone = plan(&rooms, std::slice::from_ref(&has), vec![], vec![want(guest, 0, 3)]);
    assert_eq!(shown(&alone), [(2, day(2), day(3))], "not room 1, which comes first");
    let next = room(2, 3).assigned_to((other, 1), (day(2), day(3)));
    let moved = plan(&rooms, &[has.clone(), next], vec![], vec![want(guest, 0, 3)]);
    assert_eq!(shown(&moved), [(1, day(2), day(3))]);
    let blocked = plan(&rooms, &[has], vec![(room(2, 3).room_id, day(2), day(3))], vec![want(guest, 0, 3)]);
    assert_eq!(shown(&blocked), [(1, day(2), day(3))]);
}

#[test]
fn guests_without_a_free_room_of_their_type_are_listed() {
    let (first, second) = (reservation(1), reservation(2));
    let plan = plan(&[room(1, 3), room(2, 4)], &[], vec![], vec![want(first, 0, 2), want(second, 1, 3)]);
    assert_eq!(shown(&plan), [(1, day(0), day(2))]);
    assert_eq!(plan.without, [(second, 1)]);
}

proptest! {
    #[test]
    fn no_room_has_two_guests_in_a_night_and_placed_guests_have_one_in_every_night(
        stays in prop::collection::vec((0..20_i32, 1..10_i32), 0..20),
        blocks in prop::collection::vec((1..5_i32, 0..20_i32, 1..5_i32), 0..4),
    ) {
        let rooms: Vec<_> = (1..5).map(|id| room(id, 3)).collect();
        let ids: Vec<_> = (0..stays.len()).map(reservation).collect();
        let wanting = || ids.iter().zip(&stays).map(|(id, (from, nights))| want(*id, *from, from + nights)).collect::<Vec<_>>();
        let blocked: Vec<_> =
            blocks.iter().map(|(id, from, days)| (room(*id, 3).room_id, day(*from), day(from + days))).collect();
        let made = plan(&rooms, &[], blocked.clone(), wanting());
        let overlap = |one: Nights, other: Nights| one.0 < other.1 && other.0 < one.1;
        for (at, one) in made.assigned.iter().enumerate() {
            for other in &made.assigned[at + 1..] {
                prop_assert!(one.room_id != other.room_id || !overlap((one.from, one.until), (other.from, other.until)));
            }
            for (id, from, until) in &blocked {
                prop_assert!(one.room_id != *id || !overlap((one.from, one.until), (*from, *until)));
            }
        }
        for want in wanting() {
            let key = (want.reservation_id, 1);
            let has: Vec<_> = made.assigned.iter().filter(|room| room.reservation_id == want.reservation_id).collect();
            let is_placed = gaps(has, (want.from, want.stay.check_out())).is_empty();
            prop_assert_eq!(is_placed, !made.without.contains(&key));
        }
        // A repeat finds nothing that the first did not.
        let mut known = made.assigned.clone();
        known.sort_by_key(|room| (room.reservation_id, room.position, room.from));
        let again = plan(&rooms, &known, blocked, wanting());
        prop_assert_eq!((again.assigned.len(), again.without), (0, made.without));
    }
}
