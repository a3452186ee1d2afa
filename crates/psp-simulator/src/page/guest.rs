//! The language in which a guest reads the page: the link's `language`, or else what the browser prefers.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{header::ACCEPT_LANGUAGE, request::Parts},
};
use staymesh_domain::Language;
use url::form_urlencoded;

use super::texts::Texts;

/// Query parameter with the code of a language.
const PARAMETER: &str = "language";

/// Who reads the page.
#[derive(Clone, Copy)]
pub(super) struct Guest {
    pub(super) language: Language,
    /// Whether the guest chose it, so that the next page must keep it.
    chosen: bool,
}

impl Guest {
    pub(super) const fn texts(self) -> &'static Texts {
        Texts::of(self.language)
    }

    /// The path of a next page, which has the chosen language too.
    pub(super) fn address(self, path: &str) -> String {
        if self.chosen { in_language(path, self.language) } else { path.to_owned() }
    }
}

/// The path of the page in this language.
pub(super) fn in_language(path: &str, language: Language) -> String {
    format!("{path}?{PARAMETER}={}", language.code())
}

impl<S: Sync> FromRequestParts<S> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == PARAMETER);
        // A language that is not there is no reason to show no page.
        let chosen = named.and_then(|(_, code)| code.parse().ok());
        let accepted = || Language::preferred(parts.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
        let language = chosen.or_else(accepted).unwrap_or_default();
        Ok(Self { language, chosen: chosen.is_some() })
    }
}
