//! Who of a batch gets rooms: pure, in the order of arrival.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

/// A night of a room type: hotel, room type, days since 1970-01-01.
pub(crate) type Night = (i32, i32, i32);

/// What one booking wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) id: Uuid,
    pub(crate) hotel_id: i32,
    pub(crate) room_type_id: i32,
    /// The first night, days since 1970-01-01.
    pub(crate) first: i32,
    /// The day of leaving.
    pub(crate) end: i32,
    pub(crate) rooms: i32,
}

impl Demand {
    /// The nights it wants.
    pub(crate) fn nights(&self) -> impl Iterator<Item = Night> + use<> {
        let (hotel_id, room_type_id) = (self.hotel_id, self.room_type_id);
        (self.first..self.end).map(move |day| (hotel_id, room_type_id, day))
    }
}

/// What a booking gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its rooms, in every night.
    Taken,
    /// Nothing: this night has too few rooms left.
    SoldOut(Night),
    /// Nothing: a night was never put on sale.
    NotOnSale,
    /// The answer of an earlier booking of the batch with the same id, by its place.
    RepeatOf(usize),
}

/// Admits in the order of arrival, as if each came by itself. `left` has the rooms that are left in every night that is
/// on sale; what is taken is subtracted. A refused booking takes nothing, so it refuses only itself.
pub(crate) fn admit(demands: &[Demand], left: &mut BTreeMap<Night, i32>) -> Vec<Verdict> {
    let mut taken: HashMap<Uuid, usize> = HashMap::new();
    let mut verdicts = Vec::with_capacity(demands.len());
    for (at, demand) in demands.iter().enumerate() {
        if let Some(first) = taken.get(&demand.id) {
            verdicts.push(Verdict::RepeatOf(*first));
            continue;
        }
        let verdict = judge(demand, left);
        if verdict == Verdict::Taken {
            taken.insert(demand.id, at);
            for night in demand.nights() {
                if let Some(rooms) = left.get_mut(&night) {
                    *rooms -= demand.rooms;
                }
            }
        }
        verdicts.push(verdict);
    }
    verdicts
}

fn judge(demand: &Demand, left: &BTreeMap<Night, i32>) -> Verdict {
    let mut short = None;
    for night in demand.nights() {
        match left.get(&night) {
            None => return Verdict::NotOnSale,
            Some(rooms) if *rooms < demand.rooms => short = short.or(Some(night)),
            Some(_) => {}
        }
    }
    short.map_or(Verdict::Taken, Verdict::SoldOut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn demand(id: u128, first: i32, nights: i32, rooms: i32) -> Demand {
        Demand { id: Uuid::from_u128(id), hotel_id: 1, room_type_id: 1, first, end: first + nights, rooms }
    }

    fn inventory(rooms: &[i32]) -> BTreeMap<Night, i32> {
        (0..).zip(rooms).map(|(day, rooms)| ((1, 1, day), *rooms)).collect()
    }

    #[test]
    fn a_refused_booking_refuses_only_itself() {
        let mut left = inventory(&[1, 0, 1]);
        let verdicts =
            admit(&[demand(1, 0, 3, 1), demand(2, 0, 1, 1), demand(3, 2, 1, 1), demand(4, 0, 1, 1)], &mut left);
        assert_eq!(
            verdicts,
            [Verdict::SoldOut((1, 1, 1)), Verdict::Taken, Verdict::Taken, Verdict::SoldOut((1, 1, 0)),]
        );
    }

    #[test]
    fn a_repeat_gets_the_first_answer_and_a_night_without_inventory_is_not_on_sale() {
        let mut left = inventory(&[2, 2]);
        let verdicts = admit(&[demand(1, 0, 2, 1), demand(1, 0, 2, 1), demand(2, 1, 2, 1)], &mut left);
        assert_eq!(verdicts, [Verdict::Taken, Verdict::RepeatOf(0), Verdict::NotOnSale]);
        assert_eq!(left, inventory(&[1, 1]));
    }

    proptest! {
        #[test]
        fn a_batch_decides_as_one_by_one_and_never_oversells(
            rooms in prop::collection::vec(0..6i32, 6),
            wishes in prop::collection::vec((0..8u128, 0..5i32, 1..4i32, 1..4i32), 0..40),
        ) {
            let demands: Vec<_> = wishes.iter().map(|&(id, first, nights, n)| demand(id, first, nights, n)).collect();
            let mut together = inventory(&rooms);
            let verdicts = admit(&demands, &mut together);
            prop_assert!(together.values().all(|left| *left >= 0));

            let mut alone = inventory(&rooms);
            let mut known = Vec::new();
            for (demand, verdict) in demands.iter().zip(&verdicts) {
                let by_itself = if known.contains(&demand.id) { None } else { admit(&[*demand], &mut alone).pop() };
                match by_itself {
                    None => prop_assert!(matches!(verdict, Verdict::RepeatOf(_))),
                    Some(other) => {
                        prop_assert_eq!(&other, verdict);
                        if other == Verdict::Taken {
                            known.push(demand.id);
                        }
                    }
                }
            }
            prop_assert_eq!(together, alone);
        }
    }
}
