//! The Lua filter, for what the transcoder does not do: refuse unknown body fields and query parameters that contradict the
//! path, unwrap responses, set `Retry-After`, and turn errors of page requests into HTML.

use std::{collections::BTreeMap, fmt::Write};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use staymesh_contract::{Binding, Contract};

use crate::envoy::typed;

/// Name of the filter, and key of its metadata on routes.
const FILTER: &str = "envoy.filters.http.lua";

/// The filter. It precedes the transcoder, so it sees requests before and responses after transcoding, both as JSON.
pub(crate) fn filter(contract: &Contract) -> Value {
    let source = [&messages(contract), include_str!("requests.lua"), include_str!("responses.lua")].join("\n");
    json!({
        "name": FILTER,
        "typed_config": typed("envoy.extensions.filters.http.lua.v3.Lua", json!({
            "default_source_code": {"inline_string": source},
        })),
    })
}

/// Route metadata: the message in the body, and the fields bound by the path.
pub(crate) fn request(binding: &Binding) -> Value {
    let mut known = Map::new();
    if let Some(message) = &binding.body {
        known.insert("request_body".to_owned(), json!(message.full_name()));
    }
    if !binding.in_path.is_empty() {
        let names: Map<String, Value> = binding.in_path.iter().map(|name| (name.clone(), json!(true))).collect();
        known.insert("in_path".to_owned(), names.into());
    }
    json!({"filter_metadata": {FILTER: known}})
}

/// Route metadata: the response is the value of this field.
pub(crate) fn response_body(field: &str) -> Value {
    json!({"filter_metadata": {FILTER: {"response_body": field}}})
}

/// Route metadata: responses are HTML pages.
pub(crate) fn page() -> Value {
    json!({"filter_metadata": {FILTER: {"page": true}}})
}

/// Route metadata: errors have the members of RFC 6749 as well.
pub(crate) fn oauth() -> Value {
    json!({"filter_metadata": {FILTER: {"oauth": true}}})
}

/// All messages that can be in a JSON body, as a Lua table: message name to field names; the value of a field is its message
/// name, or `true`.
fn messages(contract: &Contract) -> String {
    let mut found = BTreeMap::new();
    for binding in contract.exposed_services().flat_map(|service| &service.methods).flat_map(|method| &method.bindings)
    {
        if let Some(message) = &binding.body {
            collect(message, &mut found);
        }
    }
    let mut table = String::from("local MESSAGES = {\n");
    for (name, fields) in found {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "  [\"{name}\"] = {{{}}},", fields.join(", "));
    }
    table.push_str("}\n");
    table
}

fn collect(message: &MessageDescriptor, found: &mut BTreeMap<String, Vec<String>>) {
    if found.contains_key(message.full_name()) {
        return;
    }
    // The transcoder accepts both spellings of a name.
    let fields = message.fields().flat_map(|field| {
        let kind = nested(&field).map_or_else(|| "true".to_owned(), |message| format!("\"{}\"", message.full_name()));
        let mut names = vec![field.name().to_owned(), field.json_name().to_owned()];
        names.dedup();
        names.into_iter().map(move |name| format!("[\"{name}\"] = {kind}"))
    });
    found.insert(message.full_name().to_owned(), fields.collect());
    message.fields().filter_map(|field| nested(&field)).for_each(|message| collect(&message, found));
}

/// The message in a field whose names are checked. Not Google's types, which have their own JSON forms, and not maps, whose
/// keys are data.
fn nested(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_map() && message.package_name().starts_with("staymesh.") => Some(message),
        _ => None,
    }
}
