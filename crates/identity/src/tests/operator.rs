//! What an operator does from the command line.

use secrecy::SecretString;
use staymesh_mesh::auth::Role;

use super::{PASSWORD, replica};
use crate::{
    admin::{AdminOutcome, create_admin},
    error::IdentityError,
};

#[tokio::test]
async fn the_first_admin_is_made_once() {
    let (database, replica) = replica(None).await;
    let password = SecretString::from(PASSWORD);
    let create = async |email: &str, password: &SecretString| create_admin(database.pool(), email, password).await;
    assert_eq!(create("Root@example.com", &password).await.unwrap(), AdminOutcome::Created);
    // A repeat does not change the password, even with another.
    let other = SecretString::from("another password");
    assert_eq!(create("root@example.com", &other).await.unwrap(), AdminOutcome::AlreadyThere);
    let tokens = replica.login("root@example.com", PASSWORD).await.unwrap();
    assert_eq!(replica.caller(&tokens.access_token).await.role, Role::Admin);

    // Whoever signed up first does not become an admin in passing.
    replica.sign_up("guest@example.com").await.unwrap();
    assert!(matches!(create("guest@example.com", &password).await, Err(IdentityError::EmailTaken)));
    assert!(matches!(create("nonsense", &password).await, Err(IdentityError::Fields(_))));
    assert!(matches!(create("new@example.com", &"short".into()).await, Err(IdentityError::Fields(_))));
}
