//! The HTTP bindings of the contract, compared with the table of routes that the tests of access go through.

use std::collections::BTreeSet;

use staymesh_contract::Contract;

use super::access::ROUTES;

#[test]
fn access_table_has_every_route_of_the_contract() {
    let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract");
    let methods = contract.services.iter().flat_map(|service| &service.methods);
    let routes: BTreeSet<_> =
        methods.flat_map(|method| &method.bindings).map(|binding| (binding.verb, binding.template.as_str())).collect();
    let table: BTreeSet<_> = ROUTES.iter().map(|(verb, path, ..)| (*verb, *path)).collect();
    assert_eq!(routes, table);
    assert_eq!(table.len(), ROUTES.len(), "a route is in the table twice");
}
