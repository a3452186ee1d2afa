//! gRPC: parses requests into domain values, calls the services, and renders responses. No rules.

mod auth;
mod identity_admin;
mod mail_recipient;
mod oauth;
mod oauth_request;
mod request;
mod response;
mod revocation;
mod role;
mod user;

pub(crate) use auth::AuthHandler;
pub(crate) use identity_admin::IdentityAdminHandler;
pub(crate) use mail_recipient::MailRecipientHandler;
pub(crate) use oauth::OAuthHandler;
pub(crate) use revocation::RevocationHandler;
pub(crate) use user::UserHandler;

use staymesh_api::identity::v1::{
    auth_service_server::{self, AuthServiceServer},
    identity_admin_service_server::{self, IdentityAdminServiceServer},
    mail_recipient_service_server::{self, MailRecipientServiceServer},
    o_auth_service_server::{self, OAuthServiceServer},
    revocation_service_server::{self, RevocationServiceServer},
    user_service_server::{self, UserServiceServer},
};
use tonic::service::Routes;

use crate::service::Services;

/// Names of the served gRPC services, for health checks.
pub(crate) const SERVICE_NAMES: [&str; 6] = [
    user_service_server::SERVICE_NAME,
    auth_service_server::SERVICE_NAME,
    identity_admin_service_server::SERVICE_NAME,
    o_auth_service_server::SERVICE_NAME,
    revocation_service_server::SERVICE_NAME,
    mail_recipient_service_server::SERVICE_NAME,
];

/// The routes of all gRPC services.
pub(crate) fn routes(services: &Services) -> Routes {
    Routes::new(UserServiceServer::new(UserHandler::new(services)))
        .add_service(AuthServiceServer::new(AuthHandler::new(services)))
        .add_service(IdentityAdminServiceServer::new(IdentityAdminHandler::new(services)))
        .add_service(OAuthServiceServer::new(OAuthHandler::new(services)))
        .add_service(RevocationServiceServer::new(RevocationHandler::new(services)))
        .add_service(MailRecipientServiceServer::new(MailRecipientHandler::new(services)))
}
