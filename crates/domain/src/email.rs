//! E-mail addresses.
//!
//! One type for all services: the address of an account, and the address of a guest. What a local part may be, RFC 5322
//! and RFC 6531 say and the crate `email_address` decides, which `lettre` asks as well before it sends; what a domain may
//! be, IDNA says (UTS #46) and the crate `idna` decides. Quoted local parts and addresses in brackets are refused:
//! hardly any mailbox has one, and many programs read them as something else. Whether mail is delivered is not checked.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use email_address::EmailAddress;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfkc};

use crate::{FieldError, text::is_visible};

const MAX_LENGTH: usize = 254;

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

/// One e-mail address of at most 254 characters, which a mail server takes as the address of one recipient.
///
/// [`Email::as_str`] is the normal form, in which addresses are compared, and stored where they must be unique: in small
/// letters, composed (NFC), the domain in ASCII. `Dörte@Bücher.Example` is `dörte@xn--bcher-kva.example`.
///
/// Personal data: `Debug` hides the address and there is no `Display`, so that it cannot reach a log by accident.
#[derive(Clone)]
pub struct Email {
    normal: String,
    written: String,
}

impl Email {
    /// Parses an address. White space around it is removed; letters outside ASCII are allowed (RFC 6531).
    ///
    /// # Errors
    /// [`EmailError`], which converts to a [`FieldError`] on `email`.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EmailError::Missing);
        }
        if text.chars().take(MAX_LENGTH + 1).count() > MAX_LENGTH {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::Form)?;
        let (local, domain) = (local_part(local)?, ascii_domain(domain)?);
        let normal = format!("{}@{domain}", local.to_lowercase().nfc());
        let written = format!("{local}@{domain}");
        // The ASCII form of a domain may be longer than what was written.
        if normal.chars().count().max(written.chars().count()) > MAX_LENGTH {
            return Err(EmailError::TooLong);
        }
        Ok(Self { normal, written })
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.normal
    }

    /// The address with the capitals of its local part as they were written, for mail to a person who wrote it so: a mail
    /// server may distinguish them (RFC 5321, section 2.4). The domain is in ASCII and small letters.
    pub fn as_written(&self) -> &str {
        &self.written
    }
}

/// A dot-atom in NFC, at most 64 bytes. Compatibility characters, such as a full-width `a` or the ligature `fi`, are refused
/// as in user names of RFC 8265, section 3.3: people could not tell the address from the one with the usual letters.
fn local_part(text: &str) -> Result<String, EmailError> {
    let text: String = text.nfc().collect();
    let visible = |c: char| c.is_ascii() || is_visible(c) || is_combining_mark(c);
    // Small letters may need more bytes.
    let small: String = text.to_lowercase().nfc().collect();
    let is_atoms =
        [&text, &small].into_iter().all(|text| EmailAddress::is_valid_local_part(text)) && !text.contains('"');
    if is_atoms && is_nfkc(&text) && text.chars().all(visible) { Ok(text) } else { Err(EmailError::Form) }
}

/// At least two labels of a host name (RFC 1123), in ASCII.
fn ascii_domain(text: &str) -> Result<String, EmailError> {
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| EmailError::Form)?;
    if ascii.contains('.') { Ok(ascii.into_owned()) } else { Err(EmailError::Form) }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Email {}

impl Hash for Email {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(hidden)")
    }
}

#[cfg(test)]
mod tests;
