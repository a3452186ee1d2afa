//! All violations of a request, collected so that the caller gets them in one response.

use crate::FieldError;

/// Collects the violations of a request, at most [`Self::MAX`]: a hostile request could be invalid in a million places.
///
/// ```
/// use staymesh_domain::{FieldErrors, HotelId};
///
/// let mut errors = FieldErrors::default();
/// let hotel_id = errors.value(HotelId::try_from(0));
/// errors.range("rooms", 51, 1, 50);
/// assert_eq!(hotel_id, None);
/// let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
/// assert_eq!(fields, ["hotel_id", "rooms"]);
/// ```
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// The largest number of violations; further ones are dropped.
    pub const MAX: usize = 50;

    /// Adds a violation.
    pub fn push(&mut self, error: impl Into<FieldError>) {
        if self.0.len() < Self::MAX {
            self.0.push(error.into());
        }
    }

    /// Adds a violation of `field` unless the condition holds.
    pub fn holds(&mut self, holds: bool, field: impl Into<String>, description: impl Into<String>) {
        if !holds {
            self.push(FieldError::new(field, description));
        }
    }

    /// Adds a violation unless the number is from `min` to `max`, both inclusive.
    pub fn range(&mut self, field: impl Into<String>, value: i32, min: i32, max: i32) {
        self.holds((min..=max).contains(&value), field, format!("must be from {min} to {max}, not {value}"));
    }

    /// The value of a parsed field; on an error adds the violation and returns `None`.
    pub fn value<T>(&mut self, result: Result<T, impl Into<FieldError>>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// `Ok` without violations.
    ///
    /// # Errors
    /// The violations, if there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Whether there are no violations.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for FieldErrors {
    type Item = FieldError;
    type IntoIter = std::vec::IntoIter<FieldError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HotelId;

    fn shown(errors: FieldErrors) -> Vec<String> {
        errors.into_iter().map(|error| error.to_string()).collect()
    }

    #[test]
    fn valid_fields_add_no_violation() {
        let mut errors = FieldErrors::default();
        errors.holds(true, "name", "must be there");
        errors.range("floor", -10, -10, 200);
        errors.range("floor", 200, -10, 200);
        assert_eq!(errors.value(HotelId::try_from(1)), HotelId::try_from(1).ok());
        assert!(errors.is_empty());
    }

    #[test]
    fn violations_keep_their_order() {
        let mut errors = FieldErrors::default();
        errors.holds(false, "name", "is required");
        assert_eq!(errors.value(HotelId::try_from(-1)), None);
        errors.range("floor", 201, -10, 200);
        assert!(!errors.is_empty());
        let expected =
            ["name: is required", "hotel_id: must be positive, not -1", "floor: must be from -10 to 200, not 201"];
        assert_eq!(shown(errors), expected);
    }

    #[test]
    fn number_of_violations_is_bounded() {
        let mut errors = FieldErrors::default();
        for index in 0..1_000_000 {
            errors.range("x", index, -1, -1);
        }
        assert_eq!(shown(errors).len(), FieldErrors::MAX);
    }
}
