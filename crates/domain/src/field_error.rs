//! What every refused value turns into before it leaves a service.

/// A request field and what is wrong with it, ready to become a `google.rpc.BadRequest.FieldViolation`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {description}")]
pub struct FieldError {
    /// Path of the field in the request, in the contract's own spelling, such as `stay.check_in` or `rooms[2].name`.
    pub field: String,
    /// One sentence for the caller; says what is allowed.
    pub description: String,
}

impl FieldError {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }

    /// The same violation seen from the message that holds the field: `check_in` under `stay` is `stay.check_in`.
    #[must_use]
    pub fn under(self, parent: &str) -> Self {
        Self { field: format!("{parent}.{}", self.field), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_fields_get_their_path() {
        let error = FieldError::new("check_in", "must be a date").under("stay").under("items[3]");
        assert_eq!(error.to_string(), "items[3].stay.check_in: must be a date");
    }
}
