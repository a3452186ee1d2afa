//! Path templates of `google.api.http`, such as `/v1/hotels/{hotel_id}` or `/v1/{name=hotels/*}`.

/// The field paths that a template binds, in order: `hotel_id`, `room.room_id`.
pub fn variables(template: &str) -> impl Iterator<Item = &str> {
    let inside = template.split('{').skip(1).filter_map(|part| part.split('}').next());
    inside.map(|variable| variable.split_once('=').map_or(variable, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/v1/hotels", &[])]
    #[case("/v1/hotels/{hotel_id}/rooms/{room.room_id}:read", &["hotel_id", "room.room_id"])]
    #[case("/v1/{name=hotels/*/rooms/*}", &["name"])]
    fn variables_lists_field_paths_without_patterns(#[case] template: &str, #[case] expected: &[&str]) {
        assert_eq!(variables(template).collect::<Vec<_>>(), expected);
    }
}
