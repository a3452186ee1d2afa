//! Clients: registration, tokens, deletion.

use jiff::Timestamp;
use staymesh_api::identity::v1::{
    Client, CreateClientRequest, CreateClientResponse, DeleteClientRequest, IssueClientTokenRequest,
    IssueClientTokenResponse, ListClientsRequest, auth_service_server::AuthService,
    identity_admin_service_server::IdentityAdminService,
};
use staymesh_domain::Page;
use staymesh_mesh::{Reason, auth::Role};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::testing::{Replica, assert_reason, invalid_fields, replica, test_redis};
use crate::{admin, error::IdentityError};

pub(super) async fn create(replica: &Replica, id: &str) -> Result<CreateClientResponse, Status> {
    send(replica, registration(id, "")).await
}

fn registration(id: &str, request_id: &str) -> CreateClientRequest {
    CreateClientRequest {
        client_id: id.to_owned(),
        display_name: "A partner".to_owned(),
        role: Role::Partner.into(),
        request_id: request_id.to_owned(),
    }
}

async fn send(replica: &Replica, request: CreateClientRequest) -> Result<CreateClientResponse, Status> {
    Ok(replica.admin.create_client(Request::new(request)).await?.into_inner())
}

pub(super) async fn issue(replica: &Replica, id: &str, secret: &str) -> Result<IssueClientTokenResponse, Status> {
    let request = IssueClientTokenRequest {
        grant_type: "client_credentials".to_owned(),
        client_id: id.to_owned(),
        client_secret: secret.to_owned(),
    };
    Ok(replica.auth.issue_client_token(Request::new(request)).await?.into_inner())
}

pub(super) async fn delete(replica: &Replica, id: &str) -> Result<(), Status> {
    let request = DeleteClientRequest { client_id: id.to_owned() };
    replica.admin.delete_client(Request::new(request)).await.map(drop)
}

pub(super) async fn list(replica: &Replica, page_size: i32, page_token: &str) -> Result<(Vec<Client>, String), Status> {
    let request = ListClientsRequest { page_size, page_token: page_token.to_owned() };
    let page = replica.admin.list_clients(Request::new(request)).await?.into_inner();
    Ok((page.clients, page.next_page_token))
}

#[tokio::test]
async fn client_gets_tokens_until_it_is_deleted_and_its_id_is_never_reused() {
    let (_server, redis) = test_redis();
    let (database, replica) = replica(Some(redis)).await;
    let created = create(&replica, "partner-1").await.unwrap();
    assert_eq!(created.client_secret.len(), 43);
    let stored: Vec<u8> =
        sqlx::query_scalar("select secret_hash from client").fetch_one(database.pool()).await.unwrap();
    assert_ne!(stored, created.client_secret.as_bytes());

    let token = issue(&replica, "partner-1", &created.client_secret).await.unwrap();
    assert_eq!((token.token_type.as_str(), token.expires_in), ("Bearer", 3600));
    let caller = replica.caller(&token.access_token).await;
    assert_eq!((caller.subject.as_str(), caller.role), ("client:partner-1", Role::Partner));
    let secret_id = &created.client.unwrap().secrets[0].secret_id;
    assert_eq!(caller.session, format!("client:partner-1:{secret_id}"));
    assert!(!replica.revocations.is_revoked(&caller.session));

    for _ in 0..2 {
        delete(&replica, "partner-1").await.unwrap();
        assert!(replica.revocations.is_revoked(&caller.session));
        assert_reason(issue(&replica, "partner-1", &created.client_secret).await, Reason::BadCredentials);
        assert_eq!(list(&replica, 0, "").await.unwrap(), (vec![], String::new()));
    }
    // Reservations refer to the id of the deleted client.
    assert_reason(create(&replica, "partner-1").await, Reason::ClientExists);
    assert_reason(delete(&replica, "partner-2").await, Reason::ClientNotFound);
    assert_reason(delete(&replica, "'; drop").await, Reason::ClientNotFound);
}

#[tokio::test]
async fn concurrent_create_client_with_one_id_lets_exactly_one_win() {
    let (_database, replica) = replica(None).await;
    let results = futures::future::join_all((0..8).map(|_| create(&replica, "partner-1"))).await;
    let won: Vec<_> = results.iter().flatten().collect();
    assert_eq!(won.len(), 1);
    issue(&replica, "partner-1", &won[0].client_secret).await.unwrap();
    for result in results.iter().filter(|result| result.is_err()) {
        assert_reason(result.clone(), Reason::ClientExists);
    }
}

#[tokio::test]
async fn create_client_retries_with_one_request_id_get_the_same_secret() {
    let (database, replica) = replica(None).await;
    let (one, other) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let answers = futures::future::join_all((0..8).map(|_| send(&replica, registration("partner-1", &one)))).await;
    let first = answers[0].clone().unwrap();
    for answer in answers {
        assert_eq!(answer.unwrap(), first);
    }
    assert_eq!(list(&replica, 0, "").await.unwrap().0, [first.client.clone().unwrap()]);
    issue(&replica, "partner-1", &first.client_secret).await.unwrap();

    let second = send(&replica, registration("partner-2", &other)).await.unwrap();
    assert_ne!(second.client_secret, first.client_secret);
    for changed in [
        registration("partner-2", &one),
        registration("partner-3", &one),
        CreateClientRequest { display_name: "Another".to_owned(), ..registration("partner-1", &one) },
        CreateClientRequest { role: Role::Service.into(), ..registration("partner-1", &one) },
    ] {
        assert_reason(send(&replica, changed).await, Reason::RequestIdReused);
    }
    for other in [registration("partner-1", ""), registration("partner-1", &Uuid::new_v4().to_string())] {
        assert_reason(send(&replica, other).await, Reason::ClientExists);
    }

    // An operator has set another secret since: a retry must not return it.
    let chosen = "c".repeat(32);
    admin::register_client(database.pool(), "partner-1", "A partner", Role::Partner, &chosen.as_str().into())
        .await
        .unwrap();
    assert_reason(send(&replica, registration("partner-1", &one)).await, Reason::ClientExists);
    issue(&replica, "partner-1", &chosen).await.unwrap();
}

