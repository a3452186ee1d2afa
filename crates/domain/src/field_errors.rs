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

    /// The value of a parsed message; adds every violation of it and returns `None` if there are any.
    pub fn all<T>(&mut self, result: Result<T, Self>) -> Option<T> {
        let errors = match result {
            Ok(value) => return Some(value),
            Err(errors) => errors,
        };
        errors.into_iter().for_each(|error| self.push(error));
        None
    }

    /// Adds the violations of a message in the field `parent`.
    pub fn extend_under(&mut self, parent: &str, errors: Self) {
        for error in errors {
            self.push(error.under(parent));
        }
    }

    /// `Ok` without violations.
    ///
    /// # Errors
    /// The violations, if there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The values that were parsed, if there are no violations.
    ///
    /// # Errors
    /// The violations. A value that is absent without one is a defect of the parser; it is reported as a violation of
    /// `request`, so that it cannot pass for a value.
    pub fn complete<T>(mut self, parsed: Option<T>) -> Result<T, Self> {
        match parsed {
            Some(parsed) if self.is_empty() => Ok(parsed),
            None if self.is_empty() => {
                self.push(FieldError::new("request", "could not be read"));
                Err(self)
            }
            _ => Err(self),
        }
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
    use crate::{DateRange, HotelId, Page, StayDates};

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
    fn dates_and_pages_add_each_wrong_field() {
        let mut errors = FieldErrors::default();
        assert_eq!(StayDates::collect(&mut errors, "x", "2030-02-30"), None);
        assert_eq!(DateRange::collect(&mut errors, "", "y"), None);
        assert_eq!(Page::<i32>::collect(&mut errors, -1, "z", &[]), None);
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["check_in", "check_out", "from_date", "until_date", "page_size", "page_token"]);

        let mut errors = FieldErrors::default();
        assert_eq!(StayDates::collect(&mut errors, "2030-01-02", "2030-01-02"), None);
        assert_eq!(DateRange::collect(&mut errors, "2030-01-02", "2030-01-01"), None);
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["check_out", "until_date"]);

        let mut errors = FieldErrors::default();
        assert!(StayDates::collect(&mut errors, "2030-01-01", "2030-01-02").is_some());
        assert!(DateRange::collect(&mut errors, "2030-01-01", "2030-01-02").is_some());
        assert!(Page::<i32>::collect(&mut errors, 0, "", &[]).is_some() && errors.is_empty());
    }

    #[test]
    fn complete_returns_the_values_only_without_violations() {
        assert_eq!(FieldErrors::default().complete(Some(1)), Ok(1));
        let mut errors = FieldErrors::default();
        errors.holds(false, "name", "is required");
        assert_eq!(errors.clone().complete(Some(1)), Err(errors.clone()));
        assert_eq!(errors.clone().complete::<i32>(None), Err(errors));
        let defect = FieldErrors::default().complete::<i32>(None).unwrap_err();
        assert_eq!(shown(defect), ["request: could not be read"]);
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
