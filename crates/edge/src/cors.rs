//! Cross-origin resource sharing: which sites' pages may call the public gateway, over REST and gRPC-Web.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{EdgeConfig, envoy::typed, listener_kind::ListenerKind};

/// Name of the filter, and key of its policy on virtual hosts.
const FILTER: &str = "envoy.filters.http.cors";

/// Headers that pages may send beside those that need no permission. Cookies are never allowed: tokens are sent in
/// `authorization`.
const REQUEST_HEADERS: &str = "authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent";
/// Headers of answers that pages may read.
const RESPONSE_HEADERS: &str = "allow, grpc-message, grpc-status, grpc-status-details-bin, retry-after, x-request-id";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// How long a browser may keep the answer to a preflight request, in seconds.
const MAX_AGE: &str = "3600";

/// An origin (RFC 6454): scheme, host and optional port, as browsers send it in the header `origin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin, for example https://booking.example or http://localhost:3000")]
pub struct OriginError(String);

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || OriginError(text.to_owned());
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(wrong)?;
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        // Browsers send names in small letters.
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        let named = !name.is_empty() && name.chars().all(is_name);
        let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if named && numbered { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The filter, if pages of any origin may call this listener. It answers preflight requests, so it is the first filter.
pub(crate) fn filter(config: &EdgeConfig, kind: ListenerKind) -> Option<Value> {
    is_on(config, kind).then(
        || json!({"name": FILTER, "typed_config": typed("envoy.extensions.filters.http.cors.v3.Cors", json!({}))}),
    )
}

/// Configuration of the virtual host, by filter.
pub(crate) fn policies(config: &EdgeConfig, kind: ListenerKind) -> Value {
    if !is_on(config, kind) {
        return json!({});
    }
    let origins: Vec<Value> = config.cors_origins.iter().map(|origin| json!({"exact": origin.0})).collect();
    json!({FILTER: typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", json!({
        "allow_origin_string_match": origins,
        "allow_methods": METHODS,
        "allow_headers": REQUEST_HEADERS,
        "expose_headers": RESPONSE_HEADERS,
        "max_age": MAX_AGE,
        "allow_credentials": false,
    }))})
}

/// The route of preflight requests that the filter answers. The filter applies to routes with an upstream only, so this one
/// names one, which gets no request.
pub(crate) fn preflight(config: &EdgeConfig, kind: ListenerKind, unreached: &Value) -> Option<Value> {
    let origins: Vec<String> = config.cors_origins.iter().map(|origin| origin.0.replace('.', r"\.")).collect();
    let header = |name: &str, expected: Value| json!({"name": name, "string_match": expected});
    is_on(config, kind).then(|| {
        json!({
            "match": {"prefix": "/", "headers": [
                header(":method", json!({"exact": "OPTIONS"})),
                header("origin", json!({"safe_regex": {"regex": origins.join("|")}})),
                {"name": "access-control-request-method", "present_match": true},
            ]},
            "route": unreached,
        })
    })
}

pub(crate) fn is_on(config: &EdgeConfig, kind: ListenerKind) -> bool {
    kind == ListenerKind::Public && !config.cors_origins.is_empty()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://booking.example")]
    #[case("http://localhost:3000")]
    fn origin_round_trips(#[case] text: &str) {
        assert_eq!(text.parse::<Origin>().map(|origin| origin.to_string()), Ok(text.to_owned()));
    }

    #[rstest]
    #[case("*")]
    #[case("booking.example")]
    #[case("https://booking.example/")]
    #[case("https://Booking.example")]
    #[case("https://booking.example:0")]
    #[case("https://*.example")]
    #[case("null")]
    fn invalid_origin_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Origin>(), Err(OriginError(text.to_owned())));
    }
}
