//! Gateways: staff, administrators and services get tokens at the internal gateway, guests and partners at the public one.

use staymesh_api::identity::v1::{
    CreateClientRequest, IssueClientTokenRequest, LoginRequest, RefreshTokensRequest, SetUserRoleRequest, Tokens,
    auth_service_server::AuthService, identity_admin_service_server::IdentityAdminService,
};
use staymesh_mesh::{Reason, auth::Role, gateway::GATEWAY_HEADER};
use tonic::{Request, Status};

use crate::testing::{FAILURES, PASSWORD, Replica, assert_reason, replica};

const ADA: &str = "ada@example.com";

/// A request that entered by this gateway.
fn at<T>(gateway: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(GATEWAY_HEADER, gateway.parse().expect("a header"));
    request
}

async fn login(replica: &Replica, gateway: &str, password: &str) -> Result<Tokens, Status> {
    let request = LoginRequest { email: ADA.to_owned(), password: password.to_owned() };
    Ok(replica.auth.login(at(gateway, request)).await?.into_inner())
}

async fn refresh(replica: &Replica, gateway: &str, token: &str) -> Result<Tokens, Status> {
    let request = RefreshTokensRequest { refresh_token: token.to_owned() };
    Ok(replica.auth.refresh_tokens(at(gateway, request)).await?.into_inner())
}

async fn set_role(replica: &Replica, user_id: &str, role: Role) {
    let hotel_ids = if role == Role::Staff { vec![7] } else { Vec::new() };
    let request = SetUserRoleRequest { user_id: user_id.to_owned(), role: role.into(), hotel_ids };
    replica.admin.set_user_role(Request::new(request)).await.unwrap();
}

#[track_caller]
fn assert_same(left: &Status, right: &Status) {
    assert_eq!((left.code(), left.message(), left.details()), (right.code(), right.message(), right.details()));
}

#[tokio::test]
async fn staff_and_admins_log_in_at_the_internal_gateway_only() {
    let (_database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    for role in [Role::Staff, Role::Admin] {
        set_role(&replica, &user.user_id, role).await;
        let refused = assert_reason(login(&replica, "public", PASSWORD).await, Reason::BadCredentials);
        let wrong = assert_reason(login(&replica, "public", "wrong password").await, Reason::BadCredentials);
        assert_same(&refused, &wrong);
        let tokens = login(&replica, "internal", PASSWORD).await.unwrap();
        assert_eq!(replica.caller(&tokens.access_token).await.role, role);
    }
    set_role(&replica, &user.user_id, Role::Guest).await;
    assert_reason(login(&replica, "internal", PASSWORD).await, Reason::BadCredentials);
    login(&replica, "public", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn right_password_at_the_wrong_gateway_counts_as_a_failed_login() {
    let (_database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    set_role(&replica, &user.user_id, Role::Admin).await;
    for _ in 0..FAILURES {
        assert_reason(login(&replica, "public", PASSWORD).await, Reason::BadCredentials);
    }
    assert_reason(login(&replica, "public", PASSWORD).await, Reason::LoginThrottled);
}

#[tokio::test]
async fn refresh_at_the_wrong_gateway_is_refused_and_leaves_the_token_valid() {
    let (_database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    set_role(&replica, &user.user_id, Role::Admin).await;
    let tokens = login(&replica, "internal", PASSWORD).await.unwrap();
    assert_reason(refresh(&replica, "public", &tokens.refresh_token).await, Reason::RefreshTokenInvalid);
    let next = refresh(&replica, "internal", &tokens.refresh_token).await.unwrap();
    refresh(&replica, "internal", &next.refresh_token).await.unwrap();
}

#[tokio::test]
async fn client_gets_tokens_at_the_gateway_of_its_role_only() {
    let (_database, replica) = replica(None).await;
    for (role, own, other) in [(Role::Service, "internal", "public"), (Role::Partner, "public", "internal")] {
        let client_id = format!("client-of-{own}");
        let request = CreateClientRequest { client_id: client_id.clone(), role: role.into(), ..Default::default() };
        let secret = replica.admin.create_client(Request::new(request)).await.unwrap().into_inner().client_secret;
        let issue = async |gateway, secret: &str| {
            let request = IssueClientTokenRequest {
                grant_type: "client_credentials".to_owned(),
                client_id: client_id.clone(),
                client_secret: secret.to_owned(),
            };
            replica.auth.issue_client_token(at(gateway, request)).await
        };
        let refused = assert_reason(issue(other, &secret).await, Reason::BadCredentials);
        let wrong = assert_reason(issue(other, "wrong").await, Reason::BadCredentials);
        assert_same(&refused, &wrong);
        let issued = issue(own, &secret).await.unwrap().into_inner();
        assert_eq!(replica.caller(&issued.access_token).await.role, role);
    }
}
