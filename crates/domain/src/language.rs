//! Languages of texts that guests read.

use std::str::FromStr;

use crate::FieldError;

/// A language of mails and pages, by its ISO 639-1 code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// `en`, also where the preferred language is not known.
    #[default]
    English,
    /// `pt`
    Portuguese,
    /// `de`
    German,
    /// `es`
    Spanish,
    /// `fr`
    French,
}

/// A text that names none of the languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of en, pt, de, es, fr")]
pub struct LanguageError;

impl Language {
    /// Every language.
    pub const ALL: [Self; 5] = [Self::English, Self::Portuguese, Self::German, Self::Spanish, Self::French];

    /// The ISO 639-1 code: two small letters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
        }
    }

    /// The language of a request field; empty is [`Language::default`].
    ///
    /// # Errors
    /// [`LanguageError`] for any text but a code.
    pub fn parse_or_default(text: &str) -> Result<Self, LanguageError> {
        if text.is_empty() { Ok(Self::default()) } else { text.parse() }
    }

    /// The language that an `Accept-Language` header (RFC 9110, section 12.5.4) prefers among [`Language::ALL`]. Regions
    /// are ignored: `pt-BR` is Portuguese. `None` if it prefers none of them, or is malformed.
    pub fn preferred(accept_language: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in accept_language.split(',').take(20) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next()?.split('-').next()?.to_ascii_lowercase();
            let weight = match parts.find_map(|part| part.strip_prefix("q=")) {
                None => 1.0,
                Some(text) => match text.parse::<f32>() {
                    Ok(weight) => weight,
                    Err(_) => continue,
                },
            };
            let Ok(language) = tag.parse() else { continue };
            if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, LanguageError> {
        Self::ALL.into_iter().find(|language| language.code() == text).ok_or(LanguageError)
    }
}

impl TryFrom<String> for Language {
    type Error = LanguageError;

    fn try_from(code: String) -> Result<Self, LanguageError> {
        code.parse()
    }
}

impl From<LanguageError> for FieldError {
    fn from(error: LanguageError) -> Self {
        Self::new("language", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_language_parses_from_its_code() {
        for language in Language::ALL {
            assert_eq!(language.code().parse(), Ok(language));
        }
        assert_eq!(Language::parse_or_default(""), Ok(Language::English));
        for text in ["EN", "english", "it", " en"] {
            assert_eq!(Language::parse_or_default(text), Err(LanguageError), "{text}");
        }
    }

    #[rstest]
    #[case("pt-BR,pt;q=0.9,en;q=0.8", Some(Language::Portuguese))]
    #[case("it, de;q=0.5, fr;q=0.7", Some(Language::French))]
    #[case("DE-at", Some(Language::German))]
    #[case("en;q=0, es;q=0.1", Some(Language::Spanish))]
    #[case("en;q=x, es;q=0.1", Some(Language::Spanish))]
    #[case("*", None)]
    #[case("it", None)]
    #[case("", None)]
    fn accept_language_prefers_the_greatest_weight(#[case] header: &str, #[case] expected: Option<Language>) {
        assert_eq!(Language::preferred(header), expected);
    }
}
