//! Access tokens: JSON Web Tokens (RFC 7519) signed with ES256.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, encode};
use secrecy::SecretString;
use staymesh_mesh::{
    auth::{Claims, Role},
    config::AuthConfig,
};

use super::keyring::Keyring;
use crate::{error::IdentityError, model::HotelIds};

/// The caller that a token identifies.
pub(crate) struct Subject {
    /// The account's UUID, or `client:` and the client id.
    pub(crate) id: String,
    /// The login's UUID, or `client:` and the client id. Revocations name it.
    pub(crate) session: String,
    pub(crate) role: Role,
    /// The hotels of staff.
    pub(crate) hotel_ids: HotelIds,
    /// Whether the owner of the account has confirmed its address.
    pub(crate) email_verified: bool,
}

/// Signs access tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tokens {
    keyring: Keyring,
    issuer: String,
    audience: String,
}

impl Tokens {
    /// Signs with the current key of `keyring`, for the issuer and audience that every service expects.
    pub(crate) fn new(keyring: Keyring, config: &AuthConfig) -> Self {
        Self { keyring, issuer: config.issuer.clone(), audience: config.audience.clone() }
    }

    /// Signs a token that expires after `life`, whole seconds.
    pub(crate) async fn sign(&self, subject: Subject, life: Duration) -> Result<SecretString, IdentityError> {
        let keys = self.keyring.current().await?;
        let header = Header { kid: Some(keys.signer_id.clone()), ..Header::new(Algorithm::ES256) };
        let claims = self.claims(subject, life, Timestamp::now())?;
        let token = encode(&header, &claims, &keys.signer).map_err(IdentityError::defect)?;
        Ok(token.into())
    }

    /// The claim `iss` of the tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks that tokens can be signed, before a caller makes changes that lead to a token.
    ///
    /// # Errors
    /// When no key is in memory and the database is unavailable.
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
            hotel_ids: subject.hotel_ids.to_numbers(),
            email_verified: subject.email_verified,
            sid: subject.session,
            iat: now.as_second(),
            exp: now.as_second().saturating_add(life),
        })
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::dangerous::insecure_decode;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use sqlx::postgres::PgPoolOptions;
    use staymesh_domain::HotelId;
    use staymesh_mesh::auth::{Caller, TokenError, TokenVerifier};

    use super::*;
    use crate::testing::{auth_config, encryption_key};

    /// A keyring with a new key and an unreachable database.
    fn keyring() -> Keyring {
        let pool = PgPoolOptions::new().connect_lazy("postgres://unused@127.0.0.1:1/none").unwrap();
        Keyring::with_new_key(pool, encryption_key())
    }

    fn guest() -> Subject {
        Subject {
            id: "s".into(),
            session: "x".into(),
            role: Role::Guest,
            hotel_ids: HotelIds::default(),
            email_verified: false,
        }
    }

    #[tokio::test]
    async fn token_expires_after_its_life() {
        let tokens = Tokens::new(keyring(), &auth_config());
        let token = tokens.sign(guest(), Duration::from_mins(10)).await.unwrap();
        let claims = insecure_decode::<Claims>(token.expose_secret()).unwrap().claims;
        assert_eq!(claims.exp - claims.iat, 600);
        assert!((Timestamp::now().as_second() - claims.iat).abs() <= 5);
    }

    #[tokio::test]
    async fn tokens_with_another_issuer_audience_or_key_and_expired_ones_are_invalid() {
        let keyring = keyring();
        let verifier = TokenVerifier::new(keyring.clone(), &auth_config());
        let hour = Duration::from_hours(1);
        let elsewhere = AuthConfig { audience: "elsewhere".into(), ..auth_config() };
        let impostor = AuthConfig { issuer: "https://impostor.test".into(), ..auth_config() };
        for config in [&elsewhere, &impostor] {
            let token = Tokens::new(keyring.clone(), config).sign(guest(), hour).await.unwrap();
            assert_eq!(verifier.verify(token.expose_secret()).await, Err(TokenError::Invalid));
        }
        let foreign = Tokens::new(self::keyring(), &auth_config()).sign(guest(), hour).await.unwrap();
        assert_eq!(verifier.verify(foreign.expose_secret()).await, Err(TokenError::Invalid));

        let tokens = Tokens::new(keyring.clone(), &auth_config());
        let ended = tokens.claims(guest(), hour, Timestamp::UNIX_EPOCH).unwrap();
        let keys = keyring.current().await.unwrap();
        let header = Header { kid: Some(keys.signer_id.clone()), ..Header::new(Algorithm::ES256) };
        let ended = encode(&header, &ended, &keys.signer).unwrap();
        assert_eq!(verifier.verify(&ended).await, Err(TokenError::Invalid));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn verified_caller_equals_the_signed_subject_and_forgeries_are_refused(
            id in "[a-z0-9:-]{1,80}",
            session in "[a-z0-9:-]{1,80}",
            role in prop::sample::select(vec![Role::Guest, Role::Staff, Role::Partner, Role::Admin, Role::Service]),
            hotel_ids in prop::collection::vec(1..=i32::MAX, 0..=100),
            email_verified in any::<bool>(),
            flipped in any::<prop::sample::Index>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let keyring = keyring();
                let hotels = HotelIds::try_from(hotel_ids).unwrap();
                let hotel_ids = hotels.to_numbers();
                let subject = Subject { id: id.clone(), session: session.clone(), role, hotel_ids: hotels, email_verified };
                let tokens = Tokens::new(keyring.clone(), &auth_config());
                let token = tokens.sign(subject, Duration::from_mins(1)).await.unwrap();
                let verifier = TokenVerifier::new(keyring, &auth_config());
                let caller = verifier.verify(token.expose_secret()).await.unwrap();
                let hotel_ids = hotel_ids.into_iter().map(|id| HotelId::try_from(id).unwrap()).collect();
                prop_assert_eq!(caller, Caller { subject: id, role, hotel_ids, email_verified, session });

                // A change of one character invalidates the signature.
                let signed = token.expose_secret().rfind('.').unwrap();
                let mut forged = token.expose_secret().to_owned().into_bytes();
                let at = flipped.index(signed);
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                prop_assert!(verifier.verify(std::str::from_utf8(&forged).unwrap()).await.is_err());
                Ok(())
            })?;
        }
    }
}
