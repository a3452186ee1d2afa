//! Constraints and triggers of the database, independent of the service.

use sqlx::{AssertSqlSafe, PgPool};
use staymesh_store::StoreError;

use crate::testing::{PASSWORD, replica};

async fn refused_by(pool: &PgPool, sql: &'static str) -> String {
    let error: StoreError = sqlx::query(AssertSqlSafe(sql)).execute(pool).await.expect_err(sql).into();
    error.constraint().unwrap_or_else(|| panic!("{sql}: {error:?}")).to_owned()
}

#[tokio::test]
async fn constraints_refuse_invalid_rows_by_name() {
    let (database, replica) = replica(None).await;
    let pool = database.pool();
    replica.sign_up("ada@example.com").await.unwrap();
    let tokens = replica.login("ada@example.com", PASSWORD).await.unwrap();
    replica.refresh(&tokens.refresh_token).await.unwrap();
    sqlx::query("insert into client values ('partner', '', 'partner', sha256(''))").execute(pool).await.unwrap();
    for (sql, constraint) in [
        ("update user_account set email = 'Ada@example.com'", "user_account_email_is_normal"),
        ("update user_account set email = 'a b@example.com'", "user_account_email_is_normal"),
        ("update user_account set password_hash = 'secret'", "user_account_password_is_hashed"),
        ("update user_account set role = 'root'", "user_account_role_is_known"),
        ("update user_account set role = 'partner'", "user_account_role_is_known"),
        ("update user_account set display_name = repeat('x', 101)", "user_account_display_name_is_short"),
        ("insert into staff_hotel select user_id, 7 from user_account", "staff_hotel_user_account_fkey"),
        ("insert into staff_hotel select user_id, 7, 'guest' from user_account", "staff_hotel_is_of_staff"),
        ("insert into staff_hotel select user_id, 0 from user_account", "staff_hotel_hotel_id_positive"),
        ("update login set revoked_at = now()", "login_revocation_has_a_reason"),
        ("update login set revoked_at = now(), revoke_reason = 'mood'", "login_revoke_reason_is_known"),
        ("update login set expires_at = created_at", "login_ends_after_it_began"),
        ("update user_account set language = 'it'", "user_account_language_is_known"),
        (
            "insert into mail_token select 'x', user_id, 'reset_password', now(), now() + interval '1 h' from user_account",
            "mail_token_hash_is_sha256",
        ),
        (
            "insert into mail_token select sha256(''), user_id, 'other', now(), now() + interval '1 h' from user_account",
            "mail_token_purpose_is_known",
        ),
        (
            "insert into mail_token select sha256(''), user_id, 'confirm_email', now(), now() from user_account",
            "mail_token_ends_after_it_began",
        ),
        ("update user_account set checkout_email = 'Ada@example.com'", "user_account_checkout_email_is_normal"),
        ("update user_account set checkout_email = email", "user_account_checkout_has_no_login"),
        (
            "insert into guest_key select 'x', user_id, now(), now() + interval '1 h' from user_account",
            "guest_key_hash_is_sha256",
        ),
        (
            "insert into guest_key select sha256(''), user_id, now(), now() from user_account",
            "guest_key_ends_after_it_began",
        ),
        ("update refresh_token set token_hash = 'x'", "refresh_token_hash_is_sha256"),
        ("update refresh_token set expires_at = created_at", "refresh_token_ends_after_it_began"),
        ("update refresh_token set used_at = null where used_at is not null", "refresh_token_use_is_final"),
        ("insert into client values ('AB', '', 'partner', sha256(''))", "client_id_is_well_formed"),
        ("insert into client values ('abc', '', 'admin', sha256(''))", "client_role_is_known"),
        ("insert into client values ('abc', '', 'partner', 'plain')", "client_secret_hash_is_sha256"),
        ("update client_secret set secret_hash = 'plain'", "client_secret_hash_is_sha256"),
        ("update client_secret set ended_at = now()", "client_secret_ended_has_no_hash"),
        ("update client_secret set revoked_at = now()", "client_secret_revoked_has_ended"),
        ("update client_secret set request_overlap_seconds = 2592001", "client_secret_overlap_within_30_days"),
        (
            "insert into client_secret (client_id, secret_hash) values ('nobody', sha256('x'))",
            "client_secret_client_fkey",
        ),
        (
            "insert into client_secret (client_id, secret_hash) values ('partner', sha256('x'))",
            "client_secret_newest_key",
        ),
        (
            "insert into client_secret (client_id, secret_hash, expires_at)
             select 'partner', sha256('x'), now() from generate_series(1, 2)",
            "client_secret_former_key",
        ),
        (
            "insert into signing_key select 'x', x, y, sealed_private_key from signing_key",
            "signing_key_id_is_a_thumbprint",
        ),
        (
            "insert into signing_key select reverse(key_id), x, y, sealed_private_key from signing_key",
            "signing_key_newest_key",
        ),
        ("update signing_key set sealed_private_key = ''", "signing_key_is_sealed"),
        ("update signing_key set ends_at = signs_from", "signing_key_ends_after_it_signs"),
    ] {
        assert_eq!(refused_by(pool, sql).await, constraint, "{sql}");
    }
}

#[test]
fn outbox_is_the_shared_table() {
    assert!(include_str!("../../../../migrations/identity/0007_outbox.sql").ends_with(staymesh_store::outbox::SCHEMA));
}

#[tokio::test]
async fn used_mail_token_cannot_be_made_usable_again() {
    let (database, replica) = replica(None).await;
    replica.sign_up("ada@example.com").await.unwrap();
    let used =
        "insert into mail_token select sha256(''), user_id, 'confirm_email', now(), now() + interval '1 h', now()
                from user_account";
    sqlx::query(used).execute(database.pool()).await.unwrap();
    assert_eq!(refused_by(database.pool(), "update mail_token set used_at = null").await, "mail_token_use_is_final");
}

#[tokio::test]
async fn revocation_of_a_guest_key_cannot_be_undone() {
    let (database, replica) = replica(None).await;
    replica.sign_up("ada@example.com").await.unwrap();
    let revoked =
        "insert into guest_key select sha256(''), user_id, now(), now() + interval '1 h', now() from user_account";
    sqlx::query(revoked).execute(database.pool()).await.unwrap();
    assert_eq!(
        refused_by(database.pool(), "update guest_key set revoked_at = null").await,
        "guest_key_revocation_is_final"
    );
}

#[tokio::test]
async fn revocation_of_a_login_cannot_be_undone() {
    let (database, replica) = replica(None).await;
    replica.sign_up("ada@example.com").await.unwrap();
    replica.login("ada@example.com", PASSWORD).await.unwrap();
    let revoke = "update login set revoked_at = now(), revoke_reason = 'logout'";
    sqlx::query(revoke).execute(database.pool()).await.unwrap();
    let undo = "update login set revoked_at = null, revoke_reason = null";
    assert_eq!(refused_by(database.pool(), undo).await, "login_revocation_is_final");
}

#[tokio::test]
async fn ended_secret_of_a_client_stays_ended() {
    let (database, _replica) = replica(None).await;
    let pool = database.pool();
    sqlx::query("insert into client values ('partner', '', 'partner', sha256(''))").execute(pool).await.unwrap();
    sqlx::query("update client_secret set ended_at = now(), secret_hash = null").execute(pool).await.unwrap();
    let undo = "update client_secret set ended_at = null, secret_hash = sha256('')";
    assert_eq!(refused_by(pool, undo).await, "client_secret_end_is_final");
}
