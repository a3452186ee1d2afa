//! Secrets of clients: rotate and revoke. A client has one valid secret, or two while it changes over.

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use staymesh_store::{ResultExt, idempotency::require_same};
use uuid::Uuid;

use super::{
    clients::{ClientService, sessions, with_secrets},
    revoke::revoke,
};
use crate::{
    crypto::{SecretHash, random_secret},
    error::IdentityError,
    model::{Client, SecretRotation, is_client_id, session_of},
    store::{audit::CLIENT, client_secrets as store, client_secrets::IssuedSecret, clients},
};

const TWO_SECRETS: IdentityError =
    IdentityError::SecretLimit("the client has two secrets; revoke one, or wait until the former one expires");
const ONE_SECRET: IdentityError =
    IdentityError::SecretLimit("it is the only secret of the client; rotate it with overlap_seconds 0 instead");

impl ClientService {
    /// Issues another secret to a client. The former one stays valid for the overlap; without an overlap, all earlier ones
    /// are revoked. Of several rotations at once, one succeeds.
    ///
    /// Idempotent for a request id, for one day and as long as the secret is valid: the secret is derived from the id, as in
    /// [`ClientService::create`].
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`]; [`IdentityError::SecretLimit`] with two valid secrets;
    /// [`IdentityError::RequestIdReused`] and [`IdentityError::SecretExists`].
    pub(crate) async fn rotate_secret(
        &self,
        rotation: SecretRotation,
    ) -> Result<(Client, SecretString), IdentityError> {
        if !is_client_id(&rotation.client_id) {
            return Err(IdentityError::ClientNotFound);
        }
        let secret = match rotation.request_id {
            Some(request_id) => self.key.rotated_secret(&rotation.client_id, request_id),
            None => random_secret()?,
        };
        let (service, hash) = (self.clone(), SecretHash::of(secret.expose_secret()));
        let client = self.critical.run(Box::pin(async move { service.issue_secret(&rotation, hash).await })).await?;
        Ok((client, secret))
    }

    async fn issue_secret(&self, rotation: &SecretRotation, secret: SecretHash) -> Result<Client, IdentityError> {
        let client_id = rotation.client_id.as_str();
        let mut transaction = self.pool.begin().await?;
        if !clients::lock(&mut transaction, client_id).await? {
            return Err(IdentityError::ClientNotFound);
        }
        if let Some(request_id) = rotation.request_id
            && let Some(issued) = store::of_request(&mut transaction, request_id).await?
        {
            repeated(&issued, rotation, secret)?;
            return client(&mut transaction, client_id).await;
        }
        let watched = CLIENT.before(&mut transaction, &client_id).await?;
        let revoked = match self.overlap_seconds(rotation)? {
            0 => store::revoke_all(&mut transaction, client_id).await?,
            overlap => {
                store::end_expired(&mut transaction, client_id).await?;
                let retired = store::retire_newest(&mut transaction, client_id, overlap).await;
                retired.on_constraint("client_secret_former_key", |_| TWO_SECRETS)?;
                Vec::new()
            }
        };
        // The only other client with this request id is one that uses it at the same moment.
        let inserted = store::insert(&mut transaction, rotation, secret).await;
        inserted.on_constraint("client_secret_request_id_key", |_| IdentityError::RequestIdReused)?;
        clients::follow_newest_secret(&mut transaction, client_id).await?;
        watched.record(&mut transaction).await?;
        let client = client(&mut transaction, client_id).await?;
        transaction.commit().await?;
        if !revoked.is_empty() {
            revoke(&self.revocations, &sessions(client_id, &revoked)).await;
        }
        Ok(client)
    }

    fn overlap_seconds(&self, rotation: &SecretRotation) -> Result<i64, IdentityError> {
        match rotation.overlap_seconds {
            Some(seconds) => Ok(seconds.into()),
            None => i64::try_from(self.lives.secret_overlap.as_secs()).map_err(IdentityError::defect),
        }
    }

    /// Revokes one of two secrets, or one that has ended, and the tokens that were issued for it. If it is the newest, the
    /// former one remains without an expiry. Idempotent.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`], [`IdentityError::SecretNotFound`], and [`IdentityError::SecretLimit`] for the only
    /// valid secret.
    pub(crate) async fn revoke_secret(&self, client_id: &str, secret_id: Uuid) -> Result<Client, IdentityError> {
        if !is_client_id(client_id) {
            return Err(IdentityError::ClientNotFound);
        }
        let (service, client_id) = (self.clone(), client_id.to_owned());
        self.critical.run(Box::pin(async move { service.end_secret(&client_id, secret_id).await })).await
    }

    async fn end_secret(&self, client_id: &str, secret_id: Uuid) -> Result<Client, IdentityError> {
        let mut transaction = self.pool.begin().await?;
        if !clients::lock(&mut transaction, client_id).await? {
            return Err(IdentityError::ClientNotFound);
        }
        let watched = CLIENT.before(&mut transaction, &client_id).await?;
        store::end_expired(&mut transaction, client_id).await?;
        if let [(_, only)] = store::valid(&mut transaction, &[client_id]).await?.as_slice()
            && only.secret_id == secret_id
        {
            return Err(ONE_SECRET);
        }
        if !store::revoke(&mut transaction, client_id, secret_id).await? {
            return Err(IdentityError::SecretNotFound);
        }
        store::promote_former(&mut transaction, client_id).await?;
        clients::follow_newest_secret(&mut transaction, client_id).await?;
        watched.record(&mut transaction).await?;
        let client = client(&mut transaction, client_id).await?;
        transaction.commit().await?;
        revoke(&self.revocations, &[session_of(client_id, secret_id)]).await;
        Ok(client)
    }
}

/// Checks that a repeated request may get its secret again: it has the same content, is less than a day old, and the secret
/// is valid and not derived with a former encryption key.
fn repeated(issued: &IssuedSecret, rotation: &SecretRotation, secret: SecretHash) -> Result<(), IdentityError> {
    let same = (&issued.client_id, issued.overlap_seconds) == (&rotation.client_id, rotation.overlap_seconds);
    let stored = require_same(&issued.repeatable, same)?;
    let repeatable = stored.as_ref().is_some_and(|stored| secret.matches(stored));
    if repeatable { Ok(()) } else { Err(IdentityError::SecretExists) }
}

/// The client with its valid secrets.
async fn client(connection: &mut PgConnection, client_id: &str) -> Result<Client, IdentityError> {
    let client = clients::get(connection, client_id).await?;
    Ok(with_secrets(connection, client).await?)
}
