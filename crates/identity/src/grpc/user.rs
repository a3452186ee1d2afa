//! `UserService`: sign-up, and the caller's own account.

use staymesh_api::identity::v1::{
    CreateUserRequest, CreateUserResponse, GetCurrentUserRequest, GetCurrentUserResponse,
    user_service_server::UserService,
};
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};

use super::request;
use crate::{
    error::IdentityError,
    service::{Services, accounts::AccountService},
};

/// Handlers of `UserService`.
pub(crate) struct UserHandler {
    accounts: AccountService,
}

impl UserHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self { accounts: services.accounts.clone() }
    }
}

#[tonic::async_trait]
impl UserService for UserHandler {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        let source = request::source(&request);
        let sign_up = request::sign_up(request.into_inner())?;
        let account = self.accounts.sign_up(sign_up, source).await?;
        Ok(Response::new(CreateUserResponse { user: Some(account.into()) }))
    }

    async fn get_current_user(
        &self,
        request: Request<GetCurrentUserRequest>,
    ) -> Result<Response<GetCurrentUserResponse>, Status> {
        let caller = Caller::required(&request)?;
        let user_id = caller.subject.parse().map_err(|_| IdentityError::UserNotFound)?;
        let account = self.accounts.get(user_id).await?;
        Ok(Response::new(GetCurrentUserResponse { user: Some(account.into()) }))
    }
}
