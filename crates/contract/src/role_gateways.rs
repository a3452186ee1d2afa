//! Which gateway accepts the tokens of a role, read from the option `staymesh.options.v1.role_gateway`.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{DescriptorError, DescriptorPool, EnumValueDescriptor};
use staymesh_api::options::v1::{Gateway, Role};

/// The gateway of every role. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RoleGateways(Arc<HashMap<Role, Gateway>>);

impl RoleGateways {
    /// Reads the gateways from an encoded `FileDescriptorSet`. A role without the option has none.
    ///
    /// # Errors
    /// When the descriptor set cannot be decoded.
    pub fn read(descriptor_set: &[u8]) -> Result<Self, DescriptorError> {
        let pool = DescriptorPool::decode(descriptor_set)?;
        let roles = pool.get_enum_by_name("staymesh.options.v1.Role");
        let values = roles.iter().flat_map(|roles| roles.values().collect::<Vec<_>>());
        let gateways = values.filter_map(|value| Some((Role::try_from(value.number()).ok()?, gateway(&pool, &value)?)));
        Ok(Self(Arc::new(gateways.collect())))
    }

    /// The gateway that accepts tokens of this role; `Unspecified` if none does.
    pub fn of(&self, role: Role) -> Gateway {
        self.0.get(&role).copied().unwrap_or(Gateway::Unspecified)
    }

    /// Whether a caller with this role may have entered the mesh by this gateway. `Mesh` is a call between services, which
    /// passes no gateway; it may be for a caller of any role.
    pub fn accepts(&self, entered: Gateway, role: Role) -> bool {
        match entered {
            Gateway::Mesh => true,
            Gateway::Public | Gateway::Internal => self.of(role) == entered,
            Gateway::Unspecified => false,
        }
    }
}

fn gateway(pool: &DescriptorPool, role: &EnumValueDescriptor) -> Option<Gateway> {
    let extension = pool.get_extension_by_name("staymesh.options.v1.role_gateway")?;
    let options = role.options();
    Gateway::try_from(options.get_extension(&extension).as_enum_number()?).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Role::Guest, Gateway::Public)]
    #[case(Role::Partner, Gateway::Public)]
    #[case(Role::Staff, Gateway::Internal)]
    #[case(Role::Admin, Gateway::Internal)]
    #[case(Role::Service, Gateway::Internal)]
    #[case(Role::Unspecified, Gateway::Unspecified)]
    fn role_is_accepted_by_its_gateway_and_between_services_only(#[case] role: Role, #[case] gateway: Gateway) {
        let gateways = RoleGateways::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        assert_eq!(gateways.of(role), gateway);
        for entered in [Gateway::Public, Gateway::Internal] {
            assert_eq!(gateways.accepts(entered, role), entered == gateway, "{entered:?}");
        }
        assert!(gateways.accepts(Gateway::Mesh, role));
        assert!(!gateways.accepts(Gateway::Unspecified, role));
    }
}
