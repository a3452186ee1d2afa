//! Cryptography: random secrets and their hashes, encryption at rest (AES-256-GCM), pseudonyms and derived secrets
//! (HMAC-SHA-256), and signing keys.

mod signing_key;

pub(crate) use signing_key::SigningKey;

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    constant_time,
    digest::{self, SHA256},
    hmac, rand,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::error::IdentityError;

/// Characters of a random secret: 32 bytes in base64url.
pub(crate) const SECRET_LENGTH: usize = 43;

/// SHA-256 of a random secret. With 256 bits of entropy it cannot be guessed, so unlike a password it needs no slow hash.
#[derive(Clone, Copy)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes a secret.
    pub(crate) fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// The bytes stored in the database.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the stored bytes are this hash; compared in constant time.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.0, stored).is_ok()
    }
}

/// Generates a secret of 256 random bits, in base64url.
///
/// # Errors
/// [`IdentityError::Defect`] when the system has no random bytes.
pub(crate) fn random_secret() -> Result<SecretString, IdentityError> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| IdentityError::defect("the system has no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// The key of this service. Encrypts private keys for the database, derives pseudonyms for keys of Redis, and derives
/// client secrets.
#[derive(Clone)]
pub(crate) struct EncryptionKey {
    sealing: std::sync::Arc<RandomizedNonceKey>,
    pseudonyms: hmac::Key,
    secrets: hmac::Key,
    mail_tokens: hmac::Key,
    successors: hmac::Key,
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(hidden)")
    }
}

