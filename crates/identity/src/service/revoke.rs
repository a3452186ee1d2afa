//! Revocation of access tokens.

use staymesh_mesh::auth::Revocations;

/// Publishes through Redis that the access tokens of a session (a login or a client) are revoked, for every service. If
/// Redis is unavailable they remain valid until they expire, and a warning is logged.
pub(super) async fn revoke(revocations: &Revocations, session: &str) {
    if revocations.revoke(session).await.is_err() {
        tracing::warn!(
            session,
            "Redis is unavailable: access tokens of an ended session remain valid until they expire"
        );
    }
}
