//! A violation of one request field, the common form of all validation errors.

/// A request field with the reason why it is invalid; becomes a `google.rpc.BadRequest.FieldViolation`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {description}")]
pub struct FieldError {
    /// Path of the field in the request, in the contract's spelling: `stay.check_in`, `rooms[2].name`.
    pub field: String,
    /// What is allowed, as the predicate of a sentence about the field: `must be from 1 to 50`.
    pub description: String,
}

impl FieldError {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }

    /// The same violation with the path of the enclosing message: `check_in` under `stay` is `stay.check_in`.
    #[must_use]
    pub fn under(self, parent: &str) -> Self {
        Self { field: format!("{parent}.{}", self.field), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_prepends_the_parent_path() {
        let error = FieldError::new("check_in", "must be a date").under("stay").under("items[3]");
        assert_eq!(error.to_string(), "items[3].stay.check_in: must be a date");
    }
}
