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

use staymesh_domain::FieldError;

/// Parses the display name of an account or a client: at most 100 characters, without control characters.
pub(crate) fn parse_display_name(text: String) -> Result<String, FieldError> {
    if text.chars().count() > 100 {
        return Err(FieldError::new("display_name", "must have at most 100 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(FieldError::new("display_name", "must not contain control characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_name_has_at_most_100_characters() {
        assert!(parse_display_name("é".repeat(100)).is_ok() && parse_display_name("é".repeat(101)).is_err());
    }
}
