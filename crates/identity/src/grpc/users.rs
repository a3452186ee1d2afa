//! `UserService`.

use staymesh_api::identity::v1::{
    CreateUserRequest, CreateUserResponse, GetCurrentUserRequest, GetCurrentUserResponse,
    user_service_server::UserService,
};
use staymesh_domain::FieldError;
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Fields, Services, user};
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
    let mut fields = Fields::default();
    let email = fields.take(Email::parse(&request.email));
    let password = fields.take(password::choose(request.password));
    let name = fields.take(check_display_name(&request.display_name));
    let request_id = fields.take(request_id(&request.request_id));
    match (email, password, name, request_id) {
        (Some(email), Some(password), Some(()), Some(request_id)) => {
            Ok(SignUp { email, password, display_name: request.display_name, request_id })
        }
        _ => Err(fields.finish()),
    }
}

/// A UUID that the caller chose at random. The nil UUID and its like are refused: callers who take a fixed id would get
/// each other's answers.
fn request_id(text: &str) -> Result<Option<Uuid>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || FieldError::new("request_id", "must be a random UUID such as 3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e0f");
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36).ok_or_else(wrong)?;
    if id.is_nil() || id.is_max() { Err(wrong()) } else { Ok(Some(id)) }
}
