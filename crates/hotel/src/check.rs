//! Collects what is wrong with the fields of a request, so that a caller hears of all of it at once.

use staymesh_domain::{FieldError, FieldErrors};
use staymesh_mesh::Problem;
use url::Url;

use crate::mask::Mask;

const MAX_URL: usize = 2_000;

/// What is wrong with a message so far. Fields outside an update's mask are not looked at.
pub(crate) struct Check<'a> {
    message: &'static str,
    mask: &'a Mask,
    violations: FieldErrors,
}

impl<'a> Check<'a> {
    /// Nothing yet, for the request's field `message`.
    pub(crate) fn new(message: &'static str, mask: &'a Mask) -> Self {
        Self { message, mask, violations: FieldErrors::default() }
    }

    /// Requires that something holds for the field at this path.
    pub(crate) fn holds(&mut self, holds: bool, path: &str, description: impl Into<String>) {
        if !holds && self.mask.covers(path) {
            self.violations.push(FieldError::new(path, description).under(self.message));
        }
    }

    /// One line of text of so many characters.
    pub(crate) fn line(&mut self, path: &str, text: &str, min: usize, max: usize) {
        self.length(path, text, min, max);
        self.holds(!text.chars().any(char::is_control), path, "must not hold control characters");
        self.holds(text.trim() == text, path, "must not begin or end with a space");
    }

    /// Text of at most so many characters, which may have lines and tabs.
    pub(crate) fn prose(&mut self, path: &str, text: &str, max: usize) {
        self.length(path, text, 0, max);
        let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
        self.holds(text.chars().all(allowed), path, "must not hold control characters");
    }

    /// A number within bounds.
    pub(crate) fn range(&mut self, path: &str, value: i32, min: i32, max: i32) {
        self.holds((min..=max).contains(&value), path, format!("must be from {min} to {max}, not {value}"));
    }

    /// At most so many entries, each of which `entry` checks at its own path.
    pub(crate) fn list<T>(
        &mut self,
        path: &str,
        entries: &[T],
        max: usize,
        mut entry: impl FnMut(&mut Self, &str, &T),
    ) {
        self.holds(entries.len() <= max, path, format!("must have at most {max} entries, not {}", entries.len()));
        for (index, value) in entries.iter().enumerate().take(max) {
            entry(self, &format!("{path}[{index}]"), value);
        }
    }

    /// Short words of what is on offer.
    pub(crate) fn amenities(&mut self, amenities: &[String]) {
        self.list("amenities", amenities, 100, |check, path, amenity| check.line(path, amenity, 1, 50));
    }

    /// Addresses of pictures.
    pub(crate) fn photo_urls(&mut self, urls: &[String]) {
        self.list("photo_urls", urls, 50, |check, path, url| {
            check.holds(is_https(url), path, format!("must be an https URL of at most {MAX_URL} characters"));
        });
    }

    /// Refuses the request if anything is wrong.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(Problem::fields(self.violations.into_iter().map(|error| (error.field, error.description))))
    }

    fn length(&mut self, path: &str, text: &str, min: usize, max: usize) {
        // Counting stops early: the text may be megabytes.
        let length = text.chars().take(max + 1).count();
        let fits = (min..=max).contains(&length);
        let description = match (min, length) {
            (0, _) => format!("must have at most {max} characters"),
            (_, 0) => format!("is required; {min} to {max} characters"),
            _ => format!("must have {min} to {max} characters"),
        };
        self.holds(fits, path, description);
    }
}

/// Whether a browser would fetch the URL as it is written, with TLS and without sending credentials. The parser repairs
/// what browsers repair (`https:/\\x`), which a stored URL should not need.
fn is_https(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let Some(rest) = text.strip_prefix("https://") else { return false };
    if text.len() > MAX_URL || rest.starts_with('/') || !text.chars().all(plain) {
        return false;
    }
    Url::parse(text).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(check: impl FnOnce(&mut Check<'_>)) -> Vec<String> {
        let mut all = Check::new("hotel", &Mask::ALL);
        check(&mut all);
        all.violations.into_iter().map(|error| error.to_string()).collect()
    }

    #[test]
    fn lengths_are_in_characters() {
        assert!(refused(|check| check.line("city", &"é".repeat(100), 1, 100)).is_empty());
        assert_eq!(
            refused(|check| check.line("city", &"é".repeat(101), 1, 100)),
            ["hotel.city: must have 1 to 100 characters"]
        );
        assert_eq!(refused(|check| check.line("city", "", 1, 100)), ["hotel.city: is required; 1 to 100 characters"]);
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\0b", "a\nb", "a\u{7f}", "\u{85}a\u{85}"] {
            assert!(!refused(|check| check.line("city", text, 1, 100)).is_empty(), "{text:?}");
        }
        assert!(refused(|check| check.prose("description", "two\nlines\tand a tab", 100)).is_empty());
        assert!(!refused(|check| check.prose("description", "nul\0", 100)).is_empty());
        assert!(!refused(|check| check.line("city", " ", 1, 100)).is_empty());
    }

    #[test]
    fn pictures_are_https_urls() {
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
    fn the_list_of_complaints_is_bounded() {
        let amenities = vec![String::new(); 1_000_000];
        assert_eq!(refused(|check| check.amenities(&amenities)).len(), FieldErrors::MAX);
    }

    #[test]
    fn what_the_mask_leaves_out_is_not_looked_at() {
        let mask = prost_types::FieldMask { paths: vec!["city".into()] };
        let mask = Mask::parse(Some(&mask), &["city"]).unwrap();
        let mut check = Check::new("hotel", &mask);
        check.line("street", "\0", 1, 10);
        assert!(check.violations.is_empty());
        check.line("city", "\0", 1, 10);
        assert_eq!(check.violations.into_iter().count(), 1);
    }
}