impl EncryptionKey {
    /// Parses 32 bytes in base64, and derives one key per use from them (HMAC-SHA-256 with the purpose as message).
    ///
    /// # Errors
    /// [`IdentityError::Config`].
    pub(crate) fn from_base64(text: &SecretString) -> Result<Self, IdentityError> {
        let invalid = || IdentityError::Config("STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY must be 32 bytes in base64");
        let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| invalid())?;
        if bytes.len() != 32 {
            return Err(invalid());
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, derived("staymesh identity signing keys").as_ref());
        Ok(Self {
            sealing: std::sync::Arc::new(sealing.map_err(|_| invalid())?),
            pseudonyms: hmac::Key::new(hmac::HMAC_SHA256, derived("staymesh identity addresses").as_ref()),
            secrets: hmac::Key::new(hmac::HMAC_SHA256, derived("staymesh identity client secrets").as_ref()),
            mail_tokens: hmac::Key::new(hmac::HMAC_SHA256, derived("staymesh identity mail tokens").as_ref()),
            successors: hmac::Key::new(hmac::HMAC_SHA256, derived("staymesh identity refresh tokens").as_ref()),
        })
    }

    /// The refresh token that follows another (HMAC-SHA-256), so that a repeat gets the same one without its being stored.
    pub(crate) fn successor(&self, token: &SecretString) -> SecretString {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.successors, token.expose_secret().as_bytes())).into()
    }

    /// Encrypts `plain`, bound to `name` as associated data. Returns nonce, ciphertext and tag.
    pub(crate) fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let mut text = plain.to_vec();
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| IdentityError::defect("a private key cannot be encrypted"))?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    /// Decrypts what [`Self::seal`] returned for the same `name`.
    ///
    /// # Errors
    /// [`IdentityError::Config`] when it was encrypted with another key or for another name.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let failed = || {
            IdentityError::Config(
                "a signing key in the database cannot be decrypted; STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY is not the one \
                 it was encrypted with",
            )
        };
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(failed)?;
        let mut text = text.to_vec();
        let plain = self
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| failed())?;
        Ok(plain.to_vec())
    }

    /// Derives the secret of the client that a request registers. Deterministic, and indistinguishable from a random
    /// secret without this key.
    pub(crate) fn client_secret(&self, client_id: &str, request_id: Uuid) -> SecretString {
        self.secret_of_request(client_id, request_id, "")
    }

    /// Derives the secret that a request for a rotation issues, as [`Self::client_secret`]. Another one even for the same
    /// request id.
    pub(crate) fn rotated_secret(&self, client_id: &str, request_id: Uuid) -> SecretString {
        self.secret_of_request(client_id, request_id, "/rotated")
    }

    fn secret_of_request(&self, client_id: &str, request_id: Uuid, purpose: &str) -> SecretString {
        let mut context = hmac::Context::with_key(&self.secrets);
        // The request id has a fixed length and a client id has no slash, so the concatenation is unambiguous.
        context.update(request_id.as_bytes());
        context.update(client_id.as_bytes());
        context.update(purpose.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign()).into()
    }

    /// Derives the token of a mail: 256 bits that are the same for every attempt to send the mail, and indistinguishable
    /// from random ones without this key. So the token is not stored while the mail waits to be sent.
    pub(crate) fn mail_token(&self, purpose: &str, token_id: Uuid) -> SecretString {
        let mut context = hmac::Context::with_key(&self.mail_tokens);
        // The id has a fixed length, so the concatenation is unambiguous.
        context.update(token_id.as_bytes());
        context.update(purpose.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign()).into()
    }

    /// A pseudonym of `text`: the same in every replica, and not reversible without this key, not even by hashing likely
    /// texts.
    pub(crate) fn pseudonym(&self, text: &str) -> [u8; 32] {
        let mut pseudonym = [0; 32];
        pseudonym.copy_from_slice(hmac::sign(&self.pseudonyms, text.as_bytes()).as_ref());
        pseudonym
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn key(byte: u8) -> EncryptionKey {
        EncryptionKey::from_base64(&STANDARD.encode([byte; 32]).into()).unwrap()
    }

    #[test]
    fn open_fails_with_another_name_another_key_or_a_changed_byte() {
        let sealed = key(1).seal("a", b"private").unwrap();
        assert_eq!(key(1).open("a", &sealed).unwrap(), b"private");
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        assert!(key(1).open("b", &sealed).is_err());
        assert!(key(2).open("a", &sealed).is_err());
        for position in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[position] ^= 1;
            assert!(key(1).open("a", &forged).is_err(), "byte {position}");
        }
        assert!(key(1).open("a", &[]).is_err());
    }

    #[test]
    fn malformed_encryption_key_is_refused_without_disclosing_it() {
        for text in ["", "c2hvcnQ=", "not base64 at all", &STANDARD.encode([7; 33])] {
            let error = EncryptionKey::from_base64(&text.to_owned().into()).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }

    #[test]
    fn random_secrets_are_distinct_and_43_characters_long() {
        let secrets: HashSet<_> = (0..100).map(|_| random_secret().unwrap().expose_secret().to_owned()).collect();
        assert_eq!(secrets.len(), 100);
        assert!(secrets.iter().all(|secret| secret.len() == SECRET_LENGTH));
    }

    #[test]
    fn secret_hash_matches_its_secret_only() {
        let hash = SecretHash::of("secret");
        assert!(hash.matches(SecretHash::of("secret").as_bytes()));
        assert!(!hash.matches(SecretHash::of("Secret").as_bytes()));
        assert!(!hash.matches(&[]));
    }

    #[test]
    fn pseudonym_depends_on_the_key() {
        assert_eq!(key(1).pseudonym("a@b.c"), key(1).pseudonym("a@b.c"));
        assert_ne!(key(1).pseudonym("a@b.c"), key(2).pseudonym("a@b.c"));
    }

    #[test]
    fn mail_token_depends_on_purpose_id_and_key() {
        let token = |byte, purpose, id| key(byte).mail_token(purpose, Uuid::from_u128(id)).expose_secret().to_owned();
        assert_eq!(token(1, "a", 1), token(1, "a", 1));
        assert_eq!(token(1, "a", 1).len(), SECRET_LENGTH);
        assert_eq!(HashSet::from([token(1, "a", 1), token(2, "a", 1), token(1, "b", 1), token(1, "a", 2)]).len(), 4);
    }

    #[test]
    fn successor_depends_on_token_and_key() {
        let successor = |byte, token: &str| key(byte).successor(&token.to_owned().into()).expose_secret().to_owned();
        assert_eq!(successor(1, "one"), successor(1, "one"));
        assert_eq!(successor(1, "one").len(), SECRET_LENGTH);
        let all = [successor(1, "one"), successor(1, "other"), successor(2, "one"), "one".to_owned()];
        assert_eq!(HashSet::from(all).len(), 4);
    }

    #[test]
    fn client_secret_depends_on_client_request_and_key() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let secret = |byte, id: &str, request| key(byte).client_secret(id, request).expose_secret().to_owned();
        assert_eq!(secret(1, "partner", one), secret(1, "partner", one));
        assert_eq!(secret(1, "partner", one).len(), SECRET_LENGTH);
        let all = [
            secret(1, "partner", one),
            secret(1, "partner", other),
            secret(1, "partne", one),
            secret(2, "partner", one),
            key(1).rotated_secret("partner", one).expose_secret().to_owned(),
        ];
        assert_eq!(HashSet::from(all).len(), 5);
    }
}
