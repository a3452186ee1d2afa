//! What the transcoder leaves undone: refusing unknown fields of a body and parameters that contradict the path,
//! unwrapping answers, `Retry-After`, errors of pages that people can read.

use std::{collections::BTreeMap, fmt::Write};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use staymesh_contract::{Binding, Contract};

use crate::envoy::typed;

/// The filter's name is also where Envoy looks for a route's metadata for it.
const FILTER: &str = "envoy.filters.http.lua";

/// Stands before the transcoder in the chain: it sees requests before it and answers after it, both as JSON.
pub(crate) fn filter(contract: &Contract) -> Value {
    let source = [&messages(contract), include_str!("requests.lua"), include_str!("responses.lua")].join("\n");
    json!({
        "name": FILTER,
        "typed_config": typed("envoy.extensions.filters.http.lua.v3.Lua", json!({
            "default_source_code": {"inline_string": source},
        })),
    })
}

/// The metadata of a route for requests of this form.
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

/// The metadata of a route whose answers in JSON are the value of this field alone.
pub(crate) fn response_body(field: &str) -> Value {
    json!({"filter_metadata": {FILTER: {"response_body": field}}})
}

/// The metadata of a route whose answers are pages.
pub(crate) fn page() -> Value {
    json!({"filter_metadata": {FILTER: {"page": true}}})
}

/// Messages that come as JSON, as a table of Lua: each with its fields and, for those that are messages themselves,
/// the message.
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
    // The transcoder takes both spellings of a name.
    let fields = message.fields().flat_map(|field| {
        let kind = nested(&field).map_or_else(|| "true".to_owned(), |message| format!("\"{}\"", message.full_name()));
        let mut names = vec![field.name().to_owned(), field.json_name().to_owned()];
        names.dedup();
        names.into_iter().map(move |name| format!("[\"{name}\"] = {kind}"))
    });
    found.insert(message.full_name().to_owned(), fields.collect());
    message.fields().filter_map(|field| nested(&field)).for_each(|message| collect(&message, found));
}

/// The message that a field holds. Google's own types have a JSON of their own, and a map has names of the caller's.
fn nested(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_map() && message.package_name().starts_with("staymesh.") => Some(message),
        _ => None,
    }
}
