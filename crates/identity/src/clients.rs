//! Programs that call with client credentials (RFC 6749, section 4.4).

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use staymesh_domain::{FieldError, Page};
use staymesh_mesh::auth::{Claims, Revocations, Role};
use staymesh_store::ResultExt;
use uuid::Uuid;

use crate::{
    accounts::revoke,
    config::Lives,
    crypto::{EncryptionKey, SecretHash, random_secret},
    error::IdentityError,
    store::clients::{self as store, ClientRow},
    tokens::{Subject, Tokens},
    uninterrupted::Uninterrupted,
};

/// Continues a list of programs: when the last one was registered, and its id.
pub(crate) type ClientKey = (jiff::Timestamp, String);

/// A registration whose fields are valid.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) client_id: String,
    pub(crate) display_name: String,
    pub(crate) role: &'static str,
    /// What makes a repeat get the same answer.
    pub(crate) request_id: Option<Uuid>,
}

impl Registration {
    /// Checks the fields of a registration; all that are wrong are named.
    pub(crate) fn parse(client_id: String, display_name: String, role: Role) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        if !is_client_id(&client_id) {
            wrong.push(FieldError::new("client_id", "must be 3 to 64 characters of a-z, 0-9 and '-'"));
        }
        wrong.extend(check_display_name(&display_name).err());
        let role = match role {
            Role::Partner | Role::Service => Claims::role_name(role),
            _ => None,
        };
        match role {
            Some(role) if wrong.is_empty() => Ok(Self { client_id, display_name, role, request_id: None }),
            Some(_) => Err(wrong),
            None => {
                wrong.push(FieldError::new("role", "must be ROLE_PARTNER or ROLE_SERVICE"));
                Err(wrong)
            }
        }
    }
}

