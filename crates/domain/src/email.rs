//! E-mail addresses.
//!
//! One type and two rules, because an address has two uses:
//!
//! - [`Email::account`]: what an account logs in with. Strict ASCII syntax, normalized to lower case, so that every
//!   spelling is the same account.
//! - [`Email::contact`]: where a guest can be reached. Only gross mistakes are refused and the spelling is kept, because
//!   a booking must not fail on an unusual but deliverable address.
//!
//! Every account address is also a contact address; the reverse does not hold. Neither rule checks that mail is delivered.

use std::fmt;

use crate::FieldError;

const MAX_LENGTH: usize = 254;
const MAX_LOCAL_PART: usize = 64;

/// Why text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Empty.
    #[error("is required")]
    Missing,
    /// Longer than 254 characters, the limit of RFC 5321 for a forward path.
    #[error("must have at most 254 characters")]
    TooLong,
    /// Not of the form `local-part@domain`.
    #[error("must look like name@example.com")]
    Form,
}

impl EmailError {
    /// This error, reported for the request field of this name.
    pub fn at(self, field: impl Into<String>) -> FieldError {
        FieldError::new(field, self.to_string())
    }
}

impl From<EmailError> for FieldError {
    fn from(error: EmailError) -> Self {
        error.at("email")
    }
}

/// A well-formed e-mail address of at most 254 characters, without whitespace or control characters.
///
/// Personal data: `Debug` hides the address and there is no `Display`, so that it cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Parses the address of an account: ASCII, a local part of RFC 5322 atoms (at most 64 characters), one `@`, and a
    /// domain of at least two labels. The result is in lower case.
    ///
    /// # Errors
    /// [`EmailError`], which converts to a [`FieldError`] on `email`.
    pub fn account(text: &str) -> Result<Self, EmailError> {
        require_length(text, text.len())?;
        match text.split_once('@') {
            Some((local, domain)) if is_local_part(local) && is_domain(domain) => Ok(Self(text.to_ascii_lowercase())),
            _ => Err(EmailError::Form),
        }
    }

    /// Parses the address of a guest: something before the first `@`, a dot after it, no whitespace or control character
    /// inside. Surrounding whitespace is removed; the spelling is kept.
    ///
    /// # Errors
    /// [`EmailError`], which converts to a [`FieldError`] on `email`.
    pub fn contact(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        require_length(text, text.chars().count())?;
        let well_formed = text.split_once('@').is_some_and(|(local, host)| !local.is_empty() && host.contains('.'));
        if !well_formed || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(EmailError::Form);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as text, without copying it.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(hidden)")
    }
}

fn require_length(text: &str, characters: usize) -> Result<(), EmailError> {
    match characters {
        _ if text.is_empty() => Err(EmailError::Missing),
        ..=MAX_LENGTH => Ok(()),
        _ => Err(EmailError::TooLong),
    }
}

/// Atoms of RFC 5322, separated by dots.
fn is_local_part(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    text.len() <= MAX_LOCAL_PART && text.split('.').all(is_atom)
}

/// At least two labels of a host name (RFC 1123), separated by dots.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn account_refuses_malformed_addresses() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let too_long = format!("a@{}example.com", "a.".repeat(130));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.b",
            "a b@c.d",
            " a@b.c",
            "a@b.c ",
            "a@b@c.d",
            "a@b..c",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "a@-b.c",
            "a@b-.c",
            "a@b_c.d",
            "a\0@b.c",
            "é@b.c",
            "a@é.c",
            "a\n@b.c",
            &long_local,
            &too_long,
        ] {
            let error = FieldError::from(Email::account(text).expect_err(text));
            assert_eq!(error.field, "email", "{text}");
        }
    }

    #[test]
    fn account_accepts_usual_addresses() {
        for text in ["a@b.c", "First.Last+tag@sub.example.co.uk", "o'brien@example.org", "x@xn--bcher-kva.example"] {
            assert_eq!(Email::account(text).map(String::from), Ok(text.to_lowercase()));
        }
    }

    #[test]
    fn contact_refuses_gross_mistakes() {
        let too_long = format!("{}@b.c", "é".repeat(251));
        for text in ["", "  ", "a", "@", "@b.c", "a@b", "a b@c.d", "a@b .c", "a\0@b.c", "a\u{a0}@b.c", &too_long] {
            let error = Email::contact(text).expect_err(text).at("primary_guest.email");
            assert_eq!(error.field, "primary_guest.email", "{text}");
        }
    }

    #[test]
    fn contact_keeps_the_spelling_without_surrounding_whitespace() {
        let longest = format!("{}@b.c", "é".repeat(250));
        for text in ["a@b.", "a@.b", "A.@b@c..d", "é@é.example", &longest] {
            assert_eq!(Email::contact(&format!(" \t{text}\n")).map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn debug_hides_the_address() {
        assert!(!format!("{:?}", Email::account("ada@example.com").unwrap()).contains("ada"));
    }

    proptest! {
        #[test]
        fn account_is_equal_in_every_spelling(text in "[a-zA-Z0-9+_]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-zA-Z]{2,6}") {
            let email = Email::account(&text).unwrap();
            prop_assert_eq!(&email, &Email::account(&text.to_uppercase()).unwrap());
            prop_assert_eq!(&email, &Email::account(&text.to_lowercase()).unwrap());
            // Normalization is idempotent.
            prop_assert_eq!(&Email::account(email.as_str()).unwrap(), &email);
        }

        #[test]
        fn account_never_panics_and_accepts_plain_ascii_only(text in "\\PC{0,300}") {
            if let Ok(email) = Email::account(&text) {
                prop_assert!(email.as_str().is_ascii() && email.as_str().len() <= 254);
                prop_assert!(!email.as_str().contains(char::is_whitespace));
            }
        }

        #[test]
        fn every_account_address_is_a_contact_address(text in "[a-z.@+é -]{0,20}|[a-z0-9]{1,5}@[a-z0-9-]{1,5}\\.[a-z]{2}") {
            if let Ok(email) = Email::account(&text) {
                prop_assert_eq!(Email::contact(&text).map(String::from), Ok(text.clone()));
                prop_assert_eq!(Email::contact(email.as_str()), Ok(email));
            }
        }
    }
}
