//! The small uses of cryptography: random secrets, their hashes, and sealing what must not be readable at rest.

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

/// Length of a random secret as text.
pub(crate) const SECRET_LENGTH: usize = 43;

/// SHA-256 of a secret of high entropy. Unlike a password it needs no slow hash: there is nothing to guess.
#[derive(Clone, Copy)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret's text.
    pub(crate) fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// The bytes, for the database.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether these are the bytes of the same hash, in a time that does not tell where they differ.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.0, stored).is_ok()
    }
}

/// A new secret of 256 random bits, in base64url.
pub(crate) fn random_secret() -> Result<SecretString, IdentityError> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| IdentityError::defect("the system has no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// Seals private keys for the database, hides addresses in keys of Redis, and makes the secrets of programs that can be
/// made again.
#[derive(Clone)]
pub(crate) struct EncryptionKey {
    sealing: std::sync::Arc<RandomizedNonceKey>,
    naming: hmac::Key,
    secrets: hmac::Key,
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(hidden)")
    }
}

impl EncryptionKey {
    /// Reads 32 bytes in base64. Each use gets a key of its own, derived from them.
    pub(crate) fn from_base64(text: &SecretString) -> Result<Self, IdentityError> {
        let wrong = || IdentityError::Config("STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY must be 32 bytes in base64");
        let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| wrong())?;
        if bytes.len() != 32 {
            return Err(wrong());
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, derived("staymesh identity signing keys").as_ref());
        Ok(Self {
            sealing: std::sync::Arc::new(sealing.map_err(|_| wrong())?),
            naming: hmac::Key::new(hmac::HMAC_SHA256, derived("staymesh identity addresses").as_ref()),
            secrets: hmac::Key::new(hmac::HMAC_SHA256, derived("staymesh identity client secrets").as_ref()),
        })
    }

    /// Seals `plain` so that it opens only together with the same `name`: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let mut text = plain.to_vec();
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| IdentityError::defect("a private key cannot be sealed"))?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    /// Opens what [`Self::seal`] made.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let cannot = || {
            IdentityError::Config(
                "a signing key in the database does not open; STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY is not the one it \
                 was sealed with",
            )
        };
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(cannot)?;
        let mut text = text.to_vec();
        let plain = self
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| cannot())?;
        Ok(plain.to_vec())
    }

    /// The secret of the program that a request registers: as good as a random one to whoever has not this key, and the
    /// same whenever it is asked for.
    pub(crate) fn client_secret(&self, client_id: &str, request_id: Uuid) -> SecretString {
        let mut context = hmac::Context::with_key(&self.secrets);
        // Of fixed length, so nothing of it can pass for a part of the other.
        context.update(request_id.as_bytes());
        context.update(client_id.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign()).into()
    }

    /// A name for `text` that is the same in every replica and tells nobody else what it stands for, not even somebody
    /// who tries all likely texts.
    pub(crate) fn pseudonym(&self, text: &str) -> [u8; 32] {
        let mut name = [0; 32];
        name.copy_from_slice(hmac::sign(&self.naming, text.as_bytes()).as_ref());
        name
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
    fn what_was_sealed_opens_under_its_name_and_key_alone() {
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
    fn keys_of_another_length_are_refused_without_showing_them() {
        for text in ["", "c2hvcnQ=", "not base64 at all", &STANDARD.encode([7; 33])] {
            let error = EncryptionKey::from_base64(&text.to_owned().into()).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }

    #[test]
    fn secrets_differ_and_are_long() {
        let secrets: HashSet<_> = (0..100).map(|_| random_secret().unwrap().expose_secret().to_owned()).collect();
        assert_eq!(secrets.len(), 100);
        assert!(secrets.iter().all(|secret| secret.len() == SECRET_LENGTH));
    }

    #[test]
    fn a_hash_matches_its_secret_alone() {
        let hash = SecretHash::of("secret");
        assert!(hash.matches(SecretHash::of("secret").as_bytes()));
        assert!(!hash.matches(SecretHash::of("Secret").as_bytes()));
        assert!(!hash.matches(&[]));
    }

    #[test]
    fn pseudonyms_depend_on_the_key() {
        assert_eq!(key(1).pseudonym("a@b.c"), key(1).pseudonym("a@b.c"));
        assert_ne!(key(1).pseudonym("a@b.c"), key(2).pseudonym("a@b.c"));
    }

    #[test]
    fn a_client_secret_can_be_made_again_with_its_request_and_key_alone() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let secret = |byte, id: &str, request| key(byte).client_secret(id, request).expose_secret().to_owned();
        assert_eq!(secret(1, "partner", one), secret(1, "partner", one));
        assert_eq!(secret(1, "partner", one).len(), SECRET_LENGTH);
        let all = [
            secret(1, "partner", one),
            secret(1, "partner", other),
            secret(1, "partne", one),
            secret(2, "partner", one),
        ];
        assert_eq!(HashSet::from(all).len(), 4);
    }
}
