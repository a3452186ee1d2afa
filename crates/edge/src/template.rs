//! Path templates of `google.api.http` as regular expressions in RE2 syntax.

/// An expression that matches exactly the paths of these templates; `None` without templates.
pub(crate) fn any_of<'a>(templates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut expressions: Vec<String> = templates.into_iter().map(expression).collect();
    expressions.sort();
    expressions.dedup();
    // The transcoder ignores a trailing slash.
    (!expressions.is_empty()).then(|| format!("(?:{})/?", expressions.join("|")))
}

/// The expression of one template: literals escaped, a variable as one segment or as its own pattern.
pub(crate) fn expression(template: &str) -> String {
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

/// Escapes literals and expands `*` (one segment) and `**` (any path). A segment ends at a colon as well: an id has none,
/// and `/v1/payments/{payment_id}` must not take the path of `/v1/payments/{payment_id}:refund`.
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
            '*' => result.push_str("[^/:]+"),
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
    #[case("/v1/hotels/{hotel_id}", "/v1/hotels/[^/:]+")]
    #[case("/v1/payments/{payment_id}:refund", "/v1/payments/[^/:]+:refund")]
    #[case("/v1/reservations:prepare", "/v1/reservations:prepare")]
    #[case("/.well-known/jwks.json", r"/\.well-known/jwks\.json")]
    #[case("/v1/{name=hotels/*/rooms/*}", "/v1/hotels/[^/:]+/rooms/[^/:]+")]
    #[case("/v1/{path=**}:read", "/v1/.*:read")]
    fn expression_of_template(#[case] template: &str, #[case] expected: &str) {
        assert_eq!(expression(template), expected);
    }
}
