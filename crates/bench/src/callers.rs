//! Guests with access tokens, and the key that verifies the tokens.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::KeyPair;
use staymesh_api::identity::v1::JsonWebKey;
use staymesh_load::Caller;
use staymesh_mesh::{
    auth::{Claims, KeySource, TokenVerifier},
    config::AuthConfig,
};

const ISSUER: &str = "https://identity.bench.staymesh.example";
const AUDIENCE: &str = "staymesh";
const KEY_ID: &str = "bench";
/// Lifetime of the tokens in seconds: longer than any run.
const TOKEN_LIFETIME: i64 = 24 * 3600;

/// Guests with tokens as the identity service issues them: signed with ES256.
pub(crate) struct Callers {
    pub(crate) all: Vec<Caller>,
    key: EncodingKey,
    public_key: JsonWebKey,
}

impl Callers {
    /// `count` guests, whose tokens are signed with a new key.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let pem = KeyPair::generate()?.serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes())?;
        let all = (0..count).map(|_| caller(&key, "guest", uuid::Uuid::now_v7().to_string())).collect::<Result<_>>()?;
        let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256)?)?;
        let coordinate = |name: &str| jwk[name].as_str().map(str::to_owned).context("a key without its coordinates");
        let public_key = JsonWebKey {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: coordinate("x")?,
            y: coordinate("y")?,
            kid: KEY_ID.into(),
            alg: "ES256".into(),
            r#use: "sig".into(),
        };
        Ok(Self { all, key, public_key })
    }

    /// A member of staff with a token of this session.
    pub(crate) fn staff(&self, session: &str) -> Result<Caller> {
        caller(&self.key, "staff", session.to_owned())
    }

    /// The token verifier of a service, with this key instead of identity's.
    pub(crate) fn verifier(&self) -> TokenVerifier {
        let config = AuthConfig { issuer: ISSUER.into(), audience: AUDIENCE.into(), redis_url: None };
        TokenVerifier::new(FixedKey(self.public_key.clone()), &config)
    }
}

fn caller(key: &EncodingKey, role: &str, session: String) -> Result<Caller> {
    let subject = uuid::Uuid::now_v7().to_string();
    let now = Timestamp::now().as_second();
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: subject.clone(),
        role: role.into(),
        hotel_ids: if role == "staff" { vec![1] } else { vec![] },
        email_verified: true,
        sid: session,
        iat: now,
        exp: now + TOKEN_LIFETIME,
    };
    let header = Header { kid: Some(KEY_ID.into()), ..Header::new(Algorithm::ES256) };
    let token = encode(&header, &claims, key)?;
    Ok(Caller { subject, bearer: format!("Bearer {token}").parse()? })
}

/// A key source with one key.
struct FixedKey(JsonWebKey);

#[tonic::async_trait]
impl KeySource for FixedKey {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        Ok(vec![self.0.clone()])
    }
}
