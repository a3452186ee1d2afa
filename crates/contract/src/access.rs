//! Access rules: who may call which method, read from the option `staymesh.options.v1.access`.

use std::collections::HashMap;

use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use staymesh_api::options::v1::Role;

/// Who may call one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every caller, with or without a token.
    Anonymous,
    /// Callers whose token has one of these roles. An empty list refuses every caller.
    Roles(Vec<Role>),
}

impl Rule {
    /// Whether a caller with this role may call.
    pub fn allows(&self, role: Role) -> bool {
        match self {
            Self::Anonymous => true,
            Self::Roles(roles) => roles.contains(&role),
        }
    }
}

/// The rules of every method, by gRPC path (`/staymesh.hotel.v1.HotelService/GetHotel`).
#[derive(Clone, Debug)]
pub struct AccessTable(HashMap<String, Rule>);

impl AccessTable {
    /// Reads the rules from an encoded `FileDescriptorSet`. A method without the option refuses every caller.
    ///
    /// # Errors
    /// When the descriptor set cannot be decoded.
    pub fn read(descriptor_set: &[u8]) -> Result<Self, DescriptorError> {
        let pool = DescriptorPool::decode(descriptor_set)?;
        let mut rules = HashMap::new();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                rules.insert(path, rule_of(&pool, &method));
            }
        }
        Ok(Self(rules))
    }

    /// The rule of a gRPC path; `None` if the contract has no such method, as for health checks and reflection.
    pub fn rule(&self, path: &str) -> Option<&Rule> {
        self.0.get(path)
    }

    /// Every gRPC path with its rule, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.0.iter().map(|(path, rule)| (path.as_str(), rule))
    }
}

fn rule_of(pool: &DescriptorPool, method: &MethodDescriptor) -> Rule {
    let refuse_all = Rule::Roles(Vec::new());
    let Some(extension) = pool.get_extension_by_name("staymesh.options.v1.access") else {
        return refuse_all;
    };
    let options = method.options();
    let access = options.get_extension(&extension);
    let Value::Message(access) = access.as_ref() else {
        return refuse_all;
    };
    if is_anonymous(access) {
        return Rule::Anonymous;
    }
    Rule::Roles(roles(access))
}

fn is_anonymous(access: &DynamicMessage) -> bool {
    access.get_field_by_name("anonymous").is_some_and(|value| value.as_bool() == Some(true))
}

fn roles(access: &DynamicMessage) -> Vec<Role> {
    let Some(field) = access.get_field_by_name("roles") else {
        return Vec::new();
    };
    field
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(|value| Role::try_from(value.as_enum_number()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> AccessTable {
        AccessTable::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read")
    }

    #[test]
    fn every_method_of_the_contract_has_an_access_rule() {
        let mut count = 0;
        for (path, rule) in table().iter() {
            assert_ne!(rule, &Rule::Roles(Vec::new()), "{path} refuses every caller");
            count += 1;
        }
        assert!(count > 40, "only {count} methods");
    }

    #[test]
    fn update_hotel_allows_staff_and_admins_only() {
        let table = table();
        let rule = table.rule("/staymesh.hotel.v1.HotelAdminService/UpdateHotel").expect("is in the contract");
        assert!(rule.allows(Role::Staff) && rule.allows(Role::Admin));
        assert!(!rule.allows(Role::Guest) && !rule.allows(Role::Partner));
    }

    #[test]
    fn unknown_path_has_no_rule() {
        assert_eq!(table().rule("/staymesh.hotel.v1.HotelService/Steal"), None);
    }
}
