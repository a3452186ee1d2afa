//! Clients with OAuth 2.0 client credentials (RFC 6749, section 4.4): register, list, delete, issue tokens.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool};
use staymesh_api::options::v1::Gateway;
use staymesh_domain::Page;
use staymesh_mesh::auth::Revocations;
use staymesh_store::{ResultExt, idempotency::require_same};
use uuid::Uuid;

use super::{
    admission::Admission,
    critical_tasks::CriticalTasks,
    revoke::revoke,
    tokens::{Subject, Tokens},
};
use crate::{
    config::Lives,
    crypto::{EncryptionKey, SecretHash, random_secret},
    error::IdentityError,
    model::{Client, ClientKey, HotelIds, Registration, is_client_id, session_of, subject_of},
    store::{
        audit::CLIENT,
        client_secrets::{self, Credential},
        clients as store,
    },
};

/// A client's access token.
#[derive(Debug)]
pub(crate) struct ClientToken {
    pub(crate) access: SecretString,
    pub(crate) life: Duration,
}

/// The clients.
#[derive(Clone)]
pub(crate) struct ClientService {
    pub(crate) pool: PgPool,
    pub(crate) key: EncryptionKey,
    pub(crate) tokens: Tokens,
    pub(crate) revocations: Revocations,
    pub(crate) admission: Admission,
    pub(crate) lives: Lives,
    pub(crate) critical: CriticalTasks,
}

impl ClientService {
    /// Registers a client and returns its secret, of which only the hash is stored. An id that was ever in use is
    /// refused, because the former client's reservations carry it.
    ///
    /// Idempotent for a request id, for one day. The secret is then derived from that id with a key that only this
    /// service has (HMAC-SHA-256), so that a retry returns the same secret without its being stored. The limit of one
    /// day keeps an old request id from disclosing the secret of a client in use.
    ///
    /// # Errors
    /// [`IdentityError::ClientExists`] and [`IdentityError::RequestIdReused`].
    pub(crate) async fn create(&self, new: &Registration) -> Result<(Client, SecretString), IdentityError> {
        let secret = match new.request_id {
            Some(request_id) => self.key.client_secret(&new.client_id, request_id),
            None => random_secret()?,
        };
        let hash = SecretHash::of(secret.expose_secret());
        let taken =
            |name: &str| matches!(name, "client_pkey" | "client_request_id_key").then_some(IdentityError::ClientExists);
        match self.insert(new, hash).await.on_constraints(taken) {
            Ok(client) => Ok((client, secret)),
            Err(IdentityError::ClientExists) => Ok((self.created_before(new, hash).await?, secret)),
            Err(error) => Err(error),
        }
    }

    /// Inserts a client with its audit record.
    async fn insert(&self, new: &Registration, secret: SecretHash) -> sqlx::Result<Client> {
        let mut transaction = self.pool.begin().await?;
        let client = store::insert(&mut transaction, new, secret).await?;
        CLIENT.created(&client.id).record(&mut transaction).await?;
        let client = with_secrets(&mut transaction, client).await?;
        transaction.commit().await?;
        Ok(client)
    }

    /// The client that an earlier attempt of this request registered, while its secret may still be returned. The row of
    /// the client is the stored answer.
    async fn created_before(&self, new: &Registration, secret: SecretHash) -> Result<Client, IdentityError> {
        let Some(request_id) = new.request_id else { return Err(IdentityError::ClientExists) };
        let created = store::of_request(&self.pool, request_id).await?.ok_or(IdentityError::ClientExists)?;
        let row = &created.client;
        let same_content =
            (&row.id, &row.display_name, row.role.as_str()) == (&new.client_id, &new.display_name, new.role);
        let created = require_same(created, same_content)?;
        // Refused if deleted, older than a day, or with another newest secret: one of a rotation, one set by an operator, or
        // one derived with a former encryption key.
        if created.repeatable && secret.matches(&created.secret_hash) {
            let mut connection = self.pool.acquire().await?;
            return Ok(with_secrets(&mut connection, created.client).await?);
        }
        Err(IdentityError::ClientExists)
    }

    /// A page of the clients, newest first, and the token of the next page.
    pub(crate) async fn list(&self, page: &Page<ClientKey>) -> Result<(Vec<Client>, String), IdentityError> {
        let clients = store::list(&self.pool, page.after.as_ref(), page.size.limit()).await?;
        let (mut clients, next_page_token) = page.cut(clients, |client| (client.create_time, client.id.clone()));
        let mut connection = self.pool.acquire().await?;
        read_secrets(&mut connection, &mut clients).await?;
        Ok((clients, next_page_token))
    }

