//! Request ids: UUIDs chosen by callers that make a repeated request idempotent (AIP-155).

use uuid::Uuid;

use crate::{FieldError, ids::parse_uuid};

const FIELD: &str = "request_id";

/// Parses a request id. The nil and the max UUID are refused: callers that send a constant would get the responses of each
/// other.
///
/// # Errors
/// A violation of `request_id`.
pub fn parse_request_id(text: &str) -> Result<Uuid, FieldError> {
    let id = parse_uuid(text, FIELD).ok().filter(|id| !id.is_nil() && !id.is_max());
    id.ok_or_else(|| FieldError::new(FIELD, "must be a random UUID such as 3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e0f"))
}

/// As [`parse_request_id`] for an optional field: `None` if empty.
///
/// # Errors
/// A violation of `request_id`.
pub fn parse_optional_request_id(text: &str) -> Result<Option<Uuid>, FieldError> {
    if text.is_empty() { Ok(None) } else { parse_request_id(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn request_id_has_one_spelling_and_is_not_constant() {
        let good = "3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e0f";
        let (braced, short) = (format!("{{{good}}}"), good.replace('-', ""));
        for text in [
            &*braced,
            &short,
            &format!("urn:uuid:{good}"),
            &good[1..],
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e\0\0",
            " ",
        ] {
            assert_eq!(parse_request_id(text).unwrap_err().field, "request_id", "{text}");
            assert_eq!(parse_optional_request_id(text).unwrap_err().field, "request_id", "{text}");
        }
        assert!(parse_request_id("").is_err());
        assert_eq!(parse_optional_request_id(""), Ok(None));
    }

    proptest! {
        #[test]
        fn request_ids_round_trip(id in 1..u128::MAX) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(parse_request_id(&id.to_string()), Ok(id));
            prop_assert_eq!(parse_optional_request_id(&id.to_string()), Ok(Some(id)));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = parse_optional_request_id(&text);
        }
    }
}
