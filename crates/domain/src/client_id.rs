//! Ids of OAuth 2.0 clients.

use std::str::FromStr;

use crate::FieldError;

/// The id of an OAuth 2.0 client, such as a partner: 3 to 64 characters of `a-z`, `0-9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId(String);

impl ClientId {
    /// What the subject of a client's token begins with; subjects of accounts do not.
    pub const SUBJECT_PREFIX: &'static str = "client:";

    /// The subject of the client's tokens, `client:` and the id. It names the client in databases.
    pub fn subject(&self) -> String {
        format!("{}{}", Self::SUBJECT_PREFIX, self.0)
    }

    /// The client id within a subject; `None` if it is the subject of an account.
    pub fn in_subject(subject: &str) -> Option<&str> {
        subject.strip_prefix(Self::SUBJECT_PREFIX)
    }
}

impl FromStr for ClientId {
    type Err = FieldError;

    /// # Errors
    /// A violation of `client_id`.
    fn from_str(text: &str) -> Result<Self, FieldError> {
        let valid =
            (3..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let error = || FieldError::new("client_id", "must be 3 to 64 characters of a-z, 0-9 and '-'");
        valid.then(|| Self(text.to_owned())).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn client_id_has_3_to_64_characters_and_is_no_subject() {
        let longest = "a".repeat(64);
        for good in ["abc", "partner-1", &longest] {
            assert!(good.parse::<ClientId>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(65);
        for wrong in ["", "ab", "Acme", "a_b", "client:acme", "acme\0", "\u{e4}cme", &too_long] {
            assert_eq!(wrong.parse::<ClientId>().unwrap_err().field, "client_id", "{wrong}");
        }
        assert_eq!(ClientId::in_subject("01a20117-0523-7099-9a32-f298361210ff"), None);
    }

    proptest! {
        #[test]
        fn subject_contains_the_client_id(id in "[a-z0-9-]{3,64}") {
            let subject = id.parse::<ClientId>().unwrap().subject();
            prop_assert_eq!(ClientId::in_subject(&subject), Some(&*id));
        }
    }
}