    /// Deletes a client and revokes its secrets and tokens. Idempotent.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`].
    pub(crate) async fn delete(&self, client_id: &str) -> Result<(), IdentityError> {
        if !is_client_id(client_id) {
            return Err(IdentityError::ClientNotFound);
        }
        let (Self { pool, revocations, .. }, client_id) = (self.clone(), client_id.to_owned());
        let delete = async move {
            let mut transaction = pool.begin().await?;
            let watched = CLIENT.before(&mut transaction, &client_id).await?;
            if !store::delete(&mut transaction, &client_id).await? {
                return Err(IdentityError::ClientNotFound);
            }
            let revoked = client_secrets::revoke_all(&mut transaction, &client_id).await?;
            watched.record(&mut transaction).await?;
            transaction.commit().await?;
            let mut ended = sessions(&client_id, &revoked);
            // Tokens of the release before name the client alone.
            ended.push(subject_of(&client_id));
            revoke(&revocations, &ended).await;
            Ok(())
        };
        self.critical.run(delete).await
    }

    /// Issues a token to the client with this secret. Reads the database each time, so a deleted client or an ended secret
    /// gets none. The right secret at a gateway that does not accept the client's role is refused like a wrong one.
    ///
    /// # Errors
    /// [`IdentityError::BadCredentials`].
    pub(crate) async fn issue(
        &self,
        client_id: &str,
        secret: &SecretString,
        entered: Gateway,
    ) -> Result<ClientToken, IdentityError> {
        if !is_client_id(client_id) {
            return Err(IdentityError::BadCredentials);
        }
        let given = SecretHash::of(secret.expose_secret());
        let valid = client_secrets::credentials(&self.pool, client_id).await?;
        // One hash of what is given, compared with at most two: a second secret does not double the work of a guess.
        let matching = valid.into_iter().find(|secret| given.matches(&secret.secret_hash));
        let Credential { role, secret_id, used_today, .. } = matching.ok_or(IdentityError::BadCredentials)?;
        let subject = Subject {
            id: subject_of(client_id),
            session: session_of(client_id, secret_id),
            role: self.admission.role(&role, entered)?.ok_or(IdentityError::BadCredentials)?,
            hotel_ids: HotelIds::default(),
            email_verified: false,
        };
        let access = self.tokens.sign(subject, self.lives.client).await?;
        if !used_today {
            let pool = self.pool.clone();
            let mark = async move { Ok(client_secrets::mark_used(&pool, secret_id).await?) };
            self.critical.start("the last use of a client's secret was not recorded", mark);
        }
        Ok(ClientToken { access, life: self.lives.client })
    }
}

/// The client with its valid secrets.
pub(super) async fn with_secrets(connection: &mut PgConnection, client: Client) -> sqlx::Result<Client> {
    let mut clients = [client];
    read_secrets(connection, &mut clients).await?;
    let [client] = clients;
    Ok(client)
}

/// Reads the valid secrets of clients.
async fn read_secrets(connection: &mut PgConnection, clients: &mut [Client]) -> sqlx::Result<()> {
    let ids: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
    for (client_id, secret) in client_secrets::valid(connection, &ids).await? {
        if let Some(client) = clients.iter_mut().find(|client| client.id == client_id) {
            client.secrets.push(secret);
        }
    }
    Ok(())
}

/// The sessions of the tokens that were issued for these secrets of a client.
pub(super) fn sessions(client_id: &str, secret_ids: &[Uuid]) -> Vec<String> {
    secret_ids.iter().map(|secret_id| session_of(client_id, *secret_id)).collect()
}

/// Registers a client with a secret chosen by the operator, or updates the registration with this id. The secret is then the
/// only one of the client; tokens issued for others stay valid until they expire.
///
/// # Errors
/// [`IdentityError::ClientExists`] when the id belongs to a deleted client.
pub(crate) async fn register(pool: &PgPool, new: &Registration, secret: &SecretString) -> Result<(), IdentityError> {
    let hash = SecretHash::of(secret.expose_secret());
    if store::upsert(pool, new, hash).await? {
        return Ok(());
    }
    Err(IdentityError::ClientExists)
}