/// Whether a program could have this id.
pub(crate) fn is_client_id(text: &str) -> bool {
    (3..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// A name for people: at most 100 characters on one line.
pub(crate) fn check_display_name(text: &str) -> Result<(), FieldError> {
    if text.chars().count() > 100 {
        return Err(FieldError::new("display_name", "must have at most 100 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(FieldError::new("display_name", "must not contain control characters"));
    }
    Ok(())
}

/// A program's access token.
#[derive(Debug)]
pub(crate) struct ClientToken {
    pub(crate) access: SecretString,
    pub(crate) life: Duration,
}

/// The programs.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) pool: PgPool,
    pub(crate) key: EncryptionKey,
    pub(crate) tokens: Tokens,
    pub(crate) revocations: Revocations,
    pub(crate) lives: Lives,
    pub(crate) changes: Uninterrupted,
}

impl Clients {
    /// Registers a program and returns the secret, which is not kept. An id that was ever in use is refused: what the
    /// program before it owns must not fall to another.
    ///
    /// The secret of a request with an id can be made again from that id, with a key that only this service has. So its
    /// repeat gets the same answer, for a day: after that nobody can ask for the secret of a program that is in use.
    pub(crate) async fn create(&self, new: &Registration) -> Result<(ClientRow, SecretString), IdentityError> {
        let secret = match new.request_id {
            Some(request_id) => self.key.client_secret(&new.client_id, request_id),
            None => random_secret()?,
        };
        let hash = SecretHash::of(secret.expose_secret());
        let taken =
            |name: &str| matches!(name, "client_pkey" | "client_request_id_key").then_some(IdentityError::ClientExists);
        match store::insert(&self.pool, new, hash).await.on_constraints(taken) {
            Ok(row) => Ok((row, secret)),
            Err(IdentityError::ClientExists) => Ok((self.made_before(new, hash).await?, secret)),
            Err(error) => Err(error),
        }
    }

    /// The program that this very request has registered, as long as its secret may be told.
    async fn made_before(&self, new: &Registration, secret: SecretHash) -> Result<ClientRow, IdentityError> {
        let Some(request_id) = new.request_id else { return Err(IdentityError::ClientExists) };
        let made = store::of_request(&self.pool, request_id).await?.ok_or(IdentityError::ClientExists)?;
        let row = made.client;
        if (&row.client_id, &row.display_name, row.role.as_str()) != (&new.client_id, &new.display_name, new.role) {
            return Err(IdentityError::RequestIdReused);
        }
        // Deleted since, long ago, or with another secret: that of an operator, or made with a key of before.
        if made.repeatable && secret.matches(&made.secret_hash) { Ok(row) } else { Err(IdentityError::ClientExists) }
    }

    /// A page of the programs, newest first.
    pub(crate) async fn list(&self, page: &Page<ClientKey>) -> Result<(Vec<ClientRow>, String), IdentityError> {
        let rows = store::list(&self.pool, page.after.as_ref(), page.size.limit()).await?;
        Ok(page.cut(rows, |row| (row.created_at.to_jiff(), row.client_id.clone())))
    }

    /// Deletes a program and revokes its tokens. A repeat changes nothing, but tells Redis again, in case it was away.
    pub(crate) async fn delete(&self, client_id: &str) -> Result<(), IdentityError> {
        if !is_client_id(client_id) {
            return Err(IdentityError::ClientNotFound);
        }
        let (Self { pool, revocations, .. }, client_id) = (self.clone(), client_id.to_owned());
        let end = async move {
            if !store::delete(&pool, &client_id).await? {
                return Err(IdentityError::ClientNotFound);
            }
            revoke(&revocations, &subject_of(&client_id)).await;
            Ok(())
        };
        self.changes.run(end).await
    }

    /// A token for the program that knows the secret. Asks the database each time, so a deleted program gets none.
    pub(crate) async fn issue(&self, client_id: &str, secret: &SecretString) -> Result<ClientToken, IdentityError> {
        if !is_client_id(client_id) {
            return Err(IdentityError::BadCredentials);
        }
        let given = SecretHash::of(secret.expose_secret());
        let role = match store::credentials(&self.pool, client_id).await? {
            Some((role, stored)) if given.matches(&stored) => role,
            _ => return Err(IdentityError::BadCredentials),
        };
        let subject = Subject {
            id: subject_of(client_id),
            session: subject_of(client_id),
            role: Claims::role_from_name(&role).ok_or_else(|| IdentityError::defect("an unknown role"))?,
            hotel_ids: Vec::new(),
        };
        let access = self.tokens.sign(subject, self.lives.client).await?;
        Ok(ClientToken { access, life: self.lives.client })
    }
}

/// Registers a program with a secret that the operator chose, or brings its registration up to date.
pub(crate) async fn register(pool: &PgPool, new: &Registration, secret: &SecretString) -> Result<(), IdentityError> {
    let hash = SecretHash::of(secret.expose_secret());
    if store::upsert(pool, new, hash).await? {
        return Ok(());
    }
    Err(IdentityError::ClientExists)
}

/// What a program's tokens name as their subject and session.
fn subject_of(client_id: &str) -> String {
    format!("client:{client_id}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ab", "", Role::Partner, &["client_id"])]
    #[case("Booking", "", Role::Partner, &["client_id"])]
    #[case("a_b_c", "x\ny", Role::Partner, &["client_id", "display_name"])]
    #[case("", "", Role::Unspecified, &["client_id", "role"])]
    #[case("partner-1", "", Role::Guest, &["role"])]
    #[case("partner-1", "", Role::Admin, &["role"])]
    #[case("partner-1", "A partner", Role::Partner, &[])]
    #[case("hotel", "", Role::Service, &[])]
    fn wrong_fields_are_all_named(#[case] id: &str, #[case] name: &str, #[case] role: Role, #[case] wrong: &[&str]) {
        let fields = match Registration::parse(id.to_owned(), name.to_owned(), role) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.field).collect(),
        };
        assert_eq!(fields, wrong);
    }

    #[test]
    fn lengths_are_bounded() {
        assert!(is_client_id(&"a".repeat(64)) && !is_client_id(&"a".repeat(65)));
        assert!(check_display_name(&"é".repeat(100)).is_ok() && check_display_name(&"é".repeat(101)).is_err());
    }
}
