//! The addresses of the error pages, `docs/errors/<REASON>.md`, for `google.rpc.Help`.

use std::{convert::Infallible, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Reason;

/// What an address may contain in place of the reason.
const REASON: &str = "{reason}";

/// Where the pages of `docs/errors` are published: an address with `{reason}`, or a base address to which `/` and the reason
/// are appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorPages(Arc<str>);

impl ErrorPages {
    /// Description of the link in `google.rpc.Help`.
    pub const DESCRIPTION: &'static str = "what this error means and what to do";

    /// The address of the page of a reason: `https://docs.example/errors/INVALID_FIELD`.
    pub fn of(&self, reason: Reason) -> String {
        if self.0.contains(REASON) {
            return self.0.replace(REASON, reason.as_str());
        }
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
    fn page_address_has_the_reason_in_its_place() {
        let Ok(pages) = "https://code.example/docs/errors/{reason}.md".parse::<ErrorPages>();
        assert_eq!(pages.of(Reason::InvalidField), "https://code.example/docs/errors/INVALID_FIELD.md");
    }

    #[test]
    fn page_address_has_one_slash_before_the_reason() {
        for base in ["https://docs.example/errors", "https://docs.example/errors/"] {
            let Ok(pages) = base.parse::<ErrorPages>();
            assert_eq!(pages.of(Reason::InvalidField), "https://docs.example/errors/INVALID_FIELD");
        }
    }
}
