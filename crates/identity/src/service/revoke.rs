//! Revocation of access tokens.

use sqlx::PgPool;
use staymesh_mesh::auth::{REMEMBERED, RevocationSource, Revocations};
use staymesh_store::StoreError;

use crate::{
    error::IdentityError,
    model::{session_of, subject_of},
    store::revoked,
};

/// Publishes that the access tokens of sessions (logins, or secrets of clients) are revoked, for every service. Returns when no service
/// accepts them any more. If Redis is unavailable, the services read the revocation from identity's database, and a warning
/// is logged.
pub(super) async fn revoke(revocations: &Revocations, sessions: &[String]) {
    if revocations.revoke(sessions).await.is_err() {
        tracing::warn!(sessions = sessions.len(), "Redis is unavailable: services read ended sessions from identity");
    }
}

/// The revoked sessions in identity's database.
#[derive(Clone)]
pub(crate) struct RevokedInStore(pub(crate) PgPool);

impl RevokedInStore {
    /// The sessions that ended although access tokens of theirs may not have expired.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub(crate) async fn sessions(&self) -> Result<Vec<String>, IdentityError> {
        let mut sessions: Vec<String> = revoked::logins(&self.0).await?.iter().map(ToString::to_string).collect();
        // Tokens of the release before name the client alone.
        sessions.extend(revoked::clients(&self.0, REMEMBERED).await?.iter().map(|id| subject_of(id)));
        let secrets = revoked::secrets(&self.0, REMEMBERED).await?;
        sessions.extend(secrets.iter().map(|(client_id, secret_id)| session_of(client_id, *secret_id)));
        Ok(sessions)
    }
}

#[tonic::async_trait]
impl RevocationSource for RevokedInStore {
    async fn list(&self) -> Result<Vec<String>, String> {
        self.sessions().await.map_err(|error| match error {
            IdentityError::Store(StoreError::Unavailable(_)) => "the database is unavailable".to_owned(),
            error => error.to_string(),
        })
    }
}
