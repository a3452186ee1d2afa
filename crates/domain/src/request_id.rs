//! The ids by which a request that comes again is known.

use uuid::Uuid;

use crate::{FieldError, ids::parse_uuid};

const FIELD: &str = "request_id";

/// Reads the UUID that a caller chose at random for a request. The nil UUID and its like are refused: callers who take
/// a fixed id would get each other's answers.
///
/// # Errors
/// Names `request_id`.
pub fn parse_request_id(text: &str) -> Result<Uuid, FieldError> {
    let id = parse_uuid(text, FIELD).ok().filter(|id| !id.is_nil() && !id.is_max());
    id.ok_or_else(|| FieldError::new(FIELD, "must be a random UUID such as 3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e0f"))
}

/// As [`parse_request_id`], where the id may be left out.
///
/// # Errors
/// Names `request_id`.
pub fn parse_optional_request_id(text: &str) -> Result<Option<Uuid>, FieldError> {
    if text.is_empty() { Ok(None) } else { parse_request_id(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_one_spelling_of_a_chosen_id_is_taken() {
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
        fn any_chosen_id_comes_back(id in 1..u128::MAX) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(parse_request_id(&id.to_string()), Ok(id));
            prop_assert_eq!(parse_optional_request_id(&id.to_string()), Ok(Some(id)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse_optional_request_id(&text);
        }
    }
}
