//! Decides which bookings of a batch get rooms. Pure; in the order of arrival.

use std::collections::{BTreeMap, HashMap};

use staymesh_domain::ReservationId;

use super::hold_limits::{Holds, Refusal};
use crate::{
    model::NewReservation,
    night::{Night, NightSale},
    room_line::{Shortage, shortage},
    store::ClientReferences,
};

/// The rooms that one booking needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    id: ReservationId,
    /// The rooms in each night, in key order.
    rooms: BTreeMap<Night, i32>,
    /// Its owner and its client reference, if it has one.
    reference: Option<(String, String)>,
}

impl Demand {
    fn of(order: &NewReservation) -> Self {
        let reference = order.client_reference.clone().map(|reference| (order.owner.clone(), reference));
        Self { id: order.id, rooms: order.nights(), reference }
    }
}

/// The decision on one booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gets its rooms in every night.
    Admitted,
    /// The first night with too few rooms left, and the rooms left in it. It takes nothing.
    SoldOut(Night, i32),
    /// The first night that is closed. It takes nothing.
    StopSell(Night),
    /// It exceeds a limit of unpaid holds. It takes nothing.
    Unpaid(Refusal),
    /// A night was never put on sale. It takes nothing.
    NotOnSale,
    /// An earlier booking of the batch, at this index, has the same id.
    RepeatOf(usize),
    /// The owner has this other reservation with its client reference. It takes nothing.
    ReferenceTaken(ReservationId),
}

/// Decides in order of arrival, as if each booking came alone. `left` has what can be sold of every night on sale, and is
/// reduced by what is admitted; `holds` has what is held unpaid, and `references` the client references that are taken, and
/// both grow by it. A refused booking takes nothing, so it does not affect the others.
pub(super) fn admit(
    orders: &[&NewReservation],
    left: &mut BTreeMap<Night, NightSale>,
    references: &mut ClientReferences,
    holds: &mut Holds,
) -> Vec<Verdict> {
    let demands: Vec<_> = orders.iter().map(|order| Demand::of(order)).collect();
    decide(&demands, left, references, |at| holds.refuse_or_add(orders[at]))
}

