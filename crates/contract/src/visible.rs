//! Which files of the contract the callers at a gateway may see, for reflection.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, FileDescriptor, prost};
use staymesh_api::options::v1::Gateway;

use crate::{ContractError, services::gateway_of};

/// The files with the services that a gateway serves, and the files that those import, as an encoded `FileDescriptorSet`
/// with every option. Calls between services ([`Gateway::Mesh`]) see the whole contract; [`Gateway::Unspecified`] nothing.
///
/// # Errors
/// When the descriptor set cannot be decoded, or one of these files has a service that the gateway does not serve.
pub fn visible_files(descriptor_set: &[u8], gateway: Gateway) -> Result<Vec<u8>, ContractError> {
    let pool = DescriptorPool::decode(descriptor_set)?;
    let mut visible = BTreeMap::new();
    for service in pool.services() {
        if is_served(gateway, gateway_of(&pool, &service)?) {
            add(&mut visible, service.parent_file());
        }
    }
    let mut encoded = Vec::new();
    for file in visible.values() {
        for service in file.services() {
            if !is_served(gateway, gateway_of(&pool, &service)?) {
                return Err(ContractError::MixedFile {
                    file: file.name().to_owned(),
                    service: service.full_name().to_owned(),
                });
            }
        }
        prost::encoding::bytes::encode(FILES, &file.encode_to_vec(), &mut encoded);
    }
    Ok(encoded)
}

/// Number of the field `file` of `google.protobuf.FileDescriptorSet`.
const FILES: u32 = 1;

/// Whether callers at a gateway reach the services of another. The internal gateway serves the public services, too.
fn is_served(at: Gateway, service: Gateway) -> bool {
    match at {
        Gateway::Unspecified => false,
        Gateway::Public => service == Gateway::Public,
        Gateway::Internal => matches!(service, Gateway::Public | Gateway::Internal),
        Gateway::Mesh => true,
    }
}

fn add(visible: &mut BTreeMap<String, FileDescriptor>, file: FileDescriptor) {
    if visible.contains_key(file.name()) {
        return;
    }
    let imports: Vec<_> = file.dependencies().collect();
    visible.insert(file.name().to_owned(), file);
    for import in imports {
        add(visible, import);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contract;

    fn names(gateway: Gateway) -> Vec<String> {
        let files = visible_files(staymesh_api::DESCRIPTOR_SET, gateway).expect("the contract can be read");
        let contract = Contract::read(&files).expect("the files fit together");
        contract.services.into_iter().map(|service| service.name).collect()
    }

    #[test]
    fn each_gateway_sees_the_services_that_it_serves() {
        let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        let served = |gateways: &[Gateway]| {
            let served = contract.services.iter().filter(|service| gateways.contains(&service.gateway));
            let mut names: Vec<_> = served.map(|service| service.name.clone()).collect();
            names.sort_unstable();
            names
        };
        let seen = |gateway| {
            let mut names = names(gateway);
            names.sort_unstable();
            names
        };
        assert_eq!(seen(Gateway::Public), served(&[Gateway::Public]));
        assert_eq!(seen(Gateway::Internal), served(&[Gateway::Public, Gateway::Internal]));
        assert_eq!(seen(Gateway::Mesh), served(&[Gateway::Public, Gateway::Internal, Gateway::Mesh]));
        assert!(seen(Gateway::Unspecified).is_empty());
    }

    #[test]
    fn visible_files_keep_their_options_and_leave_out_messages_of_others() {
        let files = visible_files(staymesh_api::DESCRIPTOR_SET, Gateway::Public).expect("the contract can be read");
        let contract = Contract::read(&files).expect("the files fit together");
        let login = contract.fixed_path("/staymesh.identity.v1.AuthService/Login").expect("its REST path is an option");
        assert_eq!(login, "/v1/auth/login");
        let pool = DescriptorPool::decode(&*files).expect("the files fit together");
        assert!(pool.get_message_by_name("staymesh.identity.v1.LoginRequest").is_some());
        assert!(pool.get_message_by_name("staymesh.identity.v1.SetUserRoleRequest").is_none());
    }
}
