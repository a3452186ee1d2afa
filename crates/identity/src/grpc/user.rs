//! `UserService`: sign-up, and the caller's own account.

use staymesh_api::identity::v1::{
    ChangePasswordRequest, ChangePasswordResponse, ConfirmEmailRequest, ConfirmEmailResponse, CreateUserRequest,
    DeleteCurrentUserRequest, DeleteCurrentUserResponse, GetCurrentUserRequest, RequestEmailConfirmationRequest,
    RequestEmailConfirmationResponse, RequestPasswordResetRequest, RequestPasswordResetResponse, ResetPasswordRequest,
    ResetPasswordResponse, User, user_service_server::UserService,
};
use staymesh_domain::UserId;
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};

use super::request;
use crate::{
    error::IdentityError,
    service::{Services, accounts::AccountService, ownership::OwnershipService},
};

/// Handlers of `UserService`.
pub(crate) struct UserHandler {
    accounts: AccountService,
    ownership: OwnershipService,
}

impl UserHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self { accounts: services.accounts.clone(), ownership: services.ownership.clone() }
    }
}

#[tonic::async_trait]
impl UserService for UserHandler {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Status> {
        let source = request::source(&request);
        let sign_up = request::sign_up(request.into_inner())?;
        let account = self.accounts.sign_up(sign_up, source).await?;
        Ok(Response::new(account.try_into()?))
    }

    async fn get_current_user(&self, request: Request<GetCurrentUserRequest>) -> Result<Response<User>, Status> {
        let account = self.accounts.get(own_id(&request)?).await?;
        Ok(Response::new(account.try_into()?))
    }

    async fn confirm_email(
        &self,
        request: Request<ConfirmEmailRequest>,
    ) -> Result<Response<ConfirmEmailResponse>, Status> {
        let token = request::required("token", request.into_inner().token)?;
        self.ownership.confirm_email(&token.into()).await?;
        Ok(Response::new(ConfirmEmailResponse {}))
    }

    async fn request_email_confirmation(
        &self,
        request: Request<RequestEmailConfirmationRequest>,
    ) -> Result<Response<RequestEmailConfirmationResponse>, Status> {
        self.ownership.request_confirmation(own_id(&request)?).await?;
        Ok(Response::new(RequestEmailConfirmationResponse {}))
    }

    async fn request_password_reset(
        &self,
        request: Request<RequestPasswordResetRequest>,
    ) -> Result<Response<RequestPasswordResetResponse>, Status> {
        let source = request::source(&request);
        let email = request::email(&request.into_inner().email)?;
        self.ownership.request_reset(&email, source).await?;
        Ok(Response::new(RequestPasswordResetResponse {}))
    }

    async fn reset_password(
        &self,
        request: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        let source = request::source(&request);
        let (token, password) = request::password_reset(request.into_inner())?;
        self.ownership.reset_password(&token, &password, source).await?;
        Ok(Response::new(ResetPasswordResponse {}))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        let (user_id, source) = (own_id(&request)?, request::source(&request));
        let (current, new) = request::password_change(request.into_inner())?;
        self.ownership.change_password(user_id, &current, &new, source).await?;
        Ok(Response::new(ChangePasswordResponse {}))
    }

    async fn delete_current_user(
        &self,
        request: Request<DeleteCurrentUserRequest>,
    ) -> Result<Response<DeleteCurrentUserResponse>, Status> {
        let (user_id, source) = (own_id(&request)?, request::source(&request));
        self.ownership.delete(user_id, request.into_inner().password, source).await?;
        Ok(Response::new(DeleteCurrentUserResponse {}))
    }
}

/// The account of the caller.
pub(super) fn own_id<T>(request: &Request<T>) -> Result<UserId, Status> {
    let caller = Caller::required(request)?;
    Ok(caller.subject.parse().map_err(|_| IdentityError::UserNotFound)?)
}
