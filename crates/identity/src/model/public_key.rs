//! Public halves of signing keys.

/// The public half of an ES256 signing key: a point on P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Its thumbprint (RFC 7638), the `kid` of tokens.
    pub(crate) id: String,
    /// X coordinate, base64url.
    pub(crate) x: String,
    /// Y coordinate, base64url.
    pub(crate) y: String,
}
