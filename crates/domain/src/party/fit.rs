//! Whether a party fits into a room.

use super::{Heads, Occupancy};

/// A rule of a hotel or a room type that a party breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A child younger than the hotel accepts.
    #[error("a child of {age}, but the hotel accepts children from {min_child_age} years")]
    ChildTooYoung {
        /// Age of the youngest child, in years.
        age: i32,
        /// The youngest age that the hotel accepts, in years.
        min_child_age: i32,
    },
    /// More adults than the room sleeps.
    #[error("{adults} adults, but the room sleeps {max_adults}")]
    TooManyAdults {
        /// Adults of the party, children older than every age band included.
        adults: i32,
        /// Adults whom the room sleeps.
        max_adults: i32,
    },
    /// More children than there are places for.
    #[error("{children} children, but beside the adults the room sleeps {places}")]
    TooManyChildren {
        /// Children of the party, infants without a cot included.
        children: i32,
        /// Places for children: their own, and those that the adults leave free.
        places: i32,
    },
    /// More people than beds.
    #[error("{guests} guests, but the room sleeps {max_occupancy}")]
    TooManyGuests {
        /// People of the party without infants in cots.
        guests: i32,
        /// People whom the room sleeps.
        max_occupancy: i32,
    },
}

impl Occupancy {
    /// Every rule that a party breaks; empty if it fits.
    ///
    /// Infants beyond the cots count as children, and children may take the places that adults leave free.
    pub fn misfits(&self, heads: Heads) -> Vec<Misfit> {
        let Heads { adults, children, infants } = heads;
        let Self { max_adults, max_occupancy, .. } = *self;
        let children = children + (infants - self.max_infants).max(0);
        let places = self.max_children + (max_adults - adults).max(0);
        let guests = adults + children;
        [
            (adults > max_adults, Misfit::TooManyAdults { adults, max_adults }),
            (children > places, Misfit::TooManyChildren { children, places }),
            (guests > max_occupancy, Misfit::TooManyGuests { guests, max_occupancy }),
        ]
        .into_iter()
        .filter_map(|(broken, misfit)| broken.then_some(misfit))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::{AgeBand, AgeBands, Party};
    use super::*;

    const ROOM: Occupancy =
        Occupancy { base: 2, max_occupancy: 4, max_adults: 3, max_children: 2, max_infants: 1, max_extra_beds: 2 };

    fn bands() -> AgeBands {
        let band = |code: &str, min_age, max_age| AgeBand { code: code.to_owned(), min_age, max_age };
        AgeBands::new(vec![band("INFANT", 0, 2), band("CHILD", 3, 11)]).unwrap()
    }

    fn misfits(party: &str) -> Vec<Misfit> {
        ROOM.misfits(bands().count(&party.parse::<Party>().unwrap()))
    }

    #[rstest]
    #[case::two_children("2-5,9")]
    #[case::infant_has_the_cot("3-5,1")]
    #[case::second_infant_is_a_child("2-1,2")]
    #[case::children_in_places_of_adults("1-4,6,8")]
    #[case::older_than_the_bands_is_an_adult("2-12")]
    fn party_fits(#[case] party: &str) {
        assert_eq!(misfits(party), []);
    }

    #[rstest]
    #[case("3-5,9", &[Misfit::TooManyGuests { guests: 5, max_occupancy: 4 }])]
    #[case("4", &[Misfit::TooManyAdults { adults: 4, max_adults: 3 }])]
    #[case("2-4,5,6,7", &[
        Misfit::TooManyChildren { children: 4, places: 3 },
        Misfit::TooManyGuests { guests: 6, max_occupancy: 4 },
    ])]
    #[case("3-12", &[Misfit::TooManyAdults { adults: 4, max_adults: 3 }])]
    fn party_too_large_names_every_broken_rule(#[case] party: &str, #[case] broken: &[Misfit]) {
        assert_eq!(misfits(party), broken);
    }

    proptest! {
        #[test]
        fn party_that_fits_still_fits_without_one_child(adults in 1..=4, ages in prop::collection::vec(0..=12, 1..=5)) {
            let count = |ages: &[i32]| bands().count(&Party::new(adults, ages.to_vec()).unwrap());
            if ROOM.misfits(count(&ages)).is_empty() {
                prop_assert_eq!(ROOM.misfits(count(&ages[1..])), []);
            }
        }

        #[test]
        fn party_fits_exactly_if_places_can_be_assigned_to_all(
            max_adults in 1..=4, max_children in 0..=3, max_infants in 0..=2, max_occupancy in 1..=5,
            adults in 1..=4, ages in prop::collection::vec(0..=13, 0..=4),
        ) {
            let room = Occupancy { max_occupancy, max_adults, max_children, max_infants, ..ROOM };
            let fits = room.misfits(bands().count(&Party::new(adults, ages.clone()).unwrap())).is_empty();
            let people: Vec<_> = (0..adults).map(|_| 18).chain(ages).collect();
            prop_assert_eq!(fits, can_assign(&people, room));
        }
    }

    /// Whether people of these ages all get a place of those that are free: tries every kind of place for each.
    fn can_assign(ages: &[i32], free: Occupancy) -> bool {
        let Some((age, others)) = ages.split_first() else { return true };
        let Occupancy { max_occupancy, max_adults, max_children, max_infants, .. } = free;
        let bed = Occupancy { max_occupancy: max_occupancy - 1, ..free };
        let adult_place = Occupancy { max_adults: max_adults - 1, ..bed };
        let child_place = Occupancy { max_children: max_children - 1, ..bed };
        let cot = Occupancy { max_infants: max_infants - 1, ..free };
        max_occupancy > 0 && max_adults > 0 && can_assign(others, adult_place)
            || max_occupancy > 0 && max_children > 0 && *age <= 11 && can_assign(others, child_place)
            || max_infants > 0 && *age <= 2 && can_assign(others, cot)
    }
}
