//! `OAuthService`: the endpoints of OAuth 2.0 for stock client libraries.

use staymesh_api::{
    google::api::HttpBody,
    identity::v1::{
        GetAuthorizationServerMetadataRequest, GetAuthorizationServerMetadataResponse, IssueTokenRequest,
        RevokeTokenRequest, o_auth_service_server::OAuthService,
    },
};
use tonic::{Request, Response, Status};

use super::{
    oauth_request::{Basic, Grant, Parameters},
    request, response,
};
use crate::service::{Services, clients::ClientService, logins::LoginService};

/// Handlers of `OAuthService`.
pub(crate) struct OAuthHandler {
    logins: LoginService,
    clients: ClientService,
    metadata: GetAuthorizationServerMetadataResponse,
}

impl OAuthHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self {
            logins: services.logins.clone(),
            clients: services.clients.clone(),
            metadata: response::authorization_server(&services.issuer),
        }
    }
}

#[tonic::async_trait]
impl OAuthService for OAuthHandler {
    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Result<Response<HttpBody>, Status> {
        let entered = request::entered(&request);
        let basic = Basic::of(request.metadata())?;
        let parameters = Parameters::parse(request.into_inner().body)?;
        let answer = match Grant::parse(parameters, basic)? {
            Grant::ClientCredentials { client_id, secret } => {
                response::token_json(&self.clients.issue(&client_id, &secret, entered).await?)?
            }
            Grant::RefreshToken(token) => response::login_json(&self.logins.refresh(&token, entered).await?)?,
        };
        Ok(Response::new(json_body(answer)))
    }

    async fn revoke_token(&self, request: Request<RevokeTokenRequest>) -> Result<Response<HttpBody>, Status> {
        let token = Parameters::parse(request.into_inner().body)?.refresh_token_to_revoke()?;
        self.logins.revoke_refresh_token(&token).await?;
        Ok(Response::new(json_body("{}".to_owned())))
    }

    async fn get_authorization_server_metadata(
        &self,
        _: Request<GetAuthorizationServerMetadataRequest>,
    ) -> Result<Response<GetAuthorizationServerMetadataResponse>, Status> {
        Ok(Response::new(self.metadata.clone()))
    }
}

fn json_body(text: String) -> HttpBody {
    HttpBody { content_type: "application/json".to_owned(), data: text.into_bytes(), extensions: Vec::new() }
}
