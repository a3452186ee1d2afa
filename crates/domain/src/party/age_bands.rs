//! Age bands of a hotel: which children count as infants, as children, or as adults.

use serde::{Deserialize, Serialize};

use super::Party;
use crate::FieldErrors;

/// One age band: the ages from the end of the band before it to `max_age`. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeBand {
    /// Name of the band for prices and charges, such as `INFANT` or `JUNIOR`: 1 to 16 of `A-Z`, `0-9` and `_`, first a
    /// letter; unique in the hotel. Children of the band [`AgeBands::INFANT`] sleep in cots.
    pub code: String,
    /// The first age of the band, in whole years.
    pub min_age: i32,
    /// The last age of the band, in whole years, inclusive; at most [`Party::MAX_CHILD_AGE`].
    pub max_age: i32,
}

/// Why age bands are invalid; each belongs to the band at an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum AgeBandError {
    /// Not a code.
    #[error("must be 1 to 16 of A-Z, 0-9 and _, beginning with a letter")]
    Code,
    /// Two bands with one code.
    #[error("must be unique in the hotel")]
    CodeTaken,
    /// The infants are not the youngest.
    #[error("can be INFANT in the first band only")]
    InfantNotFirst,
    /// A gap, an overlap, or a first band that does not begin at 0.
    #[error("must follow the max_age of the band before, or be 0 in the first band")]
    NotAdjacent,
    /// Ends before it begins, or after the age of children.
    #[error("must be from min_age to {}", Party::MAX_CHILD_AGE)]
    MaxAge,
}

impl AgeBandError {
    const fn field(self) -> &'static str {
        match self {
            Self::Code | Self::CodeTaken | Self::InfantNotFirst => "code",
            Self::NotAdjacent => "min_age",
            Self::MaxAge => "max_age",
        }
    }
}

/// The people of a party as the hotel's age bands count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Adults, and children older than every band.
    pub adults: i32,
    /// Children of a band other than [`AgeBands::INFANT`].
    pub children: i32,
    /// Children of the band [`AgeBands::INFANT`].
    pub infants: i32,
}

/// The age bands of a hotel: at most [`Self::MAX`], from age 0, without a gap or an overlap. Who is older than the last band
/// is an adult; without bands every child is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgeBands(Vec<AgeBand>);

impl AgeBands {
    /// The most bands of a hotel.
    pub const MAX: usize = 4;
    /// The code of the band whose children sleep in cots.
    pub const INFANT: &'static str = "INFANT";

    /// The bands, youngest first.
    ///
    /// # Errors
    /// Violations of `age_bands` and of `age_bands[i].code`, `.min_age` and `.max_age`.
    pub fn new(bands: Vec<AgeBand>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        errors.holds(bands.len() <= Self::MAX, "age_bands", format!("must have at most {} entries", Self::MAX));
        // Bands beyond the most there may be are not judged: a hostile request may have a million.
        for (i, band) in bands.iter().enumerate().take(Self::MAX) {
            for error in violations(&bands[..i], band) {
                errors.holds(false, format!("age_bands[{i}].{}", error.field()), error.to_string());
            }
        }
        errors.into_result()?;
        Ok(Self(bands))
    }

    /// The bands, youngest first.
    pub fn bands(&self) -> &[AgeBand] {
        &self.0
    }

    /// The band of a child of this age; `None` for a child that counts as an adult.
    pub fn of_age(&self, age: i32) -> Option<&AgeBand> {
        self.0.iter().find(|band| age <= band.max_age)
    }

    /// The people of the party, counted by age.
    pub fn count(&self, party: &Party) -> Heads {
        let mut heads = Heads { adults: party.adults(), children: 0, infants: 0 };
        for age in party.child_ages() {
            match self.of_age(*age) {
                None => heads.adults += 1,
                Some(band) if band.code == Self::INFANT => heads.infants += 1,
                Some(_) => heads.children += 1,
            }
        }
        heads
    }
}

