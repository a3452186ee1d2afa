//! Update masks: the set of fields that an update changes.

use prost_types::FieldMask;
use staymesh_domain::FieldError;

/// The fields that an update changes: those named in its `update_mask`, or all changeable ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask(Option<Vec<&'static str>>);

impl Mask {
    /// Every changeable field.
    pub(super) const ALL: Self = Self(None);

    /// Parses a mask. Its paths must be among `changeable`, spelled as in the contract (`display_name`) or in its JSON
    /// (`displayName`). An empty mask and `*` alone mean every field.
    ///
    /// # Errors
    /// Names `update_mask` when a path is unknown or its field cannot change.
    pub(super) fn parse(mask: Option<&FieldMask>, changeable: &[&'static str]) -> Result<Self, FieldError> {
        let paths = match mask.map_or(&[][..], |mask| &mask.paths) {
            [] => return Ok(Self::ALL),
            [all] if all == "*" => return Ok(Self::ALL),
            paths => paths,
        };
        let mut covered = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            let path = snake_case(path);
            let Some(known) = changeable.iter().find(|known| **known == path) else {
                let changeable = changeable.join(", ");
                let description = format!("paths[{index}] names no field that can change; these can: {changeable}");
                return Err(FieldError::new("update_mask", description));
            };
            if !covered.contains(known) {
                covered.push(known);
            }
        }
        Ok(Self(Some(covered)))
    }

    /// Whether the update changes the field at this path: `address` covers `address.city`, and `beds` `beds[0].count`.
    pub(super) fn covers(&self, path: &str) -> bool {
        let below = |parent: &str| {
            path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0.as_ref().is_none_or(|paths| paths.iter().any(|parent| below(parent)))
    }

    /// `value` if the mask covers `path`.
    pub(super) fn pick<T>(&self, path: &str, value: T) -> Option<T> {
        self.covers(path).then_some(value)
    }
}

/// `displayName` as `display_name`.
fn snake_case(path: &str) -> String {
    let mut snake = String::with_capacity(path.len() + 4);
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGEABLE: &[&str] = &["display_name", "address", "address.city", "beds"];

    fn parse(paths: &[&str]) -> Result<Mask, FieldError> {
        let mask = FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
        Mask::parse(Some(&mask), CHANGEABLE)
    }

    #[test]
    fn missing_or_empty_mask_covers_every_field() {
        for mask in [Mask::parse(None, CHANGEABLE), parse(&[]), parse(&["*"])] {
            assert_eq!(mask, Ok(Mask::ALL));
        }
        assert!(Mask::ALL.covers("any.path"));
    }

    #[test]
    fn paths_in_snake_and_camel_case_name_the_same_field() {
        assert_eq!(parse(&["displayName", "display_name"]), parse(&["display_name"]));
    }

    #[test]
    fn path_of_a_message_covers_its_fields_only() {
        let mask = parse(&["address", "beds"]).unwrap();
        for path in ["address", "address.city", "address.street", "beds[0].count"] {
            assert!(mask.covers(path), "{path}");
        }
        for path in ["display_name", "addressee", "bedstead"] {
            assert!(!mask.covers(path), "{path}");
        }
        assert!(!parse(&["address.city"]).unwrap().covers("address.street"));
        assert!(!parse(&["address.city"]).unwrap().covers("address"));
    }

    #[test]
    fn unknown_and_immutable_paths_are_refused() {
        for path in ["", "hotel_id", "etag", "currency_code", "address.planet", "*", "display_name ", "ädresse"] {
            let error = parse(&["display_name", path]).unwrap_err();
            assert_eq!(error.field, "update_mask", "{path}");
            assert!(error.description.starts_with("paths[1]"), "{error}");
        }
    }
}
