//! ES256 key pairs.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{AlgorithmParameters, Jwk, ThumbprintHash},
};

use crate::{error::IdentityError, model::PublicKey};

/// A new key pair on P-256.
pub(crate) struct SigningKey {
    pub(crate) public: PublicKey,
    /// The key pair in PKCS#8.
    pub(crate) private: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.public.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Generates a key pair.
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        let failed = |_| IdentityError::defect("a signing key cannot be generated");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
        let der = pair.to_pkcs8v1().map_err(failed)?;
        Self::read(der.as_ref().to_vec())
    }

    fn read(private: Vec<u8>) -> Result<Self, IdentityError> {
        let jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&private), Algorithm::ES256)
            .map_err(IdentityError::defect)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(IdentityError::defect)?;
        let AlgorithmParameters::EllipticCurve(point) = jwk.algorithm else {
            return Err(IdentityError::defect("an ES256 key is not on a curve"));
        };
        Ok(Self { public: PublicKey { id, x: point.x, y: point.y }, private })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn id_is_the_thumbprint_of_rfc_7638() {
        let key = SigningKey::generate().unwrap();
        // The members that the RFC requires, in its order, without white space.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, key.public.x, key.public.y);
        assert_eq!(key.public.id, URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())));
    }

    #[test]
    fn debug_hides_the_private_key() {
        let key = SigningKey::generate().unwrap();
        assert!(!format!("{key:?}").contains("private"));
    }
}