fn violations(younger: &[AgeBand], band: &AgeBand) -> Vec<AgeBandError> {
    let begins_at = younger.last().map_or(0, |before| before.max_age.saturating_add(1));
    let code_taken = younger.iter().any(|other| other.code == band.code);
    [
        (is_code(&band.code), AgeBandError::Code),
        (!code_taken, AgeBandError::CodeTaken),
        (band.code != AgeBands::INFANT || younger.is_empty(), AgeBandError::InfantNotFirst),
        (band.min_age == begins_at, AgeBandError::NotAdjacent),
        ((band.min_age..=Party::MAX_CHILD_AGE).contains(&band.max_age), AgeBandError::MaxAge),
    ]
    .into_iter()
    .filter_map(|(holds, error)| (!holds).then_some(error))
    .collect()
}

fn is_code(code: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    code.len() <= 16 && code.starts_with(|first: char| first.is_ascii_uppercase()) && code.bytes().all(valid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn band(code: &str, min_age: i32, max_age: i32) -> AgeBand {
        AgeBand { code: code.to_owned(), min_age, max_age }
    }

    fn first_violation(bands: Vec<AgeBand>) -> String {
        AgeBands::new(bands).unwrap_err().into_iter().next().unwrap().field
    }

    #[rstest]
    #[case::gap(vec![band("INFANT", 0, 2), band("CHILD", 4, 11)], "age_bands[1].min_age")]
    #[case::overlap(vec![band("INFANT", 0, 2), band("CHILD", 2, 11)], "age_bands[1].min_age")]
    #[case::first_band_after_0(vec![band("CHILD", 3, 11)], "age_bands[0].min_age")]
    #[case::ends_before_it_begins(vec![band("INFANT", 0, -1)], "age_bands[0].max_age")]
    #[case::beyond_childhood(vec![band("CHILD", 0, 18)], "age_bands[0].max_age")]
    #[case::infants_older_than_children(vec![band("CHILD", 0, 2), band("INFANT", 3, 4)], "age_bands[1].code")]
    #[case::code_twice(vec![band("A", 0, 2), band("A", 3, 4)], "age_bands[1].code")]
    #[case::small_letters(vec![band("child", 0, 2)], "age_bands[0].code")]
    #[case::five(
        vec![band("A", 0, 1), band("B", 2, 3), band("C", 4, 5), band("D", 6, 7), band("E", 8, 9)],
        "age_bands"
    )]
    fn age_bands_with_a_fault_name_its_field(#[case] bands: Vec<AgeBand>, #[case] field: &str) {
        assert_eq!(first_violation(bands), field);
    }

    #[test]
    fn child_of_max_age_belongs_to_the_band_and_a_year_later_to_the_next() {
        let bands = AgeBands::new(vec![band("INFANT", 0, 2), band("CHILD", 3, 11)]).unwrap();
        let code = |age| bands.of_age(age).map(|band| band.code.as_str());
        assert_eq!([0, 2, 3, 11, 12].map(code), [Some("INFANT"), Some("INFANT"), Some("CHILD"), Some("CHILD"), None]);
    }

    #[test]
    fn child_without_bands_is_an_adult() {
        let party = Party::new(2, vec![0, 9]).unwrap();
        assert_eq!(AgeBands::default().count(&party), Heads { adults: 4, children: 0, infants: 0 });
    }

    proptest! {
        #[test]
        fn person_of_any_age_is_counted_once(
            adults in 1..=20, ages in prop::collection::vec(0..=17, 0..=10), cut in 0..=10, end in 11..=17,
        ) {
            let bands = AgeBands::new(vec![band("INFANT", 0, cut), band("CHILD", cut + 1, end)]).unwrap();
            let party = Party::new(adults, ages.clone()).unwrap();
            let heads = bands.count(&party);
            prop_assert_eq!(heads.adults + heads.children + heads.infants, adults + i32::try_from(ages.len()).unwrap());
        }
    }
}
