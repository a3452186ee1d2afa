//! Roles: changes, and how they affect existing logins.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use staymesh_api::identity::v1::{
    FindUserRequest, Role as UserRole, SetUserRoleRequest, User, identity_admin_service_server::IdentityAdminService,
};
use staymesh_mesh::{Problem, Reason, auth::Role};
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{
    clients::hotel::MockHotelClient,
    testing::{FAILURES, LIVES, PASSWORD, Replica, assert_reason, invalid_fields, replica, test_redis},
};

const ADA: &str = "ada@example.com";

async fn set_role(replica: &Replica, user_id: &str, role: Role, hotels: &[i32]) -> Result<User, Status> {
    let request = SetUserRoleRequest { user_id: user_id.to_owned(), role: role.into(), hotel_ids: hotels.to_vec() };
    let answer = replica.admin.set_user_role(Request::new(request)).await?;
    Ok(answer.into_inner())
}

/// A replica whose hotel service knows hotel 7 alone, and does not answer about hotel 500; and the number of its calls.
fn with_one_hotel(pool: &sqlx::PgPool) -> (Replica, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let mut hotels = MockHotelClient::new();
    hotels.expect_require_hotel().returning(move |id| {
        counted.fetch_add(1, Ordering::SeqCst);
        match id.get() {
            7 => Ok(()),
            500 => Err(Problem::from_dependency("hotel", &Status::unavailable("down"))),
            _ => Err(Problem::new(Reason::HotelNotFound, "there is no such hotel").with("hotel_id", id)),
        }
    });
    (Replica::with_hotels(pool, None, (FAILURES, LIVES), hotels), calls)
}

#[tokio::test]
async fn staff_of_a_hotel_that_does_not_exist_are_refused_and_nothing_changes() {
    let (database, _) = replica(None).await;
    let (replica, calls) = with_one_hotel(database.pool());
    let user = replica.sign_up(ADA).await.unwrap();
    assert_reason(set_role(&replica, &user.user_id, Role::Staff, &[7, 8]).await, Reason::HotelNotFound);
    assert_reason(set_role(&replica, &user.user_id, Role::Staff, &[7, 500]).await, Reason::DependencyUnavailable);
    let found = FindUserRequest { email: ADA.to_owned() };
    let found = replica.admin.find_user(Request::new(found)).await.unwrap().into_inner();
    assert_eq!(found, user);
    // The account comes first, and other roles have no hotels to ask for.
    let asked = calls.load(Ordering::SeqCst);
    let nobody = Uuid::now_v7().to_string();
    assert_reason(set_role(&replica, &nobody, Role::Staff, &[8]).await, Reason::UserNotFound);
    set_role(&replica, &user.user_id, Role::Admin, &[]).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), asked);
}

