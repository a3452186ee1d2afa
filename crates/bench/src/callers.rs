//! Callers with access tokens, and the key that these are verified with.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::KeyPair;
use staymesh_api::identity::v1::JsonWebKey;
use staymesh_mesh::{
    auth::{Claims, KeySource, TokenVerifier},
    config::AuthConfig,
};
use tonic::metadata::{Ascii, MetadataValue};

const ISSUER: &str = "https://identity.bench.staymesh.example";
const AUDIENCE: &str = "staymesh";
const KEY_ID: &str = "bench";
/// How long tokens are good: longer than any run.
const LIFE_SECONDS: i64 = 24 * 3600;

/// A guest.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) subject: String,
    /// The value of the `authorization` header.
    pub(crate) bearer: MetadataValue<Ascii>,
}

/// Some guests, as the identity service would know them: signed with ES256, each with a token of their own.
pub(crate) struct Callers {
    pub(crate) all: Vec<Caller>,
    public: JsonWebKey,
}

impl Callers {
    pub(crate) fn new(count: usize) -> Result<Self> {
        let pem = KeyPair::generate()?.serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes())?;
        let all = (0..count).map(|_| caller(&key)).collect::<Result<_>>()?;
        let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256)?)?;
        let text = |name: &str| jwk[name].as_str().map(str::to_owned).context("a key without its coordinates");
        let public = JsonWebKey {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: text("x")?,
            y: text("y")?,
            kid: KEY_ID.into(),
            alg: "ES256".into(),
            r#use: "sig".into(),
        };
        Ok(Self { all, public })
    }

    /// What verifies the tokens, as every service does.
    pub(crate) fn verifier(&self) -> TokenVerifier {
        let config = AuthConfig { issuer: ISSUER.into(), audience: AUDIENCE.into(), redis_url: None };
        TokenVerifier::new(Keys(self.public.clone()), &config)
    }
}

fn caller(key: &EncodingKey) -> Result<Caller> {
    let subject = uuid::Uuid::now_v7().to_string();
    let now = Timestamp::now().as_second();
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: subject.clone(),
        role: "guest".into(),
        hotel_ids: vec![],
        sid: uuid::Uuid::now_v7().to_string(),
        iat: now,
        exp: now + LIFE_SECONDS,
    };
    let header = Header { kid: Some(KEY_ID.into()), ..Header::new(Algorithm::ES256) };
    let token = encode(&header, &claims, key)?;
    Ok(Caller { subject, bearer: format!("Bearer {token}").parse()? })
}

struct Keys(JsonWebKey);

#[tonic::async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        Ok(vec![self.0.clone()])
    }
}
