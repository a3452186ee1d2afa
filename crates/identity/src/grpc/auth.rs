//! `AuthService`.

use secrecy::{ExposeSecret, SecretString};
use staymesh_api::identity::v1::{
    GetKeySetRequest, GetKeySetResponse, IssueClientTokenRequest, IssueClientTokenResponse, LoginRequest,
    LoginResponse, LogoutRequest, LogoutResponse, RefreshTokensRequest, RefreshTokensResponse, Tokens,
    auth_service_server::AuthService,
};
use staymesh_domain::{FieldError, FieldErrors};
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};

use super::{Services, required};
use crate::{email::Email, error::IdentityError, logins::LoginTokens, password, throttle::Source};

const TOKEN_TYPE: &str = "Bearer";
/// Where the caller is, as the edge saw it. Callers of the edge cannot send it.
const SOURCE_HEADER: &str = "x-staymesh-source";

#[tonic::async_trait]
impl AuthService for Services {
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let source = request.metadata().get(SOURCE_HEADER).and_then(|value| value.to_str().ok());
        let source = source.map(Source::parse).unwrap_or_default();
        let request = request.into_inner();
        let mut fields = FieldErrors::default();
        let email = fields.value(Email::parse(&request.email));
        let password = fields.value(password::present(request.password));
        let (Some(email), Some(password)) = (email, password) else { return Err(IdentityError::from(fields).into()) };
        let opened = self.logins.log_in(&email, &password, source).await?;
        Ok(Response::new(LoginResponse { tokens: Some(tokens(&opened)) }))
    }

    async fn refresh_tokens(
        &self,
        request: Request<RefreshTokensRequest>,
    ) -> Result<Response<RefreshTokensResponse>, Status> {
        let token: SecretString =
            required("refresh_token", request.into_inner().refresh_token).map_err(IdentityError::from)?.into();
        let renewed = self.logins.refresh(&token).await?;
        Ok(Response::new(RefreshTokensResponse { tokens: Some(tokens(&renewed)) }))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let caller = Caller::required(&request)?;
        let login_id = caller.session.parse().map_err(|_| IdentityError::defect("a person's token names no login"))?;
        self.logins.log_out(login_id).await?;
        Ok(Response::new(LogoutResponse {}))
    }

    async fn issue_client_token(
        &self,
        request: Request<IssueClientTokenRequest>,
    ) -> Result<Response<IssueClientTokenResponse>, Status> {
        let request = request.into_inner();
        let mut fields = FieldErrors::default();
        fields.value(grant_type(&request.grant_type));
        let id = fields.value(required("client_id", request.client_id));
        let secret = fields.value(required("client_secret", request.client_secret)).map(SecretString::from);
        let (Some(id), Some(secret), true) = (id, secret, fields.is_empty()) else {
            return Err(IdentityError::from(fields).into());
        };
        let token = self.clients.issue(&id, &secret).await?;
        Ok(Response::new(IssueClientTokenResponse {
            access_token: token.access.expose_secret().to_owned(),
            token_type: TOKEN_TYPE.to_owned(),
            expires_in: seconds(token.life),
        }))
    }

    async fn get_key_set(&self, _: Request<GetKeySetRequest>) -> Result<Response<GetKeySetResponse>, Status> {
        let keys = self.keyring.current().await?;
        Ok(Response::new(GetKeySetResponse { keys: keys.public.clone() }))
    }
}

fn grant_type(text: &str) -> Result<(), FieldError> {
    if text == "client_credentials" {
        return Ok(());
    }
    Err(FieldError::new("grant_type", "must be \"client_credentials\""))
}

fn tokens(opened: &LoginTokens) -> Tokens {
    Tokens {
        access_token: opened.access.expose_secret().to_owned(),
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: seconds(opened.access_life),
        refresh_token: opened.refresh.expose_secret().to_owned(),
    }
}

fn seconds(life: std::time::Duration) -> i32 {
    i32::try_from(life.as_secs()).unwrap_or(i32::MAX)
}
