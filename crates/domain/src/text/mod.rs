//! Texts that people write and read: names, room numbers, titles, notes, descriptions.
//!
//! One rule for all of them:
//!
//! - **Normal form**: the text is kept in Unicode normalization form C (NFC, UAX #15), without white space at either end.
//! - **Visible**: a text that is not empty shows at least one character. Control characters, unassigned and private code
//!   points, and invisible format characters are refused, but for the few that writing systems need
//!   ([`characters`]).
//! - **Length** is counted in code points of the normal form, as `char_length` of PostgreSQL counts it.
//! - **Comparison**: where people would take two texts for the same, [`Text::key`] is compared, which ignores case, width
//!   and invisible characters. The hotel database has the same function, `text_key(text)`.

mod characters;

pub(crate) use characters::is_visible;

use std::{fmt, ops::RangeInclusive};

use unicode_normalization::UnicodeNormalization;

use crate::FieldError;

/// Why a text is refused. The messages do not repeat it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty, or only white space; holds the bounds.
    #[error("is required; {0} to {1} characters")]
    Missing(usize, usize),
    /// Too few or too many code points in NFC; holds the bounds.
    #[error("{}", length(*.0, *.1))]
    Length(usize, usize),
    /// A character that is not allowed here; holds it.
    #[error("must not contain the {} U+{:04X}", characters::kind(*.0), u32::from(*.0))]
    Character(char),
    /// Characters, but none of them visible.
    #[error("must have a visible character")]
    Invisible,
}

fn length(min: usize, max: usize) -> String {
    if min == 0 {
        format!("must have at most {max} characters")
    } else {
        format!("must have {min} to {max} characters")
    }
}

impl TextError {
    /// This error, reported for the request field of this name.
    pub fn at(&self, field: impl Into<String>) -> FieldError {
        FieldError::new(field, self.to_string())
    }
}

/// A text in NFC without surrounding white space: empty, or with a visible character.
///
/// It may be the name of a person: `Debug` shows its length alone and there is no `Display`, so that it cannot reach a log
/// by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// Parses one line: no line breaks, no tabs. `length` counts code points; with a lower bound of 0 it may be empty.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn line(text: &str, length: RangeInclusive<usize>) -> Result<Self, TextError> {
        Self::parse(text, &length, characters::is_of_a_line)
    }

    /// Parses a text that may have several lines. `length` counts code points; with a lower bound of 0 it may be empty.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn prose(text: &str, length: RangeInclusive<usize>) -> Result<Self, TextError> {
        Self::parse(text, &length, |c| matches!(c, '\n' | '\r' | '\t') || characters::is_of_a_line(c))
    }

    fn parse(text: &str, length: &RangeInclusive<usize>, allowed: fn(char) -> bool) -> Result<Self, TextError> {
        let (min, max) = (*length.start(), *length.end());
        // Stops at max + 1: the text may be megabytes.
        let text: String = text.trim().nfc().take(max + 1).collect();
        let count = text.chars().count();
        match text.chars().find(|c| !allowed(*c)) {
            _ if count == 0 && min == 0 => Ok(Self(text)),
            _ if count == 0 => Err(TextError::Missing(min, max)),
            Some(refused) => Err(TextError::Character(refused)),
            None if !length.contains(&count) => Err(TextError::Length(min, max)),
            None if !text.chars().any(characters::is_visible) => Err(TextError::Invisible),
            None => Ok(Self(text)),
        }
    }

    /// The form to compare by: without invisible characters, in NFKC and small letters. Equal for `12A`, `12a` and full-width
    /// `１２Ａ`, and for composed and decomposed letters.
    pub fn key(&self) -> String {
        let visible = self.0.chars().filter(|c| !characters::is_ignored(*c)).nfkc().collect::<String>();
        visible.to_lowercase().nfkc().collect()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, without copying it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} characters)", self.0.chars().count())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

#[cfg(test)]
mod tests;
