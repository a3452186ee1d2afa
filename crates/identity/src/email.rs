//! Addresses that people log in with.

use std::fmt;

use staymesh_domain::FieldError;

const MAX_LENGTH: usize = 254;
const MAX_LOCAL_PART: usize = 64;

/// An address in its one spelling, lower case. `Debug` does not show it, and there is no `Display`: addresses are not
/// logged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address: ASCII without spaces, one `@`, a domain of at least two labels. Whether mail arrives there is
    /// not ours to tell, so the rule is modest; it exists to catch slips.
    pub(crate) fn parse(text: &str) -> Result<Self, FieldError> {
        let refused = |why: &str| Err(FieldError::new("email", why));
        if text.is_empty() {
            return refused("is required");
        }
        if text.len() > MAX_LENGTH {
            return refused("must have at most 254 characters");
        }
        let Some((local, domain)) = text.split_once('@') else {
            return refused("must look like name@example.com");
        };
        if !is_local_part(local) || !is_domain(domain) {
            return refused("must look like name@example.com");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The address, for the database and for the account's owner.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(hidden)")
    }
}

/// Atoms of RFC 5322 with dots between them.
fn is_local_part(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    text.len() <= MAX_LOCAL_PART && text.split('.').all(is_atom)
}

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
    fn slips_are_caught() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}example.com", "a.".repeat(130));
        for text in [
            "", "a", "@", "a@", "@b.c", "a@b", "a@b.", "a@.b", "a b@c.d", " a@b.c", "a@b.c ", "a@b@c.d", "a@b..c",
            ".a@b.c", "a.@b.c", "a..b@c.d", "a@-b.c", "a@b-.c", "a@b_c.d", "a\0@b.c", "é@b.c", "a@é.c", "a\n@b.c",
            &long, &longer,
        ] {
            let error = Email::parse(text).expect_err(text);
            assert_eq!(error.field, "email", "{text}");
        }
        for text in ["a@b.c", "First.Last+tag@sub.example.co.uk", "o'brien@example.org", "x@xn--bcher-kva.example"] {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        assert!(!format!("{:?}", Email::parse("ada@example.com").unwrap()).contains("ada"));
    }

    proptest! {
        #[test]
        fn every_spelling_is_the_same_address(text in "[a-zA-Z0-9+_]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-zA-Z]{2,6}") {
            let email = Email::parse(&text).unwrap();
            prop_assert_eq!(&email, &Email::parse(&text.to_uppercase()).unwrap());
            prop_assert_eq!(&email, &Email::parse(&text.to_lowercase()).unwrap());
            // Normal is normal: reading it again changes nothing.
            prop_assert_eq!(&Email::parse(email.as_str()).unwrap(), &email);
        }

        #[test]
        fn no_text_makes_it_panic_and_what_passes_is_plain(text in "\\PC{0,300}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert!(email.as_str().is_ascii() && email.as_str().len() <= 254);
                prop_assert!(!email.as_str().contains(char::is_whitespace));
            }
        }
    }
}
