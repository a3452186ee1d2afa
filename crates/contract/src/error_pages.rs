//! The addresses of the error pages, `docs/errors/<REASON>.md`, for `google.rpc.Help`.

use std::{convert::Infallible, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Reason;

/// Where the pages of `docs/errors` are published: the base address to which `/` and a reason are appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorPages(Arc<str>);

impl ErrorPages {
    /// Description of the link in `google.rpc.Help`.
    pub const DESCRIPTION: &'static str = "what this error means and what to do";

    /// The address of the page of a reason: `https://docs.example/errors/INVALID_FIELD`.
    pub fn of(&self, reason: Reason) -> String {
        format!("{}/{}", self.0, reason.as_str())
    }
}

impl FromStr for ErrorPages {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

impl fmt::Display for ErrorPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_address_has_one_slash_before_the_reason() {
        for base in ["https://docs.example/errors", "https://docs.example/errors/"] {
            let Ok(pages) = base.parse::<ErrorPages>();
            assert_eq!(pages.of(Reason::InvalidField), "https://docs.example/errors/INVALID_FIELD");
        }
    }
}
