//! `IdentityAdminService`.

use secrecy::ExposeSecret;
use staymesh_api::identity::v1::{
    Client, CreateClientRequest, CreateClientResponse, DeleteClientRequest, DeleteClientResponse, FindUserRequest,
    FindUserResponse, ListClientsRequest, ListClientsResponse, SetUserRoleRequest, SetUserRoleResponse,
    identity_admin_service_server::IdentityAdminService,
};
use staymesh_domain::{FieldError, FieldErrors, HotelId, Page, PageError, UserId, parse_optional_request_id};
use staymesh_mesh::{auth::Role, proto_types::timestamp};
use tonic::{Request, Response, Status};

use super::{Services, required, role, user};
use crate::{
    accounts::Duty,
    clients::{ClientKey, Registration, is_client_id},
    email::Email,
    error::IdentityError,
    store::clients::ClientRow,
};

/// In the year 9999, in seconds since 1970; whoever is registered is so before.
const MAX_SECOND: i64 = 250_000_000_000;
const MAX_HOTELS: usize = 100;

#[tonic::async_trait]
impl IdentityAdminService for Services {
    async fn find_user(&self, request: Request<FindUserRequest>) -> Result<Response<FindUserResponse>, Status> {
        let email = Email::parse(&request.into_inner().email).map_err(IdentityError::from)?;
        let row = self.accounts.find(&email).await?;
        Ok(Response::new(FindUserResponse { user: Some(user(row)) }))
    }

    async fn set_user_role(
        &self,
        request: Request<SetUserRoleRequest>,
    ) -> Result<Response<SetUserRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = FieldErrors::default();
        let user_id = fields.value(request.user_id.parse::<UserId>());
        let duty = duty(&mut fields, request.role(), request.hotel_ids);
        let (Some(user_id), Some(duty)) = (user_id, duty) else { return Err(IdentityError::from(fields).into()) };
        let row = self.accounts.set_duty(user_id.as_uuid(), duty).await?;
        Ok(Response::new(SetUserRoleResponse { user: Some(user(row)) }))
    }

    async fn create_client(
        &self,
        request: Request<CreateClientRequest>,
    ) -> Result<Response<CreateClientResponse>, Status> {
        let request = request.into_inner();
        let role = request.role();
        let mut fields = FieldErrors::default();
        let request_id = fields.value(parse_optional_request_id(&request.request_id));
        let new = match (Registration::parse(request.client_id, request.display_name, role), request_id) {
            (Ok(new), Some(request_id)) => Registration { request_id, ..new },
            (parsed, _) => {
                let wrong = parsed.err().into_iter().flatten().chain(fields);
                return Err(IdentityError::Fields(wrong.collect()).into());
            }
        };
        let (row, secret) = self.clients.create(&new).await?;
        let client_secret = secret.expose_secret().to_owned();
        Ok(Response::new(CreateClientResponse { client: Some(client(row)), client_secret }))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token, &[])
            .and_then(|page: Page<ClientKey>| if possible(&page) { Ok(page) } else { Err(PageError::Token) })
            .map_err(|error| IdentityError::from(FieldError::from(error)))?;
        let (rows, next_page_token) = self.clients.list(&page).await?;
        Ok(Response::new(ListClientsResponse { clients: rows.into_iter().map(client).collect(), next_page_token }))
    }

    async fn delete_client(
        &self,
        request: Request<DeleteClientRequest>,
    ) -> Result<Response<DeleteClientResponse>, Status> {
        let id = required("client_id", request.into_inner().client_id).map_err(IdentityError::from)?;
        self.clients.delete(&id).await?;
        Ok(Response::new(DeleteClientResponse {}))
    }
}

fn duty(fields: &mut FieldErrors, role: Role, mut hotel_ids: Vec<i32>) -> Option<Duty> {
    let allowed = match role {
        Role::Staff => 1..=MAX_HOTELS,
        Role::Guest | Role::Admin => 0..=0,
        _ => {
            fields.push(FieldError::new("role", "must be ROLE_GUEST, ROLE_STAFF or ROLE_ADMIN"));
            return None;
        }
    };
    if !allowed.contains(&hotel_ids.len()) {
        let why = if role == Role::Staff { "must be 1 to 100 hotels for staff" } else { "must be empty for this role" };
        fields.push(FieldError::new("hotel_ids", why));
        return None;
    }
    let mut wrong = false;
    for (index, id) in hotel_ids.iter().enumerate() {
        let positive = HotelId::try_from(*id).map_err(|error| error.at(format!("hotel_ids[{index}]")));
        wrong |= fields.value(positive).is_none();
        if hotel_ids[..index].contains(id) {
            fields.push(FieldError::new(format!("hotel_ids[{index}]"), "is there twice"));
            wrong = true;
        }
    }
    hotel_ids.sort_unstable();
    (!wrong).then_some(Duty { role, hotel_ids })
}

/// Whether a page begins where a program could be. Anybody can write a token; an id with a NUL or a time of another age
/// is none of ours, and not one that the database takes.
fn possible(page: &Page<ClientKey>) -> bool {
    page.after.as_ref().is_none_or(|(time, id)| is_client_id(id) && (0..MAX_SECOND).contains(&time.as_second()))
}

fn client(row: ClientRow) -> Client {
    Client {
        client_id: row.client_id,
        display_name: row.display_name,
        role: role(&row.role),
        create_time: Some(timestamp(row.created_at.to_jiff())),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Role::Staff, &[], &["hotel_ids"])]
    #[case(Role::Staff, &[0, -1, 7, 7], &["hotel_ids[0]", "hotel_ids[1]", "hotel_ids[3]"])]
    #[case(Role::Guest, &[7], &["hotel_ids"])]
    #[case(Role::Admin, &[7], &["hotel_ids"])]
    #[case(Role::Partner, &[], &["role"])]
    #[case(Role::Service, &[], &["role"])]
    #[case(Role::Unspecified, &[], &["role"])]
    #[case(Role::Staff, &[9, 7], &[])]
    #[case(Role::Guest, &[], &[])]
    fn only_staff_have_hotels(#[case] role: Role, #[case] hotels: &[i32], #[case] wrong: &[&str]) {
        let mut fields = FieldErrors::default();
        let duty = duty(&mut fields, role, hotels.to_vec());
        assert_eq!(fields.into_iter().map(|error| error.field).collect::<Vec<_>>(), wrong);
        assert_eq!(duty.is_some(), wrong.is_empty());
        assert!(duty.is_none_or(|duty| duty.hotel_ids.is_sorted()));
    }

    #[test]
    fn a_huge_list_is_refused_at_once() {
        let mut fields = FieldErrors::default();
        assert!(duty(&mut fields, Role::Staff, vec![1; 1_000_000]).is_none());
        assert_eq!(fields.into_iter().count(), 1);
    }
}
