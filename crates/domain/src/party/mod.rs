//! Parties: who sleeps in a room, and whether they fit into a room type.
//!
//! A request names, for each room, the adults and the ages of the children. The hotel's [`AgeBands`] say which children
//! count as infants, as children, or as adults; the room type's [`Occupancy`] says how many of each it sleeps. Together with
//! the youngest age that the hotel accepts they are its [`ChildRules`].

mod age_bands;
mod child_rules;
mod fit;
mod occupancy;
mod parties;

pub use age_bands::{AgeBand, AgeBands, Heads};
pub use child_rules::ChildRules;
pub use fit::Misfit;
pub use occupancy::{Occupancy, OccupancyError};
pub use parties::{Parties, PartiesError};

use std::fmt;
use std::str::FromStr;

use crate::FieldErrors;

/// Who sleeps in one room: 1 to [`Self::MAX_ADULTS`] adults and at most [`Self::MAX_CHILDREN`] children, whose ages are in
/// whole years on the day of check-in.
///
/// Its text is `2-9,4`: two adults, and children of nine and four years.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Party {
    adults: i32,
    child_ages: Vec<i32>,
}

/// A text that is no [`Party`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be adults and ages of children, such as 2 or 2-9,4: 1 to {} adults and at most {} children of 0 to {} years",
    Party::MAX_ADULTS,
    Party::MAX_CHILDREN,
    Party::MAX_CHILD_AGE
)]
pub struct PartyFormatError;

impl Party {
    /// The most adults in one room.
    pub const MAX_ADULTS: i32 = 20;
    /// The most children in one room.
    pub const MAX_CHILDREN: i32 = 10;
    /// The greatest age of a child, in years: the last one before full age.
    pub const MAX_CHILD_AGE: i32 = 17;

    /// A party for one room.
    ///
    /// # Errors
    /// Violations of `adults`, `child_ages` and `child_ages[i]`.
    pub fn new(adults: i32, child_ages: Vec<i32>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        errors.range("adults", adults, 1, Self::MAX_ADULTS);
        let max = Self::MAX_CHILDREN;
        let few = i32::try_from(child_ages.len()).is_ok_and(|count| count <= max);
        errors.holds(few, "child_ages", format!("must have at most {max} entries"));
        for (i, age) in child_ages.iter().enumerate() {
            errors.range(format!("child_ages[{i}]"), *age, 0, Self::MAX_CHILD_AGE);
        }
        errors.into_result()?;
        Ok(Self { adults, child_ages })
    }

    /// The number of adults.
    pub const fn adults(&self) -> i32 {
        self.adults
    }

    /// The number of people, children included.
    pub fn guests(&self) -> i32 {
        self.child_ages.iter().fold(self.adults, |guests, _| guests + 1)
    }

    /// The ages of the children on the day of check-in, in years, in the order in which they were given.
    pub fn child_ages(&self) -> &[i32] {
        &self.child_ages
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.adults)?;
        for (i, age) in self.child_ages.iter().enumerate() {
            write!(f, "{}{age}", if i == 0 { '-' } else { ',' })?;
        }
        Ok(())
    }
}

impl FromStr for Party {
    type Err = PartyFormatError;

    fn from_str(text: &str) -> Result<Self, PartyFormatError> {
        let (adults, ages) = text.split_once('-').map_or((text, None), |(adults, ages)| (adults, Some(ages)));
        let child_ages = match ages {
            Some(ages) => ages.split(',').map(number).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Self::new(number(adults)?, child_ages).map_err(|_| PartyFormatError)
    }
}

/// One or two decimal digits; neither a sign nor blanks.
fn number(digits: &str) -> Result<i32, PartyFormatError> {
    let valid = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if valid { digits.parse().map_err(|_| PartyFormatError) } else { Err(PartyFormatError) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn party_out_of_range_names_every_wrong_field() {
        let errors = Party::new(0, vec![3, 18, -1]).unwrap_err();
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["adults", "child_ages[1]", "child_ages[2]"]);
        let errors = Party::new(2, vec![5; 11]).unwrap_err();
        assert_eq!(errors.into_iter().next().unwrap().field, "child_ages");
    }

    #[test]
    fn party_text_without_its_form_is_refused() {
        for text in ["", "0", "21", "2-", "-9", "2-9,", "2-9,18", "2 -9", "+2", "2-9-4", "2,9", "002"] {
            assert_eq!(text.parse::<Party>(), Err(PartyFormatError), "{text:?}");
        }
        assert_eq!("2-9,4".parse(), Ok(Party { adults: 2, child_ages: vec![9, 4] }));
    }

    proptest! {
        #[test]
        fn party_text_reads_back(adults in 1..=20, child_ages in prop::collection::vec(0..=17, 0..=10)) {
            let party = Party::new(adults, child_ages).unwrap();
            prop_assert_eq!(party.to_string().parse(), Ok(party));
        }
    }
}
