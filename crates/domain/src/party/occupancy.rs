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
}

/// An [`Occupancy`] that contradicts itself, with all violations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the occupancy of the room type is not possible")]
pub struct OccupancyError(pub FieldErrors);

impl Occupancy {
    /// The most people in one room.
    pub const MAX: i32 = 20;

    /// This occupancy, if it is possible.
    ///
    /// # Errors
    /// Violations of `base_occupancy`, `max_occupancy`, `max_adults`, `max_children` and `max_infants`.
    pub fn validated(self) -> Result<Self, OccupancyError> {
        let mut errors = FieldErrors::default();
        errors.range("max_occupancy", self.max_occupancy, 1, Self::MAX);
        let in_room = self.max_occupancy.clamp(1, Self::MAX);
        errors.range("max_adults", self.max_adults, 1, in_room);
        errors.range("base_occupancy", self.base, 1, self.max_adults.clamp(1, in_room));
        errors.range("max_children", self.max_children, 0, in_room);
        errors.range("max_infants", self.max_infants, 0, Self::MAX);
        errors.into_result().map_err(OccupancyError)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_occupancy_names_every_wrong_field() {
        let occupancy = Occupancy { base: 4, max_occupancy: 2, max_adults: 3, max_children: -1, max_infants: 21 };
        let OccupancyError(errors) = occupancy.validated().unwrap_err();
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["max_adults", "base_occupancy", "max_children", "max_infants"]);
    }

    #[test]
    fn occupancy_at_its_limits_is_possible() {
        let single = Occupancy { base: 1, max_occupancy: 1, max_adults: 1, max_children: 0, max_infants: 0 };
        assert_eq!(single.validated(), Ok(single));
        let hall = Occupancy { base: 20, max_occupancy: 20, max_adults: 20, max_children: 20, max_infants: 20 };
        assert_eq!(hall.validated(), Ok(hall));
    }
}
