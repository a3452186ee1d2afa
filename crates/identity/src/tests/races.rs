//! Races of logins, refreshes, resets, logouts and deletions of one account.

use std::time::Duration;

use staymesh_api::identity::v1::{LogoutEverywhereRequest, LogoutRequest, auth_service_server::AuthService};
use staymesh_mesh::Reason;
use uuid::Uuid;

use super::ownership::{ADA, NEW, World};
use crate::testing::{PASSWORD, as_caller, assert_reason};

/// Waits, at most ten seconds, until `condition` holds.
async fn until(condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), holds).await.expect("within ten seconds");
}

/// Waits until a transaction of the test's database waits for a lock.
async fn until_one_waits_for_a_lock(world: &World) {
    let waiting = "select exists (select from pg_stat_activity
                                  where datname = current_database() and wait_event_type = 'Lock')";
    until(async || sqlx::query_scalar(waiting).fetch_one(world.database.pool()).await.unwrap()).await;
}

/// The token of a mailed link that resets the password.
async fn reset_token(world: &World) -> String {
    world.request_reset(ADA).await.unwrap();
    world.token("reset-password").await
}

#[tokio::test]
async fn login_with_a_password_that_is_reset_meanwhile_opens_no_login() {
    let world = World::with_ada().await;
    let token = reset_token(&world).await;
    let passwords = &world.replica.passwords;
    let gate = passwords.gate.write().await;
    let login = world.replica.login(ADA, PASSWORD);
    let reset = async {
        until(async || !passwords.take_verified().is_empty()).await;
        world.reset(&token).await.unwrap();
        drop(gate);
    };
    let (login, ()) = futures::join!(login, reset);
    assert_reason(login, Reason::BadCredentials);
    let open: i64 = sqlx::query_scalar("select count(*) from login where revoked_at is null")
        .fetch_one(world.database.pool())
        .await
        .unwrap();
    assert_eq!(open, 0);
    world.replica.login(ADA, NEW).await.unwrap();
}

#[tokio::test]
async fn deletion_and_change_with_a_password_that_is_reset_meanwhile_are_refused() {
    let world = World::with_ada().await;
    let login = world.replica.login(ADA, PASSWORD).await.unwrap();
    let token = reset_token(&world).await;
    let passwords = &world.replica.passwords;
    passwords.take_verified();
    let gate = passwords.gate.write().await;
    let deletion = world.delete(&login.access_token, PASSWORD);
    let change = world.change(&login.access_token, PASSWORD, "another new one");
    let reset = async {
        let mut verified = 0;
        while verified < 2 {
            verified += passwords.take_verified().len();
            tokio::task::yield_now().await;
        }
        world.reset(&token).await.unwrap();
        drop(gate);
    };
    let (deletion, change, ()) = futures::join!(deletion, change, reset);
    assert_reason(deletion, Reason::BadCredentials);
    assert_reason(change, Reason::BadCredentials);
    world.replica.login(ADA, NEW).await.unwrap();
}

#[tokio::test]
async fn of_two_valid_reset_links_used_at_once_one_takes_effect() {
    let world = World::with_ada().await;
    let first = reset_token(&world).await;
    let earlier = "update mail_token set created_at = created_at - interval '2 minutes'";
    sqlx::query(earlier).execute(world.database.pool()).await.unwrap();
    world.request_reset(ADA).await.unwrap();
    let mails = world.mails("reset-password").await;
    let tokens = mails.iter().map(|mail| {
        let (_, rest) = mail.split_once("#token=").expect("a link");
        rest.split('&').next().unwrap().to_owned()
    });
    let tokens: Vec<String> = tokens.collect();
    assert!(tokens.len() == 2 && tokens.contains(&first));
    let resets = futures::future::join_all(
        tokens
            .iter()
            .flat_map(|token| [(token, NEW), (token, "yet another one")])
            .map(async |(token, new)| world.reset_to(token, new).await.map(|()| new)),
    );
    let resets = resets.await;
    let won: Vec<&str> = resets.iter().flatten().copied().collect();
    assert_eq!(won.len(), 1, "{resets:?}");
    for refused in resets.iter().filter(|reset| reset.is_err()) {
        assert_reason(refused.clone(), Reason::MailTokenInvalid);
    }
    world.replica.login(ADA, won[0]).await.unwrap();
}

