//! Access tokens: what they say, signed.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, encode};
use secrecy::SecretString;
use staymesh_mesh::{
    auth::{Claims, Role},
    config::AuthConfig,
};

use crate::{error::IdentityError, keys::Keyring};

/// Whom a token is for.
pub(crate) struct Subject {
    /// The account's UUID, or `client:` and the client id.
    pub(crate) id: String,
    /// The login's UUID, or `client:` and the client id: what a revocation names.
    pub(crate) session: String,
    /// What the caller may do.
    pub(crate) role: Role,
    /// The hotels that staff work for.
    pub(crate) hotel_ids: Vec<i32>,
}

/// Signs access tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tokens {
    keyring: Keyring,
    issuer: String,
    audience: String,
}

impl Tokens {
    /// Signs with the keyring's key, for the issuer and audience that every service expects.
    pub(crate) fn new(keyring: Keyring, config: &AuthConfig) -> Self {
        Self { keyring, issuer: config.issuer.clone(), audience: config.audience.clone() }
    }

    /// A token for `life` from now on.
    pub(crate) async fn sign(&self, subject: Subject, life: Duration) -> Result<SecretString, IdentityError> {
        let keys = self.keyring.current().await?;
        let header = Header { kid: Some(keys.signer_id.clone()), ..Header::new(Algorithm::ES256) };
        let claims = self.claims(subject, life, Timestamp::now())?;
        let token = encode(&header, &claims, &keys.signer).map_err(IdentityError::defect)?;
        Ok(token.into())
    }

    /// Whether tokens can be signed, for those who change something before they sign.
    pub(crate) async fn ensure_ready(&self) -> Result<(), IdentityError> {
        self.keyring.current().await.map(drop)
    }

    fn claims(&self, subject: Subject, life: Duration, now: Timestamp) -> Result<Claims, IdentityError> {
        let role = Claims::role_name(subject.role).ok_or_else(|| IdentityError::defect("a subject without a role"))?;
        let life = i64::try_from(life.as_secs()).map_err(IdentityError::defect)?;
        Ok(Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: subject.id,
            role: role.to_owned(),
            hotel_ids: subject.hotel_ids,
            sid: subject.session,
            iat: now.as_second(),
            exp: now.as_second().saturating_add(life),
        })
    }
}
