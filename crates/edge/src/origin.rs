//! [`Origin`]: a site whose pages may call the public gateway.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An origin (RFC 6454): scheme, host and optional port, as browsers send it in the header `origin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin, for example https://booking.example or http://localhost:3000")]
pub struct OriginError(String);

impl Origin {
    /// As in the header `origin`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

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
