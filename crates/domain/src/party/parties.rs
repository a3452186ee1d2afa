//! The parties of one booking.

use super::Party;
use crate::{FieldError, GuestCount, RoomCount};

/// Who sleeps in the rooms of one booking: one party for each room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    of_rooms: Vec<Party>,
    rooms: RoomCount,
    guests: GuestCount,
}

/// A number of parties that is no booking, or that has too many guests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartiesError {
    /// No rooms, or too many.
    #[error("must be for 1 to {} rooms", RoomCount::MAX)]
    Rooms,
    /// Too many guests in all rooms together.
    #[error("must be for at most {} guests in all rooms together, not {}", GuestCount::MAX, .0)]
    Guests(i32),
}

impl PartiesError {
    /// This error, reported for the request field of this name.
    pub fn at(&self, field: impl Into<String>) -> FieldError {
        FieldError::new(field, self.to_string())
    }
}

impl Parties {
    /// [`RoomCount::MAX`] as a length.
    pub const MAX: usize = 50;

    /// The parties of 1 to [`Self::MAX`] rooms, with at most [`GuestCount::MAX`] guests.
    ///
    /// # Errors
    /// See [`PartiesError`].
    pub fn new(parties: Vec<Party>) -> Result<Self, PartiesError> {
        let rooms = i32::try_from(parties.len()).map_err(|_| PartiesError::Rooms)?;
        let rooms = RoomCount::try_from(rooms).map_err(|_| PartiesError::Rooms)?;
        let guests: i32 = parties.iter().map(Party::guests).sum();
        let guests = GuestCount::try_from(guests).map_err(|_| PartiesError::Guests(guests))?;
        Ok(Self { of_rooms: parties, rooms, guests })
    }

    /// One party for each room, in the order of the request.
    pub fn as_slice(&self) -> &[Party] {
        &self.of_rooms
    }

    /// The number of rooms.
    pub const fn rooms(&self) -> RoomCount {
        self.rooms
    }

    /// The number of guests in all rooms together, children included.
    pub const fn guests(&self) -> GuestCount {
        self.guests
    }

    /// Whether each party is one adult, who fits every room of every hotel.
    pub fn fit_everywhere(&self) -> bool {
        self.of_rooms.iter().all(|party| party.guests() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgeBands, ChildRules, Occupancy};

    fn parties(count: usize, party: &str) -> Result<Parties, PartiesError> {
        Parties::new(vec![party.parse().unwrap(); count])
    }

    #[test]
    fn parties_count_their_rooms_and_guests() {
        let family_and_couple = Parties::new(vec!["2-9,4".parse().unwrap(), "2".parse().unwrap()]).unwrap();
        assert_eq!((family_and_couple.rooms().get(), family_and_couple.guests().get()), (2, 6));
    }

    #[test]
    fn parties_are_for_1_to_50_rooms_and_at_most_200_guests() {
        assert_eq!(parties(0, "1"), Err(PartiesError::Rooms));
        assert!(parties(Parties::MAX, "4").is_ok());
        assert_eq!(parties(Parties::MAX + 1, "1"), Err(PartiesError::Rooms));
        assert_eq!(parties(50, "4-1"), Err(PartiesError::Guests(250)));
        assert_eq!(parties(51, "1").unwrap_err().at("occupancies").field, "occupancies");
    }

    #[test]
    fn single_adults_fit_the_smallest_room_of_the_strictest_hotel() {
        let rules = ChildRules { age_bands: AgeBands::default(), min_child_age: ChildRules::ADULTS_ONLY };
        let singles = parties(3, "1").unwrap();
        assert!(singles.fit_everywhere());
        assert!(singles.as_slice().iter().all(|party| rules.misfits(&Occupancy::of_adults(1), party).is_empty()));
        assert!(!parties(1, "2").unwrap().fit_everywhere());
        assert!(!parties(1, "1-0").unwrap().fit_everywhere());
    }
}
