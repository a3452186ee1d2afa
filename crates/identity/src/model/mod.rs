//! Accounts, clients and published keys: the rows of identity, and the validated input that creates them.

mod account;
mod client;
mod public_key;
mod token_purpose;

pub(crate) use account::{Account, GuestCheckout, HotelIds, MailRecipient, RoleAssignment, SignUp};
pub(crate) use client::{
    Client, ClientKey, ClientSecret, Registration, SecretRotation, is_client_id, session_of, subject_of,
};
pub(crate) use public_key::PublicKey;
pub(crate) use token_purpose::TokenPurpose;

use staymesh_domain::{FieldError, Text};

/// Parses the display name of an account or a client: one line of at most 100 characters, or empty.
pub(crate) fn parse_display_name(text: &str) -> Result<String, FieldError> {
    Text::line(text, 0..=100).map(Text::into_string).map_err(|error| error.at("display_name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_name_is_empty_or_a_visible_line_of_at_most_100_characters() {
        assert_eq!(parse_display_name(" e\u{301}"), Ok("é".to_owned()));
        assert_eq!(parse_display_name(""), Ok(String::new()));
        for text in ["é".repeat(101), "\u{200b}".to_owned(), "\u{200d}".to_owned(), "two\nlines".to_owned()] {
            assert_eq!(parse_display_name(&text).unwrap_err().field, "display_name", "{text:?}");
        }
    }
}
