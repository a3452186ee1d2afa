//! `UserService`.

use staymesh_api::identity::v1::{
    CreateUserRequest, CreateUserResponse, GetCurrentUserRequest, GetCurrentUserResponse,
    user_service_server::UserService,
};
use staymesh_domain::{FieldErrors, parse_optional_request_id};
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};

use super::{Services, user};
use crate::{accounts::SignUp, clients::check_display_name, email::Email, error::IdentityError, password};

#[tonic::async_trait]
impl UserService for Services {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        let sign_up = sign_up(request.into_inner())?;
        let row = self.accounts.sign_up(sign_up).await?;
        Ok(Response::new(CreateUserResponse { user: Some(user(row)) }))
    }

    async fn get_current_user(
        &self,
        request: Request<GetCurrentUserRequest>,
    ) -> Result<Response<GetCurrentUserResponse>, Status> {
        let caller = Caller::required(&request)?;
        let user_id = caller.subject.parse().map_err(|_| IdentityError::UserNotFound)?;
        let row = self.accounts.get(user_id).await?;
        Ok(Response::new(GetCurrentUserResponse { user: Some(user(row)) }))
    }
}

fn sign_up(request: CreateUserRequest) -> Result<SignUp, IdentityError> {
    let mut fields = FieldErrors::default();
    let email = fields.value(Email::parse(&request.email));
    let password = fields.value(password::choose(request.password));
    let name = fields.value(check_display_name(&request.display_name));
    let request_id = fields.value(parse_optional_request_id(&request.request_id));
    match (email, password, name, request_id) {
        (Some(email), Some(password), Some(()), Some(request_id)) => {
            Ok(SignUp { email, password, display_name: request.display_name, request_id })
        }
        _ => Err(fields.into()),
    }
}
