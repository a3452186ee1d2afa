//! Operator API.

use secrecy::SecretString;
use staymesh_mesh::auth::Role;

use crate::testing::{PASSWORD, replica};
use crate::{
    admin::{AdminOutcome, create_admin},
    error::IdentityError,
};

#[tokio::test]
async fn create_admin_is_idempotent_and_never_promotes_an_account() {
    let (database, replica) = replica(None).await;
    let password = SecretString::from(PASSWORD);
    let create = async |email: &str, password: &SecretString| create_admin(database.pool(), email, password).await;
    assert_eq!(create("Root@example.com", &password).await.unwrap(), AdminOutcome::Created);
    // A retry with another password does not change it.
    let other = SecretString::from("another password");
    assert_eq!(create("root@example.com", &other).await.unwrap(), AdminOutcome::AlreadyThere);
    let tokens = replica.login("root@example.com", PASSWORD).await.unwrap();
    assert_eq!(replica.caller(&tokens.access_token).await.role, Role::Admin);

    // An existing guest account is not promoted.
    replica.sign_up("guest@example.com").await.unwrap();
    assert!(matches!(create("guest@example.com", &password).await, Err(IdentityError::EmailTaken)));
    assert!(matches!(create("nonsense", &password).await, Err(IdentityError::Fields(_))));
    assert!(matches!(create("new@example.com", &"short".into()).await, Err(IdentityError::Fields(_))));
}