#[tokio::test]
async fn refresh_within_the_grace_of_a_login_that_is_revoked_meanwhile_gets_no_token() {
    let world = World::with_ada().await;
    let login = world.replica.login(ADA, PASSWORD).await.unwrap();
    world.replica.refresh(&login.refresh_token).await.unwrap();
    // A logout that has not committed yet, so that the repeated refresh reads the login as it was before.
    let mut logout = world.database.pool().begin().await.unwrap();
    sqlx::query("update login set revoked_at = now(), revoke_reason = 'logout'").execute(&mut *logout).await.unwrap();
    let commit = async {
        until_one_waits_for_a_lock(&world).await;
        logout.commit().await.unwrap();
    };
    let (repeated, ()) = futures::join!(world.replica.refresh(&login.refresh_token), commit);
    assert_reason(repeated, Reason::RefreshTokenInvalid);
}

#[tokio::test]
async fn no_refresh_survives_a_concurrent_end_of_all_logins() {
    let world = World::with_ada().await;
    for round in 0..4 {
        let mut logins = Vec::new();
        for _ in 0..4 {
            logins.push(world.replica.login(ADA, PASSWORD).await.unwrap());
        }
        let caller = world.replica.caller(&logins[0].access_token).await;
        let end = async {
            // Each round begins the logout at another point of the refreshes.
            for _ in 0..round * 8 {
                tokio::task::yield_now().await;
            }
            world.replica.auth.logout_everywhere(as_caller(LogoutEverywhereRequest {}, &caller)).await.unwrap();
        };
        // Twice each: the second is a repeat within the grace.
        let refreshes = logins.iter().chain(&logins).map(|login| world.replica.refresh(&login.refresh_token));
        let (results, ()) = futures::join!(futures::future::join_all(refreshes), end);
        for tokens in results.into_iter().flatten() {
            assert_reason(world.replica.refresh(&tokens.refresh_token).await, Reason::RefreshTokenInvalid);
            let session = world.replica.caller(&tokens.access_token).await.session;
            assert!(world.replica.revocations.is_revoked(&session), "round {round}");
        }
        let open: i64 = sqlx::query_scalar("select count(*) from login where revoked_at is null")
            .fetch_one(world.database.pool())
            .await
            .unwrap();
        assert_eq!(open, 0, "round {round}");
    }
}

#[tokio::test]
async fn account_is_deleted_once_and_no_refresh_or_login_survives() {
    let world = World::with_ada().await;
    let login = world.replica.login(ADA, PASSWORD).await.unwrap();
    let caller = world.replica.caller(&login.access_token).await;
    let (first, second, refreshed, opened, logout) = futures::join!(
        world.delete(&login.access_token, PASSWORD),
        world.delete(&login.access_token, PASSWORD),
        world.replica.refresh(&login.refresh_token),
        world.replica.login(ADA, PASSWORD),
        world.replica.auth.logout(as_caller(LogoutRequest {}, &caller)),
    );
    logout.unwrap();
    assert_eq!([&first, &second].iter().filter(|deletion| deletion.is_ok()).count(), 1);
    let reasons = [Reason::UserNotFound, Reason::BadCredentials];
    let refused = first.err().or(second.err()).expect("one is refused");
    assert!(reasons.contains(&staymesh_mesh::Problem::reason_of(&refused).unwrap()), "{refused:?}");
    for tokens in [refreshed, opened].into_iter().flatten() {
        assert_reason(world.replica.refresh(&tokens.refresh_token).await, Reason::RefreshTokenInvalid);
        let session: Uuid = world.replica.caller(&tokens.access_token).await.session.parse().unwrap();
        assert!(world.replica.revocations.is_revoked(&session.to_string()));
    }
    assert_eq!(world.mails("account-deleted").await.len(), 1);
}
