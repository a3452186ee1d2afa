//! Path templates of `google.api.http` as regular expressions in the syntax of RE2.

use crate::contract::Binding;

/// An expression that matches the paths of any of these templates, and nothing else; `None` when there are none.
pub(crate) fn any_of<'a>(bindings: impl IntoIterator<Item = &'a Binding>) -> Option<String> {
    let mut expressions: Vec<String> = bindings.into_iter().map(|binding| expression(&binding.template)).collect();
    expressions.sort();
    expressions.dedup();
    // The transcoder takes a path with a slash at its end as the one without.
    (!expressions.is_empty()).then(|| format!("(?:{})/?", expressions.join("|")))
}

/// The fields that a template takes out of the path.
pub(crate) fn variables(template: &str) -> impl Iterator<Item = &str> {
    let inside = template.split('{').skip(1).filter_map(|part| part.split('}').next());
    inside.map(|variable| variable.split_once('=').map_or(variable, |(name, _)| name))
}

/// One template: literals as they are, a variable as one segment or as its own pattern.
fn expression(template: &str) -> String {
    let mut result = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        result.push_str(&pattern(&rest[..start]));
        let end = rest[start..].find('}').map_or(rest.len(), |at| start + at);
        let variable = &rest[start + 1..end];
        result.push_str(&pattern(variable.split_once('=').map_or("*", |(_, pattern)| pattern)));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    result.push_str(&pattern(rest));
    result
}

/// Literals and stars.
fn pattern(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**") {
            result.push_str(".*");
            rest = after;
            continue;
        }
        match first {
            '*' => result.push_str("[^/]+"),
            c if c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | ':') => result.push(c),
            c => result.extend(['\\', c]),
        }
        rest = &rest[first.len_utf8()..];
    }
    result
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/v1/hotels", "/v1/hotels")]
    #[case("/v1/hotels/{hotel_id}", "/v1/hotels/[^/]+")]
    #[case("/v1/payments/{payment_id}:refund", "/v1/payments/[^/]+:refund")]
    #[case("/v1/reservations:prepare", "/v1/reservations:prepare")]
    #[case("/.well-known/jwks.json", r"/\.well-known/jwks\.json")]
    #[case("/v1/{name=hotels/*/rooms/*}", "/v1/hotels/[^/]+/rooms/[^/]+")]
    #[case("/v1/{path=**}:read", "/v1/.*:read")]
    fn a_template_becomes_an_expression(#[case] template: &str, #[case] expected: &str) {
        assert_eq!(expression(template), expected);
    }

    #[rstest]
    #[case("/v1/hotels", &[])]
    #[case("/v1/hotels/{hotel_id}/rooms/{room.room_id}:read", &["hotel_id", "room.room_id"])]
    #[case("/v1/{name=hotels/*/rooms/*}", &["name"])]
    fn its_variables_are_known(#[case] template: &str, #[case] expected: &[&str]) {
        assert_eq!(variables(template).collect::<Vec<_>>(), expected);
    }
}