#[tokio::test]
async fn create_client_retry_after_a_day_or_a_delete_is_refused() {
    let (database, replica) = replica(None).await;
    let ids = ["partner-1", "partner-2"].map(|id| (id, Uuid::new_v4().to_string()));
    for (id, request_id) in &ids {
        send(&replica, registration(id, request_id)).await.unwrap();
    }
    sqlx::query("update client set created_at = now() - interval '25 hours' where client_id = 'partner-1'")
        .execute(database.pool())
        .await
        .unwrap();
    delete(&replica, "partner-2").await.unwrap();
    for (id, request_id) in &ids {
        assert_reason(send(&replica, registration(id, request_id)).await, Reason::ClientExists);
    }
}

#[tokio::test]
async fn unknown_client_and_wrong_secret_get_the_same_response() {
    let (_database, replica) = replica(None).await;
    let secret = create(&replica, "partner-1").await.unwrap().client_secret;
    let wrong = assert_reason(issue(&replica, "partner-1", "wrong").await, Reason::BadCredentials);
    for (id, secret) in [("partner-2", secret.as_str()), ("No Id", &secret), ("partner-1", &"x".repeat(100_000))] {
        let other = assert_reason(issue(&replica, id, secret).await, Reason::BadCredentials);
        assert_eq!((other.message(), other.details()), (wrong.message(), wrong.details()));
    }
}

#[tokio::test]
async fn client_calls_report_invalid_fields() {
    let (_database, replica) = replica(None).await;
    let empty = Request::new(IssueClientTokenRequest::default());
    let status = assert_reason(replica.auth.issue_client_token(empty).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["grant_type", "client_id", "client_secret"]);
    let grant = IssueClientTokenRequest {
        grant_type: "password".to_owned(),
        client_id: "partner-1".to_owned(),
        client_secret: "x".to_owned(),
    };
    let status = assert_reason(replica.auth.issue_client_token(Request::new(grant)).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["grant_type"]);
    let wrong = CreateClientRequest { role: Role::Guest.into(), ..registration("A", "7") };
    let status = assert_reason(send(&replica, wrong).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["client_id", "role", "request_id"]);
    let status = assert_reason(list(&replica, -1, "").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["page_size"]);
    let status = assert_reason(list(&replica, 0, "nonsense").await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["page_token"]);
    assert_eq!(invalid_fields(&assert_reason(delete(&replica, "").await, Reason::InvalidField)), ["client_id"]);
}

#[tokio::test]
async fn list_clients_refuses_forged_page_tokens() {
    let (_database, replica) = replica(None).await;
    let now = Timestamp::now();
    for key in [(Timestamp::MIN, "partner-1"), (Timestamp::MAX, "partner-1"), (now, "partner\0"), (now, "")] {
        let key = (key.0, key.1.to_owned());
        let (_, token) = Page::parse(1, "", &[]).unwrap().cut(vec![key.clone(), key], Clone::clone);
        let status = assert_reason(list(&replica, 0, &token).await, Reason::InvalidField);
        assert_eq!(invalid_fields(&status), ["page_token"]);
    }
}

#[tokio::test]
async fn list_clients_pages_are_complete_and_newest_first() {
    let (_database, replica) = replica(None).await;
    for n in 0..5 {
        create(&replica, &format!("partner-{n}")).await.unwrap();
    }
    delete(&replica, "partner-3").await.unwrap();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let (clients, next) = list(&replica, 2, &token).await.unwrap();
        assert!(clients.len() <= 2);
        seen.extend(clients.into_iter().map(|client| client.client_id));
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["partner-4", "partner-2", "partner-1", "partner-0"]);
}

#[tokio::test]
async fn register_client_is_idempotent_and_updates_the_secret() {
    let (database, replica) = replica(None).await;
    let (first, second) = ("a".repeat(32), "b".repeat(32));
    let register = async |secret: &str| {
        admin::register_client(database.pool(), "hotel", "The hotel service", Role::Service, &secret.into()).await
    };
    for _ in 0..2 {
        register(&first).await.unwrap();
        let token = issue(&replica, "hotel", &first).await.unwrap();
        assert_eq!(replica.caller(&token.access_token).await.role, Role::Service);
    }
    register(&second).await.unwrap();
    issue(&replica, "hotel", &second).await.unwrap();
    assert_reason(issue(&replica, "hotel", &first).await, Reason::BadCredentials);

    assert!(matches!(register("short").await, Err(IdentityError::Fields(_))));
    delete(&replica, "hotel").await.unwrap();
    assert!(matches!(register(&second).await, Err(IdentityError::ClientExists)));
    assert_reason(issue(&replica, "hotel", &second).await, Reason::BadCredentials);
}
