//! Which accounts and clients get tokens at a gateway: those whose tokens it accepts.

use staymesh_api::options::v1::Gateway;
use staymesh_mesh::auth::{Claims, Role, RoleGateways};

use crate::error::IdentityError;

/// Decides at which gateway a role logs in. Callers cannot tell a refusal from wrong credentials, so a password or secret
/// of staff, of an administrator or of a service cannot be guessed or tried at the public gateway.
#[derive(Clone)]
pub(crate) struct Admission(RoleGateways);

impl Admission {
    pub(crate) fn new(gateways: RoleGateways) -> Self {
        Self(gateways)
    }

    /// The role with this name in the database, if the gateway by which the request entered accepts its tokens.
    ///
    /// # Errors
    /// When the role is unknown.
    pub(crate) fn role(&self, name: &str, entered: Gateway) -> Result<Option<Role>, IdentityError> {
        let role = Claims::role_from_name(name).ok_or_else(|| IdentityError::defect("an unknown role"))?;
        Ok(self.0.accepts(entered, role).then_some(role))
    }
}
