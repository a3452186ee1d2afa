//! `AuthService`: logins of people, tokens of clients, and the published key set.

use staymesh_api::identity::v1::{
    AccessToken, CreateGuestSessionRequest, GetKeySetRequest, GetKeySetResponse, IssueClientTokenRequest,
    IssueClientTokenResponse, LoginRequest, LogoutEverywhereRequest, LogoutEverywhereResponse, LogoutRequest,
    LogoutResponse, OpenGuestAccessRequest, RefreshTokensRequest, Tokens, auth_service_server::AuthService,
};
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};

use super::{request, response, user::own_id};
use crate::{
    error::IdentityError,
    service::{
        Services, clients::ClientService, guests::GuestService, keyring::Keyring, logins::LoginService,
        ownership::OwnershipService,
    },
};

/// Handlers of `AuthService`.
pub(crate) struct AuthHandler {
    logins: LoginService,
    clients: ClientService,
    keyring: Keyring,
    ownership: OwnershipService,
    guests: GuestService,
}

impl AuthHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self {
            logins: services.logins.clone(),
            clients: services.clients.clone(),
            keyring: services.keyring.clone(),
            ownership: services.ownership.clone(),
            guests: services.guests.clone(),
        }
    }
}

#[tonic::async_trait]
impl AuthService for AuthHandler {
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<Tokens>, Status> {
        let (source, entered) = (request::source(&request), request::entered(&request));
        let (email, password) = request::credentials(request.into_inner())?;
        let tokens = self.logins.log_in(&email, &password, source, entered).await?;
        Ok(response::secret(response::tokens(&tokens)?))
    }

    async fn create_guest_session(
        &self,
        request: Request<CreateGuestSessionRequest>,
    ) -> Result<Response<Tokens>, Status> {
        let source = request::source(&request);
        let checkout = request::guest_checkout(&request.into_inner())?;
        let tokens = self.guests.check_out(checkout, source).await?;
        Ok(response::secret(response::tokens(&tokens)?))
    }

    async fn open_guest_access(
        &self,
        request: Request<OpenGuestAccessRequest>,
    ) -> Result<Response<AccessToken>, Status> {
        let source = request::source(&request);
        let key = request::required("key", request.into_inner().key)?;
        let token = self.guests.open(&key.into(), source).await?;
        Ok(response::secret(response::access_token(&token)?))
    }

    async fn refresh_tokens(&self, request: Request<RefreshTokensRequest>) -> Result<Response<Tokens>, Status> {
        let entered = request::entered(&request);
        let token = request::required("refresh_token", request.into_inner().refresh_token)?;
        let tokens = self.logins.refresh(&token.into(), entered).await?;
        Ok(response::secret(response::tokens(&tokens)?))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let caller = Caller::required(&request)?;
        let login_id =
            caller.session.parse().map_err(|_| IdentityError::defect("the session of a person's token is no login"))?;
        self.logins.log_out(login_id).await?;
        Ok(Response::new(LogoutResponse {}))
    }

    async fn logout_everywhere(
        &self,
        request: Request<LogoutEverywhereRequest>,
    ) -> Result<Response<LogoutEverywhereResponse>, Status> {
        self.ownership.log_out_everywhere(own_id(&request)?).await?;
        Ok(Response::new(LogoutEverywhereResponse {}))
    }

    async fn issue_client_token(
        &self,
        request: Request<IssueClientTokenRequest>,
    ) -> Result<Response<IssueClientTokenResponse>, Status> {
        let entered = request::entered(&request);
        let (client_id, secret) = request::client_credentials(request.into_inner())?;
        let token = self.clients.issue(&client_id, &secret, entered).await?;
        Ok(response::secret(response::client_token(&token)?))
    }

    async fn get_key_set(&self, _: Request<GetKeySetRequest>) -> Result<Response<GetKeySetResponse>, Status> {
        let keys = self.keyring.current().await?;
        Ok(Response::new(GetKeySetResponse { keys: keys.public.iter().map(Into::into).collect() }))
    }
}
