//! Keys and tokens in the form of identity's.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{AlgorithmParameters, Jwk},
};
use staymesh_api::identity::v1::JsonWebKey;
use staymesh_mesh::auth::Claims;

const KEY_ID: &str = "key-1";

/// A key pair.
pub(crate) struct Keys {
    signer: EncodingKey,
    pub(crate) public: JsonWebKey,
}

impl Keys {
    pub(crate) fn generate() -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let private = pair.to_pkcs8v1()?;
        let signer = EncodingKey::from_ec_der(private.as_ref());
        let jwk = Jwk::from_encoding_key(&signer, Algorithm::ES256)?;
        let AlgorithmParameters::EllipticCurve(point) = jwk.algorithm else {
            return Err(anyhow!("not a key on a curve"));
        };
        let public = JsonWebKey {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: point.x,
            y: point.y,
            kid: KEY_ID.to_owned(),
            alg: "ES256".to_owned(),
            r#use: "sig".to_owned(),
        };
        Ok(Self { signer, public })
    }

    /// A valid token of this account.
    pub(crate) fn token(&self, subject: &str) -> Result<String> {
        self.sign(&claims(subject)?)
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String> {
        self.sign_as(KEY_ID, claims)
    }

    /// Signs with another key id in the header.
    pub(crate) fn sign_as(&self, key_id: &str, claims: &Claims) -> Result<String> {
        let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::ES256) };
        Ok(encode(&header, claims, &self.signer)?)
    }
}

/// The claims of a valid token in the default configuration.
pub(crate) fn claims(subject: &str) -> Result<Claims> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    Ok(Claims {
        iss: "https://identity.staymesh.local".to_owned(),
        aud: "staymesh".to_owned(),
        sub: subject.to_owned(),
        role: "guest".to_owned(),
        hotel_ids: Vec::new(),
        email_verified: false,
        sid: "login-1".to_owned(),
        iat: now,
        exp: now + 600,
    })
}
