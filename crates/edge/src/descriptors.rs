//! The descriptor set in the form that Envoy's transcoder supports.

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, ReflectMessage, Value, prost::Message};
use staymesh_contract::is_raw;

use crate::EdgeError;

/// The contract without `response_body` of JSON responses, which Envoy 1.40 supports for `HttpBody` only; the Lua filter
/// unwraps those responses instead (see [`crate::lua`]), and with a `HEAD` form beside each `GET`. Comments are removed, too.
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
                let answer = text(method, "output_type");
                let answer = pool.get_message_by_name(answer.trim_start_matches('.'));
                let Some(Value::Message(options)) = method.get_field_by_name_mut("options") else { return };
                if !options.has_extension(&http) {
                    return;
                }
                if let Value::Message(rule) = options.get_extension_mut(&http) {
                    let field = answer.and_then(|answer| answer.get_field_by_name(&text(rule, "response_body")));
                    if !field.is_some_and(|field| is_raw(&field.kind())) {
                        rule.clear_field_by_name("response_body");
                    }
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
        if rule.has_field_by_name("response_body") {
            head.set_field_by_name("response_body", Value::String(text(rule, "response_body")));
        }
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
    fn for_envoy_removes_response_body_of_json_responses_only() {
        let before = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        let stripped = for_envoy(staymesh_api::DESCRIPTOR_SET).expect("it can be stripped");
        let mut after = Contract::read(&stripped).expect("it can be read again");
        let methods = |contract: &Contract, raw| {
            let all = contract.services.iter().flat_map(|s| &s.methods).filter(move |m| m.response_body.is_some());
            all.filter(|m| m.raw == raw).count()
        };
        assert!(methods(&before, false) > 0 && methods(&before, true) > 0);
        assert_eq!((methods(&after, false), methods(&after, true)), (0, methods(&before, true)));
        for (old, new) in before.services.iter().zip(&mut after.services) {
            for (old, new) in old.methods.iter().zip(&mut new.methods) {
                new.response_body.clone_from(&old.response_body);
            }
        }
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }
}
