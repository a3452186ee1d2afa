//! `IdentityAdminService`: roles of accounts and registrations of clients.

use secrecy::ExposeSecret;
use staymesh_api::identity::v1::{
    Client, CreateClientRequest, CreateClientResponse, DeleteClientRequest, DeleteClientResponse, FindUserRequest,
    ListAuditRecordsRequest, ListAuditRecordsResponse, ListClientsRequest, ListClientsResponse,
    RevokeClientSecretRequest, RotateClientSecretRequest, RotateClientSecretResponse, SetUserRoleRequest, User,
    identity_admin_service_server::IdentityAdminService,
};
use staymesh_mesh::{audit, audit_query};
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::service::{Services, accounts::AccountService, clients::ClientService, roles::RoleService};

/// Handlers of `IdentityAdminService`.
pub(crate) struct IdentityAdminHandler {
    accounts: AccountService,
    roles: RoleService,
    clients: ClientService,
}

impl IdentityAdminHandler {
    pub(crate) fn new(services: &Services) -> Self {
        Self { accounts: services.accounts.clone(), roles: services.roles.clone(), clients: services.clients.clone() }
    }
}

#[tonic::async_trait]
impl IdentityAdminService for IdentityAdminHandler {
    async fn find_user(&self, request: Request<FindUserRequest>) -> Result<Response<User>, Status> {
        let email = request::email(&request.into_inner().email)?;
        let account = self.accounts.find(&email).await?;
        Ok(Response::new(account.try_into()?))
    }

    async fn set_user_role(&self, request: Request<SetUserRoleRequest>) -> Result<Response<User>, Status> {
        let (user_id, assignment) = request::role_assignment(&request.into_inner())?;
        let account = self.roles.set(user_id, assignment).await?;
        Ok(Response::new(account.try_into()?))
    }

    async fn create_client(
        &self,
        request: Request<CreateClientRequest>,
    ) -> Result<Response<CreateClientResponse>, Status> {
        let new = request::registration(request.into_inner())?;
        let (client, secret) = self.clients.create(&new).await?;
        let client_secret = secret.expose_secret().to_owned();
        Ok(response::secret(CreateClientResponse { client: Some(client.try_into()?), client_secret }))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let page = request::client_page(&request.into_inner())?;
        let (clients, next_page_token) = self.clients.list(&page).await?;
        Ok(Response::new(ListClientsResponse {
            clients: clients.into_iter().map(Client::try_from).collect::<Result<_, _>>()?,
            next_page_token,
        }))
    }

    async fn rotate_client_secret(
        &self,
        request: Request<RotateClientSecretRequest>,
    ) -> Result<Response<RotateClientSecretResponse>, Status> {
        let rotation = request::secret_rotation(request.into_inner())?;
        let (client, secret) = self.clients.rotate_secret(rotation).await?;
        let client_secret = secret.expose_secret().to_owned();
        Ok(response::secret(RotateClientSecretResponse { client: Some(client.try_into()?), client_secret }))
    }

    async fn revoke_client_secret(
        &self,
        request: Request<RevokeClientSecretRequest>,
    ) -> Result<Response<Client>, Status> {
        let (client_id, secret_id) = request::revoked_secret(request.into_inner())?;
        let client = self.clients.revoke_secret(&client_id, secret_id).await?;
        Ok(Response::new(client.try_into()?))
    }

    async fn delete_client(
        &self,
        request: Request<DeleteClientRequest>,
    ) -> Result<Response<DeleteClientResponse>, Status> {
        let client_id = request::required("client_id", request.into_inner().client_id)?;
        self.clients.delete(&client_id).await?;
        Ok(Response::new(DeleteClientResponse {}))
    }

    async fn list_audit_records(
        &self,
        request: Request<ListAuditRecordsRequest>,
    ) -> Result<Response<ListAuditRecordsResponse>, Status> {
        let query = audit_query!(request.into_inner());
        let (audit_records, next_page_token) = audit::list(&self.accounts.pool, query).await?;
        Ok(Response::new(ListAuditRecordsResponse { audit_records, next_page_token }))
    }
}