#[tokio::test]
async fn hotels_that_staff_have_are_not_looked_up_again() {
    let (database, all) = replica(None).await;
    let user = all.sign_up(ADA).await.unwrap();
    set_role(&all, &user.user_id, Role::Staff, &[7, 8, 500]).await.unwrap();
    // Hotel 8 is deleted, and the service does not answer about 500.
    let (replica, calls) = with_one_hotel(database.pool());
    for hotels in [&[7, 8, 500][..], &[8, 500]] {
        let changed = set_role(&replica, &user.user_id, Role::Staff, hotels).await.unwrap();
        assert_eq!(changed.hotel_ids, hotels);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_reason(set_role(&replica, &user.user_id, Role::Staff, &[9]).await, Reason::HotelNotFound);
}

#[tokio::test]
async fn set_role_revokes_existing_logins() {
    let (_server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    let user = replica.sign_up(ADA).await.unwrap();
    let before = replica.login(ADA, PASSWORD).await.unwrap();
    let session = replica.caller(&before.access_token).await.session;

    let changed = set_role(&replica, &user.user_id, Role::Staff, &[9, 7]).await.unwrap();
    assert_eq!((changed.role(), changed.hotel_ids), (UserRole::Staff, vec![7, 9]));
    assert!(replica.revocations.is_revoked(&session));
    assert_reason(replica.refresh(&before.refresh_token).await, Reason::RefreshTokenInvalid);

    // New logins and their refreshes have the new role.
    let after = replica.login(ADA, PASSWORD).await.unwrap();
    let renewed = replica.refresh(&after.refresh_token).await.unwrap();
    for token in [&after.access_token, &renewed.access_token] {
        let caller = replica.caller(token).await;
        let hotel_ids: Vec<i32> = caller.hotel_ids.into_iter().map(i32::from).collect();
        assert_eq!((caller.role, hotel_ids), (Role::Staff, vec![7, 9]));
        assert!(!replica.revocations.is_revoked(&caller.session));
    }
}

#[tokio::test]
async fn set_role_retry_revokes_no_further_login_but_publishes_again() {
    let (server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    let user = replica.sign_up(ADA).await.unwrap();
    let before = replica.login(ADA, PASSWORD).await.unwrap();
    let session = replica.caller(&before.access_token).await.session;
    let first = set_role(&replica, &user.user_id, Role::Admin, &[]).await.unwrap();
    let after = replica.login(ADA, PASSWORD).await.unwrap();

    // As if Redis had been unavailable during the first call.
    assert!(replica.revocations.is_revoked(&session));
    server.command("FLUSHALL");
    assert_eq!(set_role(&replica, &user.user_id, Role::Admin, &[]).await.unwrap(), first);
    let published = server.command("XRANGE identity:revocations - +");
    assert!(published.contains(&session), "{published}");
    replica.refresh(&after.refresh_token).await.unwrap();
}

#[tokio::test]
async fn set_role_concurrent_with_logins_leaves_no_token_of_the_old_role() {
    let (database, replica) = replica(None).await;
    let other = Replica::over(database.pool(), None);
    let user = replica.sign_up(ADA).await.unwrap();
    for round in 0..10 {
        let (role, hotels): (Role, &[i32]) = if round % 2 == 0 { (Role::Staff, &[7]) } else { (Role::Guest, &[]) };
        let existing = replica.login(ADA, PASSWORD).await.unwrap();
        let logins = (0..3).map(|_| other.login(ADA, PASSWORD));
        let (changed, renewed, opened) = tokio::join!(
            set_role(&replica, &user.user_id, role, hotels),
            other.refresh(&existing.refresh_token),
            futures::future::join_all(logins)
        );
        changed.unwrap();
        let tokens = opened.into_iter().map(Result::unwrap).chain(renewed);
        for tokens in tokens {
            let caller = replica.caller(&tokens.access_token).await;
            let revoked: bool = sqlx::query_scalar("select revoked_at is not null from login where login_id = $1")
                .bind(caller.session.parse::<Uuid>().unwrap())
                .fetch_one(database.pool())
                .await
                .unwrap();
            assert_eq!(
                caller.role != role,
                revoked,
                "a token of the old role belongs to a revoked login, and no other"
            );
        }
    }
}

#[tokio::test]
async fn set_role_to_guest_deletes_the_hotels_of_staff() {
    let (database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    set_role(&replica, &user.user_id, Role::Staff, &[7]).await.unwrap();
    let guest = set_role(&replica, &user.user_id, Role::Guest, &[]).await.unwrap();
    assert_eq!((guest.role(), guest.hotel_ids), (UserRole::Guest, vec![]));
    let left: i64 = sqlx::query_scalar("select count(*) from staff_hotel").fetch_one(database.pool()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn set_role_and_find_user_report_invalid_fields_and_unknown_accounts() {
    let (_database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    let status = assert_reason(set_role(&replica, "me", Role::Partner, &[]).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["user_id", "role"]);
    let status = assert_reason(set_role(&replica, &user.user_id, Role::Staff, &[1, -1]).await, Reason::InvalidField);
    assert_eq!(invalid_fields(&status), ["hotel_ids[1]"]);
    let unknown = Uuid::now_v7().to_string();
    assert_reason(set_role(&replica, &unknown, Role::Guest, &[]).await, Reason::UserNotFound);

    let find = |email: &str| FindUserRequest { email: email.to_owned() };
    let found = replica.admin.find_user(Request::new(find("Ada@Example.com"))).await.unwrap().into_inner();
    assert_eq!(found, user);
    assert_reason(replica.admin.find_user(Request::new(find("bob@example.com"))).await, Reason::UserNotFound);
    assert_reason(replica.admin.find_user(Request::new(find("?"))).await, Reason::InvalidField);
}

#[tokio::test]
async fn set_role_writes_one_audit_record_without_the_address() {
    let (database, replica) = replica(None).await;
    let user = replica.sign_up(ADA).await.unwrap();
    let origin = Origin {
        role: ActorRole::Admin,
        actor: "auditor".to_owned(),
        method: "test".to_owned(),
        request_id: "r".to_owned(),
        gateway: Gateway::Internal,
    };
    let changes = async {
        for _ in 0..2 {
            set_role(&replica, &user.user_id, Role::Staff, &[7]).await.unwrap();
        }
    };
    Origin::scope(Some(origin), changes).await;
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("select object_id, before::text, after::text from audit_record")
            .fetch_all(database.pool())
            .await
            .unwrap();
    let expected =
        (user.user_id, r#"{"role": "guest", "hotel_ids": []}"#.into(), r#"{"role": "staff", "hotel_ids": [7]}"#.into());
    assert_eq!(rows, [expected]);
}
