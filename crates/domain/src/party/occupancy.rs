//! Occupancy of a room type: how many people of each kind it sleeps.

use crate::FieldErrors;

/// How many people one room of a type sleeps. `1 <= base <= max_adults <= max_occupancy <= MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Number of guests for whom the base price is.
    pub base: i32,
    /// The most people in all beds, extra beds included; infants in cots come on top.
    pub max_occupancy: i32,
    /// The most adults.
    pub max_adults: i32,
    /// Places that only a child can take; children may also sleep in free places of adults.
    pub max_children: i32,
    /// Cots: further infants count as children.
    pub max_infants: i32,
    /// The most extra beds that the hotel puts in, within `max_occupancy`.
    pub max_extra_beds: i32,
}

/// An [`Occupancy`] that contradicts itself, with all violations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the occupancy of the room type is not possible")]
pub struct OccupancyError(pub FieldErrors);

impl Occupancy {
    /// The most people in one room.
    pub const MAX: i32 = 20;

    /// The occupancy of a room for so many guests of any age: each place is an adult's, and the base price is for all.
    pub const fn of_adults(guests: i32) -> Self {
        Self {
            base: guests,
            max_occupancy: guests,
            max_adults: guests,
            max_children: 0,
            max_infants: 0,
            max_extra_beds: 0,
        }
    }

    /// This occupancy, if it is possible. More guests than the beds are for is possible, because sofas exist.
    ///
    /// # Errors
    /// Violations of `base_occupancy`, `max_occupancy`, `max_adults`, `max_children`, `max_infants` and
    /// `max_extra_beds`.
    pub fn validated(self) -> Result<Self, OccupancyError> {
        let mut errors = FieldErrors::default();
        errors.range("max_occupancy", self.max_occupancy, 1, Self::MAX);
        let in_room = self.max_occupancy.clamp(1, Self::MAX);
        errors.range("max_adults", self.max_adults, 1, in_room);
        errors.range("base_occupancy", self.base, 1, self.max_adults.clamp(1, in_room));
        errors.range("max_children", self.max_children, 0, in_room);
        errors.range("max_infants", self.max_infants, 0, Self::MAX);
        errors.range("max_extra_beds", self.max_extra_beds, 0, Self::MAX);
        errors.into_result().map_err(OccupancyError)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_occupancy_names_every_wrong_field() {
        let occupancy = Occupancy {
            base: 4,
            max_occupancy: 2,
            max_adults: 3,
            max_children: -1,
            max_infants: 21,
            max_extra_beds: -1,
        };
        let OccupancyError(errors) = occupancy.validated().unwrap_err();
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["max_adults", "base_occupancy", "max_children", "max_infants", "max_extra_beds"]);
    }

    #[test]
    fn occupancy_at_its_limits_is_possible() {
        let single = Occupancy::of_adults(1);
        assert_eq!(single.validated(), Ok(single));
        let hall = Occupancy { max_children: 20, max_infants: 20, max_extra_beds: 20, ..Occupancy::of_adults(20) };
        assert_eq!(hall.validated(), Ok(hall));
    }

    #[test]
    fn more_guests_than_beds_and_cots_are_possible() {
        let with_sofa = Occupancy { base: 2, max_adults: 2, max_children: 2, ..Occupancy::of_adults(4) };
        assert_eq!(with_sofa.validated(), Ok(with_sofa));
    }
}
