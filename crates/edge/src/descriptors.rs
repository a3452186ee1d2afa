//! The descriptor set in the form that Envoy's transcoder supports.

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, ReflectMessage, Value, prost::Message};

use crate::EdgeError;

/// The contract with a `HEAD` form beside each `GET`, and without comments.
pub(crate) fn for_envoy(descriptor_set: &[u8]) -> Result<Vec<u8>, EdgeError> {
    let pool = DescriptorPool::decode(descriptor_set)?;
    let set_type = pool
        .get_message_by_name("google.protobuf.FileDescriptorSet")
        .ok_or(EdgeError::Missing("google/protobuf/descriptor.proto"))?;
    let http =
        pool.get_extension_by_name("google.api.http").ok_or(EdgeError::Missing("google/api/annotations.proto"))?;
    // Decoded with the descriptors of the set itself: prost's generated type would drop the custom options.
    let mut set = DynamicMessage::decode(set_type, descriptor_set)?;
    for_each(&mut set, "file", &mut |file| {
        file.clear_field_by_name("source_code_info");
        for_each(file, "service", &mut |service| {
            for_each(service, "method", &mut |method| {
                let Some(Value::Message(options)) = method.get_field_by_name_mut("options") else { return };
                if !options.has_extension(&http) {
                    return;
                }
                if let Value::Message(rule) = options.get_extension_mut(&http) {
                    add_head(rule);
                }
            });
        });
    });
    Ok(set.encode_to_vec())
}

/// Adds a `HEAD` binding for the path of a `GET` rule and of each of its additional bindings.
fn add_head(rule: &mut DynamicMessage) {
    let mut paths = vec![text(rule, "get")];
    for_each(rule, "additional_bindings", &mut |more| paths.push(text(more, "get")));
    paths.retain(|path| !path.is_empty());
    let Some(Kind::Message(pattern)) = rule.descriptor().get_field_by_name("custom").map(|field| field.kind()) else {
        return;
    };
    let heads = paths.into_iter().map(|path| {
        let mut custom = DynamicMessage::new(pattern.clone());
        custom.set_field_by_name("kind", Value::String("HEAD".to_owned()));
        custom.set_field_by_name("path", Value::String(path));
        let mut head = DynamicMessage::new(rule.descriptor());
        head.set_field_by_name("custom", Value::Message(custom));
        Value::Message(head)
    });
    let heads: Vec<Value> = heads.collect();
    if heads.is_empty() {
        return;
    }
    if let Some(list) = rule.get_field_by_name_mut("additional_bindings").and_then(Value::as_list_mut) {
        list.extend(heads);
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn for_each(message: &mut DynamicMessage, field: &str, change: &mut dyn FnMut(&mut DynamicMessage)) {
    // Mutable access to an absent field would set it.
    if !message.has_field_by_name(field) || message.descriptor().get_field_by_name(field).is_none() {
        return;
    }
    let Some(list) = message.get_field_by_name_mut(field).and_then(Value::as_list_mut) else { return };
    list.iter_mut().filter_map(Value::as_message_mut).for_each(change);
}

#[cfg(test)]
mod tests {
    use staymesh_contract::Contract;

    use super::*;

    #[test]
    fn for_envoy_changes_nothing_that_the_edge_reads_from_the_contract() {
        let before = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        let changed = for_envoy(staymesh_api::DESCRIPTOR_SET).expect("it can be changed");
        assert!(changed.len() < staymesh_api::DESCRIPTOR_SET.len(), "comments are removed");
        let after = Contract::read(&changed).expect("it can be read again");
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }
}
