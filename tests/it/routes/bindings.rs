//! The HTTP bindings of the contract, compared with the table of routes that the tests of access go through.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value as Proto};

use super::access::ROUTES;

#[test]
fn access_table_has_every_route_of_the_contract() {
    let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract");
    let contract: BTreeSet<_> =
        pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()).flat_map(|method| routes(&method)).collect();
    let table: BTreeSet<_> = ROUTES.iter().map(|(verb, path, ..)| ((*verb).to_owned(), (*path).to_owned())).collect();
    assert_eq!(contract, table);
    assert_eq!(table.len(), ROUTES.len(), "a route is in the table twice");
}

/// HTTP method and path of each binding of a method.
fn routes(method: &MethodDescriptor) -> Vec<(String, String)> {
    let http = method.parent_pool().get_extension_by_name("google.api.http").expect("the option");
    let options = method.options();
    let rule = options.get_extension(&http);
    let Proto::Message(rule) = rule.as_ref() else { return Vec::new() };
    let more = rule.get_field_by_name("additional_bindings");
    let more = more.iter().filter_map(|bindings| bindings.as_list()).flatten().filter_map(Proto::as_message);
    std::iter::once(rule).chain(more).filter_map(route).collect()
}

fn route(rule: &DynamicMessage) -> Option<(String, String)> {
    ["get", "put", "post", "delete", "patch"].into_iter().find_map(|verb| {
        let path = rule.get_field_by_name(verb)?.as_str()?.to_owned();
        (!path.is_empty()).then(|| (verb.to_uppercase(), path))
    })
}
