//! Renders accounts, clients, tokens and keys as messages of the contract.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use staymesh_api::identity::v1::{
    self as proto, GetAuthorizationServerMetadataResponse, IssueClientTokenResponse, JsonWebKey,
};
use staymesh_mesh::{
    auth::{Claims, KeySource},
    proto_types::timestamp,
};
use tonic::{Response, metadata::MetadataValue};

use crate::{
    error::IdentityError,
    grpc::role,
    model::{Account, Client, ClientSecret, PublicKey},
    service::{
        clients::ClientToken,
        keyring::Keyring,
        logins::{AccessToken, LoginTokens},
    },
};

/// Token type of RFC 6750.
const TOKEN_TYPE: &str = "Bearer";

impl TryFrom<Account> for proto::User {
    type Error = IdentityError;

    fn try_from(account: Account) -> Result<Self, IdentityError> {
        Ok(Self {
            user_id: account.user_id.to_string(),
            email: account.email,
            display_name: account.display_name,
            role: role_number(&account.role)?,
            hotel_ids: account.hotel_ids.to_numbers(),
            create_time: Some(timestamp(account.create_time)),
            email_verified_time: account.email_verified_time.map(|time| timestamp(time.to_jiff())),
            language: account.language.code().to_owned(),
            without_account: account.guest_checkout,
        })
    }
}

impl TryFrom<Client> for proto::Client {
    type Error = IdentityError;

    fn try_from(client: Client) -> Result<Self, IdentityError> {
        Ok(Self {
            client_id: client.id,
            display_name: client.display_name,
            role: role_number(&client.role)?,
            create_time: Some(timestamp(client.create_time)),
            secrets: client.secrets.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<ClientSecret> for proto::ClientSecret {
    fn from(secret: ClientSecret) -> Self {
        Self {
            secret_id: secret.secret_id.to_string(),
            create_time: Some(timestamp(secret.create_time)),
            expire_time: secret.expire_time.map(|time| timestamp(time.to_jiff())),
            last_use_date: secret.last_use_date.map(|date| date.to_jiff().to_string()).unwrap_or_default(),
        }
    }
}

impl From<&PublicKey> for JsonWebKey {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: key.x.clone(),
            y: key.y.clone(),
            kid: key.id.clone(),
            alg: "ES256".to_owned(),
            r#use: "sig".to_owned(),
        }
    }
}

/// Identity verifies tokens with its own keys, without a network call to itself.
#[tonic::async_trait]
impl KeySource for Keyring {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        match self.current().await {
            Ok(keys) => Ok(keys.public.iter().map(Into::into).collect()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A response with a secret, which no cache may keep (RFC 6749, section 5.1).
pub(super) fn secret<T>(message: T) -> Response<T> {
    let mut response = Response::new(message);
    response.metadata_mut().insert("cache-control", MetadataValue::from_static("no-store"));
    response.metadata_mut().insert("pragma", MetadataValue::from_static("no-cache"));
    response
}

/// The tokens of a login.
pub(super) fn tokens(tokens: &LoginTokens) -> Result<proto::Tokens, IdentityError> {
    Ok(proto::Tokens {
        access_token: tokens.access.expose_secret().to_owned(),
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: seconds(tokens.access_life)?,
        refresh_token: tokens.refresh.expose_secret().to_owned(),
    })
}

/// An access token without a refresh token.
pub(super) fn access_token(access: &AccessToken) -> Result<proto::AccessToken, IdentityError> {
    Ok(proto::AccessToken {
        access_token: access.token.expose_secret().to_owned(),
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: seconds(access.life)?,
    })
}

/// The token of a client.
pub(super) fn client_token(token: &ClientToken) -> Result<IssueClientTokenResponse, IdentityError> {
    Ok(IssueClientTokenResponse {
        access_token: token.access.expose_secret().to_owned(),
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: seconds(token.life)?,
    })
}

/// The contract's number of a stored role.
fn role_number(name: &str) -> Result<i32, IdentityError> {
    Claims::role_from_name(name)
        .map(|role| role::to_proto(role).into())
        .ok_or_else(|| IdentityError::defect("an unknown role"))
}

/// Whole seconds. Lives are at most one hour.
fn seconds(life: Duration) -> Result<i32, IdentityError> {
    i32::try_from(life.as_secs()).map_err(IdentityError::defect)
}

/// JSON of a client's token (RFC 6749, section 5.1).
///
/// # Errors
/// When the life of the token is out of range.
pub(super) fn token_json(token: &ClientToken) -> Result<String, IdentityError> {
    let answer = client_token(token)?;
    let IssueClientTokenResponse { access_token, token_type, expires_in } = answer;
    Ok(json!({ "access_token": access_token, "token_type": token_type, "expires_in": expires_in }).to_string())
}

/// JSON of a login's tokens (RFC 6749, section 5.1).
///
/// # Errors
/// When the life of the access token is out of range.
pub(super) fn login_json(login: &LoginTokens) -> Result<String, IdentityError> {
    let proto::Tokens { access_token, token_type, expires_in, refresh_token } = tokens(login)?;
    let answer = json!({
        "access_token": access_token, "token_type": token_type, "expires_in": expires_in, "refresh_token": refresh_token,
    });
    Ok(answer.to_string())
}

/// The metadata of the authorization server whose issuer is the base URL of the public gateway.
pub(super) fn authorization_server(issuer: &str) -> GetAuthorizationServerMetadataResponse {
    let url = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    GetAuthorizationServerMetadataResponse {
        issuer: issuer.to_owned(),
        token_endpoint: url("/v1/oauth/token"),
        revocation_endpoint: url("/v1/oauth/revoke"),
        jwks_uri: url("/.well-known/jwks.json"),
        grant_types_supported: texts(&["client_credentials", "refresh_token"]),
        response_types_supported: Vec::new(),
        token_endpoint_auth_methods_supported: texts(&["client_secret_basic", "client_secret_post", "none"]),
        revocation_endpoint_auth_methods_supported: texts(&["none"]),
    }
}
