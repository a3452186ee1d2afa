//! Rules of a hotel for children.

use super::{AgeBands, Misfit, Occupancy, Party};

/// Rules of a hotel for children: how they are counted, and the youngest that it accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChildRules {
    /// Which children count as infants, as children, or as adults.
    pub age_bands: AgeBands,
    /// The youngest age that the hotel accepts, 0 to [`Self::ADULTS_ONLY`] years; 0 accepts children of every age.
    pub min_child_age: i32,
}

impl ChildRules {
    /// The `min_child_age` of a hotel for adults only.
    pub const ADULTS_ONLY: i32 = Party::MAX_CHILD_AGE + 1;

    /// Every rule of the hotel and of a room type that a party in one room breaks; empty if it fits.
    pub fn misfits(&self, occupancy: &Occupancy, party: &Party) -> Vec<Misfit> {
        let min_child_age = self.min_child_age;
        let youngest = party.child_ages().iter().copied().min();
        let too_young = youngest.filter(|age| *age < min_child_age);
        let too_young = too_young.map(|age| Misfit::ChildTooYoung { age, min_child_age });
        too_young.into_iter().chain(occupancy.misfits(self.age_bands.count(party))).collect()
    }

    /// Whether a child of the party is counted, and so priced, as an adult for want of age bands.
    pub fn prices_children_as_adults(&self, party: &Party) -> bool {
        self.age_bands.bands().is_empty() && !party.child_ages().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misfits(min_child_age: i32, party: &str) -> Vec<Misfit> {
        let rules = ChildRules { min_child_age, ..ChildRules::default() };
        rules.misfits(&Occupancy::of_adults(3), &party.parse().unwrap())
    }

    #[test]
    fn child_below_the_minimum_age_is_too_young_and_one_of_that_age_is_not() {
        assert_eq!(misfits(12, "1-12"), []);
        let too_young = Misfit::ChildTooYoung { age: 3, min_child_age: 12 };
        assert_eq!(misfits(12, "1-11,3"), [too_young]);
        let too_many = Misfit::TooManyAdults { adults: 4, max_adults: 3 };
        assert_eq!(misfits(12, "2-3,14")[..2], [too_young, too_many], "every broken rule is named");
    }

    #[test]
    fn hotel_for_adults_only_accepts_no_child() {
        let too_young = Misfit::ChildTooYoung { age: 17, min_child_age: 18 };
        assert_eq!(misfits(ChildRules::ADULTS_ONLY, "2-17"), [too_young]);
        assert_eq!(misfits(ChildRules::ADULTS_ONLY, "2"), []);
    }

    #[test]
    fn children_are_priced_as_adults_only_without_age_bands() {
        use super::super::AgeBand;

        let without = ChildRules::default();
        assert!(without.prices_children_as_adults(&"2-7".parse().unwrap()));
        assert!(!without.prices_children_as_adults(&"2".parse().unwrap()));
        let bands = vec![AgeBand { code: "CHILD".to_owned(), min_age: 0, max_age: 11 }];
        let with = ChildRules { age_bands: AgeBands::new(bands).unwrap(), min_child_age: 0 };
        assert!(!with.prices_children_as_adults(&"2-7".parse().unwrap()));
    }
}
