//! The claims of an access token.

use serde::{Deserialize, Serialize};
use staymesh_api::options::v1::Role;

/// The claims of an access token (RFC 7519), in the names of the JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer: the identity service of this chain.
    pub iss: String,
    /// Audience: this mesh.
    pub aud: String,
    /// The account's UUID, or `client:` and the client id.
    pub sub: String,
    /// Name of the role: `guest`, `staff`, `partner`, `admin` or `service`.
    pub role: String,
    /// The hotels that a staff account works for, each positive; empty for other roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hotel_ids: Vec<i32>,
    /// Whether the owner of the account has confirmed its e-mail address; absent means no (`OpenID` Connect Core 5.1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub email_verified: bool,
    /// The login or client the token belongs to; revocations name it.
    pub sid: String,
    /// Issue time, Unix seconds.
    pub iat: i64,
    /// Expiry, Unix seconds.
    pub exp: i64,
}

/// The role with this name in tokens and databases; `None` if unknown.
pub(super) fn role_of(name: &str) -> Option<Role> {
    let role = match name {
        "guest" => Role::Guest,
        "staff" => Role::Staff,
        "partner" => Role::Partner,
        "admin" => Role::Admin,
        "service" => Role::Service,
        _ => return None,
    };
    Some(role)
}

impl Claims {
    /// Name of a role in tokens and databases; `None` for `ROLE_UNSPECIFIED`.
    pub fn role_name(role: Role) -> Option<&'static str> {
        let name = match role {
            Role::Guest => "guest",
            Role::Staff => "staff",
            Role::Partner => "partner",
            Role::Admin => "admin",
            Role::Service => "service",
            Role::Unspecified => return None,
        };
        Some(name)
    }

    /// The role with this name in tokens and databases; `None` if unknown.
    pub fn role_from_name(name: &str) -> Option<Role> {
        role_of(name)
    }
}