/// [`admit`], with the limits of unpaid holds as a function of the booking's index: it counts a booking or refuses it.
fn decide(
    demands: &[Demand],
    left: &mut BTreeMap<Night, NightSale>,
    references: &mut ClientReferences,
    mut hold: impl FnMut(usize) -> Option<Refusal>,
) -> Vec<Verdict> {
    let mut admitted: HashMap<ReservationId, usize> = HashMap::new();
    let mut verdicts = Vec::with_capacity(demands.len());
    for (at, demand) in demands.iter().enumerate() {
        if let Some(first) = admitted.get(&demand.id) {
            verdicts.push(Verdict::RepeatOf(*first));
            continue;
        }
        if let Some(first) = demand.reference.as_ref().and_then(|reference| references.get(reference)) {
            verdicts.push(Verdict::ReferenceTaken(*first));
            continue;
        }
        let verdict = match shortage(&demand.rooms, left) {
            None => hold(at).map_or(Verdict::Admitted, Verdict::Unpaid),
            Some(Shortage::NotOnSale) => Verdict::NotOnSale,
            Some(Shortage::StopSell(night)) => Verdict::StopSell(night),
            Some(Shortage::SoldOut(night, rooms_left)) => Verdict::SoldOut(night, rooms_left),
        };
        if verdict == Verdict::Admitted {
            admitted.insert(demand.id, at);
            references.extend(demand.reference.clone().map(|reference| (reference, demand.id)));
            for (night, rooms) in &demand.rooms {
                if let Some(sale) = left.get_mut(night) {
                    sale.rooms_left -= rooms;
                }
            }
        }
        verdicts.push(verdict);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn admit(demands: &[Demand], left: &mut BTreeMap<Night, NightSale>) -> Vec<Verdict> {
        decide(demands, left, &mut ClientReferences::new(), |_| None)
    }

    /// The n-th of some reservation ids.
    fn id_of(n: u128) -> ReservationId {
        let id = 0x0192_f0c1_7a2b_8000_8000_0000_0000_0001 | n << 32;
        ReservationId::try_from(uuid::Uuid::from_u128(id)).expect("an id")
    }

    fn demand(id: u128, first: i32, nights: i32, rooms: i32) -> Demand {
        let rooms = (first..first + nights).map(|day| ((1, 1, day), rooms)).collect();
        Demand { id: id_of(id), rooms, reference: None }
    }

    /// As [`demand`], and as many rooms of another type in its last night.
    fn mixed_demand(id: u128, first: i32, nights: i32, rooms: i32) -> Demand {
        let mut demand = demand(id, first, nights, rooms);
        demand.rooms.insert((1, 2, first + nights - 1), rooms);
        demand
    }

    fn open(rooms_left: i32) -> NightSale {
        NightSale { rooms_left, stop_sell: false }
    }

    fn inventory(rooms: &[i32]) -> BTreeMap<Night, NightSale> {
        (0..).zip(rooms).map(|(day, rooms)| ((1, 1, day), open(*rooms))).collect()
    }

    /// [`inventory`] of two room types.
    fn inventories(rooms: &[i32]) -> BTreeMap<Night, NightSale> {
        let of_second = (0..).zip(rooms).map(|(day, rooms)| ((1, 2, day), open(*rooms)));
        inventory(rooms).into_iter().chain(of_second).collect()
    }

    #[test]
    fn booking_whose_second_room_is_sold_out_takes_nothing_and_names_the_night() {
        let mut left = inventories(&[1, 1]);
        left.insert((1, 2, 1), open(0));
        let verdicts = admit(&[mixed_demand(1, 0, 2, 1), demand(2, 0, 2, 1)], &mut left);
        assert_eq!(verdicts, [Verdict::SoldOut((1, 2, 1), 0), Verdict::Admitted]);
    }

    #[test]
    fn closed_night_refuses_before_a_sold_out_one_and_other_nights_are_sold() {
        let mut left = inventory(&[0, 5, 5]);
        left.insert((1, 1, 1), NightSale { rooms_left: 5, stop_sell: true });
        let verdicts = admit(&[demand(1, 0, 2, 1), demand(2, 1, 2, 1), demand(3, 2, 1, 5)], &mut left);
        assert_eq!(verdicts, [Verdict::StopSell((1, 1, 1)), Verdict::StopSell((1, 1, 1)), Verdict::Admitted]);
    }

    #[test]
    fn refused_booking_takes_no_rooms_from_later_bookings() {
        let mut left = inventory(&[1, 0, 1]);
        let verdicts =
            admit(&[demand(1, 0, 3, 1), demand(2, 0, 1, 1), demand(3, 2, 1, 1), demand(4, 0, 1, 1)], &mut left);
        assert_eq!(
            verdicts,
            [Verdict::SoldOut((1, 1, 1), 0), Verdict::Admitted, Verdict::Admitted, Verdict::SoldOut((1, 1, 0), 0)]
        );
    }

    #[test]
    fn repeated_id_refers_to_the_first_and_missing_inventory_is_not_on_sale() {
        let mut left = inventory(&[2, 2]);
        let verdicts = admit(&[demand(1, 0, 2, 1), demand(1, 0, 2, 1), demand(2, 1, 2, 1)], &mut left);
        assert_eq!(verdicts, [Verdict::Admitted, Verdict::RepeatOf(0), Verdict::NotOnSale]);
        assert_eq!(left, inventory(&[1, 1]));
    }

    #[test]
    fn second_booking_with_a_client_reference_names_the_first_unless_that_is_refused() {
        let of = |id, nights, owner: &str| Demand {
            reference: Some((owner.to_owned(), "X-17".to_owned())),
            ..demand(id, 0, nights, 1)
        };
        let mut left = inventory(&[3, 0]);
        let verdicts =
            admit(&[of(1, 2, "me"), of(2, 1, "me"), of(3, 1, "me"), of(4, 1, "you"), of(2, 1, "me")], &mut left);
        let expected = [
            Verdict::SoldOut((1, 1, 1), 0),
            Verdict::Admitted,
            Verdict::ReferenceTaken(id_of(2)),
            Verdict::Admitted,
            Verdict::RepeatOf(1),
        ];
        assert_eq!((verdicts, left), (expected.to_vec(), inventory(&[1, 0])));
    }

    proptest! {
        #[test]
        fn batch_decides_as_single_bookings_in_order_and_never_oversells(
            rooms in prop::collection::vec(0..6i32, 6),
            requests in prop::collection::vec((0..8u128, 0..5i32, 1..4i32, 1..4i32, any::<bool>()), 0..40),
        ) {
            let demand_of = |&(id, first, nights, n, mixed)| {
                if mixed { mixed_demand(id, first, nights, n) } else { demand(id, first, nights, n) }
            };
            let demands: Vec<_> = requests.iter().map(demand_of).collect();
            let mut together = inventories(&rooms);
            let verdicts = admit(&demands, &mut together);
            prop_assert!(together.values().all(|sale| sale.rooms_left >= 0));

            let mut alone = inventories(&rooms);
            let mut known = Vec::new();
            for (demand, verdict) in demands.iter().zip(&verdicts) {
                let individually = if known.contains(&demand.id) {
                    None
                } else {
                    admit(std::slice::from_ref(demand), &mut alone).pop()
                };
                match individually {
                    None => prop_assert!(matches!(verdict, Verdict::RepeatOf(_))),
                    Some(other) => {
                        prop_assert_eq!(&other, verdict);
                        if other == Verdict::Admitted {
                            known.push(demand.id);
                        }
                    }
                }
            }
            prop_assert_eq!(together, alone);
        }
    }
}
